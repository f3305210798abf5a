"""The lockfile: one line an entry, the same bytes for the same state, damage never "no state"."""

from __future__ import annotations

import subprocess  # noqa: TID251  (git is who merges lockfiles)
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia import documents, lockfile
from buckia.decisions import folding
from buckia.decisions.folding import advance
from buckia.errors import DocumentError, StaleError
from buckia.lockfile import BucketState, Locked, Lockfile, digest
from buckia.model import Entry, Op, Outcome, replace
from buckia.stores.local import LocalStore
from tests.helpers import World, ops
from tests.strategies import any_keys, examples

hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
entries = st.dictionaries(
    any_keys, st.builds(Locked, st.integers(0, 2**50), hexes, texts, texts, texts, texts)
)


def state(entries: dict[str, Locked], serial: int = 1) -> BucketState:
    """A state as an apply leaves it."""
    return BucketState("lineage-1", serial, digest(entries), "sha256:" + "7" * 64, False, entries)


def some(*keys: str) -> dict[str, Locked]:
    return {key: Locked(1, "a" * 64, "token", type="text/plain") for key in keys}


def lock_of(*keys: str) -> Lockfile:
    return lockfile.EMPTY.with_state("main", state(some(*keys)))


@examples(60)
@given(st.dictionaries(st.sampled_from(["one", "two"]), entries))
def test_a_lockfile_is_read_back_as_it_was_written(buckets: dict[str, dict[str, Locked]]) -> None:
    """Whatever keys and texts it holds; and the order in which they were learnt does not show."""
    lock = replace(lockfile.EMPTY, buckets={name: state(held) for name, held in buckets.items()})
    data = lockfile.write(lock)
    assert lockfile.read(data) == lock
    turned = {name: state(dict(reversed(held.items()))) for name, held in reversed(buckets.items())}
    assert lockfile.write(replace(lockfile.EMPTY, buckets=turned)) == data
    assert all(char.isprintable() or char == "\n" for char in data.decode())


@examples(60)
@given(entries, st.integers(1, 3))
def test_how_many_lines_are_made_at_once_does_not_show(held: dict[str, Locked], many: int) -> None:
    """Neither in the document nor in the digest, which is that of the whole."""
    whole = lockfile.write(lockfile.EMPTY.with_state("main", state(held)))
    with patch.object(documents, "_MANY", many):
        assert digest(held) == documents.digest(held)
        assert lockfile.write(lockfile.EMPTY.with_state("main", state(held))) == whole


def test_an_empty_lockfile_is_one_too() -> None:
    """No buckets, or a bucket without entries."""
    for lock in (lockfile.EMPTY, lock_of()):
        assert lockfile.read(lockfile.write(lock)) == lock


def test_each_entry_and_each_digest_has_a_line_of_its_own() -> None:
    """So that a change shows as one line, and two branches meet at the digest."""
    lines = lockfile.write(lock_of("b", "a", "é")).decode().splitlines()
    keys = [line.split(":")[0] for line in lines if '"size"' in line]
    assert keys == ['"a"', '"b"', '"é"', '""']  # the last closes the list for all time
    assert sum(line.startswith('"digest"') for line in lines) == 1


DAMAGED = {
    "empty": b"",
    "blank": b" \n",
    "half": lockfile.write(lock_of("a"))[:-20],
    "text": b"nonsense",
    "list": b"[]",
    "nothing in it": b"{}",
    "no format": b'{"buckets": {}}',
    "a bucket without a state": lockfile.write(lockfile.EMPTY).replace(b"{}", b'{"main": {}}'),
    "a bucket without a serial": lockfile.write(lock_of("a")).replace(b'"serial": 1,', b""),
    "negative serial": lockfile.write(lock_of("a")).replace(b'"serial": 1', b'"serial": -1'),
    "number": b"1",
    "null": b"null",
    "binary": b"\xff\xfe\x00",
    "bad utf-8": lockfile.write(lock_of("a")).replace(b'"token":"t', b'"token":"\xff'),
    "deep": b"[" * 100_000,
    "wrong, then cut": b'{"format": 1, "x',
    "another document": b'{"format": "buckia.plan", "format_version": "1.0", "buckets": {}}',
    "version as number": b'{"format": "buckia.lock", "format_version": 1, "buckets": {}}',
    "unknown field": lockfile.write(lockfile.EMPTY).replace(b'"buckets"', b'"more": 1, "buckets"'),
    "no digest of an entry": b'{"buckets": {"main": {"entries": {"a": {"size": 1}}}}}',
    "negative": lockfile.write(lock_of("a")).replace(b'"size":1', b'"size":-1'),
    "edited": lockfile.write(lock_of("a")).replace(b'"size":1', b'"size":2'),
    "line lost": lockfile.write(lock_of("a", "b")).replace(
        lockfile.write(lock_of("a", "b")).splitlines(keepends=True)[-5], b""
    ),
    "merge markers": b"<<<<<<< HEAD\n" + lockfile.write(lock_of("a")),
    "merge markers inside": lockfile.write(lock_of("a")).replace(
        b'"digest"', b'<<<<<<< HEAD\n"digest"'
    ),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_an_error_and_never_no_state(tmp_path: Path, kind: str) -> None:
    """Every damage is one line, with the way to repair it, and nothing is planned from it."""
    with pytest.raises(DocumentError) as damage:
        lockfile.read(DAMAGED[kind])
    assert "\n" not in str(damage.value)
    world = World(tmp_path)
    world.write("a", b"1")
    (world.root / lockfile.KEY).write_bytes(DAMAGED[kind])
    with pytest.raises(DocumentError):
        world.plan()


@pytest.mark.parametrize("entry", ["", '"more": {"deeper": [1]},'])
def test_a_newer_major_version_names_itself(entry: str) -> None:
    """Also where the document holds what this version does not know."""
    data = lockfile.write(lockfile.EMPTY).decode().replace('"1.0",', f'"2.1",{entry}').encode()
    with pytest.raises(DocumentError, match=r"'2\.1' needs another buckia.*reads 1\.0"):
        lockfile.read(data)


def test_a_minor_version_is_read() -> None:
    """A later 1.x holds nothing that a 1.0 must understand."""
    data = lockfile.write(lock_of("a")).replace(b'"1.0"', b'"1.7"')
    assert lockfile.read(data).state("main").entries == some("a")


# -- serials ---------------------------------------------------------------------------------------


def test_the_serial_counts_applies_that_changed_something() -> None:
    """And a run that finishes what the same plan began belongs to the same serial."""
    old = advance(lockfile.NEW, state(some("a")), "p1", "new", partial=False)
    assert (old.serial, old.lineage) == (1, "new")
    same = advance(old, old, "p2", "other", partial=False)
    assert (same.serial, same.lineage, same.plan) == (1, "new", "p2")
    half = advance(old, state(some("a", "b")), "p3", "other", partial=True)
    whole = advance(half, state(some("a", "b", "c")), "p3", "other", partial=False)
    another = advance(half, state(some("a", "b", "c")), "p4", "other", partial=False)
    assert (half.serial, whole.serial, another.serial) == (2, 2, 3)


def test_only_what_was_done_is_folded_in() -> None:
    """A failed deletion leaves its entry, a failed upload adds none, a move takes its old key."""
    entry = Entry("new", 1, sha256="a" * 64, version="v")
    outcomes = [
        Outcome("1", Op.DELETE_REMOTE, "main", "a", False, error="no"),
        Outcome("2", Op.UPLOAD, "main", "x", False, error="no"),
        Outcome("3", Op.DELETE_LOCAL, "main", "b", True),
        Outcome("4", Op.MOVE, "main", "new", True, entry),
        Outcome("4", Op.MOVE, "main", "new", True, left="c"),
    ]
    folded = folding.fold(state(some("a", "b", "c")), outcomes)
    assert list(folded.entries) == ["a", "new"]
    assert folding.fold(folded, outcomes) == folded


# -- where it is kept ------------------------------------------------------------------------------


def test_saving_refuses_what_somebody_else_wrote_meanwhile(tmp_path: Path) -> None:
    """Neither a new lockfile nor a changed one is overwritten."""
    store = LocalStore(tmp_path)
    held = lockfile.load(store)
    assert held.lock == lockfile.EMPTY
    other = lockfile.save(store, held, lock_of("theirs"))
    with pytest.raises(StaleError, match="nothing of it was overwritten"):
        lockfile.save(store, held, lock_of("mine"))
    lockfile.save(store, other, lock_of("theirs", "more"))
    with pytest.raises(StaleError):
        lockfile.save(store, other, lock_of("mine"))
    assert lockfile.load(store).lock == lock_of("theirs", "more")


def test_an_unchanged_lockfile_is_not_written(tmp_path: Path) -> None:
    """Its file keeps its time, and version control has nothing to show."""
    store = LocalStore(tmp_path)
    held = lockfile.save(store, lockfile.load(store), lock_of("a"))
    before = (tmp_path / lockfile.KEY).stat()
    assert lockfile.save(store, held, lock_of("a")) is held
    assert (tmp_path / lockfile.KEY).stat() == before


def git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *who, *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_two_branches_that_both_applied_cannot_be_merged(tmp_path: Path) -> None:
    """Git stops at the digest even where the entries lie far apart, and buckia then refuses to
    take the result for a state."""
    path = tmp_path / lockfile.KEY
    keys = [f"k{number:03}" for number in range(60)]

    def commit(lock: Lockfile) -> None:
        path.write_bytes(lockfile.write(lock))
        git(tmp_path, "add", lockfile.KEY)
        git(tmp_path, "commit", "-qm", "applied")

    git(tmp_path, "init", "-q")
    commit(lock_of(*keys))
    git(tmp_path, "checkout", "-qb", "other")
    commit(lock_of(*keys, "a-first"))
    git(tmp_path, "checkout", "-q", "main")
    commit(lock_of(*keys, "z-last"))
    assert git(tmp_path, "merge", "other").returncode != 0
    with pytest.raises(DocumentError, match="merge markers"):
        lockfile.read(path.read_bytes())


def test_a_local_spelling_in_a_lockfile_leads_nowhere_else(tmp_path: Path) -> None:
    """Somebody else's lockfile cannot make buckia read or write another file than the key's."""
    world = World(tmp_path).settled({"a": b"1"})
    for path in ("../outside", "tree/../../outside", f"{tmp_path}/outside", "tree/b", "tree/./a"):
        (known,) = world.lock().state("main").entries.values()
        held = state({"a": replace(known, path=path)})
        (world.root / lockfile.KEY).write_bytes(
            lockfile.write(lockfile.EMPTY.with_state("main", held))
        )
        world.put("a", path.encode())
        world.sync()
        assert world.local() == {"a": path.encode()}
    assert not list(tmp_path.rglob("outside"))


def test_a_file_spelt_in_another_unicode_form_is_the_same_key(tmp_path: Path) -> None:
    """A name as some systems decompose it travels as the composed key and keeps its spelling."""
    world = World(tmp_path)
    decomposed, composed = "e\u0301.txt", "é.txt"
    world.write(decomposed, b"1")
    world.sync()
    assert world.remote() == {composed: b"1"}
    assert world.lock().state("main").entries[composed].path == f"tree/{decomposed}"
    assert ops(world.plan()) == []
    world.put(composed, b"2")
    world.sync()
    assert world.local() == {decomposed: b"2"}
    (world.root / lockfile.KEY).unlink()
    assert ops(world.plan()) == [f"adopt {composed}"]


def test_a_file_of_a_second_mapping_is_found_where_it_lies(tmp_path: Path) -> None:
    """The key alone would point into the first mapping."""
    world = World(tmp_path, paths=["tree/first/", "tree/second/"])
    world.write("second/a", b"1")
    world.sync()
    assert world.remote() == {"a": b"1"}
    world.write("second/a", b"2")
    world.sync()
    assert (world.remote(), world.local()) == ({"a": b"2"}, {"second/a": b"2"})
    assert ops(world.plan()) == []


def test_a_lockfile_that_is_a_link_is_an_error(tmp_path: Path) -> None:
    """A link would look like no state at all."""
    world = World(tmp_path).settled({"a": b"1"})
    path = world.root / lockfile.KEY
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(DocumentError, match="plain file"):
        world.plan()
