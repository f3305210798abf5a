"""The logical hash: one short name for everything a database says, however its pages lie."""

# ruff: noqa: S608 - a name cannot be a parameter: each one in a query went through `quote`

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import msgpack

from buckia.sqlite.file import connect, has_null, primary_code, quote, reported

if TYPE_CHECKING:
    from hashlib import _Hash

Encode = Callable[[object], bytes]

_CHUNK: Final = 1 << 20  # bytes
_COUNTERS: Final = ((18, 20), (24, 28), (40, 44), (92, 100))
_NOT_UTF8: Final = 1
_SCHEMA: Final = """
    SELECT type, name, tbl_name, sql, rootpage FROM sqlite_master
    WHERE sql IS NOT NULL AND tbl_name NOT GLOB 'sqlite_stat[0-9]' ORDER BY type, name, tbl_name"""


def logical_hash(snapshot: Path) -> str:
    """Name the content of a snapshot: schema, rows, user_version, application_id and encoding.

    Two databases of one name hold the same data, however they came by it: VACUUM, ANALYZE, page
    size and the order of writes make no difference, nor does the rowid of a table without an
    INTEGER PRIMARY KEY, which VACUUM may change (sqlite.org/lang_vacuum.html).

    `rows:` and 64 hexadecimal digits: SHA-256 over MessagePack (msgpack.org), which types every
    value and prefixes its length; a row is an array. A virtual table counts by its shadow tables.
    `pages:` and 64 digits where the rows cannot be read without the program that wrote them; then
    VACUUM and page size do make a difference. Raises LocalError when the file cannot be read.
    """
    with reported(snapshot):
        with closing(connect(snapshot, "ro")) as database:
            try:
                return f"rows:{_hash_rows(database)}"
            except sqlite3.OperationalError as error:
                if primary_code(error) != sqlite3.SQLITE_ERROR:
                    raise
        return f"pages:{_hash_pages(snapshot)}"


def _hash_rows(database: sqlite3.Connection) -> str:
    """The digest of all that counts as content: settings, schema, then table by table."""
    encode = msgpack.Encoder().encode
    digest = hashlib.sha256()
    for pragma in ("encoding", "user_version", "application_id"):
        digest.update(encode(database.execute(f"PRAGMA {pragma}").fetchone()))
    schema = database.execute(_SCHEMA).fetchall()
    for *item, _ in schema:
        digest.update(encode(item))
    for kind, name, _, _, root in schema:
        if kind == "table" and root:
            digest.update(encode(name))
            digest = _hash_table(database, _ordered_rows(database, name), digest, encode)
    return digest.hexdigest()


def _hash_table(database: sqlite3.Connection, query: str, digest: _Hash, encode: Encode) -> _Hash:
    """The digest, grown by all rows of a table."""
    grown = digest.copy()
    try:
        for row in database.execute(query):
            grown.update(encode(row))
    except sqlite3.OperationalError as error:
        if primary_code(error) is not None:
            raise
    else:
        return grown
    database.text_factory = _text_or_bytes
    for row in database.execute(query):
        digest.update(encode(row))
    database.text_factory = str
    return digest


def _text_or_bytes(value: bytes) -> str | msgpack.Ext:
    """Text as it is stored, which need not be UTF-8, but is not a blob either."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return msgpack.Ext(_NOT_UTF8, value)


def _ordered_rows(database: sqlite3.Connection, table: str) -> str:
    """A query for all stored columns of a table in an order that only content decides.

    A primary key without NULL decides alone. Otherwise all columns do, and their types, because
    1 and 1.0 sort as equals. `COLLATE BINARY`, because two collations must not mean two orders.
    """
    columns = database.execute(
        "SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid", (table,)
    ).fetchall()
    names = [quote(name) for name, _ in columns]
    keys = [quote(name) for name, rank in sorted(columns, key=lambda c: c[1]) if rank]
    if not keys or has_null(database, quote(table), keys):
        order = [f"{name} COLLATE BINARY" for name in names] + [f"typeof({n})" for n in names]
    else:
        order = [f"{name} COLLATE BINARY" for name in keys]
    return f"SELECT {', '.join(names)} FROM {quote(table)} ORDER BY {', '.join(order)}"


def _hash_pages(snapshot: Path) -> str:
    """The digest of the bytes, but for the counters every write moves (fileformat2.html, 1.3)."""
    with snapshot.open("rb") as file:
        first = bytearray(file.read(100))
        for start, end in _COUNTERS:
            first[start:end] = bytes(end - start)
        digest = hashlib.sha256(first)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
