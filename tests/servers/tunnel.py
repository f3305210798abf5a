"""A proxy that leads every host to one server of ours: addresses as they are, network not.

Whoever has it in `HTTPS_PROXY` reaches `https://nl-ams-1.linodeobjects.com` and finds a gateway on
loopback there, by a certificate for that name. What is said inside the tunnel is not looked at.
Whoever has it in `HTTP_PROXY` has each request passed on.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import pytest

from tests.servers.listener import Listener

_CHUNK = 256 * 1024


class Tunnel:
    """Where the proxy listens, the hosts it was asked for, and how many tunnels were dug and
    requests passed on."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: set[str] = set()
        self.dug = self.passed = 0

    def lead(self, patch: pytest.MonkeyPatch) -> None:
        """Have every client go this way, as behind a company's proxy."""
        for name in ("no_proxy", "NO_PROXY", "https_proxy"):
            patch.delenv(name, raising=False)
        patch.setenv("HTTPS_PROXY", self.url)


class Handler(BaseHTTPRequestHandler):
    """One connection. `tunnel` and `port` are set by the server that makes it."""

    protocol_version = "HTTP/1.1"
    tunnel: Tunnel
    port: int

    def do_CONNECT(self) -> None:
        """Pass bytes both ways until either side has none left."""
        self.tunnel.asked.add(self.path.rpartition(":")[0])
        self.tunnel.dug += 1
        with socket.create_connection(("127.0.0.1", self.port)) as there:
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pass, args=(there, self.connection))
            back.start()
            _pass(self.connection, there)
            back.join()
        self.close_connection = True

    def pass_on(self) -> None:
        """One request, as it stands, and its answer."""
        there = urlsplit(self.path)
        self.tunnel.asked.add(there.hostname or "")
        self.tunnel.passed += 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = there._replace(scheme="", netloc="").geturl()
        line = HTTPConnection("127.0.0.1", self.port)
        line.request(self.command, path, body or None, dict(self.headers))
        with closing(line), line.getresponse() as answer:
            found = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_DESCRIBE = pass_on  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def serve_tunnel(port: int) -> Iterator[Tunnel]:
    """A running proxy to a port of 127.0.0.1."""
    bound: type[Handler] = type("Bound", (Handler,), {"port": port})
    server = Listener(("127.0.0.1", 0), bound)
    bound.tunnel = Tunnel(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield bound.tunnel
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
