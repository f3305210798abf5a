"""What changes inside files: read from both sides, bounded, and told where it cannot be shown."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from buckia import sqlite
from buckia.planfile import Plan
from buckia.report import html
from buckia.report.previews import Picture, Preview, Previews, Sample
from buckia.runs import previews
from buckia.sides import excerpts
from buckia.sqlite.samples import RowSample, TableSamples, samples, schema_lines
from buckia.stores.memory import MemoryStore
from tests.cli.console import buckia
from tests.helpers import ALL_DELETIONS, World
from tests.report.pictures import png
from tests.sqlite_helpers import sql
from tests.tiers import FOLDER, SOURCE, TARGETS, Tiers

OLD: Final = png(20, 10, 1)
NEW: Final = png(30, 10, 200)
ITEMS: Final = "CREATE TABLE items (id INTEGER PRIMARY KEY, title TEXT)"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A settled world with a picture, a text and a database, each of them changed since."""
    made = World(tmp_path, **ALL_DELETIONS)
    made.write("a.png", OLD)
    made.write("gone.png", OLD)
    made.write("note.md", b"one\ntwo\n")
    sql(made.tree / "App.sqlite", ITEMS, "INSERT INTO items VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    made.sync()
    made.write("a.png", NEW)
    (made.tree / "gone.png").unlink()
    made.write("note.md", b"one\n<b>three</b>\n")
    sql(
        made.tree / "App.sqlite",
        "INSERT INTO items VALUES (4, '<i>')",
        "DELETE FROM items WHERE id = 1",
        "UPDATE items SET title = 'new' WHERE id = 2",
        "CREATE INDEX titles ON items (title)",
    )
    return made


def seen(world: World, most: int = previews.MOST_BYTES) -> tuple[dict[str, Preview], Previews]:
    """The previews by key."""
    plan = world.plan()
    with world.open() as project:
        found = project.previews(plan, most)
    return by_key(plan, found), found


def by_key(plan: Plan, found: Previews) -> dict[str, Preview]:
    return {item.key: found.of[item.id] for item in plan.actions if item.id in found.of}


def test_both_sides_of_what_is_uploaded_are_shown(world: World) -> None:
    shown, found = seen(world)
    assert shown["a.png"] == Preview(Picture("image/png", OLD), Picture("image/png", NEW))
    assert shown["gone.png"] == Preview(Picture("image/png", OLD))
    assert shown["note.md"].lines == ("@@ -1,2 +1,2 @@", " one", "-two", "+<b>three</b>")
    assert found.notes == () and found.at_hand


def test_rows_and_schema_of_a_database_are_shown(world: World) -> None:
    database = seen(world)[0]["App.sqlite"].database
    assert database is not None
    (table,) = database.tables
    assert (table.name, table.added, table.removed, table.changed) == ("items", 1, 1, 1)
    assert table.columns == ("id", "title")
    assert table.samples == (
        Sample("+", ("4", "'<i>'")),
        Sample("-", ("1", "'x'")),
        Sample("~", ("2", "'new'"), (None, "'y'")),
    )
    assert database.schema == ("+CREATE INDEX titles ON items (title)",)


def test_a_download_is_shown_the_other_way_round(world: World) -> None:
    world.sync()
    world.put("a.png", OLD)
    assert seen(world)[0] == {
        "a.png": Preview(Picture("image/png", NEW), Picture("image/png", OLD))
    }


def test_nothing_is_changed_by_looking(world: World) -> None:
    before = world.local(), world.remote()
    seen(world)
    assert (world.local(), world.remote()) == before


def test_what_a_report_holds_is_bounded_and_the_rest_counted(world: World) -> None:
    """With no room at all nothing is read."""
    shown, found = seen(world, 0)
    assert shown == {}
    assert found.notes == ("4 more are not shown: this report holds at most 0 bytes of contents.",)
    some, left = seen(world, 40)
    assert {*some} == {"note.md"}
    assert left.notes == ("3 more are not shown: this report holds at most 40 bytes of contents.",)


def test_what_changed_since_or_is_no_picture_says_so(world: World) -> None:
    world.write("a.png", b"plain text")
    world.write("note.md", b"\xff\xfe")
    plan = world.plan()
    world.put("gone.png", b"another")
    with world.open() as project:
        shown = by_key(plan, project.previews(plan))
    assert shown["a.png"].missing == "One side is no picture that a browser shows."
    assert shown["a.png"].before == Picture("image/png", OLD) and shown["a.png"].after is None
    assert shown["note.md"].missing == "It is no text in UTF-8."
    assert shown["gone.png"].missing == "It is not what the plan was made from any more."


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    world = World(tmp_path, {"main": MemoryStore()})
    world.write("large.md", b"x" * (excerpts.TEXT + 1))
    world.write("large.png", OLD + b"x" * excerpts.PICTURE)
    world.write("other.bin", b"x")
    assert seen(world) == ({}, Previews({}))


def test_both_sides_of_a_conflict_are_shown(world: World) -> None:
    """The local side stands for before: its lines are `-`."""
    world.put("a.png", png(40, 10, 90))
    world.put("note.md", b"one\nfour\n")
    plan = world.plan()
    with world.open() as project:
        found = project.previews(plan).claims
    assert found["main", "a.png"] == Preview(
        Picture("image/png", NEW), Picture("image/png", png(40, 10, 90))
    )
    assert found["main", "note.md"].lines == (
        "@@ -1,2 +1,2 @@", " one", "-<b>three</b>", "+four",
    )  # fmt: skip


def test_a_conflict_with_nothing_on_one_side_shows_the_other(tmp_path: Path) -> None:
    """A picture that is gone here, and changed there."""
    world = World(tmp_path, direction="upload", **ALL_DELETIONS)
    world.settled({"gone.png": OLD})
    world.remove("gone.png")
    world.put("gone.png", NEW)
    plan = world.plan()
    with world.open() as project:
        found = project.previews(plan).claims
    assert found["main", "gone.png"] == Preview(None, Picture("image/png", NEW))


def test_conflicts_come_first_where_there_is_no_room_for_all(world: World) -> None:
    world.put("note.md", b"one\nfour\n")
    plan = world.plan()
    with world.open() as project:
        found = project.previews(plan, 40)
    assert {*found.claims} == {("main", "note.md")} and found.of == {}
    assert found.notes == ("3 more are not shown: this report holds at most 40 bytes of contents.",)


def test_source_and_target_of_a_promotion_are_shown(tmp_path: Path) -> None:
    tiers = Tiers(tmp_path).applied({f"{FOLDER}/a.png": OLD, f"{FOLDER}/gone.txt": b"bye\n"})
    tiers.promote()
    tiers.applied({f"{FOLDER}/a.png": NEW, f"{FOLDER}/gone.txt": None})
    plan = tiers.promotion()
    with tiers.open() as project:
        found = project.previews(plan)
    shown = {(item.bucket, item.key): found.of[item.id] for item in plan.actions}
    for target in TARGETS:
        picture = shown[f"{SOURCE}>{target}", f"{FOLDER}/a.png"]
        assert picture == Preview(Picture("image/png", OLD), Picture("image/png", NEW))
        assert shown[f"{SOURCE}>{target}", f"{FOLDER}/gone.txt"].lines[-1] == "-bye"


def test_a_conflict_of_a_promotion_shows_source_and_target(tmp_path: Path) -> None:
    tiers = Tiers(tmp_path).applied({f"{FOLDER}/a.png": OLD})
    tiers.promote()
    tiers.applied({f"{FOLDER}/a.png": NEW})
    tiers.put(f"{FOLDER}/a.png", png(40, 10, 90), TARGETS[0])
    plan = tiers.promotion(TARGETS[0])
    with tiers.open() as project:
        found = project.previews(plan)
    (shown,) = found.claims.values()
    assert shown == Preview(Picture("image/png", NEW), Picture("image/png", png(40, 10, 90)))
    page = html.page(plan, found)
    assert 'alt="source"' in page and 'alt="target"' in page


def test_a_drawing_is_told_in_lines_and_never_opened(tmp_path: Path) -> None:
    """SVG can hold scripts: it is text on a page."""
    world = World(tmp_path, {"main": MemoryStore()})
    world.write("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    plan = world.plan()
    with world.open() as project:
        found = project.previews(plan)
    (shown,) = found.of.values()
    assert shown.before is shown.after is None
    assert shown.lines[-1].startswith("+<svg")
    page = html.page(plan, found)
    assert "<svg" not in page and "image/svg" not in page and "&lt;script&gt;alert(1)" in page


def test_samples_are_cut_and_survive_other_columns(tmp_path: Path) -> None:
    """A table whose columns came or went has empty places; a long value is cut."""
    old, new = tmp_path / "old", tmp_path / "new"
    sql(old, ITEMS, "INSERT INTO items VALUES (1, 'a')")
    sql(
        new,
        'CREATE TABLE items (id INTEGER PRIMARY KEY, "ti""tle" TEXT, title TEXT)',
        f"INSERT INTO items VALUES (1, 'b', '{'x' * 99}')",
    )
    found = sqlite.difference(old, new)
    assert samples(old, new, found) == (
        TableSamples(
            "items",
            ("id", 'ti"tle', "title"),
            (RowSample(("1", "", "'a'"), ("1", "'b'", f"'{'x' * 59}... 101 characters")),),
        ),
    )
    assert len(schema_lines(old, new)) == 2
    assert schema_lines(None, None) == []


def project(folder: Path) -> None:
    for name in ("assets", "bucket"):
        (folder / name).mkdir()
    (folder / "assets" / "a.png").write_bytes(OLD)
    (folder / ".buckia").write_text(
        "files: {provider: local, bucket_name: bucket, paths: [assets/]}\n"
    )


def test_the_command_writes_a_page_beside_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project(tmp_path)
    ended = buckia("plan", "--out", "plan.json", "--html", "report.html")
    assert ended.code == 0 and "Wrote the page report.html" in ended.err
    page = (tmp_path / "report.html").read_text()
    assert "data:image/png;base64," in page and str(tmp_path) not in page
    again = buckia("plan", "--out", "plan.json", "--html", "report.html", "--preview-size", "0")
    assert again.code == 0
    assert "data:image/png" not in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(("place", "why"), [
    ("assets/a.png", "is no page"),
    ("assets", "is a directory"),
    ("nowhere/x.html", "there is no folder"),
    ("-", "name a file"),
])  # fmt: skip
def test_a_page_goes_where_none_else_is(
    place: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project(tmp_path)
    ended = buckia("plan", "--html", place)
    assert (ended.code, ended.out) == (64, "") and why in ended.err
    assert (tmp_path / "assets" / "a.png").read_bytes() == OLD
    assert buckia("plan", "--check", "plan.json", "--html", "x.html").code == 64
