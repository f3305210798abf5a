"""The main job from end to end, on a real tree: what a person does in a week with a bucket.

Used by the tests against every provider; each step checks that both sides are equal by content.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess  # noqa: TID251  (git shows what changed in the lockfile)
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from buckia.config import BucketConfig, Config
from buckia.layout import refuse_key
from buckia.planfile import Plan
from buckia.project import Project
from buckia.rules import built_in_exclude
from buckia.runs.applying import Applied
from buckia.stores.base import Store
from buckia.stores.usage import NOTHING, Usage

SOURCES = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))]
"""Where the files of a week come from: real ones, of every size."""

FOLDER = "2siEySuKO1wK4XiJHWQ0YxhLxd2"
"""An id nobody guesses, as every top-level folder has."""


@dataclass
class Week:
    """One bucket, one local folder, and what happens to them.

    `report` collects how long each step took, `used` what plans and applies asked of the bucket,
    `besides` what was asked of it to change and to compare it.
    """

    root: Path
    bucket: BucketConfig
    report: dict[str, float] = field(default_factory=dict)
    used: Usage = NOTHING
    besides: Usage = NOTHING
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    @property
    def tree(self) -> Path:
        """The local folder."""
        return self.root / "assets" / FOLDER

    @contextmanager
    def open(self, *, besides: bool = False) -> Iterator[Project]:
        """The project, as a new process would open it; what it used of the bucket is added up."""
        with Project(Config(self.root, None, {self.bucket.name: self.bucket})) as project:
            yield project
            used = project.remote(self.bucket.name).traffic.usage
        if besides:
            self.besides += used
        else:
            self.used += used

    def store(self, project: Project) -> Store:
        """The bucket, for changes behind buckia's back."""
        return project.remote(self.bucket.name)

    def plan(self) -> Plan:
        """What buckia would do now."""
        with self._timed("plan"), self.open() as project:
            return project.plan()

    def apply(self, plan: Plan) -> Applied:
        """Do it, and let nothing fail."""
        with self._timed("apply"), self.open() as project:
            applied = project.apply(plan)
        assert not applied.failed, applied.failed[:3]
        return applied

    def _timed(self, what: str) -> _Timer:
        return _Timer(self.report, f"{len(self.report) + 1} {what}")

    def local(self) -> dict[str, bytes]:
        """The local side by key; a database by its rows."""
        files = {
            path.relative_to(self.root / "assets").as_posix(): path
            for path in self.tree.rglob("*")
            if path.is_file() and not path.is_symlink()
        }
        return {
            key: _content(path)
            for key, path in files.items()
            if not refuse_key(key) and not built_in_exclude(key)
        }

    def remote(self) -> dict[str, bytes]:
        """The remote side by key, read through the store."""
        found: dict[str, bytes] = {}
        scratch = self.root / "scratch"
        with self.open(besides=True) as project:
            store = self.store(project)
            for entry in store.entries(f"{FOLDER}/"):
                with store.open(entry) as body:
                    scratch.write_bytes(body.read())
                found[entry.key] = _content(scratch)
        scratch.unlink(missing_ok=True)
        return found

    def check_equal(self) -> int:
        """Both sides hold the same; how many files that is."""
        here, there = self.local(), self.remote()
        assert here.keys() == there.keys()
        assert [key for key in here if here[key] != there[key]] == []
        return len(here)


@dataclass
class _Timer:
    report: dict[str, float]
    name: str
    began: float = 0.0

    def __enter__(self) -> None:
        self.began = time.monotonic()

    def __exit__(self, *error: object) -> None:
        self.report[self.name] = round(time.monotonic() - self.began, 2)


def _content(path: Path) -> bytes:
    """A file's bytes; for a database its rows, because equal databases may differ in bytes."""
    data = path.read_bytes()
    if not data.startswith(b"SQLite format 3\0"):
        return data
    with closing(sqlite3.connect(path)) as database:
        return "\n".join(database.iterdump()).encode()


def grow(tree: Path, sources: list[Path], files: int, size: int) -> tuple[int, int]:
    """Copy so many real files, then the largest others until there are so many bytes; and add a
    database."""
    found = list(_files(sources) if size else islice(_files(sources), files))
    large = sorted(found[files:], key=lambda item: item[0].stat().st_size) if size else []
    count = total = 0
    while count < files or total < size:
        path, name = found[count] if count < files else large.pop()
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        count, total = count + 1, total + path.stat().st_size
    with closing(sqlite3.connect(tree / "App.sqlite")) as database, database:
        database.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT)")
        database.executemany("INSERT INTO thing (name) VALUES (?)", [(f"n{n}",) for n in range(99)])
    return count, total


def _files(sources: list[Path]) -> Iterator[tuple[Path, str]]:
    """Every file with a name for it, in an order that is always the same."""
    for source in sources:
        for folder, folders, names in os.walk(source):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink():
                    yield path, f"{source.name}/{path.relative_to(source).as_posix()}"


def change_locally(week: Week, each: int) -> None:
    """Edit twice as many files as are deleted, added and renamed; add a row to the database."""
    names = sorted(p for p in week.tree.rglob("*.py") if p.stat().st_size)
    picked = week.dice.sample(names, 4 * each)
    for path in picked[: 2 * each]:
        path.write_bytes(path.read_bytes() + b"# edited\n")
    for path in picked[2 * each : 3 * each]:
        path.unlink()
    for path in picked[3 * each :]:
        path.rename(path.with_name(f"renamed-{path.name}"))
    for number in range(each):
        (week.tree / f"added-{number}.txt").write_text(f"new {number}\n", encoding="utf-8")
    with closing(sqlite3.connect(week.tree / "App.sqlite")) as database, database:
        database.execute("INSERT INTO thing (name) VALUES ('one more')")


def change_remotely(week: Week, each: int) -> None:
    """The same changes on the other side, behind buckia's back; the database stays."""
    from io import BytesIO

    from buckia.model import Entry

    def put(store: Store, key: str, data: bytes, replacing: Entry | None) -> None:
        store.put(Entry(key, len(data)), BytesIO(data), replacing=replacing)

    def read(store: Store, entry: Entry) -> bytes:
        with store.open(entry) as body:
            return body.read()

    with week.open(besides=True) as project:
        store = week.store(project)
        entries = [e for e in store.entries(f"{FOLDER}/") if e.key.endswith(".py") and e.size]
        picked = week.dice.sample(sorted(entries, key=lambda e: e.key), 4 * each)
        for entry in picked[: 2 * each]:
            put(store, entry.key, read(store, entry) + b"# edited there\n", entry)
        for entry in picked[2 * each : 3 * each]:
            store.delete(entry)
        for entry in picked[3 * each :]:
            folder, _, name = entry.key.rpartition("/")
            put(store, f"{folder}/moved-{name}", read(store, entry), None)
            store.delete(entry)
        for number in range(each):
            put(store, f"{FOLDER}/there-{number}.txt", b"new there\n", None)


def live_a_week(
    week: Week, sources: list[Path], *, files: int, size: int, each: int, say: Callable[[str], None]
) -> None:
    """Plan, apply, plan again empty; edit one side, plan, apply, compare; then the other side."""
    count, total = grow(week.tree, sources, files, size)
    say(f"{count} files, {total / 1e6:.0f} MB")
    _git(week.root, "init", "-q")
    week.apply(week.plan())
    assert week.plan().actions == ()
    assert week.check_equal() >= count
    _git(week.root, "add", ".buckia.lock")
    _git(week.root, "commit", "-qm", "applied")
    for change in (change_locally, change_remotely):
        change(week, each)
        plan = week.plan()
        say(f"{change.__name__}: {plan.summary.actions}")
        week.apply(plan)
        assert week.plan().actions == ()
        week.check_equal()
        touched = {action.key for action in plan.actions} | {
            action.source.key for action in plan.actions if action.source and action.source.key
        }
        assert _changed_keys(week.root) == touched
        _git(week.root, "commit", "-qam", change.__name__)
    for step, seconds in week.report.items():
        say(f"{step}: {seconds} s")


def _git(root: Path, *words: str) -> str:
    identity = ("-c", "user.name=week", "-c", "user.email=week@example.org")
    done = subprocess.run(
        ["git", *identity, *words], cwd=root, check=True, capture_output=True, text=True
    )
    return done.stdout


def _changed_keys(root: Path) -> set[str]:
    """The keys of the lockfile's lines that git shows as changed."""
    lines = _git(root, "diff", "-U0", ".buckia.lock").splitlines()
    marks = [line[1:] for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return {line.split('"')[1] for line in marks if ": {" in line}
