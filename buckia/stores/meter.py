"""Measure bytes as they pass, so that a store can say whether they are the announced ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from buckia.errors import IntegrityError
from buckia.model import DIGESTS, Entry, replace

_NEW: Final = {"sha256": hashlib.sha256, "sha1": hashlib.sha1, "md5": hashlib.md5}
"""By function: `hashlib.new` looks each name up, which for small files costs as much as hashing."""


class Meter:
    """The size and the digests of everything given to `add`. Not for sharing between threads."""

    def __init__(self, names: Iterable[str] = DIGESTS) -> None:
        self.size = 0
        self._hashes = {name: _NEW[name](usedforsecurity=False) for name in names}

    def add(self, chunk: bytes | memoryview) -> None:
        """Count and hash the next bytes."""
        self.size += len(chunk)
        for digest in self._hashes.values():
            digest.update(chunk)

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the bytes so far, by name, in lower-case hexadecimal."""
        return {name: digest.hexdigest() for name, digest in self._hashes.items()}

    def check(self, entry: Entry) -> None:
        """Raise `IntegrityError` unless the bytes are what `entry` announces.

        Digests that the entry leaves open, or that this meter does not keep, are not compared.
        """
        if self.size != entry.size:
            raise IntegrityError(
                f"{entry.key}: {entry.size} bytes were announced and {self.size} came; "
                "the file changed meanwhile; plan again"
            )
        for name, found in self.digests.items():
            announced = getattr(entry, name)
            if announced and announced != found:
                raise IntegrityError(
                    f"{entry.key}: the bytes do not have the announced {name}; "
                    "the file changed meanwhile; plan again"
                )

    def proved(self, entry: Entry) -> Entry:
        """The entry as its bytes prove it. Raises `IntegrityError` when they are others."""
        self.check(entry)
        bare = Entry(entry.key, self.size, type=entry.type, headers=entry.headers)
        return replace(bare, **self.digests)


def announced(entry: Entry) -> set[str]:
    """The names of the digests that an entry announces."""
    return {name for name in DIGESTS if getattr(entry, name)}
