"""A download is whole, or it is an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.errors import IntegrityError, StoreError, UnavailableError
from buckia.stores import download, retry
from buckia.stores.border import BUSY, Border
from buckia.stores.download import Body, Download
from buckia.stores.meter import Meter
from buckia.stores.traffic import Traffic
from buckia.streams.bodies import take

DATA = bytes(range(250)) * 4


class Broken(Exception):
    """What the library of a store raises when the line breaks."""


class Line:
    """A service that gives at most so many bytes an answer, and then does what it is told."""

    def __init__(self, *most: int, ends: str = "breaks", chunk: int = 100) -> None:
        self.most = list(most)
        self.ends = ends
        self.chunk = chunk
        self.asked: list[int] = []
        self.open = 0

    def __call__(self, offset: int) -> Body:
        self.asked.append(offset)
        self.open += 1
        return Body(self._chunks(offset, self.most.pop(0) if self.most else 0), self._close)

    def _chunks(self, offset: int, most: int) -> Iterator[bytes]:
        end = min(len(DATA), offset + most)
        for at in range(offset, end, self.chunk):
            yield DATA[at : min(at + self.chunk, end)]
        if end < len(DATA) and self.ends == "breaks":
            raise Broken
        if self.ends == "goes on":
            yield b"more"

    def _close(self) -> None:
        self.open -= 1


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been waited."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


def opened(line: Line, size: int | None = len(DATA), check: object = None) -> BinaryIO:
    """The stream of a line. `check` is an error to raise before the last bytes."""
    meter = Meter({"sha256"})

    def prove() -> None:
        assert meter.size == len(DATA)
        if isinstance(check, Exception):
            raise check

    border = Border((Broken,), lambda problem: BUSY)
    return Download(line, "place", size, border, Traffic(), meter, prove).opened(line(0))


@pytest.mark.parametrize("size", [len(DATA), None])
@pytest.mark.parametrize("most", [(1000,), (300, 700), (100, 1, 0, 400, 499)])
def test_a_download_is_taken_up_where_it_broke(
    most: tuple[int, ...], size: int | None, waits: list[float]
) -> None:
    """As often as a request is sent, after a pause each time."""
    line = Line(*most)
    with opened(line, size) as body:
        assert body.read() == DATA
    assert line.asked == [sum(most[:at]) for at in range(len(most))]
    assert len(waits) == len(most) - 1


def test_a_line_that_keeps_breaking_is_an_error(waits: list[float]) -> None:
    """The border's own, and the last bytes were not given."""
    line = Line(10, 10, 10, 10, 10, 1000)
    with opened(line) as body, pytest.raises(UnavailableError, match="place: the service is busy"):
        body.read()
    assert len(line.asked) == 5


def test_a_line_that_breaks_now_and_then_is_borne(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where enough comes between: a large file takes days, and no line lives that long."""
    monkeypatch.setattr(download, "_WORTH", 100)
    line = Line(*[100] * 10)
    with opened(line) as body:
        assert body.read() == DATA
    assert len(line.asked) == 10 > retry.ATTEMPTS


def test_a_body_that_ends_early_is_no_whole_one() -> None:
    """It is asked for the rest; without an answer that is an error, whatever the service says."""
    line = Line(400, 600, ends="stops")
    with opened(line) as body:
        assert body.read() == DATA
    line = Line(*[10] * 5, ends="stops")
    with opened(line) as body, pytest.raises(IntegrityError, match="a part only"):
        body.read()


def test_a_body_that_does_not_end_is_refused() -> None:
    """At the first byte too many."""
    line = Line(1000, ends="goes on")
    with opened(line) as body, pytest.raises(IntegrityError, match="other bytes"):
        body.read()


def test_the_last_bytes_are_given_only_when_all_are_right() -> None:
    """Whoever writes what comes has no whole file until then."""
    line, got = Line(1000), b""
    with opened(line, check=IntegrityError("wrong")) as body:
        with pytest.raises(IntegrityError, match="wrong"):
            while chunk := body.read(50):
                got += chunk
        assert DATA.startswith(got)
        assert len(got) < len(DATA)


def test_chunks_are_taken_as_they_came() -> None:
    """None of them is copied, and the line may break between."""
    chunks = [b"a" * 700, b"b" * 300]

    def again(offset: int) -> Body:
        return Body(iter(chunks[1:]) if offset else broken(), lambda: None)

    def broken() -> Iterator[bytes]:
        yield chunks[0]
        raise Broken

    border = Border((Broken,), lambda problem: BUSY)
    found = Download(again, "place", 1000, border, Traffic(), Meter(()))
    with found.opened(again(0)) as body:
        got = list(iter(lambda: take(body, 10), b""))
    assert [id(chunk) for chunk in got] == [id(chunk) for chunk in chunks]


def test_the_last_chunk_is_given_only_when_all_are_right() -> None:
    """As the last bytes of a reading are."""
    got = b""
    right = pytest.raises(IntegrityError, match="wrong")
    with opened(Line(1000), check=IntegrityError("wrong")) as body, right:
        while chunk := take(body, 10):
            got += chunk
    assert got == DATA[:900]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 400))), st.integers(1, 400))
def test_who_reads_and_takes_has_every_byte_once(steps: list[tuple[bool, int]], chunk: int) -> None:
    """In whatever order: what a reading left in a buffer comes first."""
    got = b""
    with opened(Line(1000, chunk=chunk)) as body:
        for taken, size in steps:
            got += take(body, size) if taken else body.read(size)
        while chunk_left := take(body, 100):
            got += chunk_left
    assert got == DATA


def test_nothing_is_taken_of_what_was_closed() -> None:
    """Else a body let go of would look like one that has ended."""
    body = opened(Line(1000))
    body.close()
    with pytest.raises(ValueError, match="closed"):
        take(body, 10)


@pytest.mark.parametrize("read", [0, 1, 500, 1000])
def test_a_connection_is_let_go_of(read: int) -> None:
    """However much was read; also where nothing was."""
    line = Line(300, 700)
    body = opened(line)
    assert body.read(read) == DATA[:read]
    body.close()
    body.close()
    assert line.open <= 0


def test_bytes_are_counted_once() -> None:
    """Those that came before the line broke, too."""
    traffic, meter, line = Traffic(), Meter(()), Line(300, 700)
    border = Border((Broken,), lambda problem: BUSY)
    found = Download(line, "place", len(DATA), border, traffic, meter).opened(line(0))
    assert found.read() == DATA
    assert traffic.usage.received == len(DATA)


def test_an_error_of_the_second_request_is_the_download_s() -> None:
    """It was tried as often as it deserves."""

    def again(offset: int) -> Body:
        raise StoreError("gone")

    border = Border((Broken,), lambda problem: BUSY)
    found = Download(again, "place", len(DATA), border, Traffic(), Meter(()))
    with found.opened(Line(300)(0)) as body, pytest.raises(StoreError, match="gone"):
        body.read()
