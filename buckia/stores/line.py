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
from typing import Final
from weakref import finalize

import httptools
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, InvalidHeader, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as Late
from urllib3.util import parse_url
from urllib3.util.wait import wait_for_read

from buckia.stores.network import proxied, proxy_for, trusting

Waits = tuple[float, float]
"""Seconds for a connection, and without a byte of the answer."""

_PIECE: Final = 256 * 1024
_MOST_HEADERS: Final = 256 * 1024
"""Bytes before the headers of an answer have to be over."""

_ALWAYS: Final = {"accept-encoding": "identity", "user-agent": "buckia"}
_TARGET: Final = re.compile("[!-~]+")
_MOST: Final = 64 * 1024 * 1024
"""The same of a whole answer: it is held in memory."""

_UNSENDABLE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")
_WRITES: Final = ("PUT", "POST")
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
        finalize(self, _drain, self._idle)  # whoever forgets to close it leaves nothing open
        usual = self._parts.port in (None, _PORTS.get(self._parts.scheme or ""))
        self.host = str(self._parts.host if usual else self._parts.netloc)
        self._trust = trusting(trust) if self._parts.scheme == "https" else None
        proxy = proxy_for(url)
        self._proxied = proxied(proxy, size, self._trust) if proxy else None

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], waits: Waits, body: bytes = b""
    ) -> Answer:
        """The answer to a request for a path and query. Raises `InvalidHeader` for what would not
        arrive as it is meant, and sends nothing then."""
        sent = _written(method, target, {"host": self.host, **_ALWAYS, **headers}, body)
        if self._proxied is not None:
            return self._by_proxy(self._proxied, method, target, headers, waits, body)
        try:
            connection = self._kept(waits) or self._connect(waits)
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
        """Close the connections that are kept; those in use are closed after their answers."""
        if self._proxied is not None:
            self._proxied.clear()
        self._size = 0
        _drain(self._idle)

    def _kept(self, waits: Waits) -> HTTPConnection | None:
        """The connection that was used last. One that has something to say, be it that the other
        side has ended it, is not used again."""
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if not wait_for_read(connection.sock, 0):
                    connection.sock.settimeout(waits[1])
                    return connection
                connection.close()
        return None

    def _connect(self, waits: Waits) -> HTTPConnection:
        host, port = self._parts.host or "", self._parts.port
        if self._trust is None:
            connection = HTTPConnection(host, port, timeout=waits[0])
        else:
            connection = HTTPSConnection(host, port, timeout=waits[0], ssl_context=self._trust)
        try:
            connection.connect()
            connection.sock.settimeout(waits[1])
        except BaseException:
            connection.close()
            raise
        return connection

    def _keep(self, connection: HTTPConnection) -> None:
        """Keep it, and only then look whether there is room: `close` may come in between."""
        self._idle.append(connection)
        if len(self._idle) > self._size:
            with suppress(IndexError):
                self._idle.popleft().close()

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
            f"{self._parts.scheme}://{self.host}{target}",
            body=body or None,
            headers={**_ALWAYS, **headers},
            timeout=urllib3.Timeout(connect=waits[0], read=waits[1]),
            retries=_ONCE,
            redirect=False,
            decode_content=False,
        )
        return Answer(told.status, list(told.headers.items()), told.data)


def _drain(idle: deque[HTTPConnection]) -> None:
    with suppress(IndexError):
        while True:
            idle.pop().close()


def _written(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request as it is sent."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
    if body or method in _WRITES:
        lines.append(f"content-length: {len(body)}")
    head = "\n".join(lines)
    if (
        head.count("\n") != len(lines) - 1
        or _UNSENDABLE.search(head)
        or not _TARGET.fullmatch(target)
    ):
        raise InvalidHeader("a control character in a request")
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


class _Heard:
    """What the parser has told of an answer.

    headed   its headers are over, those of informational answers aside
    ended    it is whole; what comes then was asked for by nobody
    lasts    the connection may be used again
    """

    def __init__(self, *, bodiless: bool) -> None:
        self.headers: list[tuple[str, str]] = []
        self.pieces: list[bytes] = []
        self.headed = self.ended = self.lasts = False
        self.status = 0
        self.parser = httptools.HttpResponseParser(self)
        self._bodiless = bodiless

    def on_message_begin(self) -> None:
        if self.ended:
            self.lasts = False
        else:  # what came before was only to say that the answer takes a while
            self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.headed:  # what a chunked body ends with describes the body alone
            self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if not self.headed:
            self.status = self.parser.get_status_code()
            self.headed = self.status // 100 != 1
            if self.headed and self._bodiless:
                self._end()

    def on_body(self, piece: bytes) -> None:
        if self.ended:
            self.lasts = False
        else:
            self.pieces.append(piece)

    def on_message_complete(self) -> None:
        if self.headed and not self.ended:
            self._end()

    def _end(self) -> None:
        self.ended, self.lasts = True, self.parser.should_keep_alive()

    @property
    def until_the_end(self) -> bool:
        """Whether the end of the connection is the end of the body (RFC 9112, section 6.3)."""
        framed = ("content-length", "transfer-encoding")
        return self.headed and not any(name.lower() in framed for name, _ in self.headers)


def _exchange(line: socket.socket, sent: bytes, *, bodiless: bool) -> tuple[Answer, bool]:
    """Send a request and read its answer to the end; whether another may follow. `bodiless` is an
    answer that has no body whatever its headers say."""
    heard, size, whole = _Heard(bodiless=bodiless), 0, True
    try:
        line.sendall(sent)
    except (BrokenPipeError, ConnectionResetError):  # it may have said no before it heard all
        whole = False
    try:
        while not heard.ended:
            piece = line.recv(_PIECE)
            if not piece:
                if heard.until_the_end:
                    break
                raise ProtocolError("the connection ended early")
            size += len(piece)
            _feed(heard, piece)
            if size > (_MOST if heard.headed else _MOST_HEADERS):
                raise ProtocolError("an answer without an end")
    finally:
        del heard.parser  # the two hold each other
    return Answer(heard.status, heard.headers, b"".join(heard.pieces)), heard.lasts and whole


def _feed(heard: _Heard, piece: bytes) -> None:
    try:
        heard.parser.feed_data(piece)
    except httptools.HttpParserUpgrade:
        raise ProtocolError("an answer in another protocol") from None
    except httptools.HttpParserError as problem:
        cause = problem.__context__  # what interrupted the parser while it told
        if isinstance(cause, KeyboardInterrupt | SystemExit):
            raise cause from None
        if not heard.ended:
            raise
        heard.lasts = False


def _translated(problem: Exception, host: str) -> HTTPError:
    """What went wrong, as urllib3 has it. Of TLS only a certificate is a matter of trust: a
    connection that breaks is one as any other."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return SSLError(problem)
    if isinstance(problem, TimeoutError):
        return Late(f"{host}: timed out")
    return ProtocolError(str(problem))
