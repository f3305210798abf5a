"""Files as a manifest names them, in a folder where each is under its sha256 once it is proved.

What is there already is used, also after a run that was cut: proved files as they are, parts block
by block, and so are the files that are to be replaced.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from buckia import pool
from buckia.errors import (
    AccessError,
    IntegrityError,
    Interrupted,
    LocalError,
    NotFoundError,
)
from buckia.manifest import DIGEST_BYTES, File
from buckia.model import Progress, Tick
from buckia.runs.pulling.differences import spans
from buckia.stores import files, folders
from buckia.stores.paths import Paths
from buckia.streams.flight import Flight, watched

if TYPE_CHECKING:
    import threading

    from buckia.stores.web import Web

_CHUNK: Final = 1024 * 1024
_PART: Final = ".part"

Twins = Mapping[str, str]
"""Plain files that are here, as paths by sha256."""


class Room:
    """The folder of what was fetched. Each sha256 is to be asked for by one thread at a time.

    `flight` tells how far the files are that are being fetched; `fresh` asks caches on the way to
    ask in their turn.
    """

    def __init__(
        self,
        folder: Path,
        web: Web,
        here: Paths,
        twins: Twins,
        stop: threading.Event,
        *,
        fresh: bool,
    ) -> None:
        self._folder = folder
        self._web = web
        self._here = here
        self._twins = twins
        self.flight = Flight()
        self._stop = stop
        self._fresh = fresh

    def place(self, file: File) -> Path:
        """Where a file is once it is proved."""
        return self._folder / file.sha256

    def fetch(self, file: File) -> str | None:
        """Have a file in its place. None when it is; else why what the server gives is not it, as
        it happens while a folder is being published. What was right is kept for the next try."""
        try:
            with files.explained(file.path):
                if not self._is_there(file):
                    self._make(file)
        except (IntegrityError, NotFoundError, AccessError, Interrupted) as problem:
            return str(problem)
        finally:
            self.flight.land(file.path)
        return None

    def _is_there(self, file: File) -> bool:
        """Whether an earlier run has fetched it, as its bytes prove."""
        try:
            with self.place(file).open("rb") as body:
                right = _proves(body, file)
        except FileNotFoundError:
            return False
        if not right:
            self.place(file).unlink()
        return right

    def _make(self, file: File) -> None:
        part = self._folder / f"{file.sha256}{_PART}"
        with _opened(part) as body:
            if not self._copy_twin(file, body):
                self._assemble(file, body) if file.blocks else self._receive_all(file, body)
            body.truncate(file.size)
            body.flush()
            os.fsync(body.fileno())
            body.seek(0)
            right = _proves(body, file)
        if not right:
            part.unlink()
            raise self._foreign(file)
        part.replace(self.place(file))
        with folders.opened(self._folder, ()) as handle:
            folders.flush(handle)

    def _foreign(self, file: File) -> IntegrityError:
        return IntegrityError(
            f"{self._web.url}{file.path}: it is not what the manifest says; pull again later"
        )

    def _copy_twin(self, file: File, part: BinaryIO) -> bool:
        """Copy a file of the same content that is here; False where there is none any more."""
        if (twin := self._twins.get(file.sha256)) is None:
            return False
        with suppress(NotFoundError, LocalError), self._here.open(twin) as body:
            part.seek(0)
            left = file.size
            while chunk := body.read(min(_CHUNK, left)):
                part.write(chunk)
                left -= len(chunk)
            part.flush()
            part.seek(0)
            return _proves(part, file)
        return False

    def _receive_all(self, file: File, part: BinaryIO) -> None:
        part.truncate(0)
        part.seek(0)
        with closing(self._web.open(file.path, file.size, fresh=self._fresh).body) as body:
            coming = watched(body, self._stop, self.flight, file.path)
            while chunk := coming.read(_CHUNK):
                part.write(chunk)

    # -- block by block ----------------------------------------------------------------------------

    def _assemble(self, file: File, part: BinaryIO) -> None:
        """Complete a file of which some blocks may be in its part, or in what it replaces."""
        block = file.block_size or file.size
        missing = self._missing(file, part, block)
        whole = len(missing) == len(file.digests)
        for first, last in spans(missing, block, file.size):
            asked = first, None if whole else last
            came = self._web.open(file.path, file.size, *asked, fresh=self._fresh)
            with closing(came.body) as body:
                coming = watched(body, self._stop, self.flight, file.path)
                self._write(file, coming, part, range(came.first, came.last + 1, block))
            if (came.first, came.last) == (0, file.size - 1):
                return  # all of it came, asked for or not

    def _write(self, file: File, body: BinaryIO, part: BinaryIO, places: range) -> None:
        """Write blocks as they come. `IntegrityError` for one that is not the manifest's."""
        digests, block = file.digests, places.step
        for at in places:
            part.seek(at)
            if _pass(body, part, min(block, file.size - at)) != digests[at // block]:
                raise self._foreign(file)

    def _missing(self, file: File, part: BinaryIO, block: int) -> list[int]:
        """The blocks that have to come. Those of the file that is to be replaced are copied."""
        blocks = list(enumerate(file.digests))
        places = [(at * block, min(block, file.size - at * block)) for at, _ in blocks]
        missing = [at for at, digest in blocks if _block(part, *places[at]) != digest]
        with suppress(NotFoundError, LocalError), self._here.open(file.path) as old:
            return [at for at in missing if _block(old, *places[at], part) != blocks[at][1]]
        return missing


def fetch_all(
    room: Room, wanted: Iterable[File], workers: int, progress: Progress, stop: threading.Event
) -> list[str]:
    """Have all files in their places, each content once; why some could not be had.

    Raises `Interrupted` once `stop` is set.
    """
    once: dict[str, File] = {}
    for file in sorted(wanted, key=lambda file: -file.size):  # no fat file is left for the end
        once.setdefault(file.sha256, file)
    problems: list[str] = []
    meter = _Meter(once.values(), room.flight, progress)

    def fetch(file: File) -> tuple[File, str | None]:
        return file, room.fetch(file)

    for results in pool.each(
        fetch, once.values(), workers=workers, name="pull", stop=stop, beat=True
    ):
        for file, problem in results:
            meter.add(file)
            problems += [problem] if problem else []
        meter.tell()
    if stop.is_set():
        raise Interrupted("stopped by a signal; what was fetched is kept; run it again")
    return problems


class _Meter:
    """How far the fetching is."""

    def __init__(self, every: Iterable[File], flight: Flight, progress: Progress) -> None:
        sizes = [file.size for file in every]
        self._total = len(sizes), sum(sizes)
        self._flight = flight
        self._progress = progress
        self._files = self._bytes = 0

    def add(self, file: File) -> None:
        """A file is there."""
        self._files, self._bytes = self._files + 1, self._bytes + file.size

    def tell(self) -> None:
        """Tell."""
        files, size = self._total
        moved = min(self._bytes + self._flight.bytes, size)
        self._progress(Tick("fetch", "", self._files, moved, files, size))


def _opened(part: Path) -> BinaryIO:
    """A file for reading and writing, made if it is missing; never through a link."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(part, flags, 0o666), "r+b")


def _proves(body: BinaryIO, file: File) -> bool:
    """Whether what is left of a stream is the file."""
    digest, size = hashlib.sha256(), 0
    while chunk := body.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return (size, digest.hexdigest()) == (file.size, file.sha256)


def _pass(source: BinaryIO, target: BinaryIO | None, size: int) -> bytes:
    """The digest of the next `size` bytes of a stream, which are written on the way."""
    digest = hashlib.sha256()
    while size and (chunk := source.read(min(_CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
        if target is not None:
            target.write(chunk)
    return digest.digest()[:DIGEST_BYTES]


def _block(body: BinaryIO, at: int, size: int, copy: BinaryIO | None = None) -> bytes:
    """The digest of some bytes of an open file, copied to the same place in another one."""
    body.seek(at)
    if copy is not None:
        copy.seek(at)
    return _pass(body, copy, size)
