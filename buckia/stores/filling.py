"""A new file filled with a body: hashed as it is written, on the disk before it is done.

A large one is hashed on a thread of its own, and the disk begins with what is written while the
rest is on its way: neither is left for the end.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import BinaryIO, Final

from buckia import pool
from buckia.model import Entry
from buckia.stores.hashing import CHUNK
from buckia.stores.meter import Meter, announced
from buckia.streams.bodies import Chunk, take

LARGE: Final = 16 * 1024 * 1024
"""Bytes from which on it pays to have a thread for the hashing."""

_PIECE: Final = 256 * 1024
"""Bytes that are written with one call. For larger calls Linux takes memory in larger pieces, which
a virtual machine may have handed back to its host: to have those back can cost more CPU than
the writing."""

_STEP: Final = 8 * 1024 * 1024
"""Bytes that the disk is told of together."""


def fill(file: BinaryIO, body: BinaryIO, wanted: Entry) -> Meter:
    """Write a body to a new file without a buffer, and flush it; what was written, sha256 included.

    It may be anything: who wants what was announced checks it. A body that is longer is not
    written any further.
    """
    meter = Meter({"sha256", *announced(wanted)})
    if wanted.size < LARGE:
        _write(file, body, wanted.size, meter.add)
    else:
        with pool.threads(1, "hash") as helper:
            beside = _Beside(helper, meter.add)
            _write(file, body, wanted.size, beside.add)
            beside.finish()
    os.fsync(file.fileno())
    return meter


def _write(file: BinaryIO, body: BinaryIO, most: int, add: Callable[[Chunk], None]) -> None:
    size = begun = 0
    while size <= most and (chunk := take(body, CHUNK)):
        add(chunk)
        rest = memoryview(chunk)
        while rest:  # a disk that fills up may take a part
            rest = rest[file.write(rest[:_PIECE]) :]
        size += len(chunk)
        if size - begun >= _STEP:
            _begin_flush(file, begun, size)
            begun = size


def _begin_flush(file: BinaryIO, first: int, end: int) -> None:
    """Have the disk begin with a range, without waiting for it.

    Linux begins to write what it is told that nobody needs, and forgets only what is on the disk
    already: the file remains in memory. Errors of the disk are left for the flush at the end, which
    tells them.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    with contextlib.suppress(OSError):  # a hint, which some file systems do not take
        os.posix_fadvise(file.fileno(), first, end - first, os.POSIX_FADV_DONTNEED)


class _Beside:
    """Calls of a function on another thread, in their order and one at a time: no more than one
    argument waits in memory."""

    def __init__(self, helper: Executor, act: Callable[[Chunk], None]) -> None:
        self._helper = helper
        self._act = act
        self._last: Future[None] | None = None

    def add(self, chunk: Chunk) -> None:
        """Once the last call has ended, begin the next."""
        self.finish()
        self._last = self._helper.submit(self._act, chunk)

    def finish(self) -> None:
        """Wait for the last call."""
        if self._last is not None:
            self._last.result()
