"""What listings told of storage classes, so that nobody has to ask before an object is copied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

USUAL: Final = "STANDARD"
"""The storage class of an object that tells none (Amazon S3 API reference, HeadObject)."""


class Classes:
    """The storage classes of one bucket's objects, as far as listings told them all.

    Nearly all objects have the usual one, so only the others are kept. Keys and prefixes are the
    bucket's own. Safe for many threads.
    """

    def __init__(self) -> None:
        self._others: dict[str, str] = {}
        self._listed: set[str] = set()
        self._seen: set[str] = set()
        self._silent = False

    def learn(self, keys: Iterable[str], others: Mapping[str, str] | None) -> None:
        """Take in a page: its keys, and those of them whose class is not the usual one; None where
        the service did not tell the class of each."""
        if others is None:
            self._silent = True
            return
        if self._others:
            for key in keys:
                self._others.pop(key, None)
        self._others |= others

    def finish(self, prefix: str) -> None:
        """A listing of all below `prefix` has come to its end."""
        self._listed.add(prefix)

    def see(self, keys: Iterable[str]) -> None:
        """Pages that were taken in had all there is of these keys."""
        self._seen.update(keys)

    def of(self, key: str) -> str | None:
        """The class of an object that was in a listing; None where it is not known."""
        if self._silent or not (key in self._seen or any(map(key.startswith, self._listed))):
            return None
        return self._others.get(key, USUAL)
