"""Bodies in parts: those of all large objects of one store, carried by the same few threads.

A part is a unit of work like any small file: whoever is free takes the next one, of whichever
object. So one large object has all of them when it is alone, and is never left to a single one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from threading import Lock, Semaphore
from typing import BinaryIO, Final, TypeVar

from buckia import pool
from buckia.stores.border import Border
from buckia.stores.meter import Meter

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_ENOUGH: Final = 8
"""Parts of all objects under way together, at the most: they are in memory. Beside these every
object may have one, so that none waits for another."""

MOST: Final = 10_000
"""Parts an object may have, with Amazon ("multipart upload limits") as with Backblaze ("Large
Files")."""


class Crew:
    """Who carries the parts of one store's objects. Safe for many threads; those of its own begin
    with the first part.

    workers  how many parts may be under way, if that is fewer than enough
    """

    def __init__(self, workers: int) -> None:
        self._size = min(workers, _ENOUGH)
        self._spare = Semaphore(self._size)
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None

    def each(self, act: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
        """What `act` gives for every piece, in their order. A piece is taken from `pieces` when it
        can be carried. Those under way end before a failure is raised, and no other begins."""
        share, queue = _Share(self._spare), iter(pieces)
        begun: list[Future[Result]] = []
        running: set[Future[Result]] = set()
        try:
            while True:
                for future in self._begin(act, queue, share):
                    begun.append(future)
                    running.add(future)
                if not running:
                    return [future.result() for future in begun]
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    share.give()
                    future.result()
        finally:
            wait([future for future in running if not future.cancel()])
            share.give_all()

    def in_order(
        self, act: Callable[[Piece], Result], pieces: Iterable[Piece]
    ) -> Generator[Result, None, None]:
        """The same one after the other, some ahead of what is taken. A failure is raised when its
        turn has come. Who takes no more has those under way end by themselves."""
        share, queue = _Share(self._spare), iter(pieces)
        running: deque[Future[Result]] = deque()
        try:
            while True:
                running.extend(self._begin(act, queue, share))
                if not running:
                    return
                yield running.popleft().result()
                share.give()
        finally:
            for future in running:
                future.cancel()
            share.give_all()

    def _begin(
        self, act: Callable[[Piece], Result], queue: Iterator[Piece], share: _Share
    ) -> Iterator[Future[Result]]:
        """As many pieces as there is room for."""
        while share.take():
            piece = list(islice(queue, 1))
            if not piece:
                share.give()
                return
            yield self._submit(act, piece[0])

    def _submit(self, act: Callable[[Piece], Result], piece: Piece) -> Future[Result]:
        with self._lock:
            if self._threads is None:
                self._threads = pool.threads(self._size, "part")
            return self._threads.submit(act, piece)

    def close(self) -> None:
        """Let the threads go; another part would have new ones."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False)


class _Share:
    """What one object has of the room for parts: its first needs none. Not for many threads."""

    def __init__(self, spare: Semaphore) -> None:
        self._spare = spare
        self._count = 0

    def take(self) -> bool:
        """Whether one more may begin; if so it has."""
        if self._count and not self._spare.acquire(blocking=False):
            return False
        self._count += 1
        return True

    def give(self) -> None:
        """One is done with."""
        self._count -= 1
        if self._count:
            self._spare.release()

    def give_all(self) -> None:
        """All are."""
        while self._count:
            self.give()


def read_exactly(body: BinaryIO, size: int) -> bytes:
    """`size` bytes, or all there are: a single read may give fewer."""
    chunks: list[bytes] = []
    while size > 0 and (chunk := body.read(size)):
        chunks.append(chunk)
        size -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def in_pieces(body: BinaryIO, size: int, step: int, meter: Meter) -> Iterator[bytes]:
    """The body in pieces of `step` bytes, measured as they pass; ends early when there is more than
    announced."""
    while meter.size <= size and (chunk := read_exactly(body, step)):
        meter.add(chunk)
        yield chunk


def each_part(
    crew: Crew,
    pieces: Iterator[Piece],
    act: Callable[[int, Piece], str],
    border: Border,
    place: str,
) -> list[str]:
    """Call `act` for the parts, numbered from 1; what it gives for each, in order."""

    def one(numbered: tuple[int, Piece]) -> str:
        number, piece = numbered
        return border.persist(lambda: act(number, piece), f"part {number} of {place}")

    return crew.each(one, enumerate(pieces, 1))
