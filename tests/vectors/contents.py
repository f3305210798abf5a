"""The contents of the vectors, by rules that any client can follow, and manifests of them."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

KIB: Final = 1024
BLOCK: Final = 64 * KIB
BIG: Final = 20 * BLOCK + 1000
"""Bytes of the files with blocks: twenty and a short one."""

Json = dict[str, Any]


def generated(rule: Mapping[str, Any]) -> bytes:
    """The bytes that a rule stands for, as docs/app-clients.md tells it."""
    if "text" in rule:
        return str(rule["text"]).encode()
    if "base64" in rule:
        return base64.b64decode(rule["base64"])
    size, seed = rule["size"], rule["seed"]
    parts = (hashlib.sha256(f"{seed}:{n}".encode()).digest() for n in range(-(-size // 32)))
    made = bytearray(b"".join(parts)[:size])
    for change in rule.get("changes", ()):
        data = bytes.fromhex(change["hex"])
        made[change["at"] : change["at"] + len(data)] = data
    return bytes(made)


def database(names: list[str]) -> Json:
    """A small database, the same whatever version of SQLite makes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db"
        with closing(sqlite3.connect(path)) as made:
            made.execute("PRAGMA page_size=512")
            with made:
                made.execute("CREATE TABLE picture (id INTEGER PRIMARY KEY, name TEXT)")
                made.executemany("INSERT INTO picture (name) VALUES (?)", [(n,) for n in names])
        data = bytearray(path.read_bytes())
    data[96:100] = (3_040_000).to_bytes(4, "big")  # which version wrote it last
    return {"base64": base64.b64encode(data).decode()}


def _changed(*places: int, size: int = BIG) -> Json:
    return {"seed": "big", "size": size, "changes": [{"at": at, "hex": "ff00ff"} for at in places]}


CONTENTS: Final[dict[str, Json]] = {
    "hello": {"text": "Hello.\n"},
    "hello again": {"text": "Hello again.\n"},
    "mine": {"text": "Mine.\n"},
    "empty": {"text": ""},
    "picture": {"seed": "picture", "size": 3000},
    "other picture": {"seed": "other picture", "size": 3000},
    "big": {"seed": "big", "size": BIG},
    "big, one byte": _changed(5 * BLOCK + 17),
    "big, three runs": _changed(0, BLOCK - 1, 7 * BLOCK, 20 * BLOCK + 500),
    "big, longer": {"seed": "big", "size": BIG + 2 * BLOCK},
    "big, shorter": {"seed": "big", "size": 18 * BLOCK},
    "unlike": {"seed": "unlike", "size": BIG},
    "database a": database(["a.jpg"]),
    "database b": database(["a.jpg", "b.jpg"]),
}


def told(rule: Json) -> Json:
    data = generated(rule)
    return {**rule, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def block_size(size: int) -> int:
    """The block size of a file of at least 1 MiB, by the words of the specification."""
    block = 64 * KIB
    while block * 512 < size:
        block *= 2
    return block


def digests(data: bytes) -> str:
    block = block_size(len(data))
    parts = (data[at : at + block] for at in range(0, len(data), block))
    return base64.b64encode(b"".join(hashlib.sha256(p).digest()[:16] for p in parts)).decode()


def file(path: str, data: bytes) -> Json:
    """A file as a manifest has it."""
    kinds = {"txt": "text/plain", "jpg": "image/jpeg", "sqlite": "application/vnd.sqlite3"}
    kind = kinds.get(path.rpartition(".")[2], "application/octet-stream")
    digest = hashlib.sha256(data).hexdigest()
    made: Json = {"path": path, "size": len(data), "sha256": digest, "type": kind}
    if len(data) >= 1024 * KIB:
        made |= {"block_size": block_size(len(data)), "blocks": digests(data)}
    return made


def manifest(generation: int, files: Mapping[str, str]) -> Json:
    """A manifest of files, by the names of their contents."""
    ordered = sorted(files.items(), key=lambda item: item[0].encode())
    return {
        "format": "buckia.manifest",
        "format_version": "1.0",
        "generation": generation,
        "files": [file(path, generated(CONTENTS[name])) for path, name in ordered],
    }
