"""Bunny over HTTP: Edge Storage with its limits, faults and disputed facts, and the Core API.

`python -m tests.servers.bunny` runs one until it is interrupted.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.servers.bunny_core import Core, core_handler
from tests.servers.bunny_zone import Switches, Zone, is_known, span_of
from tests.servers.listener import Listener

HOST = "127.0.0.1"
NO_ROOM = "Unable to process request"


@dataclass
class Bunny:
    """Where the server listens, what it holds, and what it was asked.

    `counts` and `peaks` are requests by class (LIST, DESCRIBE, GET, PUT, DELETE, ...): how many,
    and how many at once; `refused` those beyond a limit, `failed` those that failed on purpose.
    `planned` are the faults of
    the next requests of a class, as `fault` names them. `gate` is called with the class while a
    request is being answered.
    """

    endpoint: str = ""
    core: Core = field(default_factory=Core)
    switches: Switches = field(default_factory=Switches)
    zones: dict[str, Zone] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    peaks: Counter[str] = field(default_factory=Counter)
    running: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    planned: dict[str, list[str]] = field(default_factory=dict)
    gate: Callable[[str], None] = lambda kind: None
    dice: random.Random = field(default_factory=lambda: random.Random(11))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def make_zone(self) -> Zone:
        """A new empty storage zone."""
        zone = Zone(f"zone-{secrets.token_hex(6)}", self.switches)
        self.zones[zone.name] = zone
        return zone

    @contextmanager
    def counting(self, kind: str) -> Iterator[int]:
        """How many requests of a class are under way with this one."""
        with self.lock:
            self.counts[kind] += 1
            self.running[kind] += 1
            self.peaks[kind] = max(self.peaks[kind], self.running[kind])
            running = self.running[kind]
        try:
            yield running
        finally:
            with self.lock:
                self.running[kind] -= 1

    def fault(self, kind: str) -> str | None:
        """How this request fails, if it does."""
        with self.lock:
            if self.planned.get(kind):
                return self.planned[kind].pop(0)
            if self.dice.random() >= self.switches.faults:
                return None
            self.failed += 1
            return self.dice.choice(("500", "503", "429", "lost before", "lost after", "cut"))


class StorageHandler(BaseHTTPRequestHandler):
    """The Edge Storage API."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    bunny: Bunny
    turn: ExitStack
    fault: str | None = None

    def answer(self) -> None:
        """One request, counted, maybe failed on purpose."""
        target = urlsplit(self.path).path
        kind = "LIST" if self.command == "GET" and target.endswith("/") else self.command
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        with ExitStack() as self.turn:
            running = self.turn.enter_context(self.bunny.counting(kind))
            self.bunny.gate(kind)
            self.fault = self.bunny.fault(kind)
            if len(body) < size or self.fault == "lost before":
                self.close_connection = True
            elif self.fault and self.fault.isdigit():
                self.tell(int(self.fault), "On purpose")
            elif not self.turned_away(kind, running):
                self.serve(kind, target, body)

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = do_DESCRIBE = answer  # noqa: N815

    def turned_away(self, kind: str, running: int) -> bool:
        """Answer what the limits forbid."""
        switches = self.bunny.switches
        most = {"LIST": switches.listings, "DELETE": switches.deletes}.get(kind)
        if not switches.limits:
            return False
        if self.bunny.running["connection"] > switches.connections:
            self.tell(429, "Too many connections")
        elif most and running > most:
            self.tell(400, NO_ROOM)
        else:
            return False
        with self.bunny.lock:
            self.bunny.refused[kind] += 1
        return True

    def serve(self, kind: str, target: str, body: bytes) -> None:
        """Answer a request that is let in."""
        _, name, path = unquote(target).split("/", 2) if target.count("/") > 1 else ("", "", "")
        zone = self.bunny.zones.get(name)
        status = self.authorise(zone, kind)
        if status or zone is None:
            self.tell(status or 401, "Unauthorized")
        elif kind == "DESCRIBE" and not self.bunny.switches.describes:
            self.tell(405, "Method Not Allowed")
        else:
            getattr(self, kind.lower())(zone, path, body)

    def authorise(self, zone: Zone | None, kind: str) -> int | None:
        """The status that refuses a request: one answer for every cause."""
        key = self.headers.get("AccessKey", "")
        host = (self.headers.get("Host") or "").partition(":")[0]
        if self.bunny.switches.suspended or kind in ("HEAD", "POST") or host != HOST:
            return 401
        if zone is None or self.headers.get("Referer"):
            return 401
        if key == zone.read_only:
            return self.bunny.switches.read_only if kind in ("PUT", "DELETE") else None
        return None if key == zone.password else 401

    def list(self, zone: Zone, path: str, _: bytes) -> None:
        """One folder, not what is below it."""
        if f"/{path}".count("//"):
            return self.send_json(200, [])
        found = zone.list(path)
        if found is None and self.bunny.switches.missing_folder == "404":
            return self.tell(404, "Object Not Found")
        return self.send_json(200, found or [])

    def describe(self, zone: Zone, path: str, _: bytes) -> None:
        """One file."""
        found = zone.describe(path)
        self.send_json(200, found) if found else self.tell(404, "Object Not Found")

    def get(self, zone: Zone, path: str, _: bytes) -> None:
        """A file, whole or in part."""
        blob = zone.files.get(path)
        if blob is None:
            return self.tell(404, "Object Not Found")
        headers = {
            "ETag": blob.etag,
            "Last-Modified": format_datetime(blob.changed.replace(microsecond=0), usegmt=True),
            "Accept-Ranges": "bytes",
            "Content-Type": blob.kind or "application/octet-stream",
        }
        if is_known(self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since"), blob):
            return self.reply(304, b"", headers)
        size = len(blob.data)
        span = span_of(self.headers.get("Range"), size)
        if span is None:
            return self.reply(200, blob.data, headers)
        begin, end = span
        if begin >= size:
            return self.reply(416, b"", {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
        return self.reply(206, blob.data[begin:end], headers)

    def put(self, zone: Zone, path: str, data: bytes) -> None:
        """A file, or an empty folder for a path that ends in `/`."""
        if path.endswith("/") and not data:
            made = zone.make_folder(path)
            return self.tell(*((201, "Directory created.") if made else (400, "Exists")))
        names = path.split("/")
        if "Transfer-Encoding" in self.headers or len(path) > 6000:
            return self.tell(400, "Bad request")
        if any(not name or name != name.strip(" ") for name in names):
            return self.tell(400, "Bad name")
        if (most := self.bunny.switches.largest) is not None and len(data) > most:
            return self.tell(413, "Request Entity Too Large")
        if (
            self.bunny.switches.conditions
            and "If-None-Match" in self.headers
            and path in zone.files
        ):
            return self.tell(412, "Precondition Failed")
        if self.fault == "mangled":
            data = data[::-1]
        wanted, digest = self.headers.get("Checksum"), hashlib.sha256(data).hexdigest().upper()
        if wanted and self.bunny.switches.lower_case:
            wanted = wanted.upper()
        if wanted in (None, digest):
            zone.put(path, data, self.headers.get("Override-Content-Type", ""))
        elif self.bunny.switches.mismatch == 400:
            return self.tell(400, "Checksum and contents mismatched")
        return self.tell(201, "File uploaded.")

    def delete(self, zone: Zone, path: str, _: bytes) -> None:
        """A file, or a folder with everything in it."""
        if not path.strip("/"):
            return self.tell(400, "Root delete refused")
        gone = zone.remove(path)
        return self.tell(200, "File deleted successfuly.") if gone else self.tell(404, "Not Found")

    def tell(self, status: int, message: str) -> None:
        """One line in Bunny's form."""
        self.send_json(status, {"HttpCode": status, "Message": message})

    def send_json(self, status: int, told: Any) -> None:
        """An answer in JSON."""
        self.reply(status, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """An answer, unless it gets lost or cut on its way. With it the request is over."""
        self.turn.close()
        if self.fault == "lost after":
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        cut = self.fault == "cut" and len(body) > 1
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection |= cut

    def setup(self) -> None:
        """A new connection."""
        super().setup()
        with self.bunny.lock:
            self.bunny.running["connection"] += 1

    def finish(self) -> None:
        """The end of a connection."""
        with self.bunny.lock:
            self.bunny.running["connection"] -= 1
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serve_bunny() -> Iterator[Bunny]:
    """A running server, gone with everything in it afterwards."""
    bunny = Bunny()
    with ExitStack() as stack:
        storage = type("Storage", (StorageHandler,), {"bunny": bunny})
        bunny.endpoint = stack.enter_context(_listening(storage))
        bunny.core.endpoint = stack.enter_context(_listening(core_handler(bunny.core)))
        bunny.core.switches = bunny.switches
        yield bunny


@contextmanager
def _listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = Listener((HOST, 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    with serve_bunny() as running:
        made = running.make_zone()
        print(f"domain: {running.endpoint}\nstorage_zone: {made.name}")
        print(f"storage_api_key: {made.password}")
        print(f"core: {running.core.endpoint}\napi_key: {running.core.account_key}", flush=True)
        threading.Event().wait()
