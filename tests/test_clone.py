"""A clone has the lockfile and no cache: what it reads, and that its plans are everybody's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from buckia import planfile
from buckia.errors import LocalError
from buckia.model import Op
from buckia.planfile import Plan
from buckia.stores import hashing, reading
from buckia.stores.hashing import Digests, HashCache
from buckia.stores.local import LocalStore
from tests.etags import Disguised, Etags, Foreign, Rewriting
from tests.helpers import World, codes, ops
from tests.sqlite_helpers import make as make_database
from tests.strategies import (
    CONTENTS,
    KEYS,
    Edit,
    History,
    busy_histories,
    edits,
    examples,
    histories,
    make,
)
from tests.test_laws_runs import hangs_on_marker

HOUR = 3600 * 10**9
STORES = (Etags, Foreign, Rewriting, Disguised)


@pytest.fixture
def rested() -> Iterator[None]:
    """Whatever was read is remembered: each file written has a time of its own, long ago."""
    times, real, write = count(1), hashing.now, World.write

    def written(world: World, key: str, data: bytes, *, modified: int | None = None) -> Path:
        path = write(world, key, data, modified=modified)
        time = 10**18 + next(times)
        os.utime(path, ns=(time, time))
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "write", written)
        patch.setattr(reading, "now", lambda: real() + HOUR)
        patch.setattr(os, "fsync", lambda handle: None)
        yield


class Reads:
    """For which digests beside sha256 each content was read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: dict[str, list[frozenset[str]]] = {}
        for name in ("hash_bytes", "hash_file"):
            monkeypatch.setattr(reading, name, partial(self._read, getattr(hashing, name)))

    def _read(
        self, real: Callable[..., Digests], body: object, wanted: Iterable[str] = (), **more: Any
    ) -> Digests:
        digests = real(body, wanted, **more)
        self.found.setdefault(digests.sha256, []).append(frozenset(wanted))
        return digests

    def of(self, *contents: bytes) -> list[list[frozenset[str]]]:
        """Of each of them; from now on they count anew."""
        told = [self.found.get(hashlib.sha256(data).hexdigest(), []) for data in contents]
        self.found = {}
        return told


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


SHA256, BOTH = frozenset[str](), frozenset({"md5"})


def settled(root: Path, store: Etags, *names: str) -> World:
    """A world with these files on both sides, each holding its name."""
    return World(root, {"main": store}).settled({name: name.encode() for name in names})


def demand_one_plan(one: World, other: World) -> None:
    """Both plan the same, byte for byte; that a marker is missing in a clone is another matter."""
    plan, found = (world.plan(skip_conflicts=True) for world in (one, other))
    assume(not any(map(hangs_on_marker, set(found.blocked) - set(plan.blocked))))
    assert planfile.write(found) == planfile.write(plan)


# -- one plan, whoever makes it --------------------------------------------------------------------


@st.composite
def same_on_both(draw: st.DrawFn) -> History:
    """Histories that end with files and objects becoming the same, each by itself."""
    history = draw(histories)
    both = draw(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(CONTENTS)), max_size=3))
    last = [Edit(side, key, data) for key, data in both for side in ("local", "remote")]
    return History(history.options, history.local, history.remote, [*history.rounds, last])


@pytest.mark.usefixtures("rested")
@pytest.mark.promise("L7")
@examples(80)
@given(
    histories | same_on_both() | busy_histories(),
    st.sampled_from(STORES),
    st.sampled_from(["md5", "sha256"]),
    st.lists(edits, max_size=2),
)
def test_law_7_a_clone_without_a_cache_makes_the_plan_of_one_with_it(
    history: History, kind: type[Etags], algorithm: str, later: list[Edit]
) -> None:
    """Files changed, renamed, added and lost on either side, objects that became what the file is,
    objects rewritten as they were; a later plan of the clone knows from its cache what the first
    has read."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        store, more = kind(), dict[str, Any](checksum_algorithm=algorithm)
        if kind is Disguised:
            more["headers"] = []
        world = history.build(Path(one), {"main": store}, **more)
        if isinstance(store, Disguised):
            store.believed = True
        world.plan()  # whatever there is to be known is in the cache
        clone = world.clone(Path(other) / "x")
        demand_one_plan(world, clone)
        demand_one_plan(world, clone)
        for edit in later:
            make(world, edit)
            make(clone, edit)
        demand_one_plan(world, clone)


@pytest.mark.usefixtures("rested")
@pytest.mark.promise("L1")
@examples(40)
@given(histories | same_on_both(), st.sampled_from([Etags, Foreign, Rewriting]))
def test_law_1_what_a_clone_applies_leaves_nothing_to_do(
    history: History, kind: type[Etags]
) -> None:
    """Neither for itself, nor for whom it was cloned from, given its lockfile."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        world = history.build(Path(one), {"main": kind()})
        clone = world.clone(Path(other) / "x")
        for _ in range(2):  # without a base nothing is deleted yet
            plan = clone.plan(skip_conflicts=True)
            if not plan.applyable:
                return
            assert not clone.apply(plan).failed
        assert ops(clone.plan(skip_conflicts=True)) == []


# -- what is read ----------------------------------------------------------------------------------


def test_a_file_that_the_lockfile_knows_is_read_for_its_sha256_alone(
    tmp_path: Path, reads: Reads
) -> None:
    """Changed or not: an unchanged token says what the object is. A new one may be in the bucket
    already, so that is read for what the bucket tells."""
    clone = settled(tmp_path / "a", Foreign(), "same", "changed").clone(tmp_path / "b")
    clone.write("changed", b"longer than before")
    clone.write("new", b"quite new")
    reads.of()
    assert ops(clone.plan()) == ["upload changed", "upload new"]
    found = reads.of(b"same", b"longer than before", b"quite new")
    assert found == [[SHA256], [SHA256], [BOTH]]


@pytest.mark.usefixtures("rested")
@pytest.mark.parametrize("theirs", [b"same size", b"size same"])
def test_a_changed_object_is_held_against_the_md5_of_its_file(
    tmp_path: Path, theirs: bytes, reads: Reads
) -> None:
    """Which is read for that once, and known from then on. No request is made for it."""
    store = Foreign()
    clone = settled(tmp_path / "a", store, "other", "file").clone(tmp_path / "b")
    clone.write("file", b"same size")
    store.put_again("file", theirs)
    reads.of()
    known: list[list[frozenset[str]]] = [[], []]
    for found in ([[SHA256], [SHA256, BOTH]], known):
        store.asked.clear()
        plan = clone.plan(skip_conflicts=True)
        assert reads.of(b"other", b"same size") == found
        assert store.asked == []
        same = theirs == b"same size"
        assert (ops(plan), codes(plan)) == (
            (["adopt file"], []) if same else ([], ["conflict_skipped file"])
        )


def test_an_object_of_another_size_is_another_one(tmp_path: Path, reads: Reads) -> None:
    """No md5 has to tell that."""
    store = Foreign()
    clone = settled(tmp_path / "a", store, "file").clone(tmp_path / "b")
    store.put_again("file", b"larger than before")
    reads.of()
    assert ops(clone.plan()) == ["download file"]
    assert reads.of(b"file") == [[SHA256]]


def test_a_database_is_read_for_all_digests(tmp_path: Path) -> None:
    """They are of a snapshot, which is not made twice; so it is told the same by every clone."""
    world = World(tmp_path, {"main": Foreign()})
    make_database(world.write("data", b""))
    world.sync()
    with world.open() as project:
        (entry,) = (
            project.local("main", world.lock().state("main").entries).listing().entries.values()
        )
    assert entry.logical and entry.md5


# -- the md5 that is asked for ---------------------------------------------------------------------


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    """A folder with one file, of which the sha256 is known."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "x").write_bytes(b"then")
    digests = frozenset({"md5"})
    return LocalStore(
        tmp_path / "root", digests=digests, known={"x"}, cache=HashCache(), databases=True
    )


def gone(path: Path) -> None:
    path.unlink()


def changed(path: Path) -> None:
    path.write_bytes(b"now!")


def database(path: Path) -> None:
    path.unlink()
    make_database(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("happens", [gone, changed, database, folder])
def test_a_file_that_is_another_by_now_is_told_no_md5(
    local: LocalStore, happens: Callable[[Path], None]
) -> None:
    """The digests of an entry are those of one file."""
    entry = local.listing().entries["x"]
    assert entry.md5 is None
    happens(local.root / "x")
    assert local.with_md5(entry) == entry


@pytest.mark.promise("INV-12")
def test_no_md5_is_read_through_a_link(local: LocalStore, tmp_path: Path) -> None:
    """Were it the same bytes."""
    entry = local.listing().entries["x"]
    (local.root / "x").rename(tmp_path / "there")
    (local.root / "x").symlink_to(tmp_path / "there")
    with pytest.raises(LocalError, match="refused"):
        local.with_md5(entry)


# -- after a run that was cut ----------------------------------------------------------------------


@pytest.mark.parametrize("many", [False, True])
def test_what_a_run_that_was_cut_has_downloaded_is_not_downloaded_again(
    tmp_path: Path, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan knows the object by its md5 alone; so is what it finds in its place."""
    monkeypatch.setattr("buckia.sides.sightings.FEW", 0 if many else 32)
    store = Foreign()
    world = settled(tmp_path, store, "one", "two")
    for key in ("one", "two"):
        store.put_again(key, key[::-1].encode())
    plan = world.plan()
    assert [(a.op, a.content and a.content.sha256) for a in plan.actions] == [
        (Op.DOWNLOAD, None)
    ] * 2
    world.write("two", b"owt")
    store.opened.clear()
    assert not world.apply(plan).failed
    assert [key for key in store.opened if not key.startswith(".")] == ["one"]
    assert world.local() == {"one": b"eno", "two": b"owt"}
    assert finished(world.plan())


@pytest.mark.parametrize("many", [False, True])
def test_what_a_run_that_was_cut_has_uploaded_is_not_sent_again(
    tmp_path: Path, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file that the lockfile knows as another."""
    monkeypatch.setattr("buckia.sides.sightings.FEW", 0 if many else 32)
    store = Etags()
    world = settled(tmp_path, store, "one", "two")
    world.write("one", b"eno")
    plan = world.plan()
    serial = store.put_again("one", b"eno").version
    assert not world.apply(plan).failed
    assert world.remote()["one"] == b"eno"
    assert world.lock().state("main").entries["one"].token == serial
    assert finished(world.plan())


def finished(plan: Plan) -> bool:
    return plan.actions == () and plan.applyable
