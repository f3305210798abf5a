"""When manifests are published, with what, at what price, and what becomes of others' documents."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from buckia import manifest
from buckia.headers import ALL
from buckia.manifest import LEAST
from buckia.model import Direction, Entry, Op, replace
from buckia.stores.base import Caches, Store
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, ops
from tests.test_manifest_laws import demand_true, published

KEY: Final = manifest.key_of("T")
BIG: Final = bytes(range(256)) * (LEAST // 256)


def world_at(place: Path, store: Store | None = None, **options: Any) -> World:
    given = {"main": store or MemoryStore()}
    return World(place, given, manifest=True, **{**ALL_DELETIONS, **options})


def held(world: World, folder: str = "T") -> manifest.Manifest:
    return published(world.remote())[folder]


def publications(world: World, **options: Any) -> list[str]:
    return [item.key for item in world.plan(**options).actions if item.op is Op.PUBLISH]


def make_database(path: Path, rows: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO t VALUES (?)", [rows])


# -- order -----------------------------------------------------------------------------------------


class Told(MemoryStore):
    """A bucket that writes down what is done to it, and has caches."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    @property
    def capabilities(self) -> Any:
        return replace(super().capabilities, caches=Caches(100, 10))

    def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
        self._tell("put", entry.key)
        return super().put(entry, body, replacing=replacing)

    def delete(self, entry: Entry) -> None:
        self._tell("delete", entry.key)
        super().delete(entry)

    def purge(self, key: str) -> None:
        self._tell("purge", key)

    def _tell(self, what: str, key: str) -> None:
        if not key.startswith(".buckia/"):
            self.done.append(f"{what} {key}")


@pytest.mark.promise("INV-25")
def test_media_then_databases_then_the_manifest_then_deletions_and_purges(tmp_path: Path) -> None:
    """The manifest's own address is purged last of all."""
    store = Told()
    world = world_at(tmp_path, store, trash=False)
    make_database(world.tree / "T/App.sqlite", 1)
    world.write("T/old", b"1")
    world.write("T/z", b"1")
    world.sync()
    store.done.clear()
    make_database(world.tree / "T/App.sqlite", 2)
    world.remove("T/old")
    world.write("T/z", b"2")
    world.write("T/zz", b"2")
    world.sync()
    assert store.done[:2] in (["put T/z", "put T/zz"], ["put T/zz", "put T/z"])
    assert store.done[2:5] == ["put T/App.sqlite", f"put {KEY}", "delete T/old"]
    assert sorted(store.done[5:-1]) == ["purge T/App.sqlite", "purge T/old", "purge T/z"]
    assert store.done[-1] == f"purge {KEY}"


# -- what it says ----------------------------------------------------------------------------------


def test_generations_count_publications_of_one_folder(tmp_path: Path) -> None:
    """Only the folder that changed is published; what lies in no folder changes none."""
    world = world_at(tmp_path)
    world.write("T/a", b"1")
    world.write("U/a", b"1")
    world.sync()
    world.write("T/a", b"2")
    world.write("top", b"2")
    assert publications(world) == [KEY]
    world.sync()
    assert (held(world).generation, held(world, "U").generation) == (2, 1)
    world.remove("T/a")
    world.sync()
    assert KEY not in world.remote()
    world.write("T/a", b"3")
    world.sync()
    assert held(world).generation == 3


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_a_database_is_named_by_the_bytes_in_the_bucket(tmp_path: Path, kind: str) -> None:
    """Though two files of the same rows count as equal, adopted or fetched."""
    store = MemoryStore() if kind == "memory" else None
    world = World(tmp_path, {"main": store}, manifest=True, **ALL_DELETIONS)
    path = world.tree / "T/App.sqlite"
    make_database(path, 1)
    make_database(path, 2)
    twin = tmp_path / "twin"
    make_database(twin, 2)
    make_database(twin, 1)
    with closing(sqlite3.connect(twin)) as database:
        database.execute("PRAGMA page_size=8192")
        database.execute("VACUUM")
    world.put("T/App.sqlite", twin.read_bytes())
    world.sync()
    demand_true(world)
    make_database(twin, 9)
    world.put("T/App.sqlite", twin.read_bytes())
    assert "download T/App.sqlite" in ops(world.plan())
    world.sync()
    demand_true(world)
    assert ops(world.plan()) == []


def test_blocks_come_from_where_the_bytes_are_known(tmp_path: Path) -> None:
    """As they pass, from the local file, and of what is unchanged from the manifest before, without
    reading the object."""
    store = MemoryStore()
    world = world_at(tmp_path, store)
    world.write("T/a", BIG)
    world.put("T/b", BIG[::-1])
    world.sync()
    found = held(world).by_path()
    for key, data in (("a", BIG), ("b", BIG[::-1])):
        digests = [
            hashlib.sha256(data[at : at + 65536]).digest()[:16] for at in range(0, LEAST, 65536)
        ]
        assert list(found[key].digests) == digests
    (world.tree / "T/a").rename(world.tree / "T/c")
    world.write("T/d", b"1")
    before = store.traffic.usage.received
    world.sync()
    assert store.traffic.usage.received - before < LEAST
    assert held(world).by_path()["c"].blocks == found["a"].blocks


def test_adopted_files_have_blocks_too(tmp_path: Path) -> None:
    world = world_at(tmp_path)
    world.write("T/a", BIG)
    world.put("T/a", BIG)
    assert ops(world.plan()) == ["publish " + KEY, "adopt T/a"]
    world.sync()
    assert held(world).by_path()["a"].blocks
    assert ops(world.plan()) == []


def test_what_is_not_as_known_is_not_named(tmp_path: Path) -> None:
    """A conflict is left out, and stays out without another publication; so is what is foreign."""
    world = world_at(tmp_path)
    for key in ("T/a", "T/b"):
        world.write(key, b"1")
    world.sync()
    world.put("T/a", b"theirs")
    world.write("T/a", b"ours")
    world.put("T/foreign", b"1")
    plan = world.plan(direction=Direction.UPLOAD, skip_conflicts=True)
    (action,) = [item for item in plan.actions if item.op is Op.PUBLISH]
    assert action.publication and action.publication.omits == ("T/a",)
    world.apply(plan)
    assert list(held(world).by_path()) == ["b"]
    assert publications(world, direction=Direction.UPLOAD, skip_conflicts=True) == []


def test_headers_are_those_of_the_rules_or_no_cache(tmp_path: Path) -> None:
    """A changed rule publishes again what is the same."""
    world = world_at(tmp_path, headers=[{"match": "*.txt", "cache_control": "max-age=9"}])
    world.write("T/a", b"1")
    world.sync()
    found = world.store().head(KEY)
    assert found and (found.type, found.headers) == (
        "application/json",
        {"cache-control": "no-cache"},
    )
    rule = {"match": manifest.NAME, "cache_control": "max-age=5", "metadata": {"a": "1"}}
    changed = world.under(headers=[rule])
    changed.sync()
    found = world.store().head(KEY)
    assert found and found.headers == {"cache-control": "max-age=5", "meta-a": "1"}
    assert ops(changed.plan()) == []
    assert held(world).generation == 2
    assert "cache-control" in ALL


# -- what it costs ---------------------------------------------------------------------------------


class Asked(MemoryStore):
    """A bucket that writes down what it is asked of content."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        self._tell("list", prefix)
        return super().entries(prefix)

    def head(self, key: str) -> Entry | None:
        self._tell("look", key)
        return super().head(key)

    def open(self, entry: Entry) -> Any:
        self._tell("read", entry.key)
        return super().open(entry)

    def _tell(self, what: str, key: str) -> None:
        if not key.startswith(".buckia/"):
            self.asked.append(f"{what} {key}")


def test_nothing_changed_asks_nothing_and_a_change_asks_for_its_folder(tmp_path: Path) -> None:
    """No manifest is read or looked for in a plan; of many folders only the changed one costs."""
    store = Asked()
    world = world_at(tmp_path, store)
    for number in range(300):
        world.write(f"user{number}/a", b"%d" % number)
    world.sync()
    store.asked.clear()
    assert ops(world.plan()) == []
    assert store.asked == ["list "]
    world.write("user7/a", b"other")
    store.asked.clear()
    world.sync()
    key = f"user7/{manifest.NAME}"
    assert {*store.asked} == {"list ", "look user7/a", f"look {key}"}
    world.write("user7/b", b"other")
    store.asked.clear()
    world.sync(paths=["user7"])
    assert {*store.asked} == {"list user7", "look user7/b", f"look {key}"}
