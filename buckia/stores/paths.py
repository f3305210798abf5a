"""Where the files of a folder tree are: from key to path, and on the way through no link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from buckia.errors import LocalError, StoreError
from buckia.layout import Layout, refuse_key


class Paths:
    """The paths of a layout below `root`, with the spellings that a disk has of its own.

    `told` are spellings by key. Only those count that are a file of this layout with this key:
    lockfiles and plans are written by others too.
    """

    def __init__(self, root: Path, layout: Layout, told: Mapping[str, str]) -> None:
        self.root = root
        self.layout = layout
        self._spelt = {key: path for key, path in told.items() if self._spells(path, key)}

    def _spells(self, path: str, key: str) -> bool:
        return refuse_key(key) is None and any(
            mapping.key_of(path) == key for mapping in self.layout.mappings
        )

    def remember(self, found: Iterable[tuple[str, str]]) -> None:
        """Take these paths for these keys from now on."""
        self._spelt.update(found)

    def of(self, key: str) -> str:
        """The path of a key relative to the root. `StoreError` for a key that can have none."""
        if key in self._spelt:
            return self._spelt[key]
        path = self.layout.path_of(key)
        if path is None or (why := refuse_key(key)):
            raise StoreError(f"the key {key!r} {why if path else 'maps to no local path'}; skipped")
        return path

    def full(self, path: str) -> Path:
        """The absolute path, proved to lead through no link below its mapping."""
        full, parts = self.way(path)
        for part in parts:
            full = full / part
            if full.is_symlink():
                raise LocalError(f"{path}: its folder {full.name!r} is a symbolic link; refused")
        return self.root / path

    def way(self, path: str) -> tuple[Path, tuple[str, ...]]:
        """The folder of a path's mapping, which may be a link, and the way on from there."""
        start = max(
            (m.path for m in self.layout.mappings if path.startswith(m.path) and not m.single),
            key=len,
            default="",
        )
        return self.root / start, Path(path[len(start) :]).parent.parts
