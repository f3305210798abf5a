"""Small requests to one service by the thousand, over connections that are kept.

httptools, which is a parser in C, and a socket do what http.client and urllib3 take four times
the CPU for. Where a proxy is in between, urllib3 does it. Errors are urllib3's own, no redirect is
followed, and nothing is ever sent twice: whoever asks knows what may be repeated.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import httptools
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as Late
from urllib3.util import parse_url
from urllib3.util.wait import wait_for_read

from buckia.stores.network import proxy_for, straight, trusting

Waits = tuple[float, float]
"""Seconds for a connection, and without a byte of the answer."""

_PIECE: Final = 256 * 1024
_MOST_HEADERS: Final = 256 * 1024
"""Bytes of an answer before its headers have to be over."""

_UNSENDABLE: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_ONCE: Final = urllib3.Retry(False)
_PORTS: Final = {"http": 80, "https": 443}


class Answer:
    """What a service said: its status, headers and whole body."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.body = body
        self._headers = headers

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whose names are found in any case."""
        return urllib3.HTTPHeaderDict(self._headers)


class Line:
    """The connections to the host of a URL. Safe for many threads.

    size   how many are kept
    trust  a PEM file of certificates to trust; None: as the environment says
    host   the host as requests name it, its port included where that is not the usual one
    """

    def __init__(self, url: str, size: int, trust: str | None = None) -> None:
        self._parts = parse_url(url)
        self._size = size
        self._idle: deque[HTTPConnection] = deque()
        usual = self._parts.port in (None, _PORTS.get(self._parts.scheme or ""))
        self.host = str(self._parts.host if usual else self._parts.netloc)
        self._trust = trusting(trust) if self._parts.scheme == "https" else None
        self._proxied = straight(url, size, trust) if proxy_for(url) else None

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], waits: Waits, body: bytes = b""
    ) -> Answer:
        """The answer to a request for a path and query."""
        if self._proxied is not None:
            return self._by_proxy(self._proxied, method, target, headers, waits, body)
        lines = [f"{method} {target} HTTP/1.1", f"host: {self.host}", _ALWAYS % len(body)]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\n".join(lines)
        if head.count("\n") != len(lines) or _UNSENDABLE.search(head):
            raise ProtocolError(f"a request to {self.host} that cannot be sent")
        sent = head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body
        try:
            connection = self._connected(waits)
            try:
                answer, lasts = _exchange(connection.sock, sent, bodiless=method == "HEAD")
            except BaseException:
                connection.close()
                raise
        except (OSError, httptools.HttpParserError) as problem:
            raise _translated(problem, self.host) from None
        self._keep(connection) if lasts else connection.close()
        return answer

    def close(self) -> None:
        """Close the connections that are kept."""
        if self._proxied is not None:
            self._proxied.clear()
        self._size = 0
        while self._idle:
            self._idle.pop().close()

    def _connected(self, waits: Waits) -> HTTPConnection:
        """A connection that is kept and was not ended by the other side meanwhile, or a new one."""
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if not wait_for_read(connection.sock, 0):
                    connection.sock.settimeout(waits[1])
                    return connection
                connection.close()
        host, port = self._parts.host or "", self._parts.port
        if self._trust is None:
            connection = HTTPConnection(host, port, timeout=waits[0])
        else:
            connection = HTTPSConnection(host, port, timeout=waits[0], ssl_context=self._trust)
        connection.connect()
        connection.sock.settimeout(waits[1])
        return connection

    def _keep(self, connection: HTTPConnection) -> None:
        if len(self._idle) < self._size:
            self._idle.append(connection)
        else:
            connection.close()

    def _by_proxy(
        self,
        by: urllib3.PoolManager,
        method: str,
        target: str,
        headers: Mapping[str, str],
        waits: Waits,
        body: bytes,
    ) -> Answer:
        told = by.urlopen(
            method,
            f"{self._parts.scheme}://{self._parts.netloc}{target}",
            body=body or None,
            headers=headers,
            timeout=urllib3.Timeout(connect=waits[0], read=waits[1]),
            retries=_ONCE,
            redirect=False,
        )
        return Answer(told.status, list(told.headers.items()), told.data)


_ALWAYS: Final = "accept-encoding: identity\ncontent-length: %d"


class _Heard:
    """What the parser has told of an answer. An answer that nobody waits for is `surplus`."""

    def __init__(self, *, bodiless: bool) -> None:
        self.headers: list[tuple[str, str]] = []
        self.pieces: list[bytes] = []
        self.headed = self.ended = self.surplus = self.lasts = False
        self.status = 0
        self.parser = httptools.HttpResponseParser(self)
        self._bodiless = bodiless

    def on_message_begin(self) -> None:
        if self.ended:
            self.surplus = True
        else:  # what came before was only to say that the answer takes a while
            self.headers, self.pieces, self.headed = [], [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.ended:
            self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.headed = True
        if self._bodiless:
            self._end()

    def on_body(self, piece: bytes) -> None:
        if self.ended:
            self.surplus = True
        else:
            self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self._end()

    def _end(self) -> None:
        status = self.parser.get_status_code()
        if not self.ended and status >= HTTPStatus.OK:
            self.ended, self.status = True, status
            self.lasts = self.parser.should_keep_alive()

    @property
    def until_the_end(self) -> bool:
        """Whether the end of the connection is the end of the body (RFC 9112, section 6.3)."""
        framed = ("content-length", "transfer-encoding")
        return self.headed and not any(name.lower() in framed for name, _ in self.headers)


def _exchange(line: socket.socket, sent: bytes, *, bodiless: bool) -> tuple[Answer, bool]:
    """Send a request and read its answer to the end; whether another may follow. `bodiless` is an
    answer that has no body whatever its headers say."""
    line.sendall(sent)
    heard = _Heard(bodiless=bodiless)
    parser, size = heard.parser, 0
    try:
        while not heard.ended:
            piece = line.recv(_PIECE)
            if not piece:
                if heard.until_the_end:
                    heard.status = parser.get_status_code()
                    break
                raise ProtocolError("the connection ended early")
            size += len(piece)
            parser.feed_data(piece)
            if size > _MOST_HEADERS and not heard.headed:
                raise ProtocolError("headers without an end")
    finally:
        del heard.parser  # the two hold each other
    answer = Answer(heard.status, heard.headers, b"".join(heard.pieces))
    return answer, heard.lasts and not heard.surplus


def _translated(problem: Exception, host: str) -> HTTPError:
    """What went wrong, as urllib3 has it."""
    if isinstance(problem, ssl.SSLError | ssl.CertificateError):
        return SSLError(problem)
    if isinstance(problem, TimeoutError):
        return Late(f"{host}: timed out")
    return ProtocolError(str(problem))
