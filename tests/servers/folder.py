"""A real web server that gives out the files of a folder, as a CDN does, truthfully or not."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.servers.listener import Listener

FOLDER = "/F/"


@dataclass(frozen=True)
class Asked:
    """One request: its path in the folder, the first and last byte it asked for, its headers."""

    path: str
    part: tuple[int, int] | None
    headers: dict[str, str]
    query: str
    status: int


@dataclass
class Switches:
    """How the server treats its guests.

    ranges     whether `Range` is understood
    etags      whether there are any; `weak` ones, where that is set
    modified   the Last-Modified of all files, if there is to be one
    lies       other bytes than those of the file, by path
    stale      the same for the first `stale_for` requests of each path, as an edge may have
    cut        how many bytes of a body come before the line breaks, the next `cuts` times
    slow       seconds before each piece of a body
    statuses   answers without content, by path
    redirects  where a path is redirected to
    """

    ranges: bool = True
    etags: bool = True
    weak: bool = False
    modified: str = ""
    lies: dict[str, bytes] = field(default_factory=dict)
    stale: dict[str, bytes] = field(default_factory=dict)
    stale_for: int = 1
    cut: int = 0
    cuts: int = 0
    slow: float = 0.0
    statuses: dict[str, list[int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)


class WebFolder:
    """The files below `FOLDER`, by path; what was asked; what was sent.

    With `root` they are those of a folder on the disk, as they are at the moment.
    """

    def __init__(self) -> None:
        self.root: Path | None = None
        self.files: dict[str, bytes] = {}
        self.switches = Switches()
        self.asked: list[Asked] = []
        self.sent = 0
        self.port = 0
        self.lock = threading.Lock()
        self.on_request: Any = None

    @property
    def host(self) -> str:
        """The server, as a URL begins."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where the folder is."""
        return f"{self.host}{FOLDER}"

    def forget(self) -> None:
        """Count from here."""
        with self.lock:
            self.asked.clear()
            self.sent = 0

    @property
    def requests(self) -> list[tuple[str, tuple[int, int] | None]]:
        """What was asked for, in order."""
        with self.lock:
            return [(one.path, one.part) for one in self.asked]

    def content(self, path: str) -> bytes | None:
        """What the server says a file holds, this time."""
        switches = self.switches
        if path in switches.lies:
            return switches.lies[path]
        seen = sum(one.path == path for one in self.asked)
        if path in switches.stale and seen < switches.stale_for:
            return switches.stale[path]
        if self.root is not None:
            file = self.root / path
            return file.read_bytes() if file.is_file() else None
        return self.files.get(path)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: WebFolder

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix(FOLDER)
        told = self.headers.get("Range", "")
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", told)
        part = (int(match[1]), int(match[2])) if match else None
        folder = self.folder
        if folder.on_request is not None:
            folder.on_request(path)
        with folder.lock:
            data = folder.content(path)
            status, sent, headers = self._answer(path, data, part)
            headers_in = {name.lower(): value for name, value in self.headers.items()}
            folder.asked.append(Asked(path, part, headers_in, parts.query, status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._send(sent)

    def _answer(
        self, path: str, data: bytes | None, part: tuple[int, int] | None
    ) -> tuple[int, bytes, dict[str, str]]:
        switches = self.folder.switches
        nothing = {"Content-Length": "0"}
        if statuses := switches.statuses.get(path):
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            if status != 200:
                return status, b"", nothing
        if path in switches.redirects:
            return 302, b"", {**nothing, "Location": switches.redirects[path]}
        if data is None:
            return 404, b"", nothing
        headers = {"Content-Type": "application/octet-stream"}
        if switches.etags:
            digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
            headers["ETag"] = f'{"W/" if switches.weak else ""}"{digest}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                return 304, b"", headers
        if switches.modified:
            headers["Last-Modified"] = switches.modified
            if self.headers.get("If-Modified-Since") == switches.modified:
                return 304, b"", headers
        if switches.ranges:
            headers["Accept-Ranges"] = "bytes"
        same = self.headers.get("If-Range") in (None, headers.get("ETag"))
        if part and switches.ranges and same:
            first, last = part[0], min(part[1], len(data) - 1)
            if first >= len(data):
                return 416, b"", {**nothing, "Content-Range": f"bytes */{len(data)}"}
            data, whole = data[first : last + 1], len(data)
            headers["Content-Range"] = f"bytes {first}-{last}/{whole}"
            return 206, data, {**headers, "Content-Length": str(len(data))}
        return 200, data, {**headers, "Content-Length": str(len(data))}

    def _send(self, data: bytes) -> None:
        switches = self.folder.switches
        cut = None
        with self.folder.lock:
            if switches.cuts and len(data) > switches.cut:
                switches.cuts -= 1
                cut = switches.cut
        for at in range(0, len(data) if cut is None else cut, 65536):
            piece = data[at : min(at + 65536, len(data) if cut is None else cut)]
            if switches.slow:
                time.sleep(switches.slow)
            self.wfile.write(piece)
            with self.folder.lock:
                self.folder.sent += len(piece)
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True


@contextmanager
def serve_folder() -> Iterator[WebFolder]:
    """A server on a free port for as long as this lasts."""
    folder = WebFolder()
    handler = type("Handler", (_Handler,), {"folder": folder})
    server = Listener(("127.0.0.1", 0), handler)
    folder.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield folder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
