"""moto's S3 in a process of its own: it survives what its clients do not.

Its whole content can be put aside and put back in milliseconds.
"""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

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


class _Gate:
    """A WSGI application that knows how many requests it is at."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._lock = threading.Lock()
        self.busy = 0

    def __call__(self, environ: Any, start: Any) -> Iterable[bytes]:
        with self._lock:
            self.busy += 1
        try:
            return list(self._app(environ, start))
        finally:
            with self._lock:
                self.busy -= 1


def _serve(pipe: Connection, names: tuple[str, ...]) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.s3 import models
    from werkzeug.serving import WSGIRequestHandler, make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    vars(models)["S3_UPLOAD_PART_MIN_SIZE"] = 1
    gate = _Gate(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, gate, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    backend = models.s3_backends["123456789012"]["aws"]
    for name in names:
        backend.create_bucket(name, "us-east-1")
    pipe.send(f"http://127.0.0.1:{server.server_port}")
    while question := pipe.recv():
        while gate.busy:
            time.sleep(0.001)
        pipe.send(_answer(backend, *question))


def _answer(backend: Any, question: str, saved: bytes = b"") -> Any:
    buckets = backend.buckets
    if question == "save":
        return pickle.dumps(dict(buckets))
    if question == "load":
        for name, bucket in pickle.loads(saved).items():
            buckets[name] = bucket
        return None
    return {
        name: {key: found.value for key, found in b.keys.items()} for name, b in buckets.items()
    }
