"""documents.json: manifests as they come, and whether a client takes them."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.vectors.contents import CONTENTS, Json, file, generated, manifest


def _with(**changes: Any) -> Json:
    """A manifest of `a` and `b`, the second changed."""
    found = manifest(9, {"a": "hello", "b": "mine"})
    found["files"][1].update(changes)
    return found


def _big(**changes: Any) -> Json:
    return _with(**{**file("b", generated(CONTENTS["big"])), **changes})


_NONE: Final = "A" * 22 + "=="
"""One block digest of zeros."""

REFUSED: Final[dict[str, object]] = {
    "a path that leads out": _with(path="../b"),
    "a path that leads out in the middle": _with(path="x/../../b"),
    "a path with a dot as segment": _with(path="./b"),
    "a path with an empty segment": _with(path="x//b"),
    "a path that ends in a slash": _with(path="b/"),
    "an absolute path": _with(path="/etc/passwd"),
    "a drive": _with(path="c:/b"),
    "a backslash": _with(path="x\\b"),
    "an empty path": _with(path=""),
    "a control character": _with(path="b\x07"),
    "a character that changes the direction": _with(path="b\u202etxt"),
    "a segment that ends in a dot": _with(path="b."),
    "a segment that ends in a space": _with(path="b /c"),
    "a segment that is too long": _with(path="b" * 251),
    "a path that is too long": _with(path="/".join(["b" * 200] * 6)),
    "a device of Windows": _with(path="nul.txt"),
    "the folder of buckia's own state": _with(path=".buckia.d/pull/state.json"),
    "a configuration of buckia": _with(path="x/.buckia"),
    "the manifest itself": _with(path=".buckia-manifest.json"),
    "what an operating system leaves behind": _with(path="x/.DS_Store"),
    "a path that is there twice": _with(path="a"),
    "paths that are not sorted": {**_with(), "files": list(reversed(_with()["files"]))},
    "two paths that differ in case alone": _with(path="A"),
    "a path that is not in normal form C": _with(path="e\u0301"),
    "a path that is a file and a folder": _with(path="a/b"),
    "a companion of any database": _with(path="App.sqlite-wal"),
    "a companion of another file": _with(path="a-wal"),
    "a size below zero": _with(size=-1),
    "a size that is no number": _with(size="1"),
    "a size that is no integer": _with(size=1.5),
    "a digest that is none": _with(sha256="x"),
    "a digest in capitals": _with(sha256="A" * 64),
    "a digest that is missing": _with(sha256=None),
    "one digest for two sizes": _with(sha256=_with()["files"][0]["sha256"]),
    "blocks of another size than the rule's": _big(block_size=131072, blocks=_NONE * 11),
    "blocks of no size": _big(block_size=0),
    "blocks without their size": _big(block_size=None),
    "a size without blocks": _big(blocks=None),
    "too few blocks": _big(blocks=_NONE),
    "blocks that are not base64": _big(blocks="!"),
    "blocks for a small file": _with(block_size=65536, blocks=_NONE),
    "another format": {**_with(), "format": "buckia.lock"},
    "a later format": {**_with(), "format_version": "2.0"},
    "a generation of zero": {**_with(), "generation": 0},
    "no generation": {k: v for k, v in _with().items() if k != "generation"},
    "files that are no list": {**_with(), "files": {}},
    "a list": [],
}
"""Manifests that are refused whole, by what is wrong with them."""

NO_DOCUMENTS: Final = {
    "nothing": "",
    "half a document": '{"format":"buckia.manifest","format_ver',
    "a page of HTML": "<!doctype html><title>Not found</title>",
    "null": "null",
    "a key that is there twice": '{"format":"buckia.manifest","format_version":"1.0",'
    '"generation":1,"generation":2,"files":[]}',
}
"""Texts that are refused."""

ACCEPTED: Final[dict[str, object]] = {
    "the manifest that the refused ones are changed from": _with(),
    "one with blocks": _big(),
    "a large file without blocks": _with(
        **{k: v for k, v in file("b", generated(CONTENTS["big"])).items() if "block" not in k}
    ),
    "fields that are not known": {**_with(later=1), "later": [2]},
    "a later version of the same format": {**_with(), "format_version": "1.7"},
    "no files": {**_with(), "files": []},
    "letters of every script": _with(path="b/\u00e4/\u65e5\u672c/\U0001f600.jpg"),
}


def documents() -> Json:
    """Documents as they come, and whether a client takes them."""
    return {
        "accepted": [{"name": n, "document": _text(value)} for n, value in ACCEPTED.items()],
        "refused": [
            *({"name": n, "document": _text(value)} for n, value in REFUSED.items()),
            *({"name": n, "document": text} for n, text in NO_DOCUMENTS.items()),
        ],
    }


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
