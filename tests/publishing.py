"""Folders as `manifest: true` publishes them, on a server of the tests."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Final

from buckia import manifest, mime
from buckia.manifest import NAME, File, Manifest
from tests.servers.folder import WebFolder

SMALL: Final = {
    "images/a.jpg": b"a" * 100,
    "images/b.jpg": b"b" * 100,
    "notes.txt": b"Hello.\n",
}
"""A folder with two pictures and a text."""


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that no compression and no chance makes equal."""
    return random.Random(seed).randbytes(size)


def describe(path: str, data: bytes) -> File:
    """A file as a manifest has it."""
    blocks = manifest.blocks_of(BytesIO(data), len(data))
    return File(
        path,
        len(data),
        hashlib.sha256(data).hexdigest(),
        mime.guess(path),
        blocks.size if blocks else None,
        blocks.digests if blocks else None,
    )


def manifest_of(files: Mapping[str, bytes], generation: int = 1) -> Manifest:
    """The manifest of a folder with these files."""
    return manifest.make(generation, (describe(path, data) for path, data in files.items()))


def publish(server: WebFolder, files: Mapping[str, bytes], generation: int = 1) -> None:
    """Have a server give out this folder and nothing else."""
    server.files = {**files, NAME: manifest.write(manifest_of(files, generation))}


def database(path: Path, rows: Mapping[int, str], *, size: int = 0) -> bytes:
    """The bytes of a database with these rows, and with about `size` bytes of other ones."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("CREATE TABLE picture (id INTEGER PRIMARY KEY, name TEXT)")
        made.executemany("INSERT INTO picture VALUES (?, ?)", rows.items())
        if size:
            made.execute("CREATE TABLE filler (id INTEGER PRIMARY KEY, text TEXT)")
            made.executemany(
                "INSERT INTO filler VALUES (?, ?)",
                ((i, f"{i:08}" * 100) for i in range(size // 820)),
            )
    return path.read_bytes()


def rows(path: Path) -> dict[int, str]:
    """The rows of such a database."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as made:
        return dict(made.execute("SELECT id, name FROM picture"))


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a folder, but for buckia's own."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".buckia.d" not in path.parts
    }


def trashed(folder: Path) -> dict[str, bytes]:
    """What is in its trash, by path, whatever pull put it there."""
    trash = folder / ".buckia.d/trash"
    return {
        path.relative_to(trash).as_posix().partition("/")[2]: path.read_bytes()
        for path in sorted(trash.rglob("*"))
        if path.is_file()
    }
