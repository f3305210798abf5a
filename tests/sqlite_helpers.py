"""Databases to test with, and other programs that use them at the same time."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

from buckia.sqlite import logical_hash, replace, snapshot
from buckia.sqlite import replacement as sqlite_replacement
from buckia.sqlite.file import connect

Rows = list[tuple[Any, ...]]
Run = Callable[[str], Any]
Keep = Callable[[Path], None]

OTHERS = multiprocessing.get_context("forkserver")
"""Makes other processes, each a copy of one that has loaded this module and has no threads."""
OTHERS.set_forkserver_preload([__name__])


def sql(path: Path, *statements: str) -> Rows:
    """Run statements on a connection of their own; the rows of the last one."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        rows: Rows = []
        for statement in statements:
            rows = database.execute(statement).fetchall()
        return rows


def make(
    path: Path, names: str = "abc", *, size: int = 4096, mode: str = "delete", more: str = ""
) -> Path:
    """A database with a table `items` of one row a letter."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute(f"PRAGMA page_size={size}")
        database.executescript(more)
        database.execute(f"PRAGMA journal_mode={mode}")
        database.execute("BEGIN")
        database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)")
        database.executemany("INSERT INTO items (name) VALUES (?)", list(names))
        database.execute("COMMIT")
    return path


def crashed(path: Path, names: str = "abc") -> Path:
    """A database whose program died: its table is only in the orphaned `-wal`."""
    running = path.with_name("running")
    with closing(sqlite3.connect(running, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)")
        database.executemany("INSERT INTO items (name) VALUES (?)", list(names))
        shutil.copy(running, path)
        shutil.copy(f"{running}-wal", f"{path}-wal")
    running.unlink()
    return path


def interrupted(path: Path) -> Path:
    """A database whose program died in a transaction: its `-journal` has to be rolled back."""
    running = make(path.with_name("running"), "a" * 5000)
    with closing(sqlite3.connect(running, isolation_level=None)) as database:
        database.execute("PRAGMA cache_size=1")
        database.execute("BEGIN")
        database.execute("UPDATE items SET name = 'half done' || id")
        shutil.copy(running, path)
        shutil.copy(f"{running}-journal", f"{path}-journal")
        database.execute("ROLLBACK")
    running.unlink()
    assert b"half done" in path.read_bytes()
    return path


def unsorted(path: Path) -> Path:
    """A database whose index does not hold what it should, which only a full check sees."""
    make(path)
    sql(
        path,
        "CREATE INDEX by_name ON items (name)",
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_master SET sql = 'CREATE INDEX by_name ON items (id || name)'"
        " WHERE name = 'by_name'",
    )
    return path


def unreadable(path: Path, count: int) -> Path:
    """A database with rows in the order of a collation that is not here, after some detours."""
    with closing(sqlite3.connect(path, isolation_level=None)) as app:
        app.create_collation("theirs", lambda a, b: (a > b) - (a < b))
        app.create_function("known", 1, lambda x: 1, deterministic=True)
        app.execute("CREATE TABLE t (a TEXT COLLATE theirs PRIMARY KEY, b CHECK (known(b)))")
        app.execute("CREATE TABLE w (a TEXT COLLATE theirs PRIMARY KEY) WITHOUT ROWID")
        app.executemany("INSERT INTO w VALUES (?)", [(str(number),) for number in range(count)])
    return path


def names(path: Path) -> str:
    """The letters in a database, as a program that opens it now sees them."""
    return "".join(name for (name,) in sql(path, "SELECT name FROM items ORDER BY id"))


def hash_of(path: Path, room: Path) -> str:
    """The logical hash of a database that may be in use."""
    copy = room / "hashed"
    snapshot(path, copy)
    try:
        return logical_hash(copy)
    finally:
        copy.unlink()


def keeping(place: Path) -> Keep:
    """A trash with one place in it."""

    def keep(copy: Path) -> None:
        copy.rename(place)

    return keep


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """The content and modification time of all files in a folder."""
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


@contextmanager
def program(path: Path) -> Iterator[Run]:
    """Another process with the database open, which runs what it is told."""
    here, there = OTHERS.Pipe()
    process = OTHERS.Process(target=_serve, args=(there, path), daemon=True)
    process.start()

    def run(statement: str) -> Any:
        here.send(statement)
        return here.recv()

    try:
        yield run
    finally:
        here.send(None)
        process.join(10)
        process.kill()
        process.join()
        process.close()
        here.close()
        there.close()


def _serve(pipe: Connection, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as database:
        while statement := pipe.recv():
            try:
                pipe.send(database.execute(statement).fetchall())
            except sqlite3.Error as error:
                pipe.send(str(error))


def transfers(path: Path, count: int) -> None:
    """Move money between accounts in small transactions; the sum is always the same."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as database:
        for number in range(count):
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE accounts SET money = money - 1 WHERE id = ?", (number % 50,))
            database.execute("INSERT INTO log VALUES (?, ?)", (number, "x" * 200))
            database.execute(
                "UPDATE accounts SET money = money + 1 WHERE id = ?", (number % 50 + 50,)
            )
            database.execute("COMMIT")


def replace_until(step: int, new: Path, target: Path, kept: Path) -> bool:
    """Replace in another process that is killed at a step; False when it came to its end."""
    process = OTHERS.Process(target=_replace_and_die, args=(step, new, target, kept))
    process.start()
    process.join(60)
    code = process.exitcode
    process.close()
    assert code in (0, 9)
    return code == 9


def _replace_and_die(step: int, new: Path, target: Path, kept: Path) -> None:
    steps = iter(range(step))

    def mortal(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(steps, None) is None:
                os._exit(9)
            return function(*args, **kwargs)

        return call

    def forgetful(path: Path, mode: Any, timeout: float = 30) -> sqlite3.Connection:
        database = connect(path, mode, timeout)
        database.execute("PRAGMA cache_size=1")  # what is not committed reaches the disk too
        return database

    watch = sqlite_replacement._unless_changed
    with (
        mock.patch.object(sqlite_replacement, "connect", forgetful),
        mock.patch("os.replace", mortal(os.replace)),
        mock.patch("os.unlink", mortal(os.unlink)),
        mock.patch("os.fsync", mortal(os.fsync)),
        mock.patch.object(
            sqlite_replacement, "_unless_changed", lambda *args: mortal(watch(*args))
        ),
    ):
        replace(new, target, keeping(kept))
