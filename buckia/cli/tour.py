"""The workspace of `buckia tour`: a few real files, two buckets that are directories, and edits."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from buckia.errors import LocalError, UsageError
from buckia.ids import new_id

_CONFIG: Final = """\
# Two buckets. Both are directories here; `provider: s3` would make them real ones.

common:
  provider: local
  bucket_name: buckets/common
  paths: [assets/common/]
  folders: [{common}]
  delete_orphaned: true         # what is deleted here is deleted there too

premium:
  provider: local
  bucket_name: buckets/premium
  paths: [assets/premium/]
  folders: [{premium}]
"""

_NOTES: Final = """\
Everything below assets/ is content: pictures, this text, and a database.
"""

_Pixel = Callable[[int, int], tuple[int, int, int]]


class Workspace:
    """The files of a tour below `folder`, each bucket with a content folder nobody can guess."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.common = new_id()
        self.premium = new_id()
        self._root = folder.absolute()
        self._common = self._root / "assets/common" / self.common
        self._premium = self._root / "assets/premium" / self.premium
        self._bucket = self._root / "buckets/premium" / self.premium

    def build(self) -> None:
        """Make all files. Raises `UsageError` if the folder holds something already."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            if any(self._root.iterdir()):
                raise UsageError(
                    f"{self.folder} is not empty and was left as it is; name a new folder for the "
                    "tour"
                )
            self._fill()
        except OSError as problem:
            raise LocalError(
                f"{self.folder} cannot be made: {problem.strerror}; name another"
            ) from None

    def _fill(self) -> None:
        for made in (self._common, self._premium, self._root / "buckets/common", self._bucket):
            made.mkdir(parents=True)
        config = _CONFIG.format(common=self.common, premium=self.premium)
        (self._root / ".buckia").write_text(config, encoding="utf-8")
        (self._common / "notes.txt").write_text(_NOTES, encoding="utf-8")
        (self._common / "sunrise.png").write_bytes(png(64, 40, _sunrise))
        (self._common / "rings.png").write_bytes(png(48, 48, _rings))
        (self._common / "checkers.png").write_bytes(png(32, 32, _checkers))
        (self._premium / "woven.png").write_bytes(png(96, 96, _woven))
        self._teach("Le chat dort.", "The cat sleeps.")
        self._teach("Il pleut.", "It is raining.")

    def edit_here(self) -> None:
        """Change, rename and delete something on the local side."""
        notes = self._common / "notes.txt"
        notes.write_text(_NOTES + "A line that was added later.\n", encoding="utf-8")
        (self._common / "rings.png").rename(self._common / "target.png")
        (self._common / "checkers.png").unlink()
        self._teach("Bonne nuit.", "Good night.")

    def edit_there(self) -> None:
        """Put a new picture into the premium bucket, as a colleague would."""
        (self._bucket / "night.png").write_bytes(png(64, 40, _night))

    def _teach(self, phrase: str, meaning: str) -> None:
        """Add a row to the database of the common bucket."""
        path = self._common / "App.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS phrases (phrase TEXT, meaning TEXT)")
            database.execute("INSERT INTO phrases VALUES (?, ?)", (phrase, meaning))


def png(width: int, height: int, pixel: _Pixel) -> bytes:
    """A PNG picture, 8 bits a channel, of what `pixel(x, y)` says is red, green and blue."""
    rows = (
        b"\0" + bytes(value for x in range(width) for value in pixel(x, y)) for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _sunrise(x: int, y: int) -> tuple[int, int, int]:
    sun = (x - 32) ** 2 + (y - 34) ** 2 < 144
    return (255, 236, 170) if sun else (90 + 4 * y, 60 + 2 * y, 150 - 2 * y)


def _night(x: int, y: int) -> tuple[int, int, int]:
    star = (x * 7 + y * 13) % 97 == 0
    return (250, 250, 230) if star else (10, 14 + y // 2, 40 + y)


def _rings(x: int, y: int) -> tuple[int, int, int]:
    return (200, 40, 50) if ((x - 24) ** 2 + (y - 24) ** 2) // 60 % 2 else (245, 245, 240)


def _checkers(x: int, y: int) -> tuple[int, int, int]:
    return (30, 30, 30) if (x // 4 + y // 4) % 2 else (230, 230, 230)


def _woven(x: int, y: int) -> tuple[int, int, int]:
    return (x * y) % 256, (x * 3 + y) % 256, (x ^ y) % 256
