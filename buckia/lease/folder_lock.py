"""One run at a time in a folder: the machine's own lock, and a note of who has it.

The lock goes with the process, however that ends. The note only tells others whom they wait for: it
is read while the lock is held by somebody, and lost without harm.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from buckia.errors import Interrupted, LockedError
from buckia.lease import note as lease_note
from buckia.lease.note import Holder
from buckia.stores import files

if TYPE_CHECKING:
    from filelock import FileLock

FILE: Final = "lock"
"""In `.buckia.d/`: what is locked."""

NOTE: Final = "holder.json"
"""Beside it: by whom."""

_QUIET, _PAUSE = 0.2, 1.0
"""Seconds of waiting that nobody is told of, and between two later tries."""

log = logging.getLogger(__name__)


@contextmanager
def hold(
    folder: Path, *, plan: str = "", timeout: float = 0.0, stop: threading.Event
) -> Iterator[None]:
    """Hold the lock of a folder for as long as this lasts.

    `plan` is the digest of what is applied, for those who meet the lock. `timeout` is how many
    seconds to wait for another holder; `stop` ends the waiting with `Interrupted`. Raises
    `LockedError` naming the holder, and `LocalError` where there can be no lock.
    """
    from filelock import FileLock  # loaded late: what only looks takes no lock

    lock = FileLock(folder / FILE, timeout=0, mode=0o600)
    with files.explained(f"{folder.name}/{FILE}"):
        _wait(lock, folder / NOTE, timeout, stop)
    try:
        with _noted(folder / NOTE, plan):
            yield
    finally:
        lock.release()


def _wait(lock: FileLock, note: Path, timeout: float, stop: threading.Event) -> None:
    """Take the lock as soon as it is free, and not later than `timeout` seconds from now."""
    from filelock import Timeout

    deadline = time.monotonic() + timeout
    for pause in chain((_QUIET,), repeat(_PAUSE)):
        with suppress(Timeout):
            lock.acquire()
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise LockedError(
                f"another buckia is at work in this folder{_read(note)}; nothing was changed; wait "
                "for it, with `--lock-timeout` say, or end it first"
            )
        if pause == _QUIET and timeout > _QUIET:
            log.warning("waiting for another buckia in this folder%s", _read(note))
        if stop.wait(min(pause, left)):
            raise Interrupted("stopped while waiting for another run; nothing was changed")


@contextmanager
def _noted(note: Path, plan: str) -> Iterator[None]:
    """Leave a note of who has the lock. Without one, on a full disk say, all else goes on."""
    me = msgspec.json.encode(lease_note.here("", plan))
    with suppress(OSError), _opened(note) as file:
        file.write(me)
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink()


def _opened(note: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(note, flags, files.PRIVATE), "wb")


def _read(note: Path) -> str:
    """Who has the lock, behind a colon; nothing where the note is not of somebody alive."""
    try:
        found = msgspec.json.decode(note.read_bytes(), type=Holder)
    except (OSError, ValueError):
        return ""
    dead = found.where == socket.gethostname() and not _is_alive(found.pid)
    return "" if dead else f": {found}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # below 1 it would mean a group of processes
    except PermissionError:
        return pid > 0
    except (OSError, OverflowError):
        return False
    return pid > 0
