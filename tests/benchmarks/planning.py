"""Scenarios of planning: nothing to do, a first plan, a clone, far away, a million entries."""

from __future__ import annotations

import shutil
import subprocess  # noqa: TID251  (what is prepared is prepared by the program that is measured)
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from buckia import lockfile
from buckia.decisions import folding
from buckia.lockfile import Locked, Lockfile
from tests.benchmarks import listing
from tests.benchmarks.contestants import Maker
from tests.benchmarks.data import age, fill, make_files, make_small
from tests.benchmarks.stage import FAR, Arena, Contestant, Stage

_PLAN = ["plan", "--quiet", "--out", "plan.json"]
_FAR = f"{FAR} workers"


def apply_once(arena: Arena, project: Path, endpoint: str, bucket: str) -> None:
    """Bring a project to where there is nothing to do, its cache warm."""
    for words in (["sync", "--quiet"], _PLAN):
        age()
        _buckia(arena, project, endpoint, bucket, words)


def settle(arena: Arena, project: Path, endpoint: str, bucket: str) -> None:
    """Let a project know what a peer did, so that only the next work is left to do."""
    _buckia(arena, project, endpoint, bucket, ["sync", "--quiet"])


def _buckia(arena: Arena, project: Path, endpoint: str, bucket: str, words: list[str]) -> None:
    env = arena.env(endpoint, bucket)
    command = [arena.programs["buckia"], *words]
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"buckia {' '.join(words)}: {done.stderr[-2000:]}")


@contextmanager
def unchanged(arena: Arena) -> Iterator[Stage]:
    """100,000 files that are the same on both sides."""
    with arena.room("unchanged") as place:
        project, bucket = arena.project(place), arena.service.make_bucket()
        make_files(project / "files", arena.count(100_000, 1000), 16)
        apply_once(arena, project, arena.service.server.endpoint, bucket)
        make = Maker(arena, project, check=lambda: _demand_nothing(project))
        contestants = [make.buckia(_PLAN), *make.dry_runs("files", lambda: bucket)]
        yield _stage(arena, contestants, bucket)
        arena.service.drop(bucket)


def _stage(arena: Arena, contestants: list[Contestant], bucket: str) -> Stage:
    service = arena.service
    return Stage(contestants, service.server.endpoint, bucket, service.pids)


def _demand_nothing(project: Path) -> None:
    plan = project / "plan.json"
    if plan.exists():
        assert b'"actions": []' in plan.read_bytes(), "there was something to do"
        plan.unlink()


@contextmanager
def first(arena: Arena) -> Iterator[Stage]:
    """20,000 files of 100 kB that are on both sides, and nothing is known of either."""
    with arena.room("first") as place, _same(arena, place) as (project, bucket):
        yield _cold(arena, Maker(arena, project, reset=lambda: _forget(project)), bucket)


@contextmanager
def cloned(arena: Arena) -> Iterator[Stage]:
    """The same files, of which a lockfile knows, as in a fresh clone: it has no hash cache."""
    with arena.room("cloned") as place, _same(arena, place) as (project, bucket):
        settle(arena, project, arena.service.server.endpoint, bucket)

        def check() -> None:
            _demand_nothing(project)

        make = Maker(arena, project, reset=lambda: _forget(project), check=check)
        yield _cold(arena, make, bucket)


@contextmanager
def _same(arena: Arena, place: Path) -> Iterator[tuple[Path, str]]:
    """A project and a bucket that others have put its files into."""
    project, bucket = arena.project(place), arena.service.make_bucket()
    make_files(project / "files", arena.count(20_000, 200), 100_000)
    fill(arena.service, bucket, project / "files")
    age()
    yield project, bucket
    arena.service.drop(bucket)


def _forget(project: Path) -> None:
    """Let a project know no more than what is under version control."""
    shutil.rmtree(project / ".buckia.d", ignore_errors=True)
    with suppress(FileNotFoundError):
        (project / "plan.json").unlink()


def _cold(arena: Arena, make: Maker, bucket: str) -> Stage:
    contestants = [make.buckia(_PLAN), make.rclone_by_checksum("files", lambda: bucket)]
    return _stage(arena, contestants, bucket)


@contextmanager
def listed_far(arena: Arena) -> Iterator[Stage]:
    """The listing alone of 200,000 keys, behind 40 ms."""
    with synthetic(arena, arena.count(200_000, 2000), files=False) as (project, far, _):
        make = Maker(arena, project)
        whole = "s3://bench/*"
        ours = make.one(
            "buckia", f"ranges cut from the lockfile, {_FAR}", lambda: [["python", "-m", _LIST]]
        )
        contestants = [
            ours,
            make.one("s5cmd ls", "as it comes", lambda: [["s5cmd", "ls", whole]]),
            make.one(
                "rclone lsf",
                "-R --fast-list",
                lambda: [["rclone", "lsf", "-R", "--files-only", "--fast-list", "bench:bench"]],
            ),
            make.one(
                "aws s3 ls", "--recursive", lambda: [["aws", "s3", "ls", "--recursive", "bench"]]
            ),
        ]
        yield Stage(contestants, far.endpoint, "bench", [far.pid], rtt=0.04)


_LIST = "tests.benchmarks.list_all"


@contextmanager
def planned_far(arena: Arena) -> Iterator[Stage]:
    """The same, held against as many files."""
    with synthetic(arena, arena.count(200_000, 2000)) as (project, far, _):
        make = Maker(arena, project, check=lambda: _demand_nothing(project))
        contestants = [make.buckia(_PLAN, settings=_FAR), *make.dry_runs("files", lambda: "bench")]
        yield Stage(contestants, far.endpoint, "bench", [far.pid], rtt=0.04)


@contextmanager
def million(arena: Arena) -> Iterator[Stage]:
    """A million entries on both sides and in the lockfile."""
    with synthetic(arena, arena.count(1_000_000, 4000)) as (project, far, _):
        make = Maker(arena, project, check=lambda: _demand_nothing(project))
        contestants = [make.buckia(_PLAN, settings=_FAR), *make.dry_runs("files", lambda: "bench")]
        yield Stage(contestants, far.endpoint, "bench", [far.pid])


@contextmanager
def synthetic(
    arena: Arena, count: int, *, files: bool = True
) -> Iterator[tuple[Path, listing.Far, int]]:
    """A project whose lockfile knows what a server lists that has nothing but its listing."""
    with arena.room(f"listing-{count}-{files}") as place:
        project = arena.project(place, FAR)
        if files:
            make_small(
                (project / "files" / listing.key_of(n), listing.content_of(n)) for n in range(count)
            )
            age()  # who compares times sees that no file is newer than its object
        entries = {
            listing.key_of(n): Locked(
                len(listing.content_of(n)), listing.sha256_of(n), listing.etag_of(n)
            )
            for n in range(count)
        }
        state = folding.advance(
            lockfile.NEW, _with(entries), "sha256:" + "0" * 64, listing.FOLDER, partial=False
        )
        lock = Lockfile(lockfile.FORMAT, lockfile.VERSION, {"demo": state})
        (project / ".buckia.lock").write_bytes(lockfile.write(lock))
        with listing.serving(count) as far:
            yield project, far, count


def _with(entries: dict[str, Locked]) -> lockfile.BucketState:
    return lockfile.BucketState(None, 0, "", None, False, entries)
