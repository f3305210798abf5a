"""A new file filled with a body: what is told of it is what is in it, and that is on the disk."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.errors import IntegrityError
from buckia.model import Entry
from buckia.stores import files, filling
from buckia.stores.meter import Meter
from tests.strategies import examples


class Chunks:
    """A body that hands its chunks on as they are; `before` is called with the number of each."""

    def __init__(self, chunks: Iterator[bytes], before: Callable[[int], object] = id) -> None:
        self._chunks = chunks
        self._before = before
        self._number = 0

    def take(self, size: int) -> bytes:
        self._before(self._number)
        self._number += 1
        return next(self._chunks, b"")


def body(chunks: Iterator[bytes], before: Callable[[int], object] = id) -> BinaryIO:
    return cast(BinaryIO, Chunks(chunks, before))


def helpers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("buckia-hash")]


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is hashed on a thread of its own, and flushed early."""
    monkeypatch.setattr(filling, "LARGE", 0)
    monkeypatch.setattr(filling, "_STEP", 1000)


@examples(40)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.booleans())
def test_what_is_told_is_what_is_written(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], large: bool
) -> None:
    """In the order in which it came, hashed beside the writing or not."""
    data, path = b"".join(chunks), tmp_path_factory.mktemp("fill") / "new"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filling, "LARGE", 0 if large else 1 << 40)
        patch.setattr(filling, "_STEP", 500)
        wanted = Entry("key", len(data), md5=hashlib.md5(data).hexdigest())
        written = files.write(path, body(iter(chunks)), wanted)
    assert path.read_bytes() == data
    assert written.size == len(data)
    assert written.digests["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("wrong", [b"x" * 5000, b"y" * 4999, b"y" * 5001])
def test_other_bytes_than_announced_are_an_error(tmp_path: Path, wrong: bytes) -> None:
    """As many, fewer or more."""
    right = b"y" * 5000
    wanted = Entry("key", len(right), sha256=hashlib.sha256(right).hexdigest())
    with pytest.raises(IntegrityError, match="plan again"):
        files.write(tmp_path / "new", io.BytesIO(wrong), wanted)


@pytest.mark.usefixtures("all_large")
def test_a_body_without_an_end_is_not_written_any_further(tmp_path: Path) -> None:
    """No more than the chunk with the first byte too many."""
    path, endless = tmp_path / "new", iter(lambda: b"x" * 1000, b"")
    with pytest.raises(IntegrityError):
        files.write(path, body(endless), Entry("key", 2500))
    assert path.stat().st_size == 3000


@pytest.mark.usefixtures("all_large")
def test_a_disk_that_takes_a_part_is_given_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which no error tells of; and it is given few bytes at once."""
    monkeypatch.setattr(filling, "_PIECE", 900)

    class Small(io.FileIO):
        def write(self, data: Any, /) -> int:
            assert len(data) <= 900
            return super().write(data[:7])

    data = os.urandom(5000)
    with Small(tmp_path / "new", "xb") as file:
        written = filling.fill(cast(BinaryIO, file), io.BytesIO(data), Entry("key", len(data)))
    assert (tmp_path / "new").read_bytes() == data
    assert written.digests["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.usefixtures("all_large")
def test_few_chunks_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the next is asked for, all but the last are hashed."""
    hashed: list[int] = []
    plain = Meter.add

    def add(self: Meter, chunk: bytes) -> None:
        plain(self, chunk)
        hashed.append(len(chunk))

    def before(number: int) -> None:
        assert len(hashed) >= number - 1

    monkeypatch.setattr(Meter, "add", add)
    chunks = [b"x" * 100] * 50
    files.write(tmp_path / "new", body(iter(chunks), before), Entry("key", 5000))
    assert hashed == [100] * 50


@pytest.mark.usefixtures("all_large")
def test_the_end_is_flushed_after_all_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the disk had begun with before: that is no promise."""
    path, sizes, told = tmp_path / "new", list[int](), list[tuple[int, int]]()
    monkeypatch.setattr(os, "fsync", lambda handle: sizes.append(os.fstat(handle).st_size))

    def advise(handle: int, first: int, size: int, advice: int) -> None:
        assert os.fstat(handle).st_size >= first + size
        told.append((first, size))
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "posix_fadvise", advise, raising=False)
    files.write(path, body(iter([b"x" * 700] * 4)), Entry("key", 2800))
    assert sizes == [2800]
    assert told == [(0, 1400), (1400, 1400)]


@pytest.mark.usefixtures("all_large")
def test_where_the_disk_takes_no_hints_it_is_flushed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systems exist that know none."""
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    files.write(tmp_path / "new", io.BytesIO(b"x" * 5000), Entry("key", 5000))
    assert (tmp_path / "new").read_bytes() == b"x" * 5000


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), IntegrityError("cut")])
def test_an_error_leaves_no_thread(tmp_path: Path, error: Exception) -> None:
    """And is the one that is raised."""

    def breaks(number: int) -> None:
        if number == 3:
            raise error

    with pytest.raises(type(error)) as raised:
        files.write(tmp_path / "new", body(iter([b"x"] * 9), breaks), Entry("key", 9))
    assert raised.value is error
    assert not helpers()


@pytest.mark.usefixtures("all_large")
def test_what_could_not_be_hashed_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor where it was the last chunk: an error on the other thread is this one's."""

    def add(self: Meter, chunk: bytes) -> None:
        if chunk == b"last":
            raise MemoryError

    monkeypatch.setattr(Meter, "add", add)
    with pytest.raises(MemoryError):
        files.write(tmp_path / "new", body(iter([b"first", b"last"])), Entry("key", 9))
