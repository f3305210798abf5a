"""An app that reads a bucket over HTTP while somebody writes to it, in a process of its own.

It knows one folder, its manifest and a database whose rows say which media there are and what they
hold. It keeps what it has until a manifest and everything it names fit together.
"""

from __future__ import annotations

import hashlib
import http.client
import multiprocessing
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any, Final

from buckia import manifest
from buckia.errors import DocumentError
from buckia.manifest import Manifest

DATABASE: Final = "App.sqlite"
SCHEMA: Final = "CREATE TABLE media (path TEXT PRIMARY KEY, sha256 TEXT NOT NULL)"
QUERY: Final = "SELECT path FROM media"

_PAUSE: Final = 0.003
"""Seconds between two looks."""


@dataclass
class Told:
    """What a reader saw.

    reads         manifests that were read
    taken         of them, those that were new and fitted together with all they name
    retried       those that did not, so that the reader kept what it had
    inconsistent  times that what it had named media it did not have, or that something was gone
                  while a manifest or a database that names it was still there
    """

    reads: int = 0
    taken: int = 0
    retried: int = 0
    inconsistent: int = 0

    def __str__(self) -> str:
        return (
            f"{self.reads} reads, {self.taken} taken, {self.retried} retried, "
            f"{self.inconsistent} inconsistent"
        )


@dataclass
class Reader:
    """One app. `files` is what it has, by path in the folder."""

    port: int
    folder: str
    told: Told = field(default_factory=Told)
    files: dict[str, bytes] = field(default_factory=dict)
    generation: int = 0
    _gone: bool = False

    def look_at_rows(self) -> None:
        """Go by the database alone: whatever a row names is there, unless the database is another
        by now."""
        data = self._get(DATABASE)
        missing = any(self._get(path) is None for path, _ in rows_of(data)) if data else False
        self.told.inconsistent += missing and self._get(DATABASE) == data

    def look(self) -> None:
        """Read the manifest, fetch what differs, take it if all of it fits together."""
        found = self._manifest()
        if found is None:
            return
        self.told.reads += 1
        if found.generation <= self.generation:
            return
        self._gone = False
        fetched = {file.path: self._file(file) for file in found.files}
        if self._gone and (now := self._manifest()) and now.generation == found.generation:
            self.told.inconsistent += 1
        if any(data is None for data in fetched.values()):
            self.told.retried += 1
            return
        self.files = {path: data for path, data in fetched.items() if data is not None}
        self.generation = found.generation
        self.told.taken += 1
        self.told.inconsistent += not is_consistent(self.files)

    def _manifest(self) -> Manifest | None:
        data = self._get(manifest.NAME)
        try:
            return None if data is None else manifest.read(data)
        except DocumentError:
            self.told.inconsistent += 1
            return None

    def _file(self, file: manifest.File) -> bytes | None:
        """The bytes that the manifest names: those it has, or those that are there; None if neither
        is them."""
        if hashlib.sha256(self.files.get(file.path, b"")).hexdigest() == file.sha256:
            return self.files.get(file.path, b"")
        data = self._get(file.path)
        self._gone |= data is None
        return data if data and hashlib.sha256(data).hexdigest() == file.sha256 else None

    def _get(self, path: str) -> bytes | None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
            connection.request("GET", f"/{self.folder}/{path}")
            answer = connection.getresponse()
            body = answer.read()
            return body if answer.status == 200 else None


def is_consistent(files: dict[str, bytes]) -> bool:
    """Whether every row of the database names media that is there and holds what the row says."""
    return all(
        path in files and hashlib.sha256(files[path]).hexdigest() == sha256
        for path, sha256 in rows_of(files[DATABASE])
    )


def rows_of(data: bytes) -> list[tuple[str, str]]:
    """The media that a database names, each with the digest of what it holds."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(data)
        return database.execute("SELECT path, sha256 FROM media").fetchall()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Nothing."""


def _serve(bucket: str) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=bucket))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _run(pipe: Connection, bucket: str, folder: str) -> None:
    """Serve a folder bucket and read it, until told to stop; then say what was seen."""
    with closing(_Stopping(_serve(bucket))) as serving:
        reader = Reader(serving.server.server_port, folder)
        told = False
        while not told:
            asked = pipe.recv() if pipe.poll(_PAUSE) else ""
            reader.look()
            Reader(reader.port, folder, reader.told).look()  # one that has nothing yet
            reader.look_at_rows()
            told = asked == "stop"
            if asked:
                pipe.send((reader.told, reader.generation))


@dataclass
class _Stopping:
    server: ThreadingHTTPServer

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Reading:
    """The other end of a reader."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def look(self) -> tuple[Told, int]:
        """Have it look at what is there now; what it saw so far, and the generation it has."""
        return self._ask("look")

    def stop(self) -> tuple[Told, int]:
        """The same for the last time."""
        return self._ask("stop")

    def _ask(self, question: str) -> tuple[Told, int]:
        self._pipe.send(question)
        told: tuple[Told, int] = self._pipe.recv()
        return told


@contextmanager
def reading(bucket: str, folder: str) -> Iterator[Reading]:
    """A reader of a folder bucket, at work."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_run, args=(there, bucket, folder), daemon=True)
    process.start()
    try:
        yield Reading(here)
    finally:
        process.kill()
        process.join()
