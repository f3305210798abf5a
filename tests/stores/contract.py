"""What the clauses of the contract share: honest writers, hostile streams, races, claims."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from buckia.errors import PreconditionError
from buckia.model import Entry
from buckia.stores.base import Store

Made = TypeVar("Made")

Claims = Callable[[str], bool]
"""Asks whether the store claims a capability. The answer goes into the table of clauses, so that a
clause that expects less of a store says so there."""

LARGE = bytes(range(256)) * (12 * 1024 * 4)
"""12 MiB: three parts of a multipart upload where there are such things."""

OTHER = b"\xff" * len(LARGE)
"""As large, and different in every part."""

UNICODE = ("Grüße/日本語.txt", "emoji-🎈", "a b+c%20&d=e?f#g", "quote'\"<x>&amp;", "é")
HOSTILE = (
    "/lead",
    "end/",
    "a//b",
    "../up",
    "x/../y",
    "./here",
    "x/./y",
    ".",
    "tab\there",
    "line\nbreak",
    "back\\slash",
    "%2e%2e/coded",
    "a%2Fb",
    " space ",
    "CON",
    "e\u0301",
    "del\x7f",
)


def entry_for(key: str, data: bytes, kind: str | None = None) -> Entry:
    """What an honest caller announces."""
    return Entry(key, len(data), sha256=hashlib.sha256(data).hexdigest(), type=kind)


def write(store: Store, key: str, data: bytes, replacing: Entry | None = None) -> Entry:
    """Put bytes honestly announced."""
    return store.put(entry_for(key, data), io.BytesIO(data), replacing=replacing)


def read(store: Store, entry: Entry) -> bytes:
    """The bytes of one version."""
    with store.open(entry) as body:
        return body.read()


def content(store: Store, key: str) -> bytes | None:
    """What is at a key now."""
    entry = store.head(key)
    return None if entry is None else read(store, entry)


def listed(store: Store, prefix: str = "") -> list[str]:
    """The keys of a listing, in its order."""
    return [entry.key for entry in store.entries(prefix)]


def race(count: int, step: Callable[[int], Made]) -> list[Made | PreconditionError]:
    """Run a step in many threads at once; a lost race is a result."""

    def run(number: int) -> Made | PreconditionError:
        try:
            return step(number)
        except PreconditionError as lost:
            return lost

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


class Trickle(io.RawIOBase):
    """A stream that cannot seek and gives at most `step` bytes a read."""

    def __init__(self, data: bytes, step: int) -> None:
        self._rest = memoryview(data)
        self._step = step

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer)  # type: ignore[arg-type]
        size = min(self._step, len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class Broken(io.RawIOBase):
    """A stream that fails after its first bytes."""

    def __init__(self, data: bytes) -> None:
        self._chunks = [data]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        if not self._chunks:
            raise OSError("the disk is gone")
        chunk = self._chunks.pop()
        memoryview(buffer)[: len(chunk)] = chunk  # type: ignore[arg-type]
        return len(chunk)
