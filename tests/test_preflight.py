"""Before the first change: every op against everything it can find."""

from __future__ import annotations

from typing import Any, Final

import pytest

from buckia.decisions.preflight import State, View, judge
from buckia.model import (
    Action,
    Content,
    Entry,
    Headers,
    Op,
    Publication,
    Source,
    content_of,
    replace,
)

OLD: Final = Entry("k", 1, sha256="a" * 64, version="v1")
NEW: Final = Entry("k", 2, sha256="b" * 64, version="v2")
OTHER: Final = Entry("k", 3, sha256="c" * 64, version="v3")
REWRITTEN: Final = Entry("k", 1, sha256="a" * 64, version="v9")
"""The old bytes, written again by somebody else."""

PENDING, HALF, DONE, DIVERGED = State.PENDING, State.HALF, State.SATISFIED, State.DIVERGED


def action(
    op: Op,
    content: Content | None = None,
    expect: Content | None = None,
    source: Source | None = None,
    reason: str = "r",
) -> Action:
    return Action("id", op, "main", "k", reason, source, content, expect, None)


AT: Final = Source(path="k")
FROM: Final = Source(key="k", version="v2")
ORIGIN: Final = Source(path="k", key="old", version="v1")
CREATE = action(Op.UPLOAD, content_of(NEW), None, AT)
REPLACE = action(Op.UPLOAD, content_of(NEW), content_of(OLD), AT)
FETCH = action(Op.DOWNLOAD, content_of(NEW), None, FROM)
FETCH_OVER = action(Op.DOWNLOAD, content_of(NEW), content_of(OLD), FROM)
COPY = action(Op.COPY, content_of(OLD), None, ORIGIN)
MOVE = action(Op.MOVE, content_of(OLD), None, ORIGIN)
DELETE_REMOTE = action(Op.DELETE_REMOTE, None, content_of(OLD))
DELETE_LOCAL = action(Op.DELETE_LOCAL, None, content_of(OLD))
ADOPT = action(Op.ADOPT, content_of(OLD), None, AT)
FORGET = action(Op.FORGET, reason="both_deleted")
UNPUBLISH = action(Op.PUBLISH, None, content_of(OLD))
PUBLISH = replace(UNPUBLISH, publication=Publication(2))
FORGET_SCOPE = action(Op.FORGET, reason="scope_left")


def worn(entry: Entry, headers: Headers | None, kind: str | None = None) -> Entry:
    return replace(entry, headers=headers, type=kind)


SET: Final = {"cache-control": "new", "meta-new": "1"}
HAD: Final = {"cache-control": "old", "meta-old": "1"}
DRESSED_NEW = replace(CREATE, content=content_of(worn(NEW, SET)))
DRESSED_COPY = replace(COPY, content=content_of(worn(OLD, SET)))
DRESSED_MOVE = replace(MOVE, content=content_of(worn(OLD, None, "text/css")))
HEADERS = action(
    Op.COPY,
    replace(content_of(worn(OLD, SET)), version=None),
    content_of(worn(OLD, HAD)),
    Source(path="k", key="k", version="v1"),
)
BARE = replace(HEADERS, content=replace(content_of(OLD), version=None))
AFTER_DOWNLOAD = replace(HEADERS, source=Source(key="k", version="v1"))

CASES: list[tuple[str, Action, View, State]] = [
    ("create", CREATE, View(NEW, None), PENDING),
    ("create: there already", CREATE, View(NEW, NEW), DONE),
    ("create: there already, local gone", CREATE, View(None, NEW), DONE),
    ("create: another is there", CREATE, View(NEW, OTHER), DIVERGED),
    ("create: local gone", CREATE, View(None, None), DIVERGED),
    ("create: local changed", CREATE, View(OTHER, None), DIVERGED),
    ("replace", REPLACE, View(NEW, OLD), PENDING),
    ("replace: there already", REPLACE, View(NEW, NEW), DONE),
    ("replace: object gone", REPLACE, View(NEW, None), DIVERGED),
    ("replace: object changed", REPLACE, View(NEW, OTHER), DIVERGED),
    ("replace: object rewritten", REPLACE, View(NEW, REWRITTEN), DIVERGED),
    ("replace: local gone", REPLACE, View(None, OLD), DIVERGED),
    ("replace: local changed", REPLACE, View(OTHER, OLD), DIVERGED),
    ("fetch", FETCH, View(None, NEW), PENDING),
    ("fetch: there already", FETCH, View(NEW, NEW), DONE),
    ("fetch: another is there", FETCH, View(OTHER, NEW), DIVERGED),
    ("fetch: object gone", FETCH, View(None, None), DIVERGED),
    ("fetch: object changed", FETCH, View(None, OTHER), DIVERGED),
    ("fetch over", FETCH_OVER, View(OLD, NEW), PENDING),
    ("fetch over: there already", FETCH_OVER, View(NEW, NEW), DONE),
    ("fetch over: local gone", FETCH_OVER, View(None, NEW), DIVERGED),
    ("fetch over: local changed", FETCH_OVER, View(OTHER, NEW), DIVERGED),
    ("fetch over: object changed", FETCH_OVER, View(OLD, OTHER), DIVERGED),
    ("copy", COPY, View(OLD, None, OLD), PENDING),
    ("copy: there already", COPY, View(OLD, REWRITTEN, OLD), DONE),
    ("copy: another is there", COPY, View(OLD, OTHER, OLD), DIVERGED),
    ("copy: origin gone", COPY, View(OLD, None, None), DIVERGED),
    ("copy: origin changed", COPY, View(OLD, None, OTHER), DIVERGED),
    ("copy: local gone", COPY, View(None, None, OLD), DIVERGED),
    ("copy: local changed", COPY, View(OTHER, None, OLD), DIVERGED),
    ("move", MOVE, View(OLD, None, OLD), PENDING),
    ("move: half done", MOVE, View(OLD, REWRITTEN, OLD), HALF),
    ("move: done", MOVE, View(OLD, REWRITTEN, None), DONE),
    ("move: another is there", MOVE, View(OLD, OTHER, OLD), DIVERGED),
    ("move: origin gone", MOVE, View(OLD, None, None), DIVERGED),
    ("move: origin changed", MOVE, View(OLD, None, OTHER), DIVERGED),
    ("move: half done, origin changed", MOVE, View(OLD, REWRITTEN, OTHER), DIVERGED),
    ("move: old local name back", MOVE, View(OLD, None, OLD, OLD), DIVERGED),
    ("move: half done, old name back", MOVE, View(OLD, REWRITTEN, OLD, OLD), DIVERGED),
    ("move: local changed", MOVE, View(OTHER, None, OLD), DIVERGED),
    ("create: there with its headers", DRESSED_NEW, View(NEW, worn(NEW, SET)), DONE),
    ("create: there, headers unknown", DRESSED_NEW, View(NEW, NEW), DONE),
    ("create: there with others", DRESSED_NEW, View(NEW, worn(NEW, HAD)), DIVERGED),
    ("copy: there with its headers", DRESSED_COPY, View(OLD, worn(REWRITTEN, SET), OLD), DONE),
    ("copy: there without", DRESSED_COPY, View(OLD, REWRITTEN, OLD), HALF),
    ("move: done but for its type", DRESSED_MOVE, View(OLD, REWRITTEN, None), HALF),
    ("move: done with its type", DRESSED_MOVE, View(OLD, worn(OLD, None, "text/css"), None), DONE),
    ("headers", HEADERS, View(OLD, OLD), PENDING),
    ("headers: not those expected", HEADERS, View(OLD, worn(OLD, {})), PENDING),
    ("headers: half of them", HEADERS, View(OLD, worn(OLD, {**HAD, **SET})), PENDING),
    ("headers: done", HEADERS, View(OLD, worn(REWRITTEN, {**SET, "meta-theirs": "1"})), DONE),
    ("headers: done, version the same", HEADERS, View(OLD, worn(OLD, SET)), DONE),
    ("headers: rewritten, unknown", HEADERS, View(OLD, REWRITTEN), DIVERGED),
    ("headers: rewritten, others", HEADERS, View(OLD, worn(REWRITTEN, HAD)), DIVERGED),
    ("headers: object gone", HEADERS, View(OLD, None), DIVERGED),
    ("headers: object changed", HEADERS, View(OLD, worn(OTHER, SET)), DIVERGED),
    ("headers: local gone", HEADERS, View(None, OLD), DIVERGED),
    ("headers: local changed", HEADERS, View(OTHER, OLD), DIVERGED),
    ("headers: local changed, done", HEADERS, View(OTHER, worn(REWRITTEN, SET)), DIVERGED),
    ("headers gone: not yet", BARE, View(OLD, worn(OLD, HAD)), PENDING),
    ("headers gone: nobody knows", BARE, View(OLD, OLD), PENDING),
    ("headers gone: done", BARE, View(OLD, worn(REWRITTEN, {"meta-theirs": "1"})), DONE),
    ("headers gone: rewritten, unknown", BARE, View(OLD, REWRITTEN), DIVERGED),
    ("headers after a download", AFTER_DOWNLOAD, View(None, OLD), PENDING),
    ("headers after a download: done", AFTER_DOWNLOAD, View(None, worn(REWRITTEN, SET)), DONE),
    ("headers after a download: changed", AFTER_DOWNLOAD, View(None, OTHER), DIVERGED),
    ("delete remote", DELETE_REMOTE, View(None, OLD), PENDING),
    ("delete remote: gone", DELETE_REMOTE, View(None, None), DONE),
    ("delete remote: changed", DELETE_REMOTE, View(None, OTHER), DIVERGED),
    ("delete remote: rewritten", DELETE_REMOTE, View(None, REWRITTEN), DIVERGED),
    ("delete remote: local is back", DELETE_REMOTE, View(OLD, OLD), DIVERGED),
    ("delete local", DELETE_LOCAL, View(OLD, None), PENDING),
    ("delete local: gone", DELETE_LOCAL, View(None, None), DONE),
    ("delete local: changed", DELETE_LOCAL, View(OTHER, None), DIVERGED),
    ("delete local: object is back", DELETE_LOCAL, View(OLD, OLD), DIVERGED),
    ("adopt", ADOPT, View(OLD, OLD), PENDING),
    ("adopt: local gone", ADOPT, View(None, OLD), DIVERGED),
    ("adopt: local changed", ADOPT, View(OTHER, OLD), DIVERGED),
    ("adopt: object gone", ADOPT, View(OLD, None), DIVERGED),
    ("adopt: object rewritten", ADOPT, View(OLD, REWRITTEN), DIVERGED),
    ("forget", FORGET, View(None, None), PENDING),
    ("forget: local is back", FORGET, View(OLD, None), DIVERGED),
    ("forget: object is back", FORGET, View(None, OLD), DIVERGED),
    ("forget: out of scope", FORGET_SCOPE, View(OLD, OTHER), PENDING),
    ("purge", action(Op.PURGE, None, None), View(OLD, OTHER), PENDING),
    ("publish", PUBLISH, View(None, OLD), PENDING),
    ("publish: first", replace(PUBLISH, expect=None), View(None, None), PENDING),
    ("publish: another is there", PUBLISH, View(None, OTHER), HALF),
    ("publish: one is there", replace(PUBLISH, expect=None), View(None, OTHER), HALF),
    ("publish: it is gone", PUBLISH, View(None, None), DIVERGED),
    ("unpublish", UNPUBLISH, View(None, OLD), PENDING),
    ("unpublish: it is gone", UNPUBLISH, View(None, None), PENDING),
    ("unpublish: another is there", UNPUBLISH, View(None, OTHER), DIVERGED),
]


@pytest.mark.parametrize(("one", "view", "expected"), [c[1:] for c in CASES], ids=lambda c: None)
@pytest.mark.promise("INV-5")
def test_every_op_against_everything_it_can_find(one: Action, view: View, expected: State) -> None:
    """Only exactly what was reviewed is done; what is done already is a success."""
    state, why = judge(one, view)
    assert state is expected
    assert bool(why) == (expected is DIVERGED)


def test_the_cases_are_whole() -> None:
    """Every op that a plan of today can hold stands in the table in every state it can have."""
    seen = {(case[1].op, case[3]) for case in CASES}
    for op in set(Op) - {Op.CONFIGURE, Op.PURGE}:
        assert (op, PENDING) in seen
        assert (op, DIVERGED) in seen
        assert ((op, DONE) in seen) == (op not in (Op.ADOPT, Op.FORGET, Op.PUBLISH))


@pytest.mark.parametrize(
    ("one", "view", "words"),
    [
        (REPLACE, View(NEW, OTHER), "the object in the bucket has changed since the plan"),
        (REPLACE, View(NEW, None), "the object in the bucket is gone since the plan"),
        (CREATE, View(NEW, OTHER), "the object in the bucket has appeared since the plan"),
        (CREATE, View(None, None), "the local file is gone since the plan (or was never on"),
        (FETCH_OVER, View(OTHER, NEW), "the local file has changed since the plan"),
        (MOVE, View(OLD, None, OTHER), "the object 'old' it is copied from has changed"),
        (MOVE, View(OLD, None, OLD, OLD), "the local file 'old' has appeared"),
        (FETCH, View(None, OTHER), "the object in the bucket has changed since the plan"),
        (COPY, View(OTHER, None, OLD), "the local file has changed since the plan"),
        (ADOPT, View(OTHER, OLD), "the local file has changed since the plan"),
        (ADOPT, View(OLD, OTHER), "the object in the bucket has changed since the plan"),
        (HEADERS, View(OLD, OTHER), "the object in the bucket has changed since the plan"),
        (HEADERS, View(OLD, None), "the object in the bucket is gone since the plan"),
        (HEADERS, View(OTHER, OLD), "the local file has changed since the plan"),
    ],
)
def test_a_divergence_says_what_happened_to_what(one: Action, view: View, words: str) -> None:
    """A person is told which side moved and how."""
    assert judge(one, view)[1].startswith(words)


def test_databases_are_judged_by_their_rows() -> None:
    """The same rows in other bytes are what was reviewed."""

    def database(size: int, digest: str, **more: Any) -> Entry:
        return Entry("k", size, sha256=digest * 64, logical="rows", **more)

    one = action(Op.UPLOAD, content_of(database(1, "a")), None, AT)
    assert judge(one, View(database(2, "b"), None))[0] is PENDING
    assert judge(one, View(None, database(2, "b", version="v")))[0] is DONE
