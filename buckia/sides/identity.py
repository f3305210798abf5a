"""Whose folder, whose bucket: markers that tell this history's sides from any others.

The local marker is this machine's memory of which folder (device and inode) a mapping stood for:
where a disk is not mounted, another folder shows. The bucket's marker is an object named after the
lineage. Markers only ever prove: a missing one is not held against a side, see `safeguards`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Final

from buckia.errors import BuckiaError
from buckia.layout import Layout
from buckia.model import Entry
from buckia.rules import RESERVED_PREFIX
from buckia.stores import files
from buckia.stores.base import Store

FILE: Final = "folders.json"
"""In `.buckia.d/`: folders by lineage and path."""


def object_key(lineage: str) -> str:
    """Where the bucket's marker of a history is."""
    return f"{RESERVED_PREFIX}identity/{lineage}"


def recall(work: Path, root: Path, layout: Layout, remote: Store, lineage: str) -> frozenset[str]:
    """The sides that carry the marker of this history: "local", "remote", both or none."""
    known = set()
    remembered = _read(work)
    if all(remembered.get(name) == seen for name, seen in _folders(root, layout, lineage)):
        known.add("local")
    if remote.head(object_key(lineage)) is not None:
        known.add("remote")
    return frozenset(known)


def mark_folders(work: Path, root: Path, layout: Layout, lineage: str) -> None:
    """Remember which folders the mappings stand for."""
    remembered = _read(work)
    seen = dict(_folders(root, layout, lineage))
    if not seen.items() <= remembered.items():
        text = json.dumps({**remembered, **seen}, indent=1, sort_keys=True)
        with suppress(OSError):
            files.write_atomically(work / FILE, text.encode(), 0o600)


def mark_bucket(remote: Store, lineage: str) -> None:
    """Leave the marker in the bucket, if it is not there yet. A bucket that takes none has none.

    Done once something was overwritten or deleted there: before, a bucket holds content alone.
    """
    try:
        if remote.head(object_key(lineage)) is None:
            remote.put(Entry(object_key(lineage), 0), BytesIO(), replacing=None)
    except BuckiaError:
        return


def _folders(root: Path, layout: Layout, lineage: str) -> Iterable[tuple[str, str]]:
    """Every folder of the layout with what tells it from another: its device and inode."""
    for mapping in layout.mappings:
        if not mapping.single:
            try:
                stat = (root / mapping.path).stat()
            except OSError:
                yield f"{lineage} {mapping.path}", "missing"
            else:
                yield f"{lineage} {mapping.path}", f"{stat.st_dev}:{stat.st_ino}"


def _read(work: Path) -> dict[str, str]:
    try:
        value = json.loads((work / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
