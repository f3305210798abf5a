"""What a worker is about to do is told to stores that look at many keys together, all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import cast

import pytest

from buckia.decisions.preflight import State, View
from buckia.execution.glances import TOGETHER, is_staged
from buckia.execution.tasks import Stores, Task
from buckia.model import Action, Content, Op, Source, Undo, action_id
from buckia.stores import s3_looks
from buckia.stores.base import Store, Use
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from buckia.stores.s3 import S3Store
from buckia.stores.s3_services import Conditions
from tests.helpers import World
from tests.seeing import COUNT, Seeing, changed, removed, renamed, world
from tests.servers.moto import serve_moto
from tests.servers.s3 import S3Server
from tests.stores.contract import content, write
from tests.stores.makers import open_s3
from tests.tiers import FOLDER, SOURCE, TARGETS, Tiers

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.mark.parametrize(
    ("change", "uses"),
    [
        (renamed, {Use.READ: "old/", Use.COPY: "new/", Use.SEEN: "new/", Use.DELETE: "old/"}),
        (changed, {Use.READ: "old/", Use.KEEP: "trash", Use.SEEN: "trash"}),
        (
            removed,
            {Use.READ: "old/", Use.KEEP: "trash", Use.SEEN: "trash", Use.DELETE: "old/"},
        ),
    ],
)
def test_all_that_is_done_was_told(
    tmp_path: Path, change: Callable[[World], None], uses: dict[Use, str]
) -> None:
    """Nothing beside it, each once, and so many at a time as are done soon."""
    store = Seeing()
    made = world(tmp_path, store)
    store.asked.clear()
    change(made)
    made.apply(made.plan())
    assert made.remote() == made.local()
    assert store.untold == []
    for use in Use:
        told = store.told(use)
        assert len(told) == len(set(told)) == (COUNT if use in uses else 0)
        assert all(uses[use] in key for key in told)
    portions = [seen for seen in store.asked if seen]
    assert {len(keys) for seen in portions for keys in seen.values()} == {TOGETHER}
    assert not store.now


def test_what_is_half_done_is_told_no_more(tmp_path: Path) -> None:
    """A copy that is there is not made again; its old key still has to go."""
    store = Seeing()
    made = world(tmp_path, store)
    renamed(made)
    plan = made.plan()
    for number in range(COUNT):
        write(store, f"new/{number:03}", b"%d" % number)
    store.asked.clear()
    made.apply(plan)
    assert made.remote() == made.local()
    assert {use for seen in store.asked for use in seen} == {Use.DELETE}
    assert store.untold == []


def test_a_promotion_tells_both_buckets(tmp_path: Path) -> None:
    """What is read in one, what is written in the other, and what a move leaves."""
    stores = {name: Seeing(name) for name in (SOURCE, *TARGETS)}
    made = Tiers(tmp_path, stores, max_workers=1)
    names = [f"{FOLDER}/{number:03}" for number in range(COUNT)]
    made.applied({name: name.encode() for name in names})
    target = TARGETS[0]
    made.promote(target)
    assert stores[SOURCE].told(Use.READ) == stores[target].told(Use.COPY) == names
    made.applied({name: b"changed " + name.encode() for name in names})
    made.promote(target)
    trash = stores[target].told(Use.KEEP)
    assert len(trash) == COUNT
    assert all(key.startswith(".buckia/trash/") for key in trash)
    stores[SOURCE].asked.clear()
    plan = made.promote(TARGETS[1], move=True)
    assert {action.op for action in plan.actions} == {Op.MOVE}
    assert stores[SOURCE].told(Use.DELETE) == names
    assert not any(store.untold for store in stores.values())


def test_where_nothing_is_looked_at_no_more_are_taken_at_once(tmp_path: Path) -> None:
    """A store that checks all by itself, and one that only looks before deletions."""
    for number, wanted in enumerate([(), (Use.DELETE,)]):
        store = Seeing(wanted=wanted)
        (tmp_path / str(number)).mkdir()
        made = world(tmp_path / str(number), store)
        store.asked.clear()
        renamed(made)
        made.apply(made.plan())
        sizes = {use: {len(s[use]) for s in store.asked if use in s} for use in Use}
        assert sizes[Use.COPY] == {8}
        assert sizes[Use.DELETE] == {TOGETHER if wanted else 8}


A = Content(1, sha256="a" * 64, version="v")
FROM = Source(path="k", key="from", version="v")


def task_of(op: Op, store: Store, expect: Content | None = A, state: State = State.PENDING) -> Task:
    """An action whose object goes to the trash first, where it has one to lose."""
    undo = Undo.TRASH if expect else None
    source = FROM if op in (Op.COPY, Op.MOVE) else Source(path="k")
    action = Action(action_id(op, "main", "k"), op, "main", "k", "r", source, A, expect, undo)
    stores = Stores(cast(LocalStore, store), store, "sha256:" + "0" * 64, threading.Event())
    return Task(action, state, View(None, None), stores)


@pytest.mark.parametrize(
    ("op", "expect", "staged"),
    [
        (Op.DELETE_REMOTE, A, True),
        (Op.UPLOAD, A, True),
        (Op.UPLOAD, None, False),
        (Op.COPY, None, True),
        (Op.MOVE, None, True),
        (Op.DOWNLOAD, A, False),
        (Op.DELETE_LOCAL, A, False),
    ],
)
def test_only_what_waits_for_a_copy_goes_in_stages(
    op: Op, expect: Content | None, staged: bool
) -> None:
    """One by itself, if it is not done, and if the store would rather see many copies."""
    task = task_of(op, Seeing(), expect)
    assert is_staged((task,)) is staged
    assert is_staged((task, task)) is False  # whom the same bytes are sent to has no second half
    for state in set(State) - {State.PENDING}:
        assert is_staged((task_of(op, Seeing(), expect, state),)) is False
    for store in (MemoryStore(), Seeing(wanted=set(Use) - {Use.SEEN})):
        assert is_staged((task_of(op, store, expect),)) is False


# -- a service that checks nothing -----------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """moto over HTTP; what a page told counts for as long as a slow machine needs."""
    with pytest.MonkeyPatch.context() as patch, serve_moto() as made:
        patch.setattr(s3_looks, "LASTING", 600.0)
        yield made


def requests(store: S3Store, act: Callable[[], object]) -> dict[str, int]:
    """What was asked of the service meanwhile."""
    before = store.traffic.usage
    act()
    return {str(kind): n for kind, n in (store.traffic.usage - before).requests.items()}


@pytest.mark.parametrize(("change", "writes"), [(renamed, 0), (changed, COUNT), (removed, 1)])
def test_changes_ask_for_pages_in_place_of_looks(
    tmp_path: Path, server: S3Server, change: Callable[[World], None], writes: int
) -> None:
    """And for a deletion of many at once; what is few more are the lease's own."""
    store = open_s3(server, service="ceph", page_size=1000)
    made = world(tmp_path, store)
    change(made)
    plan = made.plan()
    asked = requests(store, lambda: made.apply(plan))
    assert made.remote() == made.local()
    assert asked["copy"] == COUNT
    assert writes <= asked["write"] < writes + 10
    assert max(asked["look"], asked["list"], asked["delete"]) < 25


def test_what_lies_apart_is_copied_to_the_trash_without_a_look(
    tmp_path: Path, server: S3Server
) -> None:
    """The copy's ETag tells what was copied, and a condition what is overwritten."""
    store = open_s3(server, service="ceph", page_size=1000)
    made = world(tmp_path, store)
    for number in range(0, COUNT, 4):
        made.write(f"old/{number:03}", b"changed %d" % number)
    plan = made.plan()
    asked = requests(store, lambda: made.apply(plan))
    assert made.remote() == made.local()
    assert asked["copy"] == COUNT // 4
    assert asked["look"] < 25


def test_a_promotion_asks_for_a_copy_each_and_a_page_a_portion(
    tmp_path: Path, server: S3Server
) -> None:
    """No look at any."""
    options = {"service": "ceph", "page_size": 1000}
    stores = {name: open_s3(server, **options) for name in (SOURCE, *TARGETS)}
    made = Tiers(tmp_path, stores, max_workers=1)
    made.applied({f"{FOLDER}/{number:03}": b"%d" % number for number in range(COUNT)})
    source, target = stores[SOURCE], stores[TARGETS[0]]
    plan = made.promotion(TARGETS[0])
    before = source.traffic.usage
    asked = requests(target, lambda: made.apply(plan))
    assert asked["copy"] == COUNT
    assert asked["look"] + (source.traffic.usage - before).look < 20
    assert asked["list"] + (source.traffic.usage - before).list < 20
    assert content(target, f"{FOLDER}/007") == b"7"


@pytest.mark.promise("INV-6")
@pytest.mark.parametrize("foreign", [f"{FOLDER}/040", "source"])
def test_what_came_since_preflight_is_refused_and_the_rest_is_done(
    tmp_path: Path, server: S3Server, foreign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object of somebody else stays, and a source that changed is not promoted."""
    options = {"service": "ceph", "conditions": Conditions(create=True, replace=True)}
    stores = {n: open_s3(server, page_size=1000, **options) for n in (SOURCE, *TARGETS)}
    made = Tiers(tmp_path, stores, max_workers=1)
    made.applied({f"{FOLDER}/{number:03}": b"%d" % number for number in range(COUNT)})
    plan = made.promotion(TARGETS[0])
    key = f"{FOLDER}/040"
    store = stores[SOURCE if foreign == "source" else TARGETS[0]]
    glance = S3Store.glance

    def late(self: S3Store, uses: Mapping[Use, Collection[str]]) -> object:
        if self is store and any(key in keys for keys in uses.values()):
            write(store, key, b"foreign", replacing=store.head(key))
        return glance(self, uses)

    monkeypatch.setattr(S3Store, "glance", late)
    applied = made.apply(plan)
    assert [outcome.key for outcome in applied.failed] == [key]
    assert content(store, key) == b"foreign"
    there = {entry.key for entry in stores[TARGETS[0]].entries(f"{FOLDER}/")}
    assert len(there) == (COUNT - 1 if foreign == "source" else COUNT)
