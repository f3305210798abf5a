"""A server that has nothing but a listing: as many keys as wanted, at no cost of its own.

With it what is measured is the client, and a million objects need not be stored. By itself it
prints its port and runs until its input ends.
"""

from __future__ import annotations

import hashlib
import subprocess  # noqa: TID251  (a process of its own, so that its CPU is its own)
import sys
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

FOLDER: Final = "7Gk2mQx9RvT4bN8sLw3yHd5"
_NONE: Final = b'<?xml version="1.0"?><VersioningConfiguration/>'


def key_of(number: int) -> str:
    """The key of an object, in order of its number."""
    return f"{FOLDER}/{number // 1000:04}/image-{number:07}.jpg"


def content_of(number: int) -> bytes:
    """The bytes of an object: no two have the same, as it is with images."""
    return key_of(number).encode()


def etag_of(number: int) -> str:
    """The md5 of an object."""
    return hashlib.md5(content_of(number), usedforsecurity=False).hexdigest()


def sha256_of(number: int) -> str:
    """The sha256 of an object."""
    return hashlib.sha256(content_of(number)).hexdigest()


_SIZE: Final = len(content_of(0))


class Far(Struct, frozen=True):
    """Where the listing is served, and by whom."""

    endpoint: str
    pid: int


@contextmanager
def serving(keys: int) -> Iterator[Far]:
    """A running server of so many keys, all of them written when it began."""
    command = [sys.executable, "-m", "tests.benchmarks.listing", str(keys)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield Far(f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid)
        finally:
            process.terminate()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    keys: int = 0
    names: tuple[str, ...] = ()
    written: str = ""

    def do_GET(self) -> None:
        """A page of the listing; nothing else is there."""
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        asked = {name: value[0] for name, value in query.items()}
        if "versioning" in asked:
            self._answer(200, _NONE)
        elif "list-type" in asked or "marker" in asked or "prefix" in asked:
            self._answer(200, self._page(asked))
        elif "location" in asked:
            self._answer(200, b"<LocationConstraint/>")
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_HEAD(self) -> None:
        """The bucket is there, objects cannot be looked at."""
        whole = urlsplit(self.path).path.count("/") < 2
        self._answer(200 if whole else 404, b"")

    def _page(self, asked: dict[str, str]) -> bytes:
        token = asked.get("continuation-token")
        after = asked.get("start-after") or asked.get("marker") or ""
        first = int(token) if token else bisect_right(self.names, after) if after else 0
        if not (FOLDER + "/").startswith(asked.get("prefix", "")[: len(FOLDER) + 1]):
            first = self.keys
        last = min(first + int(asked.get("max-keys", 1000)), self.keys)
        body = "".join(
            f"<Contents><Key>{key_of(n)}</Key><LastModified>{self.written}</LastModified>"
            f"<ETag>&quot;{etag_of(n)}&quot;</ETag><Size>{_SIZE}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for n in range(first, last)
        )
        more = last < self.keys
        following = f"<NextContinuationToken>{last}</NextContinuationToken>" if more else ""
        marker = f"<NextMarker>{key_of(last - 1)}</NextMarker>" if more else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult '
            'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bench</Name>'
            f"<Prefix></Prefix><KeyCount>{last - first}</KeyCount><MaxKeys>1000</MaxKeys>"
            f"<EncodingType>url</EncodingType><IsTruncated>{'true' if more else 'false'}"
            f"</IsTruncated>{following}{marker}{body}</ListBucketResult>"
        ).encode()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _main(keys: int) -> None:
    _Handler.keys, _Handler.names = keys, tuple(map(key_of, range(keys)))
    _Handler.written = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main(int(sys.argv[1]))
