"""One action at a time: what each does to a bucket of its own kind, and what it says it did."""

from __future__ import annotations

import io
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from buckia.decisions.preflight import State, View
from buckia.errors import PreconditionError, UnavailableError
from buckia.execution.stages import leave
from buckia.execution.steps import perform
from buckia.execution.tasks import Stores, Task
from buckia.layout import Layout, Mapping
from buckia.model import Action, Content, Entry, Op, Source, Undo, content_of, replace
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore

PLAN: Final = "sha256:" + "c0ffee" * 10 + "0000"
TRASH: Final = ".buckia/trash/c0ffeec0ffee/"


class Plain(MemoryStore):
    """A bucket that cannot copy by itself; `lost` keys are confirmed and not kept."""

    lost: frozenset[str] = frozenset()

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        return None

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        stored = super().put(entry, body, replacing=replacing)
        if entry.key in self.lost:
            self.delete(stored)
        return stored


class Bench:
    """A folder and a bucket, and actions between them."""

    def __init__(self, root: Path, remote: MemoryStore | None = None) -> None:
        layout = Layout((Mapping("tree/"), Mapping("other/")))
        (root / "tree").mkdir()
        (root / "other").mkdir()
        self.root = root
        self.local = LocalStore(root, layout=layout, databases=True)
        self.remote = remote or MemoryStore()
        self.stores = Stores(self.local, self.remote, PLAN, threading.Event())

    def put(self, key: str, data: bytes) -> Entry:
        return self.remote.put(
            Entry(key, len(data)), io.BytesIO(data), replacing=self.remote.head(key)
        )

    def write(self, path: str, data: bytes) -> Entry:
        (self.root / path).write_bytes(data)
        entry = self.local.head(path.partition("/")[2], path=path)
        assert entry
        return entry

    def bytes_at(self, key: str) -> bytes | None:
        entry = self.remote.head(key)
        if entry is None:
            return None
        with self.remote.open(entry) as body:
            return body.read()

    def task(self, action: Action, view: View, state: State = State.PENDING) -> Task:
        return Task(action, state, view, self.stores)


@pytest.fixture(params=[MemoryStore, Plain])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Once where the service copies, once where the bytes go through this machine."""
    return Bench(tmp_path, request.param())


def action(op: Op, content: Content | None, expect: Content | None, **more: Any) -> Action:
    parts: dict[str, Any] = {"reason": "r", "source": None, "undo": None, **more}
    return Action(id="i", op=op, bucket="main", key="k", content=content, expect=expect, **parts)


def named(entry: Entry) -> Content:
    """What a plan says of a local file."""
    return replace(content_of(entry), version=None)


# -- what is lost is kept --------------------------------------------------------------------------


@pytest.mark.promise("INV-15")
@pytest.mark.parametrize("undo", [Undo.TRASH, Undo.NONE])
@pytest.mark.parametrize("op", [Op.UPLOAD, Op.DELETE_REMOTE])
def test_what_goes_from_a_bucket_is_in_its_trash(bench: Bench, op: Op, undo: Undo) -> None:
    """Under the plan's name, unless the plan says that it is kept elsewhere or nowhere."""
    old = bench.put("k", b"old")
    mine = bench.write("tree/k", b"new") if op is Op.UPLOAD else None
    made = action(op, named(mine) if mine else None, content_of(old), undo=undo)
    assert perform(bench.task(made, View(mine, old))).done
    assert bench.bytes_at("k") == (b"new" if mine else None)
    assert bench.bytes_at(f"{TRASH}k") == (b"old" if undo is Undo.TRASH else None)


@pytest.mark.promise("INV-15")
def test_what_an_earlier_run_kept_is_not_kept_twice(bench: Bench) -> None:
    """The same plan finds its own copy; another content under that name stops it."""
    old = bench.put("k", b"old")
    kept = bench.put(f"{TRASH}k", b"old")
    made = action(Op.DELETE_REMOTE, None, content_of(old), undo=Undo.TRASH)
    assert perform(bench.task(made, View(None, old))).done
    assert bench.remote.head(f"{TRASH}k") == kept
    old = bench.put("k", b"another")
    made = action(Op.DELETE_REMOTE, None, content_of(old), undo=Undo.TRASH)
    assert not perform(bench.task(made, View(None, old))).done
    assert (bench.bytes_at("k"), bench.bytes_at(f"{TRASH}k")) == (b"another", b"old")


@pytest.mark.promise("INV-15")
def test_what_cannot_be_kept_stays(bench: Bench) -> None:
    """An object that has changed is not copied, and so not deleted; the reason is its change."""
    seen = bench.put("k", b"old")
    bench.put("k", b"changed")
    made = action(Op.DELETE_REMOTE, None, content_of(seen), undo=Undo.TRASH)
    outcome = perform(bench.task(made, View(None, seen)))
    assert not outcome.done
    assert "is not what was reviewed" in str(outcome.error)
    assert bench.bytes_at("k") == b"changed"


@pytest.mark.promise("INV-27")
def test_what_a_service_says_it_kept_and_did_not_stays(tmp_path: Path) -> None:
    """The copy is looked for before the original goes: in the trash, and under a new name."""
    bench = Bench(tmp_path, store := Plain())
    old = bench.put("k", b"old")
    store.lost = frozenset({f"{TRASH}k", "new"})
    gone = action(Op.DELETE_REMOTE, None, content_of(old), undo=Undo.TRASH)
    assert "its copy at" in str(perform(bench.task(gone, View(None, old))).error)
    copy = replace(move_of(bench.write("tree/new", b"old"), old), op=Op.COPY, key="new")
    assert "its copy at new" in str(perform(bench.task(copy, View(None, None, old))).error)
    assert bench.bytes_at("k") == b"old"


def test_a_key_too_long_for_the_trash_has_a_place_there(bench: Bench) -> None:
    """The longest that fits keeps its name, one byte more has its digest."""
    fits = "k" * (1024 - len(TRASH))
    assert bench.stores.trash_key(fits) == TRASH + fits
    longer = bench.stores.trash_key(fits + "k")
    assert len(longer) == len(TRASH) + 64
    assert longer.startswith(TRASH)


# -- copies and moves ------------------------------------------------------------------------------


def move_of(mine: Entry, old: Entry) -> Action:
    source = Source(path=mine.path, key=old.key, version=old.version)
    return action(Op.MOVE, named(mine), None, source=source)


@pytest.mark.parametrize("op", [Op.MOVE, Op.COPY])
def test_a_copy_is_there_and_its_origin_too(bench: Bench, op: Op) -> None:
    """The first half of a move is a copy; the second half takes the old key."""
    old, mine = bench.put("old", b"same"), bench.write("tree/k", b"same")
    task = bench.task(replace(move_of(mine, old), op=op), View(mine, None, old))
    outcome = perform(task)
    stored = bench.remote.head("k")
    assert stored
    assert outcome.entry
    assert (outcome.done, outcome.left, outcome.entry.version) == (True, None, stored.version)
    assert (bench.bytes_at("k"), bench.bytes_at("old")) == (b"same", b"same")
    assert leave([(task,)], threading.Event())[0].left == "old"
    assert bench.bytes_at("old") is None


@pytest.mark.promise("L5")
def test_a_move_leaves_an_old_key_that_has_changed(bench: Bench) -> None:
    """And says so: then it is not done."""
    old, mine = bench.put("old", b"same"), bench.write("tree/k", b"same")
    bench.put("old", b"changed")
    [outcome] = leave([(bench.task(move_of(mine, old), View(mine, None, old)),)], threading.Event())
    assert (outcome.done, outcome.left) == (False, None)
    assert outcome.error
    assert bench.bytes_at("old") == b"changed"


def test_a_move_whose_old_key_is_gone_has_left_it(bench: Bench) -> None:
    """An earlier run took it; beside others that still have to go nothing is asked for it."""
    old, mine = bench.put("old", b"same"), bench.write("tree/k", b"same")
    there = bench.put("k", b"same")
    tasks = [(bench.task(move_of(mine, old), View(mine, there, was)),) for was in (None, old)]
    told = leave(tasks, threading.Event())
    assert [(outcome.done, outcome.left) for outcome in told] == [(True, "old")] * 2
    assert bench.bytes_at("old") is None


def test_a_move_that_is_found_done_leaves_its_old_key(bench: Bench) -> None:
    """So that the lockfile forgets it; a copy that is found done leaves none."""
    old, mine = bench.put("old", b"same"), bench.write("tree/k", b"same")
    there = bench.put("k", b"same")
    for op, left in ((Op.MOVE, "old"), (Op.COPY, None), (Op.UPLOAD, None)):
        made = replace(move_of(mine, old), op=op)
        outcome = perform(bench.task(made, View(mine, there), State.SATISFIED))
        assert (outcome.done, outcome.left) == (True, left)
        assert outcome.entry
        assert outcome.entry.version == there.version


# -- what the lockfile is told ---------------------------------------------------------------------


@pytest.mark.parametrize(("path", "told"), [("tree/k", None), ("other/k", "other/k")])
@pytest.mark.parametrize("op", [Op.UPLOAD, Op.ADOPT])
def test_only_an_odd_path_is_remembered(bench: Bench, op: Op, path: str, told: str | None) -> None:
    """A lockfile names a file's own spelling where the layout would make another."""
    mine = bench.write(path, b"1")
    bench.local._paths.remember("k", path)
    there = bench.put("k", b"1") if op is Op.ADOPT else None
    content = replace(named(mine), version=there.version if there else None)
    made = action(op, content, None, source=Source(path=path))
    outcome = perform(bench.task(made, View(mine, there)))
    assert outcome.entry
    assert outcome.entry.path == told
    assert outcome.entry.sha256 == mine.sha256


@pytest.mark.promise("INV-21")
def test_a_database_is_sent_as_this_machine_writes_it(tmp_path: Path) -> None:
    """Another SQLite library may have planned other bytes of the same rows: the rows are what was
    reviewed, the bytes that went are what the lockfile remembers."""
    bench = Bench(tmp_path)
    with closing(sqlite3.connect(tmp_path / "tree" / "k")) as database, database:
        database.execute("CREATE TABLE t (x)")
    mine = bench.local.head("k", path="tree/k")
    assert mine
    assert mine.logical
    planned = replace(named(mine), size=mine.size + 4096, sha256="0" * 64, md5="1" * 32)
    made = action(Op.UPLOAD, planned, None, source=Source(path="tree/k"))
    outcome = perform(bench.task(made, View(mine, None)))
    stored = bench.remote.head("k")
    assert stored
    assert outcome.entry
    assert (stored.size, stored.sha256) == (mine.size, mine.sha256)
    assert (outcome.entry.size, outcome.entry.sha256) == (mine.size, mine.sha256)
    assert outcome.entry.logical == mine.logical


def test_a_plain_file_is_held_to_the_bytes_of_the_plan(bench: Bench) -> None:
    """Only rows are compared in place of bytes, never the bytes of anything else."""
    mine = bench.write("tree/k", b"1")
    planned = replace(named(mine), sha256="0" * 64)
    outcome = perform(bench.task(action(Op.UPLOAD, planned, None), View(mine, None)))
    assert not outcome.done
    assert bench.bytes_at("k") is None


def test_a_problem_is_an_outcome_and_a_bug_is_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store refuses is told in its words; anything else comes out."""
    old = bench.put("k", b"old")
    made = action(Op.DELETE_REMOTE, None, content_of(old))

    def refuse(problem: Exception) -> Any:
        def delete(entry: Entry) -> None:
            raise problem

        return delete

    for problem in (UnavailableError("not now"), PreconditionError("changed")):
        monkeypatch.setattr(bench.remote, "delete", refuse(problem))
        outcome = perform(bench.task(made, View(None, old)))
        assert (outcome.done, outcome.error) == (False, str(problem))
    monkeypatch.setattr(bench.remote, "delete", refuse(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        perform(bench.task(made, View(None, old)))
