"""moto's S3 over HTTP on a free loopback port."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import RLock
from typing import Any, Final
from unittest.mock import patch

from moto.s3.models import FakeKey, get_canned_acl
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

from tests.servers.s3 import S3Server


def _set_acl(key: FakeKey, acl: Any) -> None:
    """What moto misses: an object that was sent in parts has an ACL, too."""
    key.acl = acl or get_canned_acl("private")


def _in_turn(method: Callable[..., Any], lock: AbstractContextManager[Any]) -> Callable[..., Any]:
    """What moto misses, too: nobody writes between the check of a condition and the write."""

    def locked(*given: Any, **named: Any) -> Any:
        with lock:
            return method(*given, **named)

    return locked


_CONDITIONAL: Final = ("put_object", "delete_object", "_key_response_post")


@contextmanager
def serve_moto() -> Iterator[S3Server]:
    """A running server, gone with everything in it afterwards."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        with ExitStack() as mended:
            mended.enter_context(patch.object(FakeKey, "set_acl", _set_acl))
            lock = RLock()
            for name in _CONDITIONAL:
                in_turn = _in_turn(getattr(S3Response, name), lock)
                mended.enter_context(patch.object(S3Response, name, in_turn))
            yield S3Server(f"http://127.0.0.1:{port}", "access", "secret")
    finally:
        server.stop()
