"""Which local path is which key, and which names can be neither."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.config import BucketConfig
from buckia.layout import (
    MAX_KEY_BYTES,
    MAX_SEGMENT_BYTES,
    Layout,
    Mapping,
    clean,
    collisions,
    fold,
    folders_of,
    parents,
    refuse_key,
    shadowed,
)
from buckia.model import Direction
from buckia.rules import built_in_exclude
from tests.strategies import any_keys, any_names, examples

DEMO = Mapping("assets/demo/", "", folders=("TEAM",))
DATA = Mapping("static/data/", "data/", Direction.UPLOAD)
LOGO = Mapping("brand/logo.png", "images/logo.png", Direction.BOTH, single=True)
LAYOUT = Layout((DEMO, DATA, LOGO))

PAIRS = [
    ("assets/demo/TEAM/x", "TEAM/x"),
    ("assets/demo/TEAM/deep/er/x", "TEAM/deep/er/x"),
    ("static/data/a/b", "data/a/b"),
    ("brand/logo.png", "images/logo.png"),
]
OUTSIDE_PATHS = ["assets/demo/x", "assets/demo/OTHER/x", "static/x", "brand/logo.png/x", "x"]
OUTSIDE_KEYS = ["x", "OTHER/x", "TEAM", "TEAMS/x", "data", "data/", "images/other.png"]


def layout_of(**options: object) -> Layout:
    return BucketConfig(provider="s3", bucket_name="b", **options).layout  # type: ignore[arg-type]


# -- mappings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "key"), PAIRS)
def test_a_path_and_its_key_find_each_other(path: str, key: str) -> None:
    """In both directions, through the mapping that owns them."""
    assert LAYOUT.path_of(key) == path
    assert [m.key_of(path) for m in LAYOUT.mappings if m.key_of(path)] == [key]


def test_what_no_mapping_covers_is_nobodys() -> None:
    """Neither other paths, nor other keys, nor a folder of the mapping itself."""
    assert [LAYOUT.owner(key) for key in OUTSIDE_KEYS] == [None] * len(OUTSIDE_KEYS)
    assert [m.key_of(path) for path in OUTSIDE_PATHS for m in LAYOUT.mappings] == [None] * 15


@examples(100)
@given(any_keys, st.sampled_from(["", "a/", "a/b/"]), st.sampled_from(["", "p/", "p/q/"]))
def test_paths_and_keys_are_the_same_thing_twice(rest: str, path: str, prefix: str) -> None:
    """Any key has one path, and that path is that key again; no path leaves its mapping."""
    mapping = Mapping(path, prefix)
    found = mapping.path_of(prefix + rest)
    assert found is not None
    assert mapping.key_of(found) == prefix + rest
    assert PurePosixPath(found).is_relative_to(path or ".")
    assert ".." not in found.split("/")


def test_a_decomposed_name_is_the_composed_key() -> None:
    """Keys are in one Unicode form whatever the disk does."""
    assert Mapping().key_of("cafe\u0301") == "caf\u00e9"


def test_single_files_come_before_folders_and_longer_prefixes_before_shorter() -> None:
    """The most particular mapping owns a key; among equals the first."""
    whole, part = Mapping("all/"), Mapping("part/", "sub/")
    single = Mapping("one.txt", "sub/one.txt", Direction.DOWNLOAD, single=True)
    layout = Layout((whole, Mapping("later/"), part, single))
    assert layout.owner("sub/one.txt") is single
    assert layout.owner("sub/x") is part
    assert layout.owner("x") is whole


def test_a_key_travels_as_the_mapping_of_its_file_says() -> None:
    """A file of an upload-only mapping is upload-only though another mapping owns the key."""
    layout = layout_of(paths=["first/", "second/"])
    assert layout.direction_of("x") is Direction.BOTH
    assert layout.direction_of("x", "second/x") is Direction.UPLOAD
    assert layout.direction_of("x", "first/x") is Direction.BOTH
    assert layout_of(paths=["first/"], folders=["T"]).direction_of("x") is None


@pytest.mark.parametrize(
    ("options", "prefixes", "singles"),
    [
        ({"paths": ["a/"]}, ("",), ()),
        ({"paths": ["a/"], "folders": ["T", "S"]}, ("S/", "T/"), ()),
        ({"paths": [{"path": "a/", "prefix": "p/"}, {"path": "b/", "prefix": "p/q"}]}, ("p/",), ()),
        ({"files": {"a": "x/a"}}, (), ("x/a",)),
        ({"paths": ["a/"], "files": {"b": "x/b"}}, ("",), ()),
        (
            {"paths": [{"path": "a/", "prefix": "p/"}], "files": {"b": "p/b", "c": "c"}},
            ("p/",),
            ("c",),
        ),
    ],
)
def test_the_fewest_listings_show_every_key(
    options: dict[str, object], prefixes: tuple[str, ...], singles: tuple[str, ...]
) -> None:
    """Prefixes do not overlap, and single files are asked for only where no prefix shows them."""
    layout = layout_of(**options)
    assert (layout.prefixes, layout.single_keys) == (prefixes, singles)


@pytest.mark.parametrize(
    ("wish", "held"),
    [
        ("TEAM", ["TEAM/x", "TEAM/deep/er/x"]),
        ("TEAM/", ["TEAM/x", "TEAM/deep/er/x"]),
        ("./assets//demo/TEAM/deep", ["TEAM/deep/er/x"]),
        ("data/a/b", ["data/a/b"]),
        ("static", ["data/a/b"]),
        ("brand/logo.png", ["images/logo.png"]),
        ("images/logo", []),
        ("TEA", []),
        (".", [key for _, key in PAIRS]),
    ],
)
def test_a_wish_is_a_key_or_a_path_and_all_below(wish: str, held: list[str]) -> None:
    """`--paths` narrows by whole names, never by their beginnings."""
    selection = LAYOUT.narrow([wish])
    assert [key for _, key in PAIRS if selection.holds(key)] == held
    assert LAYOUT.narrow([]).holds("anything")
    assert clean("./a//b/") == clean("a\\b") == "a/b"


# -- names -----------------------------------------------------------------------------------------

HOSTILE = [
    *("", "/", "//", "/abs", "a//b", "a/", "a/b/", "/a/"),
    *(".", "..", "./a", "../a", "a/..", "a/../b", "a/./b", "a/../../b", "../../.bashrc"),
    *("a\\b", "..\\a", "\\\\server\\share", "C:\\x", "C:/x", "c:/"),
    *("a\0b", "a\tb", "a\nb", "a\rb", "\x1b[31mred", "a\x7f", "a\x85b", "\x9b2J"),
    *("a\u200bb", "a\u200eb", "a\u202eb", "a\u2066b", "\ufeffa", "a\u2028b", "a\u2060", "\u061ca"),
    *("con", "CON", "con.txt", "Nul", "a/aux/b", "prn.tar.gz", "com1", "LPT9.log", "COM¹", "a/nul"),
    *(" a", "a ", "a/ b", "a /b", "a.", "a./b", "...", "a/...", " "),
    *("e\u0301", "a\u030a/b", "\u212b", "\ufb01".replace("\ufb01", "\u1112\u1161\u11ab")),
    *("x" * (MAX_SEGMENT_BYTES + 1), "é" * 126, "y/" * 600 + "z", "k" * (MAX_KEY_BYTES + 1)),
    *("\ud800", "a/\udcff"),
]
FINE = [
    *("a", "a/b/c", "a b", "a.b.c", ".hidden", "..a", "a..b", "a...b", "..."[:0] + "a/.b"),
    *("console", "con-1", "conf/nulls", "com0", "com10", "lpt", "auxiliary.txt"),
    *("Grüße/日本語.txt", "emoji-🎈", "a+b%20&c=d?e#f", "quote'\"<x>|*:", "ab:c"),
    *("x" * MAX_SEGMENT_BYTES, "1:2", "c:x", "a:b/c", "~", "$HOME", "-rf", "a\u00a0b"),
]


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_names_are_refused_with_a_reason(key: str) -> None:
    """Never repaired: two names that repair to one would overwrite each other."""
    why = refuse_key(key)
    assert why
    assert "\n" not in why


def test_the_hostile_names_are_many() -> None:
    """Sixty and more, each another."""
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60


@pytest.mark.parametrize("key", FINE)
def test_ordinary_names_are_not_refused(key: str) -> None:
    """Whatever people really call their files."""
    assert refuse_key(key) is None


@examples(200)
@given(any_names)
def test_what_is_not_refused_cannot_lead_astray(key: str) -> None:
    """Any text that passes is one relative path that stays below its root on every system."""
    if refuse_key(key) is None:
        path = PurePosixPath(key)
        assert not path.is_absolute()
        assert str(path) == key
        assert not {"", ".", ".."} & set(key.split("/"))
        assert key.isprintable() or "\u00a0" in key or not key.isascii()


# -- names that meet -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.txt", "A.TXT"),
        ("é", "e\u0301"),
        ("É", "e\u0301"),
        ("straße", "STRASSE"),
        ("Σ", "ς"),
        ("dir/a", "DIR/a"),
    ],
)
def test_names_that_some_disk_takes_for_one(one: str, other: str) -> None:
    """Case and Unicode form do not tell files apart everywhere."""
    assert fold(one) == fold(other)
    assert collisions([one, "x", other]) == [tuple(sorted([one, other]))]


def test_names_that_no_disk_takes_for_one() -> None:
    """Accents, dotless letters and separators do."""
    assert collisions(["a", "á", "a-b", "a_b", "i", "ı", "o", "0"]) == []


@examples(100)
@given(any_names)
def test_folding_twice_is_folding_once(key: str) -> None:
    """A folded name is its own folded name."""
    assert fold(fold(key)) == fold(key)


_MEETING = st.text(st.sampled_from("aAéÉe\u0301ßsSςΣ1/\n\udcff"), max_size=4)


@examples(300)
@given(st.lists(_MEETING, max_size=8))
def test_names_that_meet_are_found_among_many(keys: list[str]) -> None:
    """As each pair of them tells, whatever they hold."""
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(fold(key), []).append(key)
    assert collisions(keys) == sorted(tuple(sorted(g)) for g in groups.values() if len(g) > 1)


@examples(200)
@given(st.sets(_MEETING, max_size=8))
def test_folders_are_those_that_keys_lie_in(keys: set[str]) -> None:
    """At any depth, and so are the files that cannot be beside them."""
    assert folders_of(keys) == {parent for key in keys for parent in parents(key)}
    assert shadowed(keys) == sorted(keys & folders_of(keys))


def test_a_file_that_is_also_a_folder_is_found() -> None:
    """Legal in a bucket, impossible on a disk."""
    assert shadowed(["a", "a/b/c", "a/b", "ab", "x/y"]) == ["a", "a/b"]
    assert list(parents("a/b/c")) == ["a", "a/b"]


@pytest.mark.parametrize(
    "key",
    [
        *(".buckia", ".buckia.yaml", ".buckia.lock", ".buckia.d/x", ".buckia/trash/x"),
        *("sub/.buckia", ".DS_Store", "a/Thumbs.db", "._x", "a/desktop.ini"),
        *("App.sqlite-wal", "x/App.db-shm", "a.sqlite3-journal", "A.SQLITE-WAL"),
    ],
)
def test_some_files_are_nobodys_content(key: str) -> None:
    """buckia's own, what systems leave behind, companions of databases."""
    assert built_in_exclude(key)
