"""Many machines apply different plans at once: processes of their own, one bucket that keeps state.

Each plan was made from the same beginning and adds one file, so of those for one bucket exactly one
can be applied. `-m rgw` runs it against a Ceph gateway, with more of everything.
"""

from __future__ import annotations

import shutil
import subprocess  # noqa: TID251  (other processes are what this is about)
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication as MotoApp

from buckia import lockfile, planfile
from buckia.config import file as config_file
from buckia.lockfile import BUCKET_KEY
from buckia.project import Project
from buckia.rules import RESERVED_PREFIX
from tests.helpers import read_all
from tests.servers.moto import serve_moto
from tests.servers.rgw import serve_rgw
from tests.servers.s3 import S3Server

_BUCKET = (
    "{name}: {{provider: s3, bucket_name: {bucket}, domain: '{endpoint}', region: us-east-1, "
    "api_key: {access}, password: '${{SECRET}}', paths: [tree/{name}/], max_workers: 2}}\n"
)
_STALE, _LOCKED = 4, 7
_PATIENT = 240
"""Seconds for `--lock-timeout` of every third process, so that some wait, and then find their plan
stale."""


class Machine:
    """A folder with the project, and the plan to add one file to one bucket."""

    def __init__(self, root: Path, number: int, bucket: str) -> None:
        self.root, self.number, self.bucket = root, number, bucket
        self.key = f"{number:02}.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def plan(self) -> None:
        """Make the file and the plan."""
        (self.root / "tree" / self.bucket / self.key).write_text(f"of machine {self.number}")
        with opened(self.root) as project:
            plan = project.plan([self.bucket])
        (self.root / "plan.json").write_bytes(planfile.write(plan))

    def begin(self) -> None:
        """Apply the plan in a process of its own."""
        patience = 0 if self.number % 3 else _PATIENT
        words = ("apply", "plan.json", "--lock-timeout", str(patience), "--quiet")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "buckia", *words],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def end(self) -> tuple[int, str]:
        """The exit code, and what it said."""
        assert self._process
        _, err = self._process.communicate()
        return self._process.returncode, err.decode()


@contextmanager
def opened(root: Path) -> Iterator[Project]:
    with Project(config_file.load(root / ".buckia")) as project:
        yield project


def prepare(root: Path, server: S3Server, names: list[str]) -> Path:
    """The project as everybody checks it out; its buckets are empty."""
    project = root / "project"
    text = "buckia: {state: {bucket: state}}\n"
    for name in (*names, "state"):
        (project / "tree" / name).mkdir(parents=True)
        text += _BUCKET.format(
            name=name,
            bucket=server.make_bucket(),
            endpoint=server.endpoint,
            access=server.access_key,
        )
    (project / ".buckia").write_text(text)
    return project


def contend(
    root: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch, processes: int, buckets: int
) -> Counter[int]:
    """Let them all apply at once; how often each exit code was seen.

    Whatever ended with 0 is in the lockfile and in its bucket, whatever did not is in neither.
    """
    monkeypatch.setenv("SECRET", server.secret_key)
    names = [f"b{number}" for number in range(buckets)]
    project = prepare(root, server, names)
    machines = []
    for number in range(processes):
        copy = shutil.copytree(project, root / f"machine-{number}")
        machines.append(Machine(copy, number, names[number % buckets]))
    for machine in machines:
        machine.plan()
    for machine in machines:
        machine.begin()
    ended = [machine.end() for machine in machines]
    codes = Counter(code for code, _ in ended)
    print(f"\n{processes} applies, {buckets} buckets: exit codes {dict(sorted(codes.items()))}")
    assert set(codes) <= {0, _STALE, _LOCKED}, [words for _, words in ended]
    won: dict[str, list[str]] = {name: [] for name in names}
    for machine, (code, _) in zip(machines, ended, strict=True):
        if code == 0:
            won[machine.bucket].append(machine.key)
    judge(project, won)
    return codes


def judge(project: Path, won: dict[str, list[str]]) -> None:
    """One winner for each bucket, and every side tells of it alone."""
    with opened(project) as looking:
        lock = lockfile.load(looking.remote("state"), BUCKET_KEY).lock
        assert set(lock.buckets) == set(won)
        for name, keys in won.items():
            assert len(keys) == 1
            assert list(lock.state(name).entries) == keys == content(looking.remote(name))
            assert (lock.state(name).serial, lock.state(name).partial) == (1, False)
            assert lock.state(name).entries[keys[0]].token
        assert left(looking.remote("state")) == [BUCKET_KEY]
        assert not any(left(looking.remote(name)) for name in won)
        plan = looking.plan(list(won))
    assert [action.op for action in plan.actions] == [] and not plan.conflicts
    assert {notice.code for notice in plan.warnings} == {"orphan"}  # nobody has the files here


def content(store: Any) -> list[str]:
    return sorted(key for key in read_all(store) if not key.startswith(RESERVED_PREFIX))


def left(store: Any) -> list[str]:
    """What buckia itself has in a bucket."""
    return sorted(key for key in read_all(store) if key.startswith(RESERVED_PREFIX))


# -- against moto, in every run --------------------------------------------------------------------


class _OneAtATime:
    """moto looks and writes in two steps; a lock makes its conditions as atomic as a service's."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._lock = Lock()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return [b"".join(self._app(environ, start_response))]


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    place = "moto.moto_server.threaded_moto_server.DomainDispatcherApplication"
    monkeypatch.setattr(place, lambda *words: _OneAtATime(MotoApp(*words)))
    with serve_moto() as server:
        yield server


def test_six_applies_at_once(
    tmp_path: Path, moto: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two buckets, so that there are also two winners who write the lockfile at once."""
    codes = contend(tmp_path, moto, monkeypatch, processes=6, buckets=2)
    assert codes[0] == 2


# -- against a Ceph gateway, when asked for --------------------------------------------------------


@pytest.fixture(scope="module")
def rgw() -> Iterator[S3Server]:
    with serve_rgw() as (server, _):
        yield server


@pytest.mark.rgw
@pytest.mark.parametrize("buckets", [1, 8])
def test_thirty_two_applies_at_once(
    tmp_path: Path, rgw: S3Server, monkeypatch: pytest.MonkeyPatch, buckets: int
) -> None:
    """On a real service: one winner a bucket, no update lost, nobody in doubt."""
    codes = contend(tmp_path, rgw, monkeypatch, processes=32, buckets=buckets)
    assert codes[0] == buckets and codes.total() == 32
