"""Files to work with, made quickly, and brought into buckets."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.benchmarks.service import Service


def make_files(root: Path, count: int, size: int, seed: int = 1) -> list[Path]:
    """So many files of random bytes, at most a thousand in a folder."""
    rng = random.Random(seed)
    return [_write(path, rng, size) for path in _paths(root, count)]


_CHUNK: Final = 16 * 1024 * 1024
"""Bytes that are made at once: `Random` makes no more than 256 MiB."""


def _write(path: Path, rng: random.Random, size: int) -> Path:
    with path.open("wb") as file:
        for at in range(0, size, _CHUNK):
            file.write(rng.randbytes(min(_CHUNK, size - at)))
    return path


def _paths(root: Path, count: int) -> Iterator[Path]:
    for number in range(count):
        path = root / f"{number // 1000:04}" / f"image-{number:07}.jpg"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield path


def make_small(files: Iterable[tuple[Path, bytes]]) -> None:
    """Files and their content, in as few steps as there can be."""
    made: set[Path] = set()
    for path, content in files:
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(handle, content)
        os.close(handle)


def change(paths: Iterable[Path], seed: int) -> None:
    """New content for files; another size each time, so that every peer sees the change."""
    rng = random.Random(seed)
    for path in paths:
        path.write_bytes(rng.randbytes(rng.randrange(500, 1500)))


def fill(service: Service, bucket: str, root: Path) -> None:
    """Put the files below a folder into a bucket, as any client would."""
    client = service.server.client

    def put(path: Path) -> None:
        key = path.relative_to(root).as_posix()
        client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, (path for path in root.rglob("*") if path.is_file())))


def age() -> None:
    """Wait until times on disk are old enough to be trusted, and newer ones can be told apart."""
    time.sleep(1.1)
