"""JSON documents: read strictly, checked by schema; equal values are written as equal bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from buckia.errors import DocumentError

_PLACES = (Path(__file__).parent / "schemas", Path(__file__).parent.parent / "schemas")
"""Inside an installed wheel, and beside the package in a checkout."""

MAX_BYTES = 2 * 1024**3
"""Larger documents are refused: no plan or lockfile of a real project comes near."""


_CHUNK: Final = 1024 * 1024

_MANY: Final = 10_000
"""Entries whose canonical form, or whose lines, are made at once."""

_ENCODER: Final = msgspec.json.Encoder()


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a document: config, plan, lock, journal."""
    for place in _PLACES:
        path = place / f"{name}.schema.json"
        if path.is_file():
            loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return loaded
    raise FileNotFoundError(f"{name}.schema.json is missing from the installation")


def load(file: BinaryIO, what: str) -> bytes:
    """The bytes of a document. One that is too large is refused, and not read any further."""
    parts: list[bytes] = []
    size = 0
    while part := file.read(_CHUNK):
        parts.append(part)
        size += len(part)
        refuse_size(size, what)
    return b"".join(parts)


def refuse_size(size: int, what: str) -> None:
    """Raise `DocumentError` for a document of more bytes than any real one has."""
    if size > MAX_BYTES:
        raise DocumentError(
            f"{what} is larger than {MAX_BYTES / 1024**3:.2g} GiB and refused; "
            "restore it from a backup"
        )


_ANEW: Final = "restore it from where it came, or have it written anew"


def refuse_damage(data: bytes, what: str) -> None:
    """Raise `DocumentError` for what is plainly no document: nothing, too much, merge markers."""
    if not data.strip():
        raise DocumentError(f"{what} is empty; restore it from version control or a backup")
    refuse_size(len(data), what)
    if b"\n<<<<<<< " in data or data.startswith(b"<<<<<<< "):
        raise DocumentError(
            f"{what} holds git merge markers; take one side whole, say "
            f"`git checkout --theirs -- {what}`"
        )


def parse(data: bytes, what: str) -> dict[str, Any]:
    """JSON text as a dictionary. `what` names the document in errors.

    Raises `DocumentError` for damage, for anything that is not a JSON object, and for duplicate
    keys, which parsers resolve differently and so can show a reviewer a lie.
    """
    refuse_damage(data, what)
    try:
        value = json.loads(data, object_pairs_hook=_no_duplicates)
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as problem:
        raise DocumentError(f"{what} is not valid JSON: {problem}; {_ANEW}") from None
    if not isinstance(value, dict):
        raise DocumentError(f"{what} is not a JSON object; {_ANEW}")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} appears twice in one object")
    return value


def digest(value: object) -> str:
    """`sha256:` over the canonical form of a value: sorted keys, no white space, UTF-8."""
    canonical = msgspec.json.encode(value, order="sorted")
    return "sha256:" + hashlib.sha256(canonical).hexdigest()


def digest_of_many(values: Mapping[str, object]) -> str:
    """The same of a mapping that may be large: its canonical form is never there as a whole."""
    seen = hashlib.sha256(b"{")
    names = sorted(values)
    if names != list(values):
        values = {name: values[name] for name in names}
    items = iter(values.items())
    for at in range(0, len(names), _MANY):
        some = dict(islice(items, _MANY))
        seen.update(b"," if at else b"")
        seen.update(memoryview(msgspec.json.encode(some, order="sorted"))[1:-1])
    seen.update(b"}")
    return "sha256:" + seen.hexdigest()


def render(head: Mapping[str, object], lists: Mapping[str, Iterable[object]]) -> bytes:
    """A document with one line a field and, for `lists`, one line an item. Ends in a newline."""
    lines = [f"{_text(name)}: {_text(value)}" for name, value in head.items()]
    lines += [f"{_text(name)}: {_block(items)}" for name, items in lists.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _block(items: Iterable[object]) -> str:
    body = ",\n".join(_text(item) for item in items)
    return f"[\n{body}\n]" if body else "[]"


def _text(value: object) -> str:
    return escape(msgspec.json.encode(value).decode())


def render_members(members: Mapping[str, object], names: Sequence[str]) -> str:
    """The members of an object in the order of these names, one line each, as `escape` leaves them.

    A lockfile has a line for every file, so they are encoded many at once.
    """
    lines: list[str] = []
    for at in range(0, len(names), _MANY):
        some = names[at : at + _MANY]
        left, right = _lines(some), _lines([members[name] for name in some])
        made = [f"{name}: {value}" for name, value in zip(left, right, strict=True)]
        whole = ",\n".join(made)
        plain = whole.isascii() and "\x7f" not in whole
        lines.append(whole if plain else ",\n".join(map(escape, made)))
    return ",\n".join(lines)


def _lines(values: Sequence[object]) -> list[str]:
    """Each value as JSON, in which no line ever breaks."""
    return _ENCODER.encode_lines(values).decode().split("\n")[: len(values)]


def escape(text: str) -> str:
    """JSON text in which nothing invisible or direction-changing can hide: those as `\\uXXXX`."""
    text = text.replace("\x7f", "\\u007f")  # the one control character that JSON lets through
    if text.isascii() or text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
