"""`media_refs`: no plan leaves a database, new or old, without the media that it names."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from buckia import sqlite
from buckia.errors import BlockedError, ConfigError, UsageError
from buckia.model import Direction
from buckia.sqlite import references
from tests.helpers import ALL_DELETIONS, World, ops
from tests.tiers import SOURCE, TARGETS, Tiers

QUERY: Final = "SELECT path FROM media"
MANIFESTS: Final = pytest.mark.parametrize("manifest", [False, True])


def make_database(path: Path, names: Iterable[str | None], table: str = "media") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE IF NOT EXISTS {table} (path TEXT)")
        database.execute(f"DELETE FROM {table}")
        database.executemany(f"INSERT INTO {table} VALUES (?)", [(name,) for name in names])


def world_at(place: Path, **options: Any) -> World:
    return World(place, media_refs=QUERY, **{**ALL_DELETIONS, **options})


@MANIFESTS
@pytest.mark.promise("INV-26")
def test_a_database_waits_for_the_media_it_names(tmp_path: Path, manifest: bool) -> None:
    """Names are relative to its top-level folder, however they are written; none is no name."""
    world = world_at(tmp_path, manifest=manifest)
    make_database(world.tree / "T/data/App.sqlite", ["i/é", "./i/b", None, ""])
    world.write("T/i/b", b"1")
    plan = world.plan()
    assert plan.blocked == (
        "media_refs: main/T/data/App.sqlite refers to what would not be there: T/i/é",
    )
    with pytest.raises(BlockedError, match="refers to what would not be there"):
        world.apply(plan)
    assert world.remote() == {}
    world.write("T/i/é", b"2")
    world.sync()
    assert ops(world.plan()) == []


@MANIFESTS
@pytest.mark.promise("INV-26")
def test_media_stays_while_a_database_names_it(tmp_path: Path, manifest: bool) -> None:
    """Deleted or renamed: the database that stays published is asked, from here or, where it
    is gone here, from the bucket; with the new database all goes."""
    world = world_at(tmp_path, manifest=manifest)
    make_database(world.tree / "T/App.sqlite", ["a", "b"])
    for name in "abc":
        world.write(f"T/{name}", name.encode())
    world.sync()
    world.remove("T/c")
    world.sync()
    (world.tree / "T/a").rename(world.tree / "T/z")
    told = "media_refs: main/T/App.sqlite refers to what would not be there: T/a"
    assert world.plan().blocked == (told,)
    kept = world.under(delete_orphaned=False)
    assert kept.plan().blocked == ()
    make_database(world.tree / "T/App.sqlite", ["z"])
    world.sync()
    assert world.remote().keys() >= {"T/z", "T/b"}
    world.remove("T/App.sqlite")
    assert world.plan(paths=["T/z"]).blocked == ()
    world.remove("T/z")
    blocked = world.plan(paths=["T/z"]).blocked
    assert blocked == ("media_refs: main/T/App.sqlite refers to what would not be there: T/z",)


def test_a_manifest_has_to_name_it(tmp_path: Path) -> None:
    """An object that buckia did not put there is in the bucket, and no reader of the manifest finds
    it."""
    for manifest in (False, True):
        world = world_at(tmp_path / str(manifest), manifest=manifest, direction="upload")
        make_database(world.tree / "T/App.sqlite", ["a"])
        world.put("T/a", b"1")
        assert bool(world.plan().blocked) is manifest


def test_each_database_that_has_the_tables_is_asked(tmp_path: Path) -> None:
    """One without them is named, once it is published."""
    world = world_at(tmp_path)
    make_database(world.tree / "T/a.sqlite", ["x"])
    make_database(world.tree / "T/b.sqlite", ["x"])
    make_database(world.tree / "T/c.sqlite", ["x"], table="other")
    plan = world.plan()
    assert [why.partition(" refers")[0] for why in plan.blocked] == [
        "media_refs: main/T/a.sqlite",
        "media_refs: main/T/b.sqlite",
    ]
    assert [(item.code, item.key) for item in plan.warnings] == [("no_references", "T/c.sqlite")]
    assert world.plan(direction=Direction.DOWNLOAD).blocked == ()


@MANIFESTS
@pytest.mark.promise("INV-26")
def test_a_promotion_asks_the_database_of_the_source(tmp_path: Path, manifest: bool) -> None:
    """As it is about to be promoted, and as it stays where media is promoted away."""
    tiers = Tiers(tmp_path, manifest=manifest)
    make_database(tiers.tree / "demo/App.sqlite", ["a"])
    tiers.applied({"demo/a": b"1", "demo/b": b"2"})
    asking = tiers.under(media_refs=QUERY)
    asking.promote(TARGETS[0])
    tiers.applied({"demo/a": None})
    target = f"{SOURCE}>{TARGETS[0]}"
    blocked = f"media_refs: {target}/demo/App.sqlite refers to what would not be there: demo/a"
    assert asking.promotion(TARGETS[0]).blocked == (blocked,)
    make_database(tiers.tree / "demo/App.sqlite", ["b"])
    tiers.applied({})
    asking.promote(TARGETS[0])
    assert "demo/a" not in tiers.remote(TARGETS[0])


# -- queries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELEC path", "SELECT of one column"),
        ("SELECT path, path FROM media", "SELECT of one column"),
        ("SELECT nope FROM media", "no such column"),
        ("DELETE FROM media", "SELECT of one column"),
        ("WITH a AS (SELECT 1) DELETE FROM media", "may only read"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT 1 FROM media", "no text: int"),
        ("SELECT load_extension('x')", "not authorized|no such function|may only read"),
    ],
)
def test_a_query_that_is_none(tmp_path: Path, query: str, why: str) -> None:
    """Whatever can be told without a database is told by the configuration, the rest by the plan;
    both name the bucket."""
    path = tmp_path / "a"
    make_database(path, ["a"])
    before = path.read_bytes()
    with pytest.raises(UsageError, match=why):
        if told := references.refuse(query):
            raise UsageError(told)
        sqlite.referred(path, query)
    assert path.read_bytes() == before
    with pytest.raises(ConfigError, match=r"main.*media_refs|media_refs.*main"):
        world = World(tmp_path / "world", media_refs=query)
        make_database(world.tree / "T/App.sqlite", ["a"])
        world.plan()


def test_a_query_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In time and in rows."""
    counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    endless = f"{counting} SELECT 'a' || i FROM n"
    path = tmp_path / "a"
    make_database(path, ["a"])
    monkeypatch.setattr(references, "ROWS", 1000)
    with pytest.raises(UsageError, match="more than 1,000 rows"):
        sqlite.referred(path, endless)
    monkeypatch.setattr(references, "SECONDS", 0)
    with pytest.raises(UsageError, match="more than 0 seconds"):
        sqlite.referred(path, f"SELECT max(length(x)) FROM (SELECT i AS x FROM ({endless}))")
