"""Scenarios of moving: small files, a large one, changes, renames, from bucket to bucket."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.contestants import Maker
from tests.benchmarks.data import age, change, make_files
from tests.benchmarks.planning import apply_once, settle
from tests.benchmarks.stage import NEAR, Arena, Contestant, Prepare, Stage

_SYNC = ["sync", "--quiet"]
_UP = f"sync: plan, preflight, upload, lockfile; {NEAR} workers"
_DOWN = f"sync: plan, verified, atomic, fsynced; {NEAR} workers"
_FLAT = "rclone sync, size"


class _Room:
    """Where a scenario of moving takes place: a stage whose bucket can be another one each time."""

    def __init__(self, arena: Arena, place: Path) -> None:
        self.arena = arena
        self.project = arena.project(place)
        self.files = self.project / "files"
        service = arena.service
        self.stage = Stage([], service.server.endpoint, service.make_bucket(), service.pids)

    def bucket(self) -> str:
        """The bucket of this run."""
        return self.stage.bucket

    def clean(self) -> None:
        """A new bucket, and a project that remembers nothing."""
        self.arena.service.drop(self.stage.bucket)
        self.stage.bucket = self.arena.service.make_bucket()
        self.forget()

    def forget(self) -> None:
        """No lockfile and no cache."""
        shutil.rmtree(self.project / ".buckia.d", ignore_errors=True)
        (self.project / ".buckia.lock").unlink(missing_ok=True)

    def empty(self) -> None:
        """No files either: all is to be downloaded."""
        self.forget()
        shutil.rmtree(self.files, ignore_errors=True)
        self.files.mkdir()

    def demand_objects(self, count: int) -> None:
        """Raise unless so many objects are in the bucket, buckia's own apart."""
        client, found = self.arena.service.server.client, 0
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.stage.bucket):
            found += sum(not o["Key"].startswith(".buckia/") for o in page.get("Contents", []))
        assert found == count, f"{found} objects where {count} were expected"

    def demand_files(self, count: int, size: int) -> None:
        """Raise unless so many files of that size are in the folder."""
        found = [path for path in self.files.rglob("*") if path.is_file()]
        assert len(found) == count, f"{len(found)} files where {count} were expected"
        assert all(path.stat().st_size == size for path in found)


@contextmanager
def _room(arena: Arena, name: str) -> Iterator[_Room]:
    with arena.room(name) as place:
        room = _Room(arena, place)
        yield room
        arena.service.drop(room.stage.bucket)


def _up(name: str, count: Callable[[Arena], int], size: Callable[[Arena], int]) -> Prepare:
    @contextmanager
    def prepare(arena: Arena) -> Iterator[Stage]:
        with _room(arena, name) as room:
            files = count(arena)
            make_files(room.files, files, size(arena))
            age()
            make = Maker(
                arena, room.project, reset=room.clean, check=lambda: room.demand_objects(files)
            )
            room.stage.contestants = [
                make.buckia(_SYNC, settings=_UP),
                *make.copies("files", "@{}", room.bucket),
            ]
            yield room.stage

    return prepare


def _down(name: str, count: Callable[[Arena], int], size: Callable[[Arena], int]) -> Prepare:
    @contextmanager
    def prepare(arena: Arena) -> Iterator[Stage]:
        with _room(arena, name) as room:
            files, each = count(arena), size(arena)
            make_files(room.files, files, each)
            # sent by buckia, as its buckets are: with the sha256 that downloads are held against
            apply_once(arena, room.project, room.stage.endpoint, room.stage.bucket)
            make = Maker(
                arena,
                room.project,
                reset=room.empty,
                check=lambda: room.demand_files(files, each),
            )
            room.stage.contestants = [
                make.buckia(_SYNC, settings=_DOWN),
                *make.copies("@{}", "files", room.bucket),
            ]
            yield room.stage

    return prepare


upload_small = _up("upload-small", lambda a: a.count(5000, 100), lambda a: 4096)
download_small = _down("download-small", lambda a: a.count(5000, 100), lambda a: 4096)
upload_large = _up("upload-large", lambda a: 1, lambda a: a.count(1024, 32) * 1024**2)
download_large = _down("download-large", lambda a: 1, lambda a: a.count(1024, 32) * 1024**2)


@contextmanager
def changes(arena: Arena) -> Iterator[Stage]:
    """1,000 changed files in 100,000, planned and applied."""
    with _room(arena, "changes") as room:
        count, some = arena.count(100_000, 1000), arena.count(1000, 50)
        paths = make_files(room.files, count, 16)
        apply_once(arena, room.project, room.stage.endpoint, room.stage.bucket)
        seeds = iter(range(1, 10_000))

        def edit() -> None:
            settle(arena, room.project, room.stage.endpoint, room.stage.bucket)
            change(paths[:: count // some][:some], next(seeds))
            age()

        make = Maker(arena, room.project, reset=edit, check=lambda: room.demand_objects(count))
        room.stage.contestants = [
            make.buckia(
                ["plan", "--quiet", "--out", "plan.json"], ["apply", "--quiet", "plan.json"]
            ),
            *_syncs(make, room, "--size-only"),
        ]
        yield room.stage


def _syncs(make: Maker, room: _Room, *words: str) -> list[Contestant]:
    common = ["--fast-list", "--checkers=16", "--transfers=16", "--s3-no-head", *words]
    return [
        make.one(
            "s5cmd sync",
            "size and time, --numworkers 64",
            lambda: [["s5cmd", "--numworkers", "64", "sync", "files/", f"s3://{room.bucket()}/"]],
            content=False,
        ),
        make.one(
            _FLAT,
            f"{' '.join(words)} --fast-list --s3-no-head, 16 transfers",
            lambda: [["rclone", "sync", "files", f"bench:{room.bucket()}", *_KEEP, *common]],
            content=False,
        ),
    ]


_KEEP = ("--exclude", "/.buckia/**")
"""What buckia keeps for itself in a bucket is no concern of a peer's."""


@contextmanager
def renames(arena: Arena) -> Iterator[Stage]:
    """1,000 files of 1 MiB under other names."""
    with _room(arena, "renames") as room:
        count = arena.count(1000, 30)
        make_files(room.files, count, 1024**2)
        apply_once(arena, room.project, room.stage.endpoint, room.stage.bucket)
        names = (f"again-{n}" for n in range(10_000))

        def rename() -> None:
            settle(arena, room.project, room.stage.endpoint, room.stage.bucket)
            word = next(names)
            for folder in sorted(room.files.iterdir()):
                folder.rename(room.files / f"{word}-{folder.name[-4:]}")

        make = Maker(arena, room.project, reset=rename, check=lambda: room.demand_objects(count))
        sync = ["rclone", "sync", "files"]
        words = ["--track-renames", "--size-only", "--fast-list", "--checkers=16", "--transfers=16"]
        room.stage.contestants = [
            make.buckia(_SYNC),
            make.one(
                "rclone sync --track-renames",
                "by hash; --size-only --fast-list, 16 transfers",
                lambda: [[*sync, f"bench:{room.bucket()}", *_KEEP, *words]],
            ),
            make.one(
                "aws s3 sync --delete",
                "knows no renames",
                lambda: [
                    [
                        *("aws", "s3", "sync", "files", f"s3://{room.bucket()}", "--delete"),
                        *("--only-show-errors", "--exclude", ".buckia/*"),
                    ]
                ],
                content=False,
            ),
        ]
        yield room.stage


@contextmanager
def promoted(arena: Arena) -> Iterator[Stage]:
    """5,000 files from one bucket to another at the same service."""
    with _room(arena, "promote") as room:
        count = arena.count(5000, 100)
        make_files(room.files / "TEAM", count, 4096)
        source = room.stage.bucket
        apply_once(arena, room.project, room.stage.endpoint, source)
        text = (room.project / ".buckia").read_text()
        demo = text.replace("${BENCH_BUCKET}", source)
        live = text.replace("demo:", "live:").replace(
            "files/", "{path: live/, direction: download}"
        )
        (room.project / ".buckia").write_text(demo + live)
        (room.project / "live").mkdir()
        lock = (room.project / ".buckia.lock").read_bytes()

        def clean() -> None:
            if room.stage.bucket != source:
                arena.service.drop(room.stage.bucket)
            room.stage.bucket = arena.service.make_bucket()
            (room.project / ".buckia.lock").write_bytes(lock)
            shutil.rmtree(room.project / ".buckia.d", ignore_errors=True)

        make = Maker(arena, room.project, reset=clean, check=lambda: room.demand_objects(count))
        room.stage.contestants = [
            make.buckia(["promote", "TEAM", "demo", "live", "--yes", "--quiet"]),
            *make.copies(f"@{source}/TEAM", "@{}/TEAM", room.bucket)[:2],
        ]
        yield room.stage
        arena.service.drop(source)
