"""One body for several readers: each has it whole, and no more of it is held than a chunk."""

from __future__ import annotations

import hashlib
import io
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.streams.tee import CHUNK, Tee
from tests.strategies import examples


class Counted(io.RawIOBase):
    """A body that knows how far it was read; `size` bytes that are nowhere kept."""

    def __init__(self, size: int, breaks_at: int | None = None) -> None:
        self._left = size
        self._breaks_at = breaks_at
        self.given = 0
        self.most = 0

    def read(self, size: int = -1, /) -> bytes:
        if self._breaks_at is not None and self.given >= self._breaks_at:
            raise OSError("the line broke")
        data = random.Random(self.given).randbytes(min(size, self._left))
        self.given += len(data)
        self._left -= len(data)
        self.most = max(self.most, len(data))
        return data


def read_all(tee: Tee, place: int, piece: int) -> tuple[int, str]:
    """How much a reader gets in pieces of a size, and its digest."""
    digest, size = hashlib.sha256(), 0
    try:
        while data := tee.readers[place].read(piece):
            digest.update(data)
            size += len(data)
    finally:
        tee.leave(place)
    return size, digest.hexdigest()


@examples(30)
@given(st.binary(max_size=3000), st.lists(st.integers(1, 900), min_size=1, max_size=4))
def test_every_reader_gets_the_same_bytes_whatever_its_pace(data: bytes, pieces: list[int]) -> None:
    """In pieces of any size, at the same time."""
    tee = Tee(io.BytesIO(data), len(pieces))
    with ThreadPoolExecutor(len(pieces)) as threads:
        sent = [threads.submit(read_all, tee, place, n) for place, n in enumerate(pieces)]
        assert {future.result() for future in sent} == {
            (len(data), hashlib.sha256(data).hexdigest())
        }


def test_nobody_is_more_than_a_chunk_ahead_however_long_the_body() -> None:
    """What has been read and not yet given to every reader is one chunk, and is asked for in no
    larger piece: that is all the memory a body takes, for all readers together."""
    size = 40 * CHUNK + 17
    body = Counted(size)
    tee = Tee(cast(BinaryIO, body), 3)
    had = [0, 0, 0]
    ahead: list[int] = []
    lock = threading.Lock()

    def follow(place: int) -> None:
        while data := tee.readers[place].read(64 * 1024):
            with lock:
                had[place] += len(data)
                ahead.append(body.given - min(had))
        tee.leave(place)

    with ThreadPoolExecutor(3) as threads:
        for future in [threads.submit(follow, place) for place in range(3)]:
            future.result()
    assert had == [size] * 3 and body.given == size  # once for all
    assert body.most <= CHUNK
    assert max(ahead) <= 2 * CHUNK  # the chunk that is held, and what a reader has in its buffer


def test_a_reader_that_leaves_is_not_waited_for() -> None:
    """The others get everything."""
    tee = Tee(io.BytesIO(b"x" * (3 * CHUNK)), 2)
    assert tee.readers[0].read(10) == b"x" * 10
    tee.leave(0)
    assert read_all(tee, 1, CHUNK)[0] == 3 * CHUNK


def test_a_body_that_breaks_breaks_for_every_reader() -> None:
    """None takes what it got for the whole."""
    tee = Tee(cast(BinaryIO, Counted(5 * CHUNK, breaks_at=2 * CHUNK)), 2)
    with ThreadPoolExecutor(2) as threads:
        sent = [threads.submit(read_all, tee, place, CHUNK) for place in range(2)]
        for future in sent:
            with pytest.raises(OSError, match="the line broke"):
                future.result()
