"""SIGINT and SIGTERM to a real `buckia apply`, in the middle of a transfer."""

from __future__ import annotations

import os
import signal
import subprocess  # noqa: TID251 - a signal goes to a process
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from buckia import journal, lockfile, planfile
from buckia.config import file as config_file
from buckia.project import Project
from buckia.stores.local import LocalStore
from tests.crash.holding import HELD, Door, serve_holding
from tests.servers.s3 import S3Server

SOON: Final = 5.0
"""Seconds within which a signal ends a run."""

AT_ONCE: Final = 1.5
"""Seconds that a second signal may take."""


class Folder:
    """A folder with one plan: three files, the second of which waits at the server's door."""

    def __init__(self, root: Path, server: S3Server, door: Door) -> None:
        self.root = root
        self.door = door
        self._bucket = server.make_bucket()
        self._client = server.client
        (root / ".buckia").write_text(
            f"main:\n  provider: s3\n  bucket_name: {self._bucket}\n  region: us-east-1\n"
            f"  domain: {server.endpoint}\n  paths: [tree/]\n  max_workers: 1\n"
        )
        (root / "tree").mkdir()
        for key in ("a", HELD, "z"):
            (root / "tree" / key).write_text(key)
        with self._open() as opened:
            self._plan = opened.plan()
        (root / "plan.json").write_bytes(planfile.write(self._plan))

    def _open(self) -> Project:
        """The project, in this process."""
        return Project(config_file.load(self.root / ".buckia"))

    def run(self) -> subprocess.Popen[str]:
        """Begin to apply the plan."""
        return subprocess.Popen(
            [sys.executable, "-m", "buckia", "apply", "plan.json"],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def in_the_middle(self) -> subprocess.Popen[str]:
        """A run of the plan whose second upload is at the door."""
        run = self.run()
        self.door.wait()
        return run

    @property
    def saved(self) -> set[str]:
        """What the lockfile knows."""
        return set(lockfile.load(LocalStore(self.root)).lock.state("main").entries)

    @property
    def stored(self) -> set[str]:
        """What the bucket holds, but for buckia's own."""
        found = self._client.list_objects_v2(Bucket=self._bucket).get("Contents", [])
        return {item["Key"] for item in found if not item["Key"].startswith(".buckia/")}

    def resume(self) -> None:
        """Apply the same plan again, and see it end."""
        self.door.open.set()
        with self._open() as opened:
            assert not opened.apply(self._plan).failed
        assert self.saved == self.stored == {"a", HELD, "z"}
        records = journal.records(self.root / ".buckia.d/journal")
        assert all(record.finished for record in records)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    with serve_holding() as (server, door):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
        yield Folder(tmp_path, server, door)


def ended(run: subprocess.Popen[str], within: float) -> str:
    """What a run that was told to stop says at its end, which comes soon."""
    began = time.monotonic()
    _, told = run.communicate(timeout=30)
    assert time.monotonic() - began < within
    assert run.returncode == 130
    return told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_saved(project: Folder, number: int) -> None:
    """What is under way may end; nothing else begins."""
    run = project.in_the_middle()
    run.send_signal(number)
    assert run.stderr and "Stopping" in (run.stderr.readline() + run.stderr.readline())
    project.door.open.set()
    told = ended(run, SOON)
    assert "run the same plan again to resume" in told
    assert project.saved == project.stored == {"a", HELD}
    project.resume()


@pytest.mark.parametrize("shut", [False, True])
def test_a_server_that_never_answers_holds_nothing_up(project: Folder, shut: bool) -> None:
    """Neither where it hangs on one transfer nor where it answers nothing any more."""
    project.door.shut = shut
    run = project.in_the_middle()
    run.send_signal(signal.SIGTERM)
    told = ended(run, SOON)
    assert "run the same plan again to resume" in told
    assert project.saved == {"a"}
    project.resume()


def test_a_second_signal_leaves_at_once(project: Folder) -> None:
    """The journal has what was done."""
    run = project.in_the_middle()
    run.send_signal(signal.SIGINT)
    assert run.stderr and "Stopping" in (run.stderr.readline() + run.stderr.readline())
    run.send_signal(signal.SIGINT)
    ended(run, AT_ONCE)
    project.resume()
