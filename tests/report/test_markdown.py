"""One comment in a pull request: bounded, the same twice, dangers first, and no name is markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from buckia.model import Conflict, Notice, Op, Undo
from buckia.planfile import Plan
from buckia.report import markdown, page_of
from buckia.report.marks import code, fenced, prose, shortened
from tests.report.plans import DECEIT, PLANS, act, content, head, hostile, many, plan

OURS: Final = {
    *("p", "strong", "h3", "code", "pre", "ul", "li", "blockquote"),
    *("details", "summary", "b", "sub"),
}
"""The elements that a comment is made of."""


def comment(made: Plan) -> str:
    return markdown.comment(page_of(made))


class Elements(HTMLParser):
    """What a comment becomes: its elements, and its text outside of code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.prose = ""
        self.code = ""
        self._deep = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._deep += tag == "code"
        assert not attrs or tag == "code", "no element of ours has attributes"

    def handle_endtag(self, tag: str) -> None:
        self._deep -= tag == "code"

    def handle_data(self, data: str) -> None:
        if self._deep:
            self.code += data
        else:
            self.prose += data


def rendered(text: str) -> Elements:
    """As GitHub renders it, as far as a parser of CommonMark with tables and strikes can tell."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return Elements(str(parser.render(text)))


@pytest.mark.promise("HYG-7")
def test_no_name_is_markup() -> None:
    """Nor a mention, a link, or the end of a block."""
    shown = rendered(comment(hostile()))
    assert set(shown.tags) <= OURS
    assert shown.tags.count("details") == 2
    assert not re.search(r"[@#]\w", shown.prose)
    for name in ("<script>alert(1)</script>", "@everyone #1", "{{ 7 * 7 }}", "``` ~~~ ````"):
        assert name in shown.code


@pytest.mark.parametrize("name", DECEIT.values(), ids=list(DECEIT))
def test_a_name_is_shown_as_it_is_wherever_it_stands(name: str) -> None:
    line = "".join(char for char in name if char.isprintable())
    for text in (f"a {code(line)} b", f"- {code(line)}", fenced([line, "x"])):
        shown = rendered(text)
        assert line in shown.code
        assert set(shown.tags) <= {"p", "ul", "li", "pre", "code"}
    said = rendered(f"x {prose(line)}")
    assert set(said.tags) <= {"p", "code"}
    assert not re.search(r"[@#]", said.prose)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_prose_says_what_it_was_given(words: str) -> None:
    shown = rendered(f"x {prose(words)}")
    told = "".join(shown.prose.split())
    assert set(shown.tags) <= {"p", "code"}
    assert told == "x" + re.sub(r"[@#\s]", "", words)


def test_dangers_come_before_routine() -> None:
    text = comment(PLANS["irreversible"]())
    order = ["can be applied", "Cannot be undone (2)", "gone.mp4", "Deletions (1)", "kept.mp4"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_what_is_routine_is_folded() -> None:
    text = comment(PLANS["ordinary"]())
    assert text.index("Deletions (2)") < text.index("<details>") < text.index("pictures/00.webp")


def test_a_hundred_thousand_actions_fit_and_are_the_same_twice() -> None:
    first, second = comment(many()), comment(many())
    assert first == second
    assert len(first) <= markdown.MOST
    assert re.search(r"# and 9,700 more, [\d.]+ MB: 1,3\d\d in media/0\d/, ", first)
    assert "file-099000.webp" in first, "what cannot be undone is there to the last"


def test_routine_is_cut_before_dangers() -> None:
    made = plan([
        *(act(Op.UPLOAD, f"{n % 300}/{n:05}-{'x' * 40}") for n in range(20_000)),
        *(act(Op.DELETE_REMOTE, f"gone/{n:03}", was=9, undo=Undo.NONE) for n in range(200)),
    ])  # fmt: skip
    text = comment(made)
    assert len(text) <= markdown.MOST
    assert all(f"gone/{n:03}" in text for n in range(200))
    assert re.search(r"and \d+ more groups of [\d,]+ files, .*: upload `", text)


NAMES: Final = st.sampled_from([*DECEIT.values(), "k" * 1024, "`" * 900, "\u202e" * 300, "a/b"])


@settings(max_examples=25)
@given(st.lists(NAMES, min_size=1, max_size=30), st.integers(1, 60))
def test_it_is_bounded_whatever_is_in_it(names: list[str], times: int) -> None:
    every = [f"{name}{n}" for name in names for n in range(times)]
    lines = tuple(every[:500])
    made = plan(
        (
            act(op, name, was=5, undo=Undo.NONE, changes=lines[:40], bucket=name)
            for name in every
            for op in (Op.UPLOAD, Op.DELETE_LOCAL)
        ),
        buckets={name: head(name) for name in every},
        conflicts=tuple(Conflict(n, n, n, content(3), None, None, lines[:40]) for n in every),
        blocked=lines,
        warnings=tuple(Notice(name, name, name, name) for name in every),
        overrides=tuple({"rule": name, "allow": name} for name in every),
    )
    assert len(comment(made)) <= markdown.MOST


def test_a_name_that_is_cut_says_so() -> None:
    assert shortened("x" * 99, 99) == "x" * 99
    assert shortened("a" * 50 + "b" * 50, 30) == f"{'a' * 20}[... 100 characters ...]{'b' * 10}"
