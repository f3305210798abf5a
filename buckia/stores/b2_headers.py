"""Headers of objects, between their names in buckia and the file info of B2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from buckia.headers import ALL, META, STORAGE, TYPE
from buckia.model import Headers

SETTABLE: Final = ALL - {STORAGE}
"""B2 has one storage class."""

SHA256: Final = "sha256"
"""The file info that carries our digest of the content."""

LARGE_SHA1: Final = "large_file_sha1"
"""The file info that carries the SHA-1 of a large file, which B2 itself knows by its parts only."""

_NAMES: Final = {
    name: f"b2-{name}" for name in ("cache-control", "content-disposition", "content-encoding")
}
"""File info that comes as a header of its own (Backblaze, "Files", "HTTP headers")."""

Info = dict[str, str]


def to_info(headers: Headers | None) -> Info:
    """The file info that stands for headers; the content type is none of it."""
    named = {name: _NAMES.get(name, name.removeprefix(META)) for name in headers or {}}
    return {named[n]: v for n, v in (headers or {}).items() if named[n] not in (TYPE, STORAGE)}


def of_info(info: Mapping[str, Any]) -> Headers:
    """The headers that file info stands for, those that others have set included."""
    names = {name: own for own, name in _NAMES.items()}
    rest = (n for n in info if not n.startswith("b2-") and n not in (SHA256, LARGE_SHA1))
    known = {own: str(info[name]) for name, own in names.items() if name in info}
    return known | {META + name: str(info[name]) for name in rest}


def changed(info: Mapping[str, Any], old: Headers | None, new: Headers | None) -> Info:
    """File info with new headers in place of old ones; all else stays."""
    gone = to_info(old)
    return {name: str(v) for name, v in info.items() if name not in gone} | to_info(new)


def from_http(told: Mapping[str, str]) -> Info:
    """The file info that a download tells by headers of its own; names in lower case."""
    return {name: told[own] for own, name in _NAMES.items() if own in told}
