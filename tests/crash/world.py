"""A project on the brink of a mixed plan, and what a run left of it.

FOLDER/project/          `.buckia`, the local side in tree/ and kept/
FOLDER/buckets/          the buckets, where they are folders
FOLDER/plan.json         everything buckia can do, in one plan
"""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from msgspec import Struct

from buckia import journal, lockfile, planfile, sqlite
from buckia.execution.tasks import TRASH
from buckia.lockfile import Locked
from buckia.model import Entry
from buckia.project import Project
from buckia.stores.local import LocalStore
from tests.crash.child import open_project
from tests.crash.server import BucketServer, Contents
from tests.sqlite_helpers import crashed, make, sql

BUCKETS: Final = ("main", "keep")

_CONFIG: Final = """\
buckia:
  limits: {{max_delete: 100%}}
main:
  {main}
  paths: [tree/]
  delete_orphaned: true
  conflict_resolution: {policy}
  headers: {headers}
keep:
  {keep}
  paths: [kept/]
"""
_HEADERS: Final = '[{match: [same, "theirs-*"], cache_control: no-store}]'
"""Rules that come after the first apply: for what is as it was, and for what is downloaded."""

_POLICIES: Final = ("ask", "local_wins", "remote_wins")
_BIG: Final = 200_000
"""Bytes of a file that is read, written and sent in several pieces."""

_TEMPORARY: Final = re.compile(r"(/|^)\.buckia(\.d)?/tmp/.|\.buckia\.[0-9a-f]{16}|\.buckia-\w{8}")
_CHANCE: Final = re.compile(r"[0-9a-f-]{8,}(~[0-9a-f]+)?(?=/|$)|(?<=\.buckia-)\w{8}")
"""What is random in the names of temporary files and claims."""

_CLOCK: Final = re.compile(rb'"(started|at)":"[^"]*"|"pid":\d+')
_ONLY_THERE: Final = re.compile(r"\.buckia/(claims/|lease)|\.buckia\.d/(leases/|folders)")
"""Notes on who is running and where: their words differ from run to run, but not what they do."""

_NO_STATE: Final = {"trace", "told", "cache.sqlite", "lock"}
"""Files that have no say in what the next run does."""

Place = tuple[str, str]
"""A store by its URL, and a key in it."""


class Look(Struct, frozen=True):
    """What there is, by content. `kept` are the contents of every trash."""

    sides: dict[Place, str]
    kept: frozenset[str]
    entries: dict[str, dict[str, Locked]]


def build(folder: Path, seed: int, store: str, endpoint: str | None) -> None:
    """Make a world whose plan holds every kind of action. `endpoint` is that of an S3 service,
    where `store` says so."""
    root = folder / "project"
    for place in (root / "tree", root / "kept", *(folder / "buckets" / name for name in BUCKETS)):
        place.mkdir(parents=True)
    policy = _POLICIES[seed % len(_POLICIES)]
    stores = {
        name: f"{{provider: s3, bucket_name: {name}, domain: '{endpoint}', region: us-east-1}}"
        if endpoint
        else f"{{provider: local, bucket_name: ../buckets/{name}}}"
        for name in BUCKETS
    }
    lines = {name: text.strip("{}").replace(", ", "\n  ") for name, text in stores.items()}
    (root / ".buckia").write_text(_CONFIG.format(policy=policy, headers="[]", **lines))
    with open_project(root, "serial") as project:
        _Author(project, random.Random(seed), conflicts=policy != "ask").write()
    (root / ".buckia").write_text(_CONFIG.format(policy=policy, headers=_HEADERS, **lines))
    with open_project(root, "serial") as project:
        made = project.plan()
    assert made.applyable and not made.conflicts, made.blocked
    (folder / "plan.json").write_bytes(planfile.write(made))


class _Author:
    """Writes the common past of both sides, then what each side did since."""

    def __init__(self, project: Project, chance: random.Random, *, conflicts: bool) -> None:
        self._project = project
        self._tree = project.root / "tree"
        self._chance = chance
        self._conflicts = conflicts

    def write(self) -> None:
        """Agree, then disagree."""
        several = self._chance.randint(1, 2)
        past = ["same", "deep/er/same", "forgotten", "adopted", "moved/away", "big/down"]
        past += [f"{kind}-{n}" for kind in ("mine", "theirs", "mine-gone") for n in range(several)]
        past += ["theirs-gone/alone", "both"]
        for key in past:
            self._here(key, self._data())
        for name in ("app", "live", "gone"):
            make(self._tree / f"{name}.sqlite", "abc", mode="wal" if name == "live" else "delete")
        (self._project.root / "kept" / "old name").write_bytes(self._data())
        applied = self._project.apply(self._project.plan())
        assert not applied.failed, applied.failed
        self._change_here(several)
        self._change_there(several)

    def _change_here(self, several: int) -> None:
        self._here("big/up", self._chance.randbytes(_BIG))
        self._here("new/ä b", self._data())
        self._here("new/empty", b"")
        for n in range(several):
            self._here(f"mine-{n}", self._data())
            (self._tree / f"mine-gone-{n}").unlink()
        for key in ("forgotten", "gone.sqlite"):
            if key == "forgotten":
                (self._tree / key).unlink()
        (self._tree / "moved/away").rename(self._tree / "moved/here")
        sql(self._tree / "app.sqlite", "INSERT INTO items (name) VALUES ('mine')")
        crashed(self._tree / "wal.sqlite", "xyz")
        for name in ("running", "running-wal", "running-shm"):
            (self._tree / name).unlink(missing_ok=True)
        kept = self._project.root / "kept"
        (kept / "old name").rename(kept / "new name")

    def _change_there(self, several: int) -> None:
        agreed = self._data()
        for key in ("adopted", "adopted-new"):
            self._here(key, agreed + key.encode())
            self._there(key, agreed + key.encode())
        if self._conflicts:
            self._here("both", self._data())
            self._there("both", self._data())
        self._there("big/down", self._chance.randbytes(_BIG))
        self._there("theirs-new/a/b", self._data())
        for n in range(several):
            self._there(f"theirs-{n}", self._data())
        for key in ("forgotten", "theirs-gone/alone", "gone.sqlite"):
            self._there(key, None)
        with TemporaryDirectory() as room:
            self._there("live.sqlite", make(Path(room) / "a", "a" * 3000).read_bytes())
            self._there("fresh.sqlite", make(Path(room) / "b", "fresh").read_bytes())

    def _data(self) -> bytes:
        return self._chance.randbytes(self._chance.randint(1, 3000))

    def _here(self, key: str, data: bytes) -> None:
        path = self._tree / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def _there(self, key: str, data: bytes | None) -> None:
        store = self._project.remote("main")
        found = store.head(key)
        if data is not None:
            known = hashlib.sha256(data).hexdigest()  # as another buckia would leave it
            store.put(Entry(key, len(data), sha256=known), BytesIO(data), replacing=found)
        elif found:
            store.delete(found)


# -- looking ---------------------------------------------------------------------------------------


def look(folder: Path, server: BucketServer | None) -> Look:
    """What there is on all sides. Raises for a lockfile that cannot be read."""
    root = folder / "project"
    sides: dict[Place, str] = {}
    for side in ("tree", "kept"):
        for path, key in _files(root / side):
            if not key.endswith(sqlite.SIDECARS):
                sides["file:project", key] = _content(path)
    for url, objects in _buckets(folder, server).items():
        sides |= {(url, key): hashlib.sha256(data).hexdigest() for key, data in objects.items()}
    trash = [path for path, _ in _files(root / ".buckia.d" / "trash")]
    kept = {_content(path) for path in trash}
    kept |= {found for (_, key), found in sides.items() if key.startswith(TRASH)}
    lock = lockfile.load(LocalStore(root)).lock
    entries = {name: dict(state.entries) for name, state in lock.buckets.items()}
    return Look(sides, frozenset(kept), entries)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.relative_to(folder).as_posix()


def _buckets(folder: Path, server: BucketServer | None) -> Contents:
    found = (
        {f"s3://{name}": objects for name, objects in server.contents().items()} if server else {}
    )
    return found | {
        f"file:{name}": {
            key: path.read_bytes()
            for path, key in _files(folder / "buckets" / name)
            if not _TEMPORARY.search(key)
        }
        for name in sorted(path.name for path in (folder / "buckets").iterdir())
    }


def _content(path: Path) -> str:
    """The digest of a file, of a database that of its rows."""
    data = path.read_bytes()
    if not sqlite.is_database(path):
        return hashlib.sha256(data).hexdigest()
    beside = [path.with_name(path.name + suffix) for suffix in ("-wal", "-journal")]
    return _rows(data, *(file.read_bytes() if file.exists() else b"" for file in beside))


@cache
def _rows(data: bytes, log: bytes, journal: bytes) -> str:
    with TemporaryDirectory() as room:
        whole, copy = Path(room) / "whole", Path(room) / "copy"
        for suffix, part in (("", data), ("-wal", log), ("-journal", journal)):
            if part:
                whole.with_name(whole.name + suffix).write_bytes(part)
        sqlite.snapshot(whole, copy)
        return sqlite.logical_hash(copy)


def left_over(folder: Path) -> list[str]:
    """What should not be there after a run: temporary files, open journals, an unfinished state."""
    found = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    strays = [name for name in found if _TEMPORARY.search(name)]
    records = journal.records(folder / "project" / ".buckia.d" / "journal")
    strays += [record.path.name for record in records if not record.finished]
    lock = lockfile.load(LocalStore(folder / "project")).lock
    return strays + [name for name, state in lock.buckets.items() if state.partial]


def arrivals(folder: Path) -> list[Place]:
    """What a run wrote, by its trace."""
    lines = (folder / "trace").read_text().splitlines()
    words = [line.split(" ", 2) for line in lines if line.startswith("put ")]
    return [(url, key) for _, url, key in words if key != lockfile.KEY]


def fingerprint(folder: Path, server: BucketServer | None) -> str:
    """A digest of everything that has a say in what the next run does."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*"), key=os.fspath):
        if path.name in _NO_STATE:
            continue
        data = path.read_bytes() if path.is_file() else b""
        digest.update(_print(path.relative_to(folder).as_posix(), data))
    for name, objects in _buckets(folder, server).items() if server else ():
        for key, data in objects.items():
            digest.update(_print(f"{name}/{key}", data))
    return digest.hexdigest()


def _print(name: str, data: bytes) -> bytes:
    if _ONLY_THERE.search(name):
        data = b""
    elif name.endswith(".jsonl"):
        data = _CLOCK.sub(b"", data)
    return hashlib.sha256(_CHANCE.sub("", name).encode() + b"\0" + data).digest()
