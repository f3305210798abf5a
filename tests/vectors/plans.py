"""plans.json: what is here, what is published, and what a client does."""

from __future__ import annotations

from typing import Final

from tests.vectors.contents import BIG, BLOCK, CONTENTS, Json, manifest, told

Files = dict[str, str]
"""Files by path, each the name of a content."""


def _case(
    name: str,
    pulled: Files | None,
    then: Files,
    requests: list[tuple[str, tuple[int, int] | None]],
    *,
    local: Files | None = None,
    served: Files | None = None,
    end: Files | None = None,
    removed: list[str] | None = None,
    kept: list[str] | None = None,
    generations: tuple[int, int] = (3, 4),
    outcome: str = "done",
) -> Json:
    """A case: what was pulled, what is here, what is published, and what has to come of it.

    local   what is in the folder now; as pulled, unless it is given
    served  what the server has; what the manifest says, unless it is given
    end     what is in the folder afterwards; what the manifest says, unless it is given
    """
    first, second = generations
    return {
        "name": name,
        "pulled": None if pulled is None else manifest(first, pulled),
        "local": (pulled or {}) if local is None else local,
        "manifest": manifest(second, then),
        "served": {**then, **(served or {})},
        "requests": [{"path": p, "range": list(part) if part else None} for p, part in requests],
        "removed": removed or [],
        "kept": kept or [],
        "end": then if end is None else end,
        "outcome": outcome,
    }


_OLD: Final = {"notes.txt": "hello", "images/a.jpg": "picture"}


def plans() -> Json:
    """Local states and manifests, and what a client does."""
    cases = [
        _case("a first pull", None, _OLD, [("images/a.jpg", None), ("notes.txt", None)]),
        _case("nothing is new", _OLD, _OLD, [], generations=(3, 3)),
        _case("a generation without a change", _OLD, _OLD, []),
        _case(
            "one file is new, one is other, one is gone",
            _OLD,
            {"notes.txt": "hello again", "images/b.jpg": "other picture"},
            [("images/b.jpg", None), ("notes.txt", None)],
            removed=["images/a.jpg"],
        ),
        _case(
            "a file that is here under another name is copied",
            _OLD,
            {"notes.txt": "hello", "pictures/a.jpg": "picture"},
            [],
            removed=["images/a.jpg"],
        ),
        _case(
            "a content that is published twice is fetched once, by the first path",
            None,
            {"x.txt": "hello", "y.txt": "hello"},
            [("x.txt", None)],
        ),
        _case("an empty file", None, {"empty": "empty"}, [("empty", None)]),
        *_block_cases(),
        *_local_cases(),
        *_other_cases(),
    ]
    return {"contents": {name: told(rule) for name, rule in CONTENTS.items()}, "cases": cases}


def _block_cases() -> list[Json]:
    big = {"big": "big"}
    return [
        _case(
            "one block of a large file",
            big,
            {"big": "big, one byte"},
            [("big", (5 * BLOCK, 6 * BLOCK - 1))],
        ),
        _case(
            "blocks that follow on each other are one range; the last is short",
            big,
            {"big": "big, three runs"},
            [
                ("big", (0, 2 * BLOCK - 1)),
                ("big", (7 * BLOCK, 8 * BLOCK - 1)),
                ("big", (20 * BLOCK, BIG - 1)),
            ],
        ),
        _case(
            "a file that became longer: its last block, which was short, and what is new",
            big,
            {"big": "big, longer"},
            [("big", (20 * BLOCK, BIG + 2 * BLOCK - 1))],
        ),
        _case("a file that became shorter needs nothing", big, {"big": "big, shorter"}, []),
        _case("no block is here: no range", big, {"big": "unlike"}, [("big", None)]),
        _case(
            "blocks are taken from a file that somebody changed, too",
            big,
            {"big": "big, one byte"},
            [
                ("big", (0, 2 * BLOCK - 1)),
                ("big", (5 * BLOCK, 6 * BLOCK - 1)),
                ("big", (7 * BLOCK, 8 * BLOCK - 1)),
                ("big", (20 * BLOCK, BIG - 1)),
            ],
            local={"big": "big, three runs"},
            kept=["big"],
        ),
    ]


def _local_cases() -> list[Json]:
    return [
        _case(
            "what was changed here is kept aside, be it replaced or removed",
            _OLD,
            {"notes.txt": "hello again"},
            [("notes.txt", None)],
            local={"notes.txt": "mine", "images/a.jpg": "other picture"},
            removed=["images/a.jpg"],
            kept=["images/a.jpg", "notes.txt"],
        ),
        _case(
            "what was changed here although nothing is published",
            _OLD,
            _OLD,
            [("notes.txt", None)],
            generations=(3, 3),
            local={**_OLD, "notes.txt": "mine"},
            kept=["notes.txt"],
        ),
        _case(
            "what is gone here comes back",
            _OLD,
            _OLD,
            [("images/a.jpg", None)],
            generations=(3, 3),
            local={"notes.txt": "hello"},
        ),
        _case(
            "what is not published and was never pulled stays",
            _OLD,
            {"notes.txt": "hello"},
            [],
            local={**_OLD, "diary.txt": "mine"},
            removed=["images/a.jpg"],
            end={"notes.txt": "hello", "diary.txt": "mine"},
        ),
        _case(
            "a file of somebody's in the place of a published one is kept aside",
            None,
            _OLD,
            [("notes.txt", None)],
            local={"notes.txt": "mine", "images/a.jpg": "picture"},
            kept=["notes.txt"],
        ),
        _case(
            "a file becomes a folder",
            {"a": "hello"},
            {"a/b": "mine"},
            [("a/b", None)],
            removed=["a"],
        ),
        _case(
            "a folder becomes a file",
            {"a/b": "hello"},
            {"a": "mine"},
            [("a", None)],
            removed=["a/b"],
        ),
        _case(
            "a name changes its case, which is the same file on some disks",
            {"Logo.jpg": "picture"},
            {"logo.jpg": "picture"},
            [],
            removed=["Logo.jpg"],
        ),
    ]


def _other_cases() -> list[Json]:
    databases = {"App.sqlite": "database a", "images/a.jpg": "picture"}
    later = {"App.sqlite": "database b", "images/a.jpg": "picture", "images/b.jpg": "other picture"}
    return [
        _case(
            "a database goes in last",
            databases,
            later,
            [("App.sqlite", None), ("images/b.jpg", None)],
        ),
        _case(
            "an earlier generation is a cache's old copy",
            {"notes.txt": "hello again"},
            {"notes.txt": "hello"},
            [],
            generations=(7, 6),
            end={"notes.txt": "hello again"},
            outcome="older",
        ),
        _case(
            "a file that is not what the manifest says: nothing changes",
            databases,
            later,
            [("App.sqlite", None), ("images/b.jpg", None)],
            served={"images/b.jpg": "picture"},
            end=databases,
            outcome="incomplete",
        ),
    ]
