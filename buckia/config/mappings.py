"""Which local path is which key of a bucket: `folders`, `paths`, `files`, `upload_files`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from buckia.layout import Mapping, clean
from buckia.model import Direction

if TYPE_CHECKING:
    from buckia.config import BucketConfig


def mappings(bucket: BucketConfig) -> Iterator[Mapping]:
    """The mappings of a bucket: folders in their order, then single files."""
    alone = not bucket.files and not bucket.upload_files
    direction = Direction.BOTH
    for entry in bucket.paths or (("./",) if alone else ()):
        said = {"path": entry} if isinstance(entry, str) else entry
        yield Mapping(
            path=slashed(said["path"]),
            prefix=slashed(said.get("prefix", "")),
            direction=Direction(said.get("direction", direction)),
            folders=() if "prefix" in said else tuple(f.rstrip("/") for f in bucket.folders),
        )
        direction = Direction.UPLOAD
    for path, key in bucket.files.items():
        yield Mapping(clean(path), key, Direction.BOTH, single=True)
    for path, key in bucket.upload_files.items():
        yield Mapping(clean(path), key, Direction.UPLOAD, single=True)


def slashed(path: str) -> str:
    """A folder as keys begin with it; nothing for the root."""
    return f"{bare}/" if (bare := clean(path)) else ""


def told(place: Mapping) -> dict[str, Any]:
    """A mapping as plain data."""
    return {
        "path": place.path,
        "prefix": place.prefix,
        "direction": place.direction.value,
        "single": place.single,
        "folders": sorted(place.folders),
    }
