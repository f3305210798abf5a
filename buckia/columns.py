"""What is as the last apply left it, held in columns: most keys of most plans. Pure.

A million files that nobody touched need no million entries. Of each of them a side keeps a time, at
the number of its key; the rest is what the lockfile knows. An entry is held so only if it is made
again just as it was, so nobody can tell the difference.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress
from operator import and_
from typing import Final

from buckia.model import Base, Entry

_ABSENT: Final = -(2**63)
_LATEST: Final = 2**63 - 1


class Plain:
    """Files as the lockfile knows them that are nothing but bytes under their usual name, whose
    token is an md5: the number of each key, and by it size, sha256 and token.

    The token is what a listing tells as md5. Of the local file that says nothing, if some service
    gives tokens that only look so: a file is known by its sha256 alone.
    """

    __slots__ = ("numbers", "sha256", "sizes", "tokens")

    def __init__(
        self, keys: Sequence[str], sizes: array[int], sha256: Sequence[str], tokens: Sequence[str]
    ) -> None:
        self.numbers = {key: number for number, key in enumerate(keys)}
        self.sizes = sizes
        self.sha256 = sha256
        self.tokens = tokens

    def __len__(self) -> int:
        return len(self.tokens)

    def read(
        self, path_of: Callable[[str], str | None], key: str, number: int, modified: int
    ) -> Entry:
        """The local file as its sha256 tells of it."""
        size, sha256, path = self.sizes[number], self.sha256[number], path_of(key)
        return Entry(key, size, sha256, None, None, None, sha256, modified, None, path)

    def listed(self, key: str, number: int, modified: int) -> Entry:
        """The object as a listing tells of it."""
        token = self.tokens[number]
        return Entry(key, self.sizes[number], None, token, None, None, token, modified)


Make = Callable[[str, int, int], Entry]
"""The entry of a key with this number and time."""


class Entries(Mapping[str, Entry]):
    """All entries of one side: those that `plain` and a time tell, by `make`, and the `loose`."""

    __slots__ = ("loose", "make", "plain", "times")

    def __init__(self, plain: Plain, make: Make) -> None:
        self.plain = plain
        self.make = make
        self.loose: dict[str, Entry] = {}
        self.times = array("q", [_ABSENT]) * len(plain)

    def hold(self, entry: Entry) -> bool:
        """Take an entry in if it is as `plain` has it; whether it is."""
        key, time = entry.key, entry.modified
        number = self.plain.numbers.get(key)
        if number is None or time is None or not _ABSENT < time < _LATEST:
            return False
        same = self.make(key, number, time) == entry
        if same:
            self.times[number] = time
        return same

    def hold_file(self, key: str, size: int, sha256: str, modified: int) -> bool:
        """The same of a plain file under its usual name, of which no entry is made."""
        number = self.plain.numbers.get(key)
        if number is None or self.plain.sha256[number] != sha256:
            return False
        return self._hold(number, size, modified)

    def hold_object(self, key: str, size: int, md5: str | None, modified: int) -> bool:
        """The same of an object whose token is its md5, of which no entry is made."""
        number = self.plain.numbers.get(key)
        if number is None or self.plain.tokens[number] != md5:
            return False
        return self._hold(number, size, modified)

    def _hold(self, number: int, size: int, modified: int) -> bool:
        if self.plain.sizes[number] != size or not _ABSENT < modified < _LATEST:
            return False
        self.times[number] = modified
        return True

    def discard(self, key: str) -> None:
        """Forget an entry that is as `plain` has it."""
        self.times[self.plain.numbers[key]] = _ABSENT

    def steady(self) -> Iterator[str]:
        """The keys of those that are as `plain` has them."""
        return compress(self.plain.numbers, map(_ABSENT.__ne__, self.times))

    def is_steady(self, key: str) -> bool:
        """Whether the entry at a key is as `plain` has it."""
        number = self.plain.numbers.get(key)
        return number is not None and self.times[number] != _ABSENT

    def __getitem__(self, key: str) -> Entry:
        if (entry := self.loose.get(key)) is not None:
            return entry
        number = self.plain.numbers[key]
        if (time := self.times[number]) == _ABSENT:
            raise KeyError(key)
        return self.make(key, number, time)

    def __contains__(self, key: object) -> bool:
        return key in self.loose or (isinstance(key, str) and self.is_steady(key))

    def __iter__(self) -> Iterator[str]:
        yield from self.loose
        yield from self.steady()

    def __len__(self) -> int:
        return len(self.loose) + len(self.times) - self.times.count(_ABSENT)


def loose(entries: Mapping[str, Entry]) -> Mapping[str, Entry]:
    """The entries of a side without those that are as the lockfile has plain files."""
    return entries.loose if isinstance(entries, Entries) else entries


def amended(entries: Mapping[str, Entry], found: Mapping[str, Entry]) -> Mapping[str, Entry]:
    """The same entries with these in place of what was at their keys."""
    if not isinstance(entries, Entries):
        return {**entries, **found}
    new = Entries(entries.plain, entries.make)
    new.loose, new.times = {**entries.loose, **found}, entries.times[:]
    for key in filter(entries.is_steady, found):
        new.discard(key)
    return new


def not_plain(base: Base, entries: Mapping[str, Entry]) -> Iterator[str]:
    """The keys of base that may be more than bytes: databases, say."""
    known = entries.plain.numbers if isinstance(entries, Entries) else {}
    return (key for key in base if key not in known)


def unsettled(
    local: Mapping[str, Entry], base: Base, remote: Mapping[str, Entry]
) -> list[str] | None:
    """The keys that have to be compared one by one; None: all. At the others both sides and base
    are the same plain file, about which `reconcile` decides nothing.

    While base knows anything, so does what is left of it: without a base nothing is ever deleted.
    """
    if not (isinstance(local, Entries) and isinstance(remote, Entries)):
        return None
    numbers, mine, theirs = local.plain.numbers, local.times, remote.times
    found = [
        key
        for key, here, there in zip(numbers, mine, theirs, strict=True)
        if here == _ABSENT or there == _ABSENT
    ]
    rest = {*local.loose, *remote.loose, *found, *not_plain(base, local)}
    if numbers and not any(key in base for key in rest):
        rest.add(next(iter(numbers)))
    return list(rest)


def count(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> int:
    """How many keys two sides have together."""
    return len(one) + sum(1 for _ in missing(other, one))


def missing(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> Iterator[str]:
    """The keys of one side that the other has not."""
    if isinstance(one, Entries) and isinstance(other, Entries) and one.plain is other.plain:
        yield from (key for key in one.loose if key not in other)
        yield from (key for key in steady_only(one, other) if key not in other.loose)
    else:
        yield from (key for key in one if key not in other)


def steady_only(one: Entries, other: Entries) -> Iterator[str]:
    """The keys of what is as `plain` has it on one side and not on the other."""
    here, there = map(_ABSENT.__ne__, one.times), map(_ABSENT.__eq__, other.times)
    return compress(one.plain.numbers, map(and_, here, there))
