"""What a walk finds, put together as the entries of a side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from buckia.columns import Entries, Plain
from buckia.model import Entry
from buckia.stores.hashing import Digests
from buckia.stores.paths import Paths
from buckia.stores.tree import Found


class Gathered:
    """The entries of a folder; what is as `plain` has it is held so.

    `twice` says that two files have one key, as far as both could be read. Files that lie where the
    layout would put their keys have one each, so only the others are remembered to tell.
    """

    def __init__(self, plain: Plain | None, paths: Paths) -> None:
        self._paths = paths
        self._steady = Entries(plain, partial(plain.read, paths.usual)) if plain else None
        self._whole: dict[str, Entry] = {}
        self._unusual: dict[str, str] = {}
        self.twice = False

    def passing(self, found: Iterable[Found]) -> Iterator[Found]:
        """The same files, with their paths remembered."""
        for file in found:
            if not self._paths.remember(file.key, file.path):
                self.twice |= self._unusual.setdefault(file.key, file.path) != file.path
            yield file

    def hold(self, file: Found, known: Digests) -> bool:
        """Whether a file is as `plain` has it; then it is held so."""
        steady, key = self._steady, file.key
        if steady is None or known.logical is not None or known.sha1 is not None:
            return False
        if self._unusual and key in self._unusual:
            return False
        time = file.stat.st_mtime_ns
        if not steady.hold_file(key, known.size, known.sha256, time):
            return False
        self.twice |= key in self._whole
        return True

    def take(self, entry: Entry) -> None:
        """What a file holds."""
        key, steady = entry.key, self._steady
        if steady is not None and steady.hold(entry):
            self.twice |= key in self._whole
            return
        there = self._whole.setdefault(key, entry)
        self.twice |= there.path != entry.path or (steady is not None and steady.is_steady(key))
        self._whole[key] = entry

    @property
    def unusual(self) -> bool:
        """Whether some file does not lie where the layout would put its key."""
        return bool(self._unusual)

    def entries(self) -> Mapping[str, Entry]:
        """All of them, those that are whole in the order of their keys."""
        ordered = {key: self._whole[key] for key in sorted(self._whole)}  # and so by bytes
        if self._steady is None:
            return ordered
        self._steady.loose = ordered
        return self._steady
