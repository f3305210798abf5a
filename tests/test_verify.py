"""Verification: what each side holds against what the lockfile says, told and read whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from buckia.cli import show_verify
from buckia.documents import schema
from buckia.errors import LocalError, PreconditionError, StoreError, UnavailableError, UsageError
from buckia.model import Entry, Listing, Skipped, Tick, replace
from buckia.sides.verify import Verified, compare
from buckia.sides.whole import sample
from buckia.snapshot import Sides
from buckia.stores import hashing
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from tests.helpers import World, ops
from tests.sqlite_helpers import make, sql

pytestmark = pytest.mark.usefixtures("hurried")

SAVE = hashing.HashCache.save
FILES = {"a": b"1", "d/b": b"22", "d/c": b"333", "é": b"4444"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path).settled(FILES)


def verify(world: World, deep: str | None = None) -> Verified:
    """What is found out about the only bucket."""
    with world.open() as project:
        (found,) = project.verify(deep=deep)
    return found


def told(found: Verified) -> list[str]:
    """The findings in short, in order."""
    return [f"{item.side} {item.kind} {item.key}" for item in found.findings]


def corrupt(world: World, key: str, data: bytes) -> None:
    """Change the bytes of an object behind everybody's back: token and digests stay."""
    store = world.store()
    assert isinstance(store, MemoryStore)
    entry, old = store._objects[key]
    assert len(data) == len(old)
    store._objects[key] = entry, data


# -- the comparison --------------------------------------------------------------------------------


def entry(data: str, version: str = "v", **more: Any) -> Entry:
    return Entry("k", len(data), sha256=data * 64, version=version, **more)


A, B = entry("a"), entry("b", "w")
REWRITTEN = replace(A, version="w")
BLIND = Entry("k", 1, version="w")


@pytest.mark.parametrize(
    ("local", "base", "remote", "expected"),
    [
        (A, A, A, []),
        (B, A, A, ["local changed"]),
        (A, A, B, ["remote changed"]),
        (None, A, A, ["local missing"]),
        (A, A, None, ["remote vanished"]),
        (None, A, None, ["local missing", "remote vanished"]),
        (A, None, None, ["local new"]),
        (None, None, A, ["remote foreign"]),
        (A, None, A, ["local new", "remote foreign"]),
        (A, A, REWRITTEN, []),
        (A, A, BLIND, ["remote changed"]),
        (replace(A, version=None), A, A, []),
        (replace(B, logical="rows:1"), replace(A, logical="rows:1"), A, []),
        (replace(A, logical="rows:2"), replace(A, logical="rows:1"), A, ["local changed"]),
    ],
)
def test_every_way_in_which_a_key_can_differ(
    local: Entry | None, base: Entry | None, remote: Entry | None, expected: list[str]
) -> None:
    """Both sides are held against the lockfile, not against each other."""

    def side(found: Entry | None) -> Listing:
        return Listing({"k": found} if found else {})

    findings = compare("main", {"k": base} if base else {}, Sides(side(local), side(remote)))
    assert [f"{item.side} {item.kind}" for item in findings] == expected
    for item in findings:
        here = local if item.side == "local" else remote
        assert (item.recorded is None, item.found is None) == (base is None, here is None)


def test_nothing_is_said_about_what_was_not_seen() -> None:
    """A folder that cannot be read is not a folder that is gone; a link is no file."""
    base = {key: replace(A, key=key) for key in ("in/x", "in/y", "out", "link")}
    unread = (Skipped("in/", "cannot be read", unknown=True), Skipped("link", "is a link"))
    sides = Sides(Listing({"out": base["out"]}, unread), Listing(dict(base)))
    assert [(f.kind, f.key) for f in compare("main", base, sides)] == [("missing", "link")]


# -- a project -------------------------------------------------------------------------------------


def test_all_is_as_recorded(world: World) -> None:
    found = verify(world)
    assert (found.recorded, found.local, found.remote, found.read) == (4, 4, 4, 0)
    assert (found.findings, found.unread, found.serial) == ((), (), 1)


def test_both_sides_differ_in_every_way(world: World) -> None:
    world.write("a", b"changed")
    world.remove("d/b")
    world.write("new", b"1")
    world.put("d/c", b"changed there")
    world.drop("é")
    world.put("foreign", b"2")
    before = world.both()
    assert told(verify(world)) == [
        "local changed a",
        "local missing d/b",
        "local new new",
        "remote changed d/c",
        "remote foreign foreign",
        "remote vanished é",
    ]
    assert world.both() == before


def test_nothing_was_ever_applied(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("a", b"1")
    world.put("b", b"2")
    assert told(verify(world)) == ["local new a", "remote foreign b"]


def test_what_left_the_scope_is_not_missed(world: World) -> None:
    """And what buckia keeps for itself in a bucket is no content."""
    world.put(".buckia/trash/x/a", b"kept")
    assert told(verify(world.under(exclude=["d/"]))) == []
    assert verify(world.under(exclude=["d/"])).recorded == 2


def test_a_vacuumed_database_is_as_recorded(tmp_path: Path) -> None:
    """Rows count; in the bucket a look at the bytes tells, if there is another token."""
    world = World(tmp_path)
    make(world.tree / "db", "abc")
    world.sync()
    sql(world.tree / "db", "PRAGMA page_size=8192", "VACUUM")
    assert told(verify(world, "all")) == []
    sql(world.tree / "db", "DELETE FROM items")
    assert told(verify(world)) == ["local changed db"]


# -- reading whole ---------------------------------------------------------------------------------


def test_damage_that_no_listing_shows(world: World) -> None:
    """The bucket says what it always said; its bytes say otherwise."""
    corrupt(world, "d/c", b"bad")
    assert told(verify(world)) == []
    found = verify(world, "all")
    assert told(found) == ["remote damaged d/c"]
    assert found.read == 4
    (item,) = found.findings
    assert item.recorded and item.found and item.recorded.sha256 != item.found.sha256


def decay(world: World, key: str) -> None:
    """Change a local file behind the back of its file system, as a failing disk does."""
    path = world.tree / key
    stat = path.stat()
    path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("known", [True, False])
def test_a_local_file_that_decayed(
    world: World, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """The cache says what it always said; the disk says otherwise. Nor is the cache told: the next
    plan would take the damage for an edit, and upload it."""
    if known:
        monkeypatch.setattr(hashing.HashCache, "save", SAVE)
        monkeypatch.setattr(
            hashing, "_times", lambda stat, path: (stat.st_size, stat.st_mtime_ns, 0)
        )
        monkeypatch.setattr(hashing, "_FINE_SLACK", -(10**15))
        monkeypatch.setattr(hashing, "_COARSE_SLACK", -(10**15))
        os.utime(world.tree / "d/c", ns=(10**18, 10**18))  # whole seconds: `_times` has a say
        world.plan()
    decay(world, "d/c")
    expected = "local damaged d/c" if known else "local changed d/c"
    assert told(verify(world)) == ([] if known else [expected])
    found = verify(world, "all")
    assert told(found) == [expected]
    assert (found.read, found.reread) == ((4, 4) if known else (4, 3))
    assert ops(world.plan()) == ([] if known else ["upload d/c"])
    assert verify(world, "1").reread == 1


def test_a_local_file_that_goes_or_changes_under_the_reading(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was as recorded when it was listed; what cannot be read at all is no finding."""
    real = LocalStore.read_anew

    def read_anew(store: LocalStore, entry: Entry) -> Entry | None:
        if entry.key == "a":
            world.write("a", b"edited")
        if entry.key == "d/b":
            world.remove("d/b")
        if entry.key == "d/c":
            raise LocalError("tree/d/c: Input/output error; check the disk")
        return real(store, entry)

    monkeypatch.setattr(LocalStore, "read_anew", read_anew)
    found = verify(world, "all")
    assert told(found) == ["local changed a", "local missing d/b"]
    assert [(item.place, item.unknown) for item in found.unread] == [("d/c", True)]
    assert found.reread == 3


def test_damage_of_a_database(tmp_path: Path) -> None:
    """Other rows, no rows at all, or no database."""
    world = World(tmp_path)
    path = make(world.tree / "db", "abc")
    world.sync()
    whole = world.remote()["db"]
    sql(path, "UPDATE items SET name = 'x'")
    for data in (path.read_bytes(), b"\0" * len(whole), whole[:4096] + b"\1" * (len(whole) - 4096)):
        corrupt(world, "db", data[: len(whole)])
        assert "remote damaged db" in told(verify(world, "all"))
        assert world.left_behind() == []


def test_a_database_of_other_bytes_and_the_same_rows_is_sound(tmp_path: Path) -> None:
    """As after an adopt: the lockfile holds the hash of the local snapshot."""
    world = World(tmp_path)
    make(world.tree / "db", "abc")
    theirs = make(tmp_path / "theirs", "abc", size=1024)
    world.put("db", theirs.read_bytes())
    world.sync()
    assert told(verify(world, "all")) == []


def test_what_differs_anyway_is_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a", b"changed")
    found = verify(world, "all")
    assert (told(found), found.read) == (["remote changed a"], 3)


def test_an_object_that_goes_or_changes_under_the_reading(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = MemoryStore.open

    def race(store: MemoryStore, wanted: Entry) -> Any:
        if wanted.key == "a":
            store.delete(wanted)
        if wanted.key == "d/b":
            raise PreconditionError("changed")
        return read(store, wanted)

    monkeypatch.setattr(MemoryStore, "open", race)
    assert told(verify(world, "all")) == ["remote vanished a", "remote changed d/b"]


def test_a_bucket_that_does_not_answer_is_an_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a finding: nothing is known of the object."""

    def silent(store: MemoryStore, wanted: Entry) -> Any:
        raise UnavailableError("no answer")

    monkeypatch.setattr(MemoryStore, "open", silent)
    with pytest.raises(StoreError, match="no answer"):
        verify(world, "1")


def test_progress_counts_files_and_bytes(world: World) -> None:
    ticks: list[Tick] = []
    with world.open(ticks.append) as project:
        project.verify(deep="all")
    ticks = [tick for tick in ticks if tick.stage == "verify"]
    assert (ticks[0].files, ticks[0].total_files, ticks[0].total_bytes) == (0, 4, 10)
    assert (ticks[-1].files, ticks[-1].bytes) == (4, 10)


# -- samples ---------------------------------------------------------------------------------------

KEYS = [f"k{number:03}" for number in range(200)]


@pytest.mark.parametrize(
    ("asked", "count"),
    [("all", 200), ("0", 0), ("7", 7), ("500", 200), ("0%", 0), ("1%", 2), ("0.", -1),
     ("33%", 66), ("100%", 200)],
)  # fmt: skip
def test_a_sample_is_as_large_as_was_asked(asked: str, count: int) -> None:
    """A share is rounded up; more than there is, is all there is."""
    if count < 0:
        with pytest.raises(UsageError):
            sample(KEYS, asked, "s")
        return
    drawn = sample(KEYS, asked, "s")
    assert len(drawn) == len(set(drawn)) == count
    assert drawn == sorted(drawn)


def test_a_share_of_little_is_something() -> None:
    assert len(sample(KEYS[:3], "1%", "s")) == 1


def test_a_sample_is_the_same_until_the_lockfile_moves() -> None:
    """And does not depend on the order of the keys."""
    one = sample(KEYS, "10", "sha256:1")
    assert one == sample(reversed(KEYS), "10", "sha256:1")
    assert one != sample(KEYS, "10", "sha256:2")
    assert set(one) < set(sample(KEYS, "20", "sha256:1"))


@pytest.mark.parametrize("asked", ["", "%", "some", "-1", "101%", "1.5%", "٣", "1 %", "ALL"])
def test_what_is_no_sample(asked: str) -> None:
    with pytest.raises(UsageError, match="say `all`, a number"):
        sample(KEYS, asked, "s")


# -- the document ----------------------------------------------------------------------------------


def test_the_document_is_valid_and_always_the_same(world: World) -> None:
    """One finding a line."""
    corrupt(world, "d/c", b"bad")
    world.write("new\u00ad", b"1")
    world.drop("é")
    found = [verify(world, "all")]
    document = show_verify.document(found)
    assert document == show_verify.document([verify(world, "all")])
    value = json.loads(document)
    assert [
        error.message for error in Draft202012Validator(schema("verify")).iter_errors(value)
    ] == []
    assert (value["same"], value["complete"]) == (False, True)
    assert [item["kind"] for item in value["findings"]] == ["new", "damaged", "vanished"]
    assert sum(line.startswith('{"bucket"') for line in document.decode().splitlines()) == 3
    assert "\u00ad" not in document.decode()


def test_the_schema_explains_everything() -> None:
    whole = schema("verify")
    Draft202012Validator.check_schema(whole)
    for part in (whole, *whole["$defs"].values()):
        assert part["additionalProperties"] is False
        assert all("description" in value for value in part["properties"].values())
        assert part["description"].endswith(".")
