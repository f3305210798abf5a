"""Everything a run does to a disk or a bucket, counted, so that it can end at any of it.

Installed in a child process only: it changes `os`, `io`, `sqlite3` and the stores for good.
"""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final

import botocore.client

from buckia.stores import s3_carriers
from buckia.stores.local import LocalStore
from buckia.stores.s3 import S3Store

_NAMES: Final = ("replace", "rename", "link", "unlink", "mkdir", "rmdir")
"""What changes names in a folder. pathlib, shutil and tempfile all come through these."""

_READS: Final = ("entries", "head")
_WRITES: Final = ("copy", "delete")


class Steps:
    """Counts, and ends the process by SIGKILL at the `last` step; 0 never does.

    What arrived is written to `trace`, a line `put STORE KEY` each, the moment a store says so.
    """

    def __init__(self, last: int, trace: Path) -> None:
        self.count = 0
        self._last = last
        self._lock = threading.Lock()
        self._write = os.write
        self._trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)

    def step(self) -> None:
        """Count one; this may be the last thing that ever happens."""
        if self.is_last():
            self.die()

    def is_last(self) -> bool:
        """Count one, and tell whether the process is to end here."""
        with self._lock:
            self.count += 1
            return self.count == self._last

    def die(self) -> None:
        """End as a power cut would: nothing is flushed, nothing is tidied."""
        os.kill(os.getpid(), signal.SIGKILL)

    def note(self, line: str) -> None:
        """Keep a line that survives the end."""
        self._write(self._trace, f"{line}\n".encode())

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a step before it: what only reads leaves nothing new after it."""

        @wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.step()
            return function(*args, **kwargs)

        return counted

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a step before it and one after."""

        @wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.step()
            result = function(*args, **kwargs)
            self.step()
            return result

        return counted


class Body:
    """A body under way: each chunk is a step."""

    def __init__(self, body: Any, steps: Steps) -> None:
        self._body = body
        self._steps = steps

    def read(self, size: int = -1) -> Any:
        self._steps.step()
        return self._body.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


class Written:
    """A file being written: each write can be cut before it, in its middle and after it."""

    def __init__(self, file: Any, steps: Steps) -> None:
        self._file = file
        self._steps = steps

    def write(self, data: Any) -> int:
        self._steps.step()
        if self._steps.is_last():
            self._file.write(data[: len(data) // 2])
            self._file.flush()
            self._steps.die()
        written = self._file.write(data)
        self._file.flush()
        self._steps.step()
        return int(written)

    def truncate(self, size: int | None = None) -> int:
        self._steps.step()
        return int(self._file.truncate(size))

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def install(steps: Steps) -> None:
    """Count what this process does from now on. Nothing is fsynced: SIGKILL spares the kernel."""
    _count_files(steps)
    _count_databases(steps)
    for store in (LocalStore, S3Store):
        _count_store(store, steps)
    requests: Any = botocore.client.BaseClient
    requests._make_api_call = steps.around(requests._make_api_call)
    for name in ("put", "delete"):
        setattr(s3_carriers.Obstore, name, steps.around(getattr(s3_carriers.Obstore, name)))


def _count_files(steps: Steps) -> None:
    for name in _NAMES:
        setattr(os, name, steps.around(getattr(os, name)))
    os.fsync = lambda fd: steps.step()
    for module, name, plain in (
        (os, "fdopen", os.fdopen),
        (io, "open", io.open),
    ):
        setattr(module, name, _opener(plain, steps))


def _opener(plain: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        found = plain(file, mode, *args, **kwargs)
        return Written(found, steps) if set(mode) & set("wax+") else found

    return opened


def _count_databases(steps: Steps) -> None:
    plain = sqlite3.connect

    class Counted(sqlite3.Connection):
        """A connection whose backups can be cut between two pages."""

        def backup(self, target: Any, *, progress: Any = None, **options: Any) -> None:
            def copied(*state: int) -> None:
                steps.step()
                if progress:
                    progress(*state)

            steps.step()
            super().backup(target, progress=copied, **options)
            steps.step()

    def connect(*args: Any, **options: Any) -> Any:
        return plain(*args, **{"factory": Counted, **options})

    sqlite3.connect = connect


def _count_store(store: Any, steps: Steps) -> None:
    plain_open, plain_put = store.open, store.put

    @contextmanager
    def opened(self: Any, entry: Any) -> Iterator[Any]:
        steps.step()
        with plain_open(self, entry) as body:
            yield Body(body, steps)

    def put(self: Any, entry: Any, body: Any, *, replacing: Any) -> Any:
        steps.step()
        stored = plain_put(self, entry, body, replacing=replacing)
        steps.note(f"put {self.url} {entry.key}")
        steps.step()
        return stored

    for name in _READS:
        setattr(store, name, steps.before(getattr(store, name)))
    for name in _WRITES:
        setattr(store, name, steps.around(getattr(store, name)))
    store.open, store.put = opened, put
