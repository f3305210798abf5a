"""moto's S3 over HTTP on a free loopback port."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.s3.models import FakeKey, get_canned_acl
from moto.server import ThreadedMotoServer

from tests.servers.s3 import S3Server


def _set_acl(key: FakeKey, acl: Any) -> None:
    """What moto misses: an object that was sent in parts has an ACL, too."""
    key.acl = acl or get_canned_acl("private")


@contextmanager
def serve_moto() -> Iterator[S3Server]:
    """A running server, gone with everything in it afterwards."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        with patch.object(FakeKey, "set_acl", _set_acl):
            yield S3Server(f"http://127.0.0.1:{port}", "access", "secret")
    finally:
        server.stop()
