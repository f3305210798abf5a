"""moto's S3 with a door: requests for one key wait in front of it, for as long as a test wants."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.servers.s3 import S3Server

HELD: Final = "held"
"""The key whose writes wait."""

_LONG: Final = 60.0
"""Seconds after which a test gives up; nothing depends on how long anything takes."""


class Door:
    """A WSGI application in front of another. A write of the held key waits until `open` is set,
    and if the door is `shut` every request that comes after it."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._arrived = threading.Event()
        self.open = threading.Event()
        self.shut = False

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].endswith(f"/{HELD}"):
            self._arrived.set()
            self.open.wait()
        if self.shut and self._arrived.is_set():
            self.open.wait()
        return self._app(environ, start)

    def wait(self) -> None:
        """Wait until a write waits."""
        assert self._arrived.wait(_LONG), "no write of the held key came"


@contextmanager
def serve_holding() -> Iterator[tuple[S3Server, Door]]:
    """The server and its door, which is closed at first."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    door = Door(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, door, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield S3Server(f"http://127.0.0.1:{server.server_port}", "access", "secret"), door
    finally:
        door.open.set()
        server.shutdown()
        thread.join()
        server.server_close()
