"""Progress while a file is under way."""

from __future__ import annotations

import hashlib
import io
import random
import threading
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from buckia.errors import Interrupted
from buckia.manifest import LEAST
from buckia.model import Entry, Tick
from buckia.stores import hashing, reading
from buckia.stores.hashing import Digests
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from buckia.streams.bodies import take
from buckia.streams.flight import Flight, watched
from buckia.streams.passing import Passing
from tests.helpers import World

HALF = 2 * 1024 * 1024


def test_a_body_tells_how_far_it_is() -> None:
    """Also where it is read again from its beginning; it never counts twice."""
    flight, body = Flight(), io.BytesIO(b"0123456789")
    flying = watched(body, threading.Event(), flight, "a")
    other = watched(io.BytesIO(b"xyz"), threading.Event(), flight, "b")
    assert flying.read(6) == b"012345"
    assert other.read() == b"xyz"
    assert flight.bytes == 9
    flying.seek(0)
    assert flight.bytes == 3
    assert flying.read() == b"0123456789"
    assert flight.bytes == 13
    flight.land("a")
    flight.land("a")
    assert flight.bytes == 3


def test_a_body_ends_when_the_run_is_stopped() -> None:
    """At the next piece, whether or not anybody wants to know how far it is."""
    stop = threading.Event()
    body = watched(io.BytesIO(b"0123456789"), stop)
    assert body.read(4) == b"0123"
    stop.set()
    with pytest.raises(Interrupted, match="run the same plan again to resume"):
        body.read(4)


class Whole(io.BytesIO):
    """A body that hands on all it has at once."""

    def take(self, size: int) -> bytes:
        return self.read()


def test_what_is_taken_of_a_body_counts_as_what_is_read() -> None:
    """And ends as it does."""
    stop, flight = threading.Event(), Flight()
    body = watched(Whole(b"0123456789"), stop, flight, "a")
    assert take(body, 4) == b"0123456789"
    assert flight.bytes == 10
    assert take(watched(io.BytesIO(b"0123456789"), stop), 4) == b"0123"
    stop.set()
    with pytest.raises(Interrupted, match="run the same plan again to resume"):
        take(body, 4)


def test_a_body_within_another_is_not_taken_past_it() -> None:
    """One that hands its attributes on is read: what it does then, it would not do."""

    class Around:
        def read(self, size: int = -1) -> bytes:
            return b"mine"

        def __getattr__(self, name: str) -> object:
            return getattr(Whole(b"yours"), name)

    assert take(cast(BinaryIO, Around()), 4) == b"mine"


def test_the_blocks_of_what_is_taken_are_those_of_what_is_read() -> None:
    """However it comes: a manifest tells of both."""
    data = random.Random(5).randbytes(LEAST + 12345)
    sha256 = hashlib.sha256(data).hexdigest()
    read, taken = Passing(), Passing()
    body = read.metered(io.BytesIO(data), len(data))
    while body.read(1 << 20):
        pass
    body = taken.metered(Whole(data), len(data))
    while take(body, 1 << 20):
        pass
    assert taken.blocks(sha256) == read.blocks(sha256)
    assert taken.blocks(sha256) is not None


class Patient(MemoryStore):
    """A bucket that takes the second half of a body only when somebody has heard of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = threading.Event()

    def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        first = body.read(HALF)
        if len(first) == HALF:
            assert self.heard.wait(30)
        return super().put(entry, io.BytesIO(first + body.read()), replacing=replacing)


def test_a_large_file_is_told_of_before_it_is_done(tmp_path: Path) -> None:
    """With the whole state of the run, and never more than there is."""
    store = Patient()
    world = World(tmp_path, {"main": store})
    world.write("large", bytes(2 * HALF))
    ticks: list[Tick] = []

    def progress(tick: Tick) -> None:
        ticks.append(tick)
        if HALF <= tick.bytes < 2 * HALF:
            store.heard.set()

    world.apply(world.plan(), progress=progress)
    ours = [tick for tick in ticks if tick.total_bytes == 2 * HALF]
    assert [(tick.files, tick.bytes) for tick in ours] == [(0, 0), (0, HALF), (1, 2 * HALF)]


def test_a_large_file_is_told_of_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan reads the files that nobody knows; a small one is only told of when it is done."""
    heard, real = threading.Event(), hashing.hash_file

    def hash_file(body: BinaryIO, wanted: frozenset[str], most: int) -> Digests:
        found = real(body, wanted, most)
        if found.size > HALF:
            assert heard.wait(30)
        return found

    monkeypatch.setattr(reading, "hash_file", hash_file)
    (tmp_path / "large").write_bytes(bytes(2 * HALF))
    (tmp_path / "small").write_bytes(b"small")
    ticks: list[Tick] = []

    def progress(tick: Tick) -> None:
        ticks.append(tick)
        if tick.bytes >= 2 * HALF:
            heard.set()

    LocalStore(tmp_path).listing(progress=progress)
    told = [(tick.files, tick.bytes) for tick in ticks]
    assert told == sorted(told) and len(told) <= 5
    assert told[0] == (0, 0) and told[-1] == (2, 2 * HALF + 5)
    assert any(done < 2 and size >= 2 * HALF for done, size in told[1:-1])
