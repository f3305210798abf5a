"""Plans that touch databases: what changes in them is told, equal rows are adopted, and what lies
beside a database in a bucket is not taken for nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from buckia import planfile
from buckia.documents import schema
from buckia.errors import DocumentError, NotFoundError
from buckia.model import Action, Conflict, Entry
from buckia.planfile import Plan
from buckia.sides import contents
from buckia.sqlite import snapshots
from buckia.stores.memory import MemoryStore
from tests.helpers import World, codes, ops
from tests.sqlite_helpers import make, names, program, sql

pytestmark = pytest.mark.usefixtures("hurried")

KEY = "me/App.sqlite"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project with a database of three rows on both sides."""
    world = World(tmp_path)
    (world.tree / "me").mkdir()
    make(world.tree / KEY, "abc")
    world.sync()
    return world


def put(world: World, path: Path, key: str = KEY) -> Entry:
    """Put a file into the bucket behind buckia's back, and remove it here."""
    data = path.read_bytes()
    path.unlink()
    return world.put(key, data)


def edited(world: World, *statements: str) -> None:
    """Change the database in the bucket."""
    path = world.root / "edited"
    with world.store().open(world.store().head(KEY) or Entry(KEY, 0)) as body:
        path.write_bytes(body.read())
    sql(path, *statements)
    put(world, path)


def changes(plan: Plan) -> tuple[str, ...]:
    """What the only action or conflict says."""
    (told,) = [
        *(action.changes for action in plan.actions),
        *(conflict.changes for conflict in plan.conflicts),
    ]
    return told


# -- what changes ----------------------------------------------------------------------------------


def test_an_upload_tells_what_changes_in_the_bucket(world: World) -> None:
    """Rows by kind, schema and version, from what the bucket holds to what it will hold."""
    sql(
        world.tree / KEY,
        "INSERT INTO items (name) VALUES ('d'), ('e')",
        "UPDATE items SET name = 'A' WHERE id = 1",
        "DELETE FROM items WHERE id = 2",
        "CREATE TABLE more (x)",
        "PRAGMA user_version = 7",
    )
    plan = world.plan()
    assert ops(plan) == [f"upload {KEY}"]
    assert changes(plan) == (
        "table `more` added",
        "items: 2 rows added, 1 removed, 1 changed",
        "user_version 0 → 7",
    )
    assert world.left_behind() == []


def test_a_download_tells_what_changes_here(world: World) -> None:
    """The same difference from the other side."""
    edited(
        world,
        "INSERT INTO items (name) VALUES ('d'), ('e')",
        "DELETE FROM items WHERE id = 1",
        "DROP TABLE IF EXISTS none",
        "CREATE TABLE more (x)",
        "PRAGMA user_version = 3",
    )
    plan = world.plan()
    assert ops(plan) == [f"download {KEY}"]
    assert changes(plan) == (
        "table `more` added",
        "items: 2 rows added, 1 removed",
        "user_version 0 → 3",
    )


def test_a_conflict_tells_how_the_local_rows_differ(world: World) -> None:
    """From the bucket's copy to the one here."""
    edited(world, "DELETE FROM items WHERE id = 1")
    sql(world.tree / KEY, "INSERT INTO items (name) VALUES ('d')")
    plan = world.plan()
    assert [item.key for item in plan.conflicts] == [KEY]
    assert changes(plan) == ("items: 2 rows added",)


def test_a_new_database_tells_what_it_brings(tmp_path: Path) -> None:
    """And a download of one that is not here says nothing: all of it is new."""
    world = World(tmp_path)
    make(world.tree / "new", "ab")
    assert changes(world.plan()) == ("table `items` added", "items: 2 rows added")
    put(world, world.tree / "new", "new")
    plan = world.plan()
    assert ops(plan) == ["download new"]
    assert changes(plan) == ()


def test_rows_that_are_only_in_the_log_count(world: World) -> None:
    """A commit that has not reached the file is what the plan tells of."""
    sql(world.tree / KEY, "PRAGMA journal_mode=WAL")
    with closing(sqlite3.connect(world.tree / KEY, isolation_level=None)) as app:
        app.execute("PRAGMA wal_autocheckpoint=0")
        app.execute("INSERT INTO items (name) VALUES ('d')")
        assert changes(world.plan()) == ("items: 1 row added",)


def test_a_plan_that_tells_of_databases_is_a_plan(world: World) -> None:
    """Deterministic, valid, sealed, applied; the action's name does not depend on what it tells."""
    sql(world.tree / KEY, "INSERT INTO items (name) VALUES ('d')")
    plan = world.plan()
    document = planfile.write(plan)
    assert planfile.write(world.plan()) == document
    assert planfile.read(document) == plan
    assert planfile.view(document) == plan
    assert str(world.root).encode() not in document
    world.apply(plan)
    assert ops(world.plan()) == []
    value = json.loads(document)
    value["actions"][0]["changes"] = ["nothing at all"]
    with pytest.raises(DocumentError, match="edited"):
        planfile.read(json.dumps(value).encode())


def test_lines_are_few_short_and_visible(tmp_path: Path) -> None:
    """A database can name its tables as it likes."""
    world = World(tmp_path)
    make(world.tree / "db", "")
    tables = [f'CREATE TABLE "t{n:03}\u202e\n{"x" * 400}" (a)' for n in range(50)]
    sql(world.tree / "db", *tables)
    told = changes(world.plan())
    assert len(told) == 21
    assert told[-1] == "and 31 more"
    assert all(len(line) <= 203 and line.isprintable() for line in told)


# -- what cannot be told ---------------------------------------------------------------------------


def unread(plan: Plan) -> list[str]:
    """Why nothing is told."""
    return [item.message for item in plan.warnings if item.code == "unread_database"]


def test_a_large_database_is_not_fetched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan says so, and is the same otherwise."""
    sql(world.tree / KEY, "INSERT INTO items (name) VALUES ('d')")
    told = world.plan()
    monkeypatch.setattr(contents, "MOST_BYTES", 100)
    monkeypatch.setattr(MemoryStore, "open", None)
    plan = world.plan()
    assert ops(plan) == ops(told)
    assert changes(plan) == ()
    assert unread(plan) == ["is too large to say what changes in it: more than 64 MB"]


def test_an_object_that_cannot_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No changes and a warning, which names no temporary file."""
    sql(world.tree / KEY, "INSERT INTO items (name) VALUES ('d')")

    def gone(store: MemoryStore, entry: Entry) -> Any:
        raise NotFoundError("gone")

    monkeypatch.setattr(MemoryStore, "open", gone)
    plan = world.plan()
    assert changes(plan) == ()
    assert unread(plan) == ["cannot be read from the bucket to say what changes in it"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no database", "is a database here, its object in the bucket is none"),
        (b"SQLite format 3\0" + b"x" * 5000, "cannot be compared: a copy is damaged or in use"),
    ],
)
def test_an_object_that_is_no_sound_database(world: World, data: bytes, why: str) -> None:
    """It stays a conflict or a download, as for any file, with a warning."""
    world.put(KEY, data)
    plan = world.plan()
    assert ops(plan) == [f"download {KEY}"]
    assert changes(plan) == ()
    assert unread(plan) == [why]
    assert world.left_behind() == []


def test_a_file_that_is_no_database_any_more(world: World) -> None:
    """Truncated or encrypted here: the upload is flagged."""
    (world.tree / KEY).write_bytes(b"encrypted")
    plan = world.plan()
    assert ops(plan) == [f"upload {KEY}"]
    assert unread(plan) == ["was a database and is none here any more"]


# -- the same rows ---------------------------------------------------------------------------------


def test_the_first_meeting_of_equal_rows_adopts(tmp_path: Path) -> None:
    """Two copies whose bytes differ and whose rows do not are the same content."""
    world = World(tmp_path)
    make(world.tree / "db", "abc")
    put(world, make(tmp_path / "theirs", "abc", size=8192), "db")
    plan = world.plan()
    assert ops(plan) == ["adopt db"]
    world.apply(plan)
    assert ops(world.plan()) == []
    assert names(world.tree / "db") == "abc"


def test_the_first_meeting_of_different_rows_is_a_conflict(tmp_path: Path) -> None:
    """And says what the difference is."""
    world = World(tmp_path)
    make(world.tree / "db", "abc")
    put(world, make(tmp_path / "theirs", "ab", size=8192), "db")
    plan = world.plan()
    assert ops(plan) == []
    assert changes(plan) == ("items: 1 row added",)
    assert plan.conflicts[0].remote and plan.conflicts[0].remote.logical


def test_a_rewritten_object_of_the_same_rows_is_no_change(world: World) -> None:
    """A VACUUM in the bucket is remembered, and nothing is downloaded."""
    edited(world, "PRAGMA page_size = 8192", "VACUUM")
    plan = world.plan()
    assert ops(plan) == [f"adopt {KEY}"]
    world.apply(plan)
    assert ops(world.plan()) == []


def test_what_was_not_asked_about_is_not_fetched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--paths` keeps a plan from reading other databases."""
    edited(world, "DELETE FROM items WHERE id = 1")
    monkeypatch.setattr(MemoryStore, "open", None)
    assert ops(world.plan(paths=["other/"])) == []


# -- sidecars --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.promise("INV-21")
def test_a_raw_sidecar_in_the_bucket_holds_the_database_back(
    tmp_path: Path, suffix: str, known: bool
) -> None:
    """Neither side of it is touched, the rest goes on, until the sidecar is gone."""
    world = World(tmp_path)
    make(world.tree / "App.sqlite", "abc")
    if known:
        world.sync()
    else:
        world.remove("App.sqlite")
    put(world, make(tmp_path / "theirs", "bc"), "App.sqlite")
    world.put(f"App.sqlite{suffix}", b"rows")
    world.put("fine", b"1")
    plan = world.plan()
    assert ops(plan) == ["download fine"]
    assert codes(plan) == ["raw_sidecar App.sqlite"]
    assert f"`{suffix}`" in plan.warnings[0].message
    world.apply(plan)
    world.drop(f"App.sqlite{suffix}")
    assert ops(world.plan()) == ["download App.sqlite"]


def test_sidecars_without_content_are_harmless(world: World) -> None:
    """A shared index, an emptied log: nothing of the database is in them."""
    world.put(f"{KEY}-shm", b"index")
    world.put(f"{KEY}-wal", b"")
    sql(world.tree / KEY, "DELETE FROM items WHERE id = 1")
    plan = world.plan()
    assert ops(plan) == [f"upload {KEY}"]
    assert codes(plan) == []


def test_a_database_of_any_name_keeps_its_sidecars_to_itself(tmp_path: Path) -> None:
    """Recognised by its content: what lies beside it is not uploaded."""
    world = World(tmp_path)
    make(world.tree / "data.bin", "abc")
    world.write("data.bin-journal", b"")
    world.write("notes-journal", b"an ordinary file")
    world.write("notes", b"another")
    plan = world.plan()
    assert ops(plan) == ["upload notes", "upload notes-journal", "upload data.bin"]
    assert codes(plan) == ["skipped data.bin-journal"]
    world.apply(plan)
    world.put("data.bin-wal", b"rows")
    plan = world.plan()
    assert ops(plan) == []
    assert set(codes(plan)) == {
        "raw_sidecar data.bin",
        "skipped data.bin-journal",
        "skipped data.bin-wal",
    }


@pytest.mark.promise("INV-21")
def test_a_database_that_is_locked_keeps_its_sidecars_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot even be recognised, and what lies beside it is half a transaction."""
    world = World(tmp_path)
    make(world.tree / "data.bin", "abc")
    world.write("fine", b"1")
    with program(world.tree / "data.bin") as run:
        run("BEGIN EXCLUSIVE")
        run("INSERT INTO items (name) VALUES ('d')")
        assert (world.tree / "data.bin-journal").exists()
        monkeypatch.setattr(snapshots.snapshot, "__defaults__", (0.0,))
        plan = world.plan()
        assert ops(plan) == ["upload fine"]
        assert codes(plan) == ["unreadable data.bin", "skipped data.bin-journal"]
    assert ops(world.plan()) == ["upload fine", "upload data.bin"]


@pytest.mark.promise("INV-21")
def test_a_database_in_its_first_transaction_keeps_its_sidecars_to_itself(tmp_path: Path) -> None:
    """It is an empty file until then."""
    world = World(tmp_path)
    with program(world.tree / "data.bin") as run:
        run("BEGIN IMMEDIATE")
        run("CREATE TABLE items (name TEXT)")
        assert (world.tree / "data.bin-journal").exists()
        assert world.local()["data.bin"] == b""
        plan = world.plan()
        assert ops(plan) == ["upload data.bin"]
        assert codes(plan) == ["skipped data.bin-journal"]


def test_a_database_that_a_program_wrote_into_a_folder_bucket_comes_down(tmp_path: Path) -> None:
    """Its bytes are not those that buckia would write of the same rows."""
    world = World(tmp_path, {"main": None})
    make(world.tree / "App.sqlite", "abc")
    world.sync()
    (bucket,) = (tmp_path / "buckets").rglob("App.sqlite")
    sql(bucket, "INSERT INTO items (name) VALUES ('d')", "DELETE FROM items WHERE name = 'a'")
    world.sync()
    assert names(world.tree / "App.sqlite") == "bcd"
    sql(bucket, "DELETE FROM items WHERE name = 'b'")
    sql(world.tree / "App.sqlite", "INSERT INTO items (name) VALUES ('e')")
    world.under(conflict_resolution="local_wins").sync()
    assert names(bucket) == "bcde"
    (kept,) = (tmp_path / "buckets").rglob(".buckia/trash/*/App.sqlite")
    assert names(kept) == "cd"


def test_names_that_only_look_like_sidecars_are_files(tmp_path: Path) -> None:
    """Without a database beside them they travel as all others."""
    world = World(tmp_path)
    world.put("travel-journal", b"1")
    world.put("travel", b"2")
    assert ops(world.plan()) == ["download travel", "download travel-journal"]


# -- the document ----------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [None, "text", 0, True, {}, [1], [None], ["fine"], []])
@pytest.mark.parametrize("kind", ["actions", "conflicts"])
def test_schema_and_reader_agree_on_changes(world: World, kind: str, other: Any) -> None:
    """A list of texts, or nothing."""
    sql(world.tree / KEY, "INSERT INTO items (name) VALUES ('d')")
    if kind == "conflicts":
        edited(world, "DELETE FROM items WHERE id = 1")
    value = json.loads(planfile.write(world.plan()))
    assert value[kind][0]["changes"]
    value[kind][0]["changes"] = other
    fits = Draft202012Validator(schema("plan")).is_valid(value)
    try:
        msgspec.convert(value[kind][0], Action if kind == "actions" else Conflict)
        read = True
    except msgspec.ValidationError:
        read = False
    assert fits == read == (other in (["fine"], []))


def test_a_status_fetches_nothing_to_tell(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only counts changes does not look into them."""
    sql(world.tree / KEY, "INSERT INTO items (name) VALUES ('d')")
    monkeypatch.setattr(MemoryStore, "open", None)
    with world.open() as project:
        (status,) = project.status()
    assert ops(status.plan) == [f"upload {KEY}"]
    assert changes(status.plan) == ()
