"""Names that have broken other programs: as keys of a bucket, and as files on a disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

REFUSED: Final[dict[str, str]] = {
    "parent": "..",
    "parent of a file": "../escaped.txt",
    "parent twice": "a/../../escaped.txt",
    "parent in the middle": "a/../b",
    "parent at the end": "a/..",
    "many parents": "../" * 40 + "etc/passwd",
    "itself": ".",
    "itself first": "./a",
    "itself in the middle": "a/./b",
    "slash": "/",
    "absolute": "/etc/passwd",
    "absolute twice": "//server/share",
    "empty segment": "a//b",
    "trailing slash": "a/",
    "backslash": "a\\b",
    "parent with backslash": "..\\escaped.txt",
    "drive with backslash": "C:\\Windows\\x",
    "drive with slash": "C:/Windows/x",
    "unc": "\\\\server\\share\\x",
    "device namespace": "\\\\?\\C:\\x",
    "nul": "a\0b",
    "nul before an extension": "page.html\0.jpg",
    "newline": "a\nb",
    "carriage return": "report.pdf\rtxt.exe",
    "tab": "a\tb",
    "bell": "a\x07b",
    "delete": "a\x7f",
    "escape sequence": "\x1b[2J\x1b[31mred",
    "terminal title": "\x1b]0;owned\x07",
    "one byte escape sequence": "\x9b2Ja",
    "next line": "a\x85b",
    "right to left override": "gnp.\u202etxt.exe",
    "isolate": "a\u2066b\u2069",
    "right to left mark": "a\u200fb",
    "zero width space": "a\u200bb",
    "byte order mark": "\ufeffa",
    "line separator": "a\u2028b",
    "decomposed": "cafe\u0301.txt",
    "compatibility sign": "\u212bngstrom",
    "reserved": "CON",
    "reserved with extension": "CON.txt",
    "reserved folder": "a/aux/b",
    "reserved with a dot": "aux.",
    "reserved port": "com1.log",
    "reserved superscript": "COM\u00b9",
    "trailing dot": "a.",
    "trailing space": "a ",
    "leading space": " a",
    "three dots": "...",
    "folder with a trailing dot": "a./b",
    "1025 bytes": "k/" * 512 + "k",
    "segment of 251 bytes": "x" * 251,
    "segment of 252 bytes in two-byte letters": "\u00e9" * 126,
    "segment of 255 bytes": "n" * 255,
    "half a character": "a\ud800",
    "not utf-8": os.fsdecode(b"caf\xe9.txt"),
}
"""By what is wrong with them: never a file, always reported."""

ALLOWED: Final[dict[str, str]] = {
    "option": "-rf",
    "long option": "--delete",
    "command substitution": "$(touch x)",
    "backticks": "`id`",
    "end of a command": "a; rm -rf x",
    "pipe": "a | sh",
    "variable": "$HOME",
    "home": "~",
    "home of a user": "~user/x",
    "percent parent": "%2e%2e/%2e%2e",
    "percent slash": "a%2fb",
    "percent nul": "a%00b",
    "question mark": "a?versionId=null",
    "hash": "a#b",
    "plus and space": "a+b c",
    "ampersand": "a&b=c",
    "markup of rich": "[bold red]a[/bold red]",
    "link of rich": "[link=mailto:x@example.org]a[/link]",
    "emoji of rich": ":pile_of_poo:",
    "markdown": "**a** | b ](mailto:x@example.org)",
    "html": "<img src=x onerror=alert(1)>",
    "closing tag": "<b>a<",
    "quotes": "\"a' b",
    "braces": "{0}{key}%s",
    "prototype": "__proto__",
    "constructor": "constructor/prototype",
    "colon": "a:b",
    "stream": "file.txt:stream",
    "colon in a folder": "x/c:y",
    "star": "*",
    "glob": "[a-z]?*",
    "hidden": ".hidden",
    "two dots first": "..a",
    "dots inside": "a...b",
    "reserved inside": "console/nuls/com10",
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467.png",
    "composed": "caf\u00e9.txt",
    "japanese": "\u65e5\u672c\u8a9e/\u30c6\u30b9\u30c8",
    "right to left letters": "\u05d0\u05d1\u05d2/\u0645",
    "turkish": "\u0130stanbul \u0131",
    "no-break space": "a\u00a0b",
    "segment of 250 bytes": "m" * 250,
    "1024 bytes": "d/" * 500 + "e" * 24,
    "very deep": "f/" * 100 + "g",
    "number": "0",
    "json": '{"key": null}',
    "yaml": "!!python/object",
}
"""Odd, and nobody's fault: they travel as they are."""

OWN: Final[dict[str, str]] = {
    "own folder": ".buckia.d/trash/x",
    "own objects": ".buckia/x",
    "own lockfile": ".buckia.lock",
    "own configuration": ".buckia",
    "own temporary file": "a/.buckia.0123456789abcdef",
    "litter": "a/.DS_Store",
    "sidecar": "App.sqlite-wal",
}
"""Nobody's content: in no plan."""

HOSTILE: Final = {**REFUSED, **ALLOWED, **OWN}


@dataclass(frozen=True)
class Pair:
    """Two names that some disk cannot hold both of."""

    one: str
    other: str


PAIRS: Final = {
    "case": Pair("Readme.md", "README.md"),
    "case of a folder": Pair("p/a", "P/a"),
    "sharp s": Pair("stra\u00dfe", "STRASSE"),
    "file and folder": Pair("q", "q/r"),
    "file and deep folder": Pair("s/t", "s/t/u/v"),
}
"""Both in one place: neither is brought where the other is."""
