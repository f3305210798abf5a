"""Before the first change: promotions, uploads from the stage and settings of a bucket."""

from __future__ import annotations

from typing import Final

import pytest

from buckia.decisions.preflight import State, View, judge
from buckia.model import Action, Entry, Op, Setting, Source, content_of, replace
from tests.test_preflight import CREATE, DELETE_REMOTE, NEW, OLD, OTHER, REWRITTEN, action

PENDING, HALF, DONE, DIVERGED = State.PENDING, State.HALF, State.SATISFIED, State.DIVERGED

ELSEWHERE: Final = Source(bucket="dev", key="k", version="v1")
BRING: Final = action(Op.COPY, content_of(OLD), None, ELSEWHERE)
BRING_OVER: Final = action(Op.COPY, content_of(OLD), content_of(NEW), ELSEWHERE)
DRESS: Final = action(Op.COPY, content_of(OLD), content_of(OLD), ELSEWHERE)
TAKE: Final = action(Op.MOVE, content_of(OLD), None, ELSEWHERE)
AGREE: Final = action(Op.ADOPT, content_of(NEW), None, ELSEWHERE)
STAGED: Final = replace(CREATE, source=Source(path="k", key="s", version="v1", staged=True))
SET: Final = replace(action(Op.CONFIGURE), setting=Setting("old", "new"))

HERE: Final = "the object in the source"
THERE: Final = "the object in the target"
STAGE: Final = "what was staged of it"

CASES: Final[list[tuple[Action, View, State, str]]] = [
    (BRING, View(OLD, None), PENDING, ""),
    (BRING, View(OLD, REWRITTEN), DONE, ""),
    (BRING, View(None, REWRITTEN), DONE, ""),
    (BRING, View(OLD, OTHER), DIVERGED, f"{THERE} has appeared"),
    (BRING, View(None, None), DIVERGED, f"{HERE} is gone"),
    (BRING, View(OTHER, None), DIVERGED, f"{HERE} has changed"),
    (BRING_OVER, View(OLD, NEW), PENDING, ""),
    (BRING_OVER, View(OLD, REWRITTEN), DONE, ""),
    (BRING_OVER, View(OLD, None), DIVERGED, f"{THERE} is gone"),
    (BRING_OVER, View(OLD, OTHER), DIVERGED, f"{THERE} has changed"),
    (DRESS, View(OLD, OLD), PENDING, ""),
    (DRESS, View(OLD, REWRITTEN), DONE, ""),
    (TAKE, View(OLD, None), PENDING, ""),
    (TAKE, View(OLD, REWRITTEN), HALF, ""),
    (TAKE, View(None, REWRITTEN), DONE, ""),
    (TAKE, View(OTHER, REWRITTEN), DIVERGED, f"{HERE} has changed"),
    (TAKE, View(None, None), DIVERGED, f"{HERE} is gone"),
    (TAKE, View(None, OTHER), DIVERGED, f"{THERE} has appeared"),
    (TAKE, View(OLD, OTHER), DIVERGED, f"{THERE} has appeared"),
    (AGREE, View(OLD, NEW), PENDING, ""),
    (AGREE, View(OTHER, NEW), DIVERGED, f"{HERE} has changed"),
    (AGREE, View(None, NEW), DIVERGED, f"{HERE} is gone"),
    (AGREE, View(OLD, OTHER), DIVERGED, f"{THERE} has changed"),
    (AGREE, View(OLD, None), DIVERGED, f"{THERE} is gone"),
    (STAGED, View(None, None, OLD), PENDING, ""),
    (STAGED, View(None, None, OTHER), DIVERGED, f"{STAGE} has changed"),
    (STAGED, View(None, None, None), DIVERGED, f"{STAGE} is gone"),
    (SET, View(None, None, setting="old"), PENDING, ""),
    (SET, View(None, None, setting="new"), DONE, ""),
    (SET, View(None, None, setting="other"), DIVERGED, "the setting has changed"),
    (
        replace(action(Op.FORGET), bucket="dev->main"),
        View(OLD, None),
        DIVERGED,
        "an object in the source has appeared",
    ),
    (DELETE_REMOTE, View(OLD, OLD), DIVERGED, "a local file has appeared"),
    (
        replace(DELETE_REMOTE, bucket="dev->main"),
        View(OLD, OLD),
        DIVERGED,
        "an object in the source has appeared",
    ),
    (
        action(Op.PUBLISH, None, content_of(OLD)),
        View(None, OTHER),
        DIVERGED,
        "the manifest in the bucket has changed",
    ),
]


@pytest.mark.parametrize(("one", "view", "expected", "words"), CASES)
def test_what_is_there_decides(one: Action, view: View, expected: State, words: str) -> None:
    """Only what was reviewed is done; anything else is told with the side that moved."""
    state, why = judge(one, view)
    assert state is expected
    assert why.startswith(words)
    assert bool(why) == bool(words)


@pytest.mark.parametrize("local", [None, OLD])
def test_what_is_staged_needs_no_local_file(local: Entry | None) -> None:
    """An adoption whose file was staged is pending with the file and without."""
    one = action(Op.ADOPT, content_of(OLD), None, Source(path="k", staged=True))
    assert judge(one, View(local, OLD)) == (PENDING, "")
    assert judge(replace(one, source=Source(path="k")), View(None, OLD))[0] is DIVERGED
