"""Buckets in memory that tell what those of the S3 family tell, and no more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from io import BytesIO
from typing import BinaryIO

from buckia.model import Entry, replace
from buckia.stores.base import Capabilities, Hold
from buckia.stores.memory import MemoryStore


def not_held(entries: Iterator[Entry], hold: Hold | None) -> Iterator[Entry]:
    """Entries without those that are taken as S3 tells of them: none that tells more, or less."""
    for entry in entries:
        known = (entry.key, entry.size, entry.md5 or "", entry.modified or 0)
        told = Entry(*known[:2], md5=entry.md5, version=entry.md5, modified=entry.modified)
        if not (hold and entry == told and entry.md5 and hold(*known)):
            yield entry


class Etags(MemoryStore):
    """A bucket that tells what S3 tells: md5s as tokens, and little else in a listing."""

    @property
    def capabilities(self) -> Capabilities:
        """Listings have md5s."""
        return replace(super().capabilities, digests=frozenset({"md5"}))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Without digests that S3 does not list, types and headers."""
        for entry in super().entries(prefix):
            yield replace(entry, sha256=None, sha1=None, type=None, headers=None)

    def ranged(
        self, prefix: str, known: Iterable[str], hold: Hold | None = None
    ) -> Iterator[Entry]:
        """The same, but for what is taken as it is."""
        return not_held(self.entries(prefix), hold)

    def put_again(self, key: str, data: bytes) -> Entry:
        """Change an object behind buckia's back."""
        return self.put(Entry(key, len(data)), BytesIO(data), replacing=self.head(key))

    def _write(self, entry: Entry, data: bytes, replacing: Entry | None) -> Entry:
        written = super()._write(entry, data, replacing)
        told = replace(written, version=written.md5)
        self._objects[entry.key] = (told, data)
        return told


class Foreign(Etags):
    """One whose objects were put there by others: nobody left a sha256 with them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.opened: list[str] = []

    def head(self, key: str) -> Entry | None:
        """What a listing tells, and headers."""
        self.asked.append(key)
        found = super().head(key)
        return replace(found, sha256=None, sha1=None) if found else None

    def open(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        """The bytes; who asked for them is remembered."""
        self.opened.append(entry.key)
        return super().open(entry)


class Rewriting(Foreign):
    """One whose tokens are new with every writing, whatever is written."""

    def _write(self, entry: Entry, data: bytes, replacing: Entry | None) -> Entry:
        written = MemoryStore._write(self, entry, data, replacing)
        told = replace(written, version=f"{written.md5}-{written.version}")
        self._objects[entry.key] = (told, data)
        return told


class Disguised(Foreign):
    """One whose tokens look like md5s and are none, as where a service encrypts. It is not known
    for that while it is `believed`."""

    believed = False

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """With their tokens as md5s, or without any."""
        return map(self._shown, super().entries(prefix))

    def head(self, key: str) -> Entry | None:
        """The same of one."""
        found = super().head(key)
        return self._shown(found) if found else None

    def _shown(self, entry: Entry) -> Entry:
        return replace(entry, md5=entry.version if self.believed else None)

    def _write(self, entry: Entry, data: bytes, replacing: Entry | None) -> Entry:
        written = MemoryStore._write(self, entry, data, replacing)
        token = hashlib.md5(f"{written.version}".encode() + data).hexdigest()
        told = replace(written, version=token, md5=None)
        self._objects[entry.key] = (told, data)
        return told
