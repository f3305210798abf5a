"""Headers of objects, between their names in buckia and those of S3's two clients."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from buckia.headers import META, OWN, STORAGE
from buckia.model import Entry, Headers
from buckia.stores.s3_classes import USUAL

SHA256: Final = "sha256"
"""The user metadata (`x-amz-meta-sha256`) that carries the digest of the content."""

_NAMES: Final = {
    "cache-control": ("CacheControl", "Cache-Control"),
    "content-disposition": ("ContentDisposition", "Content-Disposition"),
    "content-encoding": ("ContentEncoding", "Content-Encoding"),
    STORAGE: ("StorageClass", "Storage-Class"),
}
"""What botocore and obstore call each."""

CLASS: Final = "x-amz-storage-class"
"""The header that tells the storage class."""

_META: Final = "x-amz-meta-"

STAYING: Final = ("ContentLanguage", "Expires", "WebsiteRedirectLocation")
"""What no rule sets, and only a request that names it carries over."""


def for_boto(entry: Entry) -> dict[str, Any]:
    """What an object carries beside its bytes, as botocore wants it."""
    told, found = entry.headers or {}, {}
    if entry.type:
        found["ContentType"] = entry.type
    found |= {name: told[own] for own, (name, _) in _NAMES.items() if own in told}
    return {"Metadata": _metadata(entry), **found}


def to_http(entry: Entry) -> dict[str, str]:
    """The same as headers of a request."""
    told = entry.headers or {}
    found = {CLASS if own == STORAGE else own: told[own] for own in _NAMES if own in told}
    found |= {_META + name: value for name, value in _metadata(entry).items()}
    return found | ({"content-type": entry.type} if entry.type else {})


def of_boto(found: Mapping[str, Any], *, classes: bool = False) -> Headers:
    """What an object carries, from an answer to botocore; `classes` tells the usual one, too."""
    usual = {"StorageClass": USUAL} if classes else {}
    told = {**usual, **found}
    known = {own: told[name] for own, (name, _) in _NAMES.items() if name in told}
    return known | _of_metadata(found.get("Metadata") or {})


def of_obstore(found: Mapping[str, str]) -> Headers:
    """The same from attributes of obstore, which tells no storage class."""
    names = {name: own for own, (_, name) in _NAMES.items()}
    known = {own: found[name] for name, own in names.items() if name in found}
    others = {n: v for n, v in found.items() if n not in names and not n.startswith("Content-")}
    return known | _of_metadata(others)


def of_http(found: Mapping[str, str]) -> Headers:
    """The same from the headers of an answer, whose names are found in any case."""
    names = {own: CLASS if own == STORAGE else own for own in _NAMES}
    known = {own: found[name] for own, name in names.items() if name in found}
    others = {n[len(_META) :]: v for n, v in found.items() if n.lower().startswith(_META)}
    return known | _of_metadata(others)


def sha256_of(found: Mapping[str, Any]) -> str | None:
    """The sha256 that buckia left with an object, from an answer to botocore."""
    told = str((found.get("Metadata") or {}).get(SHA256, ""))
    return told if re.fullmatch("[0-9a-f]{64}", told) else None


def _metadata(entry: Entry) -> dict[str, str]:
    told = entry.headers or {}
    found = {name.removeprefix(META): v for name, v in told.items() if name.startswith(META)}
    return found | ({SHA256: entry.sha256} if entry.sha256 else {})


def _of_metadata(found: Mapping[str, str]) -> Headers:
    return {META + n.lower(): value for n, value in found.items() if n.lower() not in OWN}
