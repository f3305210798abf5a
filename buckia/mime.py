"""Content types by file name, the same on every machine: no system table is read."""

from __future__ import annotations

import mimetypes
from functools import cache
from typing import Final

DEFAULT: Final = "application/octet-stream"

_NEWER: Final = {
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".jxl": "image/jxl",
    ".m4a": "audio/mp4",
    ".m4v": "video/x-m4v",
    ".md": "text/markdown",
    ".sqlite": "application/vnd.sqlite3",
    ".wasm": "application/wasm",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
"""Types that not every supported Python's table has (IANA "Media Types")."""


def guess(key: str) -> str:
    """The content type of a key by its ending, `DEFAULT` where that tells nothing."""
    dot = key.rfind(".")
    if dot < 0 or "/" in key[dot:]:
        return DEFAULT
    return _by_ending(key[dot:].lower())


@cache
def _by_ending(ending: str) -> str:
    known = mimetypes.MimeTypes(filenames=()).types_map[True]
    return _NEWER.get(ending) or known.get(ending, DEFAULT)
