"""Backblaze B2's native API v4 over HTTP on a free loopback port, as b2sdk speaks it.

By itself, `python -m tests.servers.b2` prints how to reach it and runs until Enter or SIGTERM.
"""

from __future__ import annotations

import base64
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.servers.b2_service import Service
from tests.servers.b2_state import Bucket, File, Json, Key, Refusal
from tests.servers.listener import Listener

API = "/b2api/v4/"


class B2Server(Service):
    """The service, where it listens, and a key that may do everything."""

    def __init__(self, endpoint: str, **limits: int) -> None:
        super().__init__(**limits)
        self.endpoint = endpoint
        self.master = self.add_key()

    def sign_in(self, header: str) -> Json:
        """b2_authorize_account: a token, and all that a client has to know."""
        kind, _, code = header.partition(" ")
        key_id, _, secret = base64.b64decode(code).decode().partition(":")
        key = self.keys.get(key_id)
        if kind != "Basic" or key is None or key.secret != secret:
            raise Refusal(401, "bad_auth_token", "invalid key")
        token = f"account{next(self._serials):06}"
        self.tokens[token] = key
        named = [{"id": found, "name": self.bucket(found).name} for found in key.buckets or ()]
        storage = {
            "apiUrl": self.endpoint,
            "downloadUrl": self.endpoint,
            "s3ApiUrl": self.endpoint,
            "recommendedPartSize": 20 * self.smallest_part,
            "absoluteMinimumPartSize": self.smallest_part,
            "allowed": {
                "buckets": None if key.buckets is None else named,
                "capabilities": sorted(key.capabilities),
                "namePrefix": key.prefix,
            },
        }
        signed = {"accountId": "account", "authorizationToken": token}
        return {**signed, "apiInfo": {"storageApi": storage}}

    def key_of(self, token: str, known: dict[str, Any]) -> Any:
        """What a token stands for."""
        if token in self.expired:
            raise Refusal(401, "expired_auth_token", "the token has expired")
        if token not in known:
            raise Refusal(401, "bad_auth_token", "no such token")
        return known[token]


class Handler(BaseHTTPRequestHandler):
    """One connection. `service` is set by the server that makes it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: B2Server

    def do_POST(self) -> None:
        """Operations and uploads."""
        operation = urlsplit(self.path).path.removeprefix(API).partition("/")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if operation in ("b2_upload_file", "b2_upload_part"):
            self._answer(operation, lambda: self._upload(operation, body))
        elif operation == "b2_authorize_account":
            self._answer(operation, lambda: self.service.sign_in(self._token))
        else:
            self._answer(operation, lambda: self._run(operation, json.loads(body)))

    def do_GET(self) -> None:
        """A download by name or by id."""
        self._download()

    def do_HEAD(self) -> None:
        """A look at an object by name."""
        self._download()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    @property
    def _token(self) -> str:
        return self.headers.get("Authorization", "")

    def _run(self, operation: str, body: Json) -> Json:
        key: Key = self.service.key_of(self._token, self.service.tokens)
        with self.service.lock:
            answer = self.service.run(operation, key, body)
        if "uploadUrl" in answer:
            answer["uploadUrl"] = self.service.endpoint + answer["uploadUrl"]
        return answer

    def _upload(self, operation: str, body: bytes) -> Json:
        headers = {name.lower(): unquote(value) for name, value in self.headers.items()}
        key, meant, target = self.service.key_of(self._token, self.service.upload_tokens)
        if meant != operation or "content-length" not in headers:
            raise Refusal(400, "bad_request")
        if operation == "b2_upload_file":
            key.check("writeFiles", target, headers["x-bz-file-name"])
        with self.service.alone(self._token), self.service.lock:
            return self.service.upload(target, headers, body)

    def _answer(self, operation: str, act: Callable[[], Json]) -> None:
        try:
            with self.service.lock:
                lost = self.service.enter(operation)
            answer = act()
        except Refusal as refusal:
            self._refuse(refusal)
            return
        if lost:
            self.close_connection = True
        else:
            self._send(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def _refuse(self, refusal: Refusal) -> None:
        told = {"status": refusal.status, "code": refusal.code, "message": refusal.message}
        wait = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
        self._send(refusal.status, wait, json.dumps(told).encode())

    def _download(self) -> None:
        by_name = urlsplit(self.path).path.startswith("/file/")
        try:
            with self.service.lock:
                self.service.enter(f"b2_download_file_by_{'name' if by_name else 'id'}")
                file = self._named() if by_name else self._identified()
            status, data, headers = self._part_of(file)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        cuts = self.service.cuts
        self._send(status, headers, data, cut=cuts.popleft() if cuts and data else None)

    def _named(self) -> File:
        _, _, name, path = urlsplit(self.path).path.split("/", 3)
        bucket = self.service.by_name(unquote(name))
        if bucket.settings["bucketType"] != "allPublic" and not self._shared(bucket, path):
            key: Key = self.service.key_of(self._token, self.service.tokens)
            key.check("readFiles", bucket.bucket_id, unquote(path))
        file = bucket.current(unquote(path))
        if file is None:
            raise Refusal(404, "not_found", "File with such name does not exist.")
        return file

    def _shared(self, bucket: Bucket, path: str) -> bool:
        """Whether the URL carries a token for the name."""
        (token, *_) = parse_qs(urlsplit(self.path).query).get("Authorization", [""])
        where, prefix, until = self.service.share_tokens.get(token, ("", "", 0.0))
        inside = where == bucket.bucket_id and unquote(path).startswith(prefix)
        return inside and time.time() < until

    def _identified(self) -> File:
        (file_id, *_) = parse_qs(urlsplit(self.path).query).get("fileId", [""])
        key: Key = self.service.key_of(self._token, self.service.tokens)
        file = self.service.file(file_id)
        key.check("readFiles", file.bucket, file.name)
        if file.action != "upload":
            raise Refusal(404, "not_found", "not a file")
        return file

    def _part_of(self, file: File) -> tuple[int, bytes, dict[str, str]]:
        headers = {
            "Content-Type": file.type,
            "X-Bz-File-Id": file.file_id,
            "X-Bz-File-Name": quote(file.name),
            "X-Bz-Content-Sha1": file.sha1 or "none",
            "X-Bz-Upload-Timestamp": str(file.stamp),
            **dict(_header(name, value) for name, value in file.info.items()),
        }
        span = self.headers.get("Range")
        if span is None:
            return 200, file.data, headers
        first, _, last = span.removeprefix("bytes=").partition("-")
        if int(first) >= len(file.data):
            raise Refusal(416, "range_not_satisfiable")
        data = file.data[int(first) : int(last) + 1]
        whole = f"bytes {first}-{int(first) + len(data) - 1}/{len(file.data)}"
        return 206, data, {**headers, "Content-Range": whole}

    def _send(
        self, status: int, headers: dict[str, str], data: bytes, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:cut])
            self.close_connection = self.close_connection or cut is not None


def _header(name: str, value: str) -> tuple[str, str]:
    """The header that carries a file info; `b2-content-encoding` and its like have their own, as it
    stands."""
    own = name.removeprefix("b2-")
    return (own.title(), value) if own != name else (f"X-Bz-Info-{name}", quote(value))


@contextmanager
def serve_b2(**limits: int) -> Iterator[B2Server]:
    """A running server with one key that may do everything, and no bucket."""
    bound: type[Handler] = type("Bound", (Handler,), {})
    server = Listener(("127.0.0.1", 0), bound)
    bound.service = B2Server(f"http://127.0.0.1:{server.server_port}", **limits)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield bound.service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def main() -> None:
    """Serve until Enter or SIGTERM, after printing how to reach the service and a bucket there."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with serve_b2() as server:
        print(f"B2_REALM={server.endpoint}")
        print(f"B2_BUCKET={server.add_bucket().name}")
        print(f"B2_APPLICATION_KEY_ID={server.master.key_id}")
        print(f"B2_APPLICATION_KEY={server.master.secret}", flush=True)
        if not sys.stdin.readline():
            signal.pause()


if __name__ == "__main__":
    main()
