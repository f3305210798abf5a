"""A small S3 in a process of its own: it survives what its clients do not.

Its whole content can be put aside and put back in milliseconds.
"""

from __future__ import annotations

import multiprocessing
import pickle
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from multiprocessing.connection import Connection
from typing import Any

from tests.servers.listener import Listener
from tests.servers.lying_s3 import read, send
from tests.servers.mannered_s3 import MannerlyS3

Contents = dict[str, dict[str, bytes]]
"""What each bucket holds, by key."""


class BucketServer:
    """The other end of a server: where it listens, and what it holds."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.endpoint: str = pipe.recv()

    def save(self) -> bytes:
        """All buckets as they are, once no request is under way."""
        return self._ask("save")  # type: ignore[no-any-return]

    def load(self, saved: bytes) -> None:
        """Make all buckets what they were."""
        self._ask("load", saved)

    def contents(self) -> Contents:
        """The objects of each bucket."""
        return self._ask("contents")  # type: ignore[no-any-return]

    def _ask(self, *question: Any) -> Any:
        self._pipe.send(question)
        return self._pipe.recv()


@contextmanager
def serve_buckets(*names: str) -> Iterator[BucketServer]:
    """A running server with these buckets, empty."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there, names), daemon=True)
    process.start()
    try:
        yield BucketServer(here)
    finally:
        here.send(None)
        process.join()


class _Service:
    """The buckets, and how many requests they are at."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.buckets: dict[str, MannerlyS3] = {}
        for name in names:
            self.buckets[name] = MannerlyS3(beside=self.buckets)
        self._lock = threading.Lock()
        self.busy = 0

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """One request."""
        request = read(handler)
        with self._lock:
            self.busy += 1
        try:
            send(handler, self.buckets[request.bucket](request))
        finally:
            with self._lock:
                self.busy -= 1

    def answer(self, question: str, saved: bytes = b"") -> Any:
        """What the other end asks."""
        if question == "save":
            return pickle.dumps({n: (b.objects, b.uploads) for n, b in self.buckets.items()})
        if question == "load":
            for name, (objects, uploads) in pickle.loads(saved).items():
                vars(self.buckets[name]).update(objects=objects, uploads=uploads)
            return None
        return {
            name: {key: blob.data for key, blob in bucket.objects.items()}
            for name, bucket in self.buckets.items()
        }


def _serve(pipe: Connection, names: tuple[str, ...]) -> None:
    service = _Service(names)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def serve(self) -> None:
            service.serve(self)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = Listener(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.send(f"http://127.0.0.1:{server.server_port}")
    while question := pipe.recv():
        while service.busy:
            time.sleep(0.001)
        pipe.send(service.answer(*question))
