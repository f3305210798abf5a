"""Header rules: which headers a key is to have, told apart from those it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.headers import (
    ALL,
    FIELDS,
    METADATA,
    TYPE,
    HeaderRule,
    HeaderRules,
    agrees,
    bare,
    contradicts,
    differences,
    fits,
    kind_of,
    merged,
    refuse,
    type_for,
    wears,
)
from buckia.model import Content, Entry, Headers
from tests.strategies import examples

CACHE: Final = "cache-control"

PATTERNS: Final[dict[tuple[str, ...], Callable[[str], bool]]] = {
    ("*",): lambda key: True,
    ("*.jpg",): lambda key: key.endswith(".jpg"),
    ("/a/",): lambda key: key.startswith("a/"),
    ("b",): lambda key: "b" in key.split("/"),
    ("*.jpg", "!a.jpg"): lambda key: key.endswith(".jpg") and key.split("/")[-1] != "a.jpg",
    ("**/c/*",): lambda key: "c" in key.split("/")[:-1],
}
"""Patterns, and the keys they match in other words."""

names = st.sampled_from([*FIELDS, "meta-a", "meta-b"])
values = st.sampled_from(["1", "2", "three"])
rules = st.lists(
    st.builds(
        HeaderRule,
        st.sampled_from(list(PATTERNS)),
        st.dictionaries(names, values, min_size=1, max_size=4),
    ),
    max_size=6,
)
folders = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)
files = st.sampled_from(["a", "b", "a.jpg", "x.jpg"])
keys = st.builds(lambda above, name: "/".join([*above, name]), folders, files)
sets = st.frozensets(st.sampled_from(sorted(ALL)))


@examples(300)
@given(rules, keys)
def test_the_last_rule_that_matches_has_its_way(found: list[HeaderRule], key: str) -> None:
    """Header by header, each on its own; a key no rule says anything about has no wish at all."""
    wanted = HeaderRules(tuple(found)).wanted(key) or {}
    for name in (*FIELDS, "meta-a", "meta-b"):
        said = [r.headers[name] for r in found if name in r.headers and PATTERNS[r.globs](key)]
        assert wanted.get(name) == (said[-1] if said else None)
    assert HeaderRules(tuple(found)).wanted(key) != {}


@examples(100)
@given(rules, keys, sets)
def test_what_a_store_cannot_set_is_no_wish_and_is_told(
    found: list[HeaderRule], key: str, able: frozenset[str]
) -> None:
    """Each rule loses just that, and `beyond` names it rule by rule."""
    every = HeaderRules(tuple(found))
    within = every.within(able, in_place=False)
    assert not within.in_place
    wanted = every.wanted(key) or {}
    assert (within.wanted(key) or {}) == {n: v for n, v in wanted.items() if kind_of(n) in able}
    lost = [{kind_of(name) for name in rule.headers} - able for rule in found]
    assert [set(left) for _, left in every.beyond(able)] == [left for left in lost if left]


@examples(100)
@given(rules, keys)
def test_the_rules_behind_a_key(found: list[HeaderRule], key: str) -> None:
    """Those that match it, in their order."""
    behind = HeaderRules(tuple(found)).behind([key, key])
    assert behind == [rule for rule in found if PATTERNS[rule.globs](key)]


def test_a_million_keys_share_their_wishes() -> None:
    """What the same rules say of two keys is one object."""
    found = HeaderRules((HeaderRule(("*.jpg",), {CACHE: "1"}),))
    assert found.wanted("a.jpg") is found.wanted("b.jpg")


@pytest.mark.parametrize(
    ("wanted", "set_by_rules", "kind", "right"),
    [
        (None, None, None, True),
        (None, {}, "a/b", True),
        ({}, None, None, True),
        ({CACHE: "1"}, {CACHE: "1"}, None, True),
        ({CACHE: "1"}, {CACHE: "2"}, None, False),
        ({CACHE: "1"}, None, None, False),
        (None, {CACHE: "1"}, None, False),
        ({CACHE: "1"}, {CACHE: "1", "meta-a": "2"}, None, False),
        ({CACHE: "1", "meta-a": "2"}, {CACHE: "1"}, None, False),
        ({TYPE: "a/b"}, None, "a/b", True),
        ({TYPE: "a/b"}, None, "c/d", False),
        ({TYPE: "a/b"}, None, None, False),
        ({TYPE: "a/b"}, {TYPE: "c/d"}, "a/b", False),
        ({TYPE: "a/b", CACHE: "1"}, {CACHE: "1"}, "a/b", True),
        (None, {TYPE: "a/b"}, "a/b", False),
    ],
)
def test_headers_that_were_set_fit_or_not(
    wanted: Headers | None, set_by_rules: Headers | None, kind: str | None, right: bool
) -> None:
    """Just what is wanted, no less and no more; a type that needed no rule counts."""
    assert fits(wanted, Entry("k", 1, type=kind, headers=set_by_rules)) is right


@pytest.mark.parametrize(
    ("wanted", "found", "kind", "agreed", "other"),
    [
        (None, None, None, True, False),
        ({}, {"meta-theirs": "1"}, None, True, False),
        ({CACHE: "1"}, {CACHE: "1", "meta-theirs": "1"}, None, True, False),
        ({CACHE: "1"}, {CACHE: "2"}, None, False, True),
        ({CACHE: "1"}, {}, None, False, True),
        ({CACHE: "1"}, None, None, False, False),
        ({TYPE: "a/b"}, None, "a/b", True, False),
        ({TYPE: "a/b"}, None, "c/d", False, True),
        ({TYPE: "a/b"}, {}, None, False, False),
        ({TYPE: "a/b", CACHE: "1"}, {CACHE: "1"}, "a/b", True, False),
        ({TYPE: "a/b", CACHE: "1"}, None, "a/b", False, False),
        ({TYPE: "a/b", CACHE: "1"}, None, "c/d", False, True),
    ],
)
def test_an_object_that_was_looked_at(
    wanted: Headers | None, found: Headers | None, kind: str | None, agreed: bool, other: bool
) -> None:
    """Agreed is what was seen; another is known to be another; between the two nobody looked."""
    held = Entry("k", 1, type=kind, headers=found)
    assert agrees(held, wanted) is agreed
    assert contradicts(held, wanted) is other


def test_an_object_wears_what_a_plan_leaves() -> None:
    """Its headers and, where the plan names one, its type."""
    held = Entry("k", 1, type="a/b", headers={CACHE: "1"})
    assert wears(held, Content(1, headers={CACHE: "1"}))
    assert wears(held, Content(1, type="a/b"))
    assert not wears(held, Content(1, type="c/d", headers={CACHE: "1"}))
    assert not wears(held, Content(1, type="a/b", headers={CACHE: "2"}))


@examples(200)
@given(*[st.none() | st.dictionaries(names, values, max_size=5)] * 3)
def test_changed_headers_leave_what_others_have_set(
    found: Headers | None, old: Headers | None, new: Headers | None
) -> None:
    """New ones are there, old ones are gone unless they are new, too, and the rest is untouched."""
    after = merged(found, old, new)
    for name in {*(found or {}), *(old or {}), *(new or {})} - {TYPE}:
        if name in (new or {}):
            assert after[name] == (new or {})[name]
        elif name in (old or {}):
            assert name not in after
        else:
            assert after[name] == (found or {})[name]
    assert TYPE not in after
    assert bare(after) == after


def test_differences_are_told_in_lines() -> None:
    """By name, with what they were; what stays is not told."""
    lines = differences(
        {CACHE: "1", "meta-a": "x", "meta-c": "y"}, {CACHE: "2", "meta-b": "z", "meta-c": "y"}
    )
    assert lines == ("cache-control: 2, was 1", "meta-a: none, was x", "meta-b: z")
    assert differences(None, None) == ()


def test_the_type_is_guessed_unless_a_rule_says_it() -> None:
    """By the ending of the key."""
    assert type_for("a.css", None) == "text/css"
    assert type_for("a.css", {CACHE: "1"}) == "text/css"
    assert type_for("a.css", {TYPE: "text/x"}) == "text/x"


@pytest.mark.parametrize(
    "headers",
    [
        {CACHE: "1\r\nX-Evil: 1"},
        {CACHE: "1\n"},
        {CACHE: "tab\there"},
        {CACHE: "Grüße"},
        {CACHE: ""},
        {CACHE: " 1"},
        {CACHE: "1 "},
        {CACHE: "x" * 1025},
        {"meta-": "1"},
        {"meta-A": "1"},
        {"meta-a b": "1"},
        {"meta-a\r\nb": "1"},
        {"meta-a_b": "1"},
        {"meta-sha256": "1"},
        {"meta-" + "a" * 46: "1"},
        {"x-amz-acl": "public-read"},
        {"authorization": "1"},
        {"": "1"},
    ],
)
def test_no_plan_sets_what_is_not_one_line_of_one_header(headers: Headers) -> None:
    """Whoever wrote it: a line break would begin a header of its own."""
    assert refuse(headers) is not None


def test_every_header_of_a_rule_may_be_set() -> None:
    """All fields, and metadata up to the longest."""
    assert refuse(None) is None
    assert refuse(dict.fromkeys(FIELDS, "x" * 1024)) is None
    assert refuse({"meta-" + "a" * 45: "a  b"}) is None
    assert {kind_of("meta-a"), kind_of(CACHE)} == {METADATA, CACHE}
