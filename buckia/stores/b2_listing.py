"""What B2 tells of an object, and the listing: complete, or it raises."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from buckia.errors import StoreError
from buckia.model import Entry
from buckia.stores.b2_errors import persist, shown
from buckia.stores.b2_headers import LARGE_SHA1, SHA256, from_http, of_info
from buckia.stores.b2_session import Account

_NOT_OBJECTS: Final = {"hide", "start", "folder"}

_IMPOSSIBLE: Final = re.compile(r"[\x00-\x1f\x7f\\]|^/|/$|//|(^|/)\.\.?(/|$)|[\ud800-\udfff]")
"""What no name may contain (Backblaze, "Files"). `.` and `..` it may, but HTTP clients on the way
resolve them, and another object would answer."""

_LONGEST_NAME, _LONGEST_SEGMENT = 1024, 250
"""Bytes of UTF-8."""


def check_name(name: str, place: str) -> None:
    """Raise `StoreError` for a name that B2 cannot hold or that cannot be asked for."""
    if not name or _IMPOSSIBLE.search(name):
        raise StoreError(f"{place}: B2 cannot hold this name; rename the file")
    longest = max(len(segment.encode()) for segment in name.split("/"))
    if len(name.encode()) > _LONGEST_NAME or longest > _LONGEST_SEGMENT:
        raise StoreError(f"{place}: the name is too long for B2; rename the file")


def list_objects(account: Account, prefix: str) -> Iterator[tuple[str, Entry]]:
    """Every object below `prefix`, by its name; the entry's key is the name, too."""
    place = f"listing of {account.place}"
    account.need("listFiles", prefix)
    start, last = "", b""
    while True:
        names = persist(partial(_fetch, account, prefix, start), place)
        for fields in names["files"]:
            name = _name(fields, place)
            if name <= last or not name.startswith(prefix.encode()):
                raise StoreError(
                    f"{place}: names out of order or out of place; nothing was used; look for a "
                    "proxy"
                )
            last = name
            if fields.get("action") not in _NOT_OBJECTS:
                yield fields["fileName"], entry_of(fields, place)
        if names.get("nextFileName") is None:
            return
        if names["nextFileName"].encode() <= max(last, start.encode()):
            raise StoreError(
                f"{place}: the service repeats itself; nothing was used; look for a proxy"
            )
        start = names["nextFileName"]


def _fetch(account: Account, prefix: str, start: str) -> Any:
    """One page. Each thousand names are billed as one more request."""
    names = account.session.list_file_names(
        account.bucket_id, start or None, account.options.page_size, prefix or None
    )
    account.traffic.listed(len(names["files"]))
    return names


def _name(fields: Mapping[str, Any], place: str) -> bytes:
    name = fields.get("fileName")
    if not isinstance(name, str):
        raise StoreError(f"{place}: an object without a name; nothing was used; look for a proxy")
    return name.encode("utf-8", "surrogatepass")


def entry_of(fields: Mapping[str, Any], place: str) -> Entry:
    """An object from the fields of an answer; its key is the whole name.

    Raises `StoreError` where they tell too little to know the object again.
    """
    name, info = fields.get("fileName", ""), fields.get("fileInfo") or {}
    size, version, stamp = (fields.get(n) for n in ("contentLength", "fileId", "uploadTimestamp"))
    if not version or not isinstance(size, int) or size < 0 or not isinstance(stamp, int):
        raise StoreError(f"{place}: {shown(name)} has no file id, size or time; look for a proxy")
    return Entry(
        name,
        size,
        sha256=_hex(info.get(SHA256), 64),
        # "none" and "unverified:..." are no proof, so neither counts.
        sha1=_hex(fields.get("contentSha1"), 40) or _hex(info.get(LARGE_SHA1), 40),
        version=version,
        modified=stamp * 1_000_000,
        type=fields.get("contentType"),
        headers=of_info(info),
    )


def entry_of_headers(headers: Mapping[str, str], place: str) -> Entry:
    """An object from the headers of a download or of a look at it."""
    mark = "x-bz-info-"
    told = {name.lower(): value for name, value in headers.items()}
    info = {n.removeprefix(mark): unquote(v) for n, v in told.items() if n.startswith(mark)}
    numbers = {"contentLength": "content-length", "uploadTimestamp": "x-bz-upload-timestamp"}
    return entry_of(
        {
            "fileName": unquote(told.get("x-bz-file-name", "")),
            "fileId": told.get("x-bz-file-id"),
            "contentSha1": told.get("x-bz-content-sha1"),
            "contentType": told.get("content-type"),
            "fileInfo": {**from_http(told), **info},
            **{field: _number(told.get(name)) for field, name in numbers.items()},
        },
        place,
    )


def _hex(value: object, length: int) -> str | None:
    """A digest in lower case, if it is one."""
    text = value.lower() if isinstance(value, str) else ""
    return text if re.fullmatch(f"[0-9a-f]{{{length}}}", text) else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
