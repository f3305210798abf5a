"""A proxy before a real S3 server that spoils requests and answers as it is told.

It passes everything on byte for byte, the `Host` header included, so that signatures stay valid.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from tests.servers.s3 import S3Server


class Ill(StrEnum):
    """What goes wrong with a request. Those before `SWALLOWED` never reach the server."""

    RESET = "the connection is reset before an answer"
    SILENT = "no answer at all, the connection stays open"
    SAYS = "an error of the service"
    PRETENDED = "success, and yet nothing was done"
    SWALLOWED = "the server acts, the answer is lost"
    ACTED = "the server acts, the answer is an error"
    MIDWAY = "the connection is reset in the middle of the body"
    SHORT = "a body shorter than its announced length"
    FLIPPED = "a body with other bytes"
    LATE = "an answer that comes late"
    DRIP = "a body that comes slowly"
    TAG = "a wrong ETag"
    UNTAGGED = "no ETag"
    EMPTY = "an empty listing"
    PART = "a listing that ends early and looks whole"
    NO_TOKEN = "a listing with more to come and no token"
    SAME_TOKEN = "a listing whose token repeats itself"
    TWISTED = "a listing with its keys out of order"


@dataclass(frozen=True)
class Rule:
    """What goes wrong with which requests: by method ("" any), by a pattern of the decoded path
    and query, from the `nth` such request on, `times` times.

    For `SAYS` and `ACTED` the answer is `status` and `code`; `after` is its Retry-After in seconds.
    """

    ill: Ill
    method: str = ""
    place: str = ""
    nth: int = 1
    times: int = 1_000_000
    status: int = 500
    code: str = "InternalError"
    after: str | None = None


@dataclass(frozen=True)
class Asked:
    """One request as it came in, when (seconds), and what was done to it."""

    method: str
    target: str
    headers: dict[str, str]
    at: float
    ill: Ill | None


@dataclass
class Answer:
    """What the server said, or what is said in its place."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Proxy(S3Server):
    """The server as it is seen through the proxy, and everything it was asked."""

    asked: list[Asked] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    met: dict[Rule, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def spoilt(self, *rules: Rule) -> Iterator[list[Asked]]:
        """Let these things go wrong meanwhile; gives the requests as they come."""
        self.asked.clear()
        self.met.clear()
        self.rules[:] = rules
        try:
            yield self.asked
        finally:
            self.rules.clear()

    def judge(self, method: str, target: str, headers: dict[str, str]) -> Rule | None:
        """The first rule for a request; the request is written down."""
        found = None
        with self.lock:
            for rule in self.rules:
                if rule.method not in ("", method) or not re.search(rule.place, target):
                    continue
                seen = self.met[rule] = self.met.get(rule, 0) + 1
                if found is None and 0 <= seen - rule.nth < rule.times:
                    found = rule
            ill = found.ill if found else None
            self.asked.append(Asked(method, target, headers, time.monotonic(), ill))
        return found


PAUSE = 0.3
"""Seconds that a late answer waits, and that a slow body takes altogether."""


@contextmanager
def serve_faults(server: S3Server) -> Iterator[Proxy]:
    """A proxy on a free port of 127.0.0.1, without rules."""
    proxies: list[Proxy] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def answer(self) -> None:
            serve(self, proxies[0], server)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients go away: that is what this is for."""

    listener = Listener(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{listener.server_port}"
    proxies.append(Proxy(url, server.access_key, server.secret_key))
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield proxies[0]
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def serve(handler: BaseHTTPRequestHandler, proxy: Proxy, server: S3Server) -> None:
    """One request: passed on or not, its answer sent as it is or spoilt."""
    body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    headers = {name.lower(): value for name, value in handler.headers.items()}
    rule = proxy.judge(handler.command, unquote(handler.path), headers)
    if rule is None:
        send(handler, pass_on(handler, server, body))
    elif rule.ill is Ill.RESET:
        reset(handler)
    elif rule.ill is Ill.SILENT:
        wait_until_gone(handler)
    elif rule.ill is Ill.SAYS:
        send(handler, error(rule))
    elif rule.ill is Ill.PRETENDED:
        send(handler, Answer(200, [("ETag", f'"{"0" * 32}"')], b""))
    else:
        spoil(handler, rule, pass_on(handler, server, body))


def spoil(handler: BaseHTTPRequestHandler, rule: Rule, true: Answer) -> None:
    """Send what is left of a true answer."""
    half = len(true.body) // 2
    match rule.ill:
        case Ill.SWALLOWED:
            reset(handler)
        case Ill.ACTED:
            send(handler, error(rule))
        case Ill.MIDWAY:
            send(handler, true, true.body[:half], flush=True)
            reset(handler)
        case Ill.SHORT:
            send(handler, true, true.body[:half])
            handler.close_connection = True
        case Ill.FLIPPED:
            send(handler, true, bytes(byte ^ 1 for byte in true.body))
        case Ill.DRIP:
            send(handler, true, b"", flush=True)
            for byte in true.body:
                time.sleep(PAUSE / len(true.body))
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
        case Ill.LATE:
            time.sleep(PAUSE)
            send(handler, true)
        case Ill.TAG | Ill.UNTAGGED:
            send(handler, retag(true, "f" * 32 if rule.ill is Ill.TAG else None))
        case _:
            send(handler, relist(true, rule.ill))


def pass_on(handler: BaseHTTPRequestHandler, server: S3Server, body: bytes) -> Answer:
    """The same request to the server itself, and its whole answer."""
    there = urlsplit(server.endpoint)
    with contextlib.closing(
        http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
    ) as connection:
        connection.putrequest(
            handler.command, handler.path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in handler.headers.items():
            if name.lower() not in ("expect", "connection"):
                connection.putheader(name, value)
        connection.endheaders(body or None)
        found = connection.getresponse()
        return Answer(found.status, found.getheaders(), found.read())


_OWN = ("connection", "transfer-encoding", "date", "server", "keep-alive")


def send(
    handler: BaseHTTPRequestHandler,
    answer: Answer,
    part: bytes | None = None,
    *,
    flush: bool = False,
) -> None:
    """Send an answer with its true length, and all of its body or only a part."""
    handler.send_response(answer.status)
    named = {name.lower() for name, _ in answer.headers}
    for name, value in answer.headers:
        if name.lower() not in _OWN:
            handler.send_header(name, value)
    if "content-length" not in named:
        handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(answer.body if part is None else part)
    if flush:
        handler.wfile.flush()


def wait_until_gone(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing until the client has had enough."""
    handler.connection.settimeout(60)
    with contextlib.suppress(OSError):
        handler.connection.recv(1)
    handler.close_connection = True


def reset(handler: BaseHTTPRequestHandler) -> None:
    """End the connection without a word more: the client gets "connection reset"."""
    option = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
    os.close(handler.connection.detach())
    handler.close_connection = True


def error(rule: Rule) -> Answer:
    """An S3 error."""
    body = f"<Error><Code>{rule.code}</Code><Message>m</Message></Error>".encode()
    return Answer(rule.status, [("Retry-After", rule.after)] if rule.after else [], body)


def retag(answer: Answer, tag: str | None) -> Answer:
    """The same answer with another ETag, or with none."""
    headers = [(name, value) for name, value in answer.headers if name.lower() != "etag"]
    return Answer(answer.status, headers + ([("ETag", f'"{tag}"')] if tag else []), answer.body)


def relist(answer: Answer, ill: Ill) -> Answer:
    """The same listing, made unreliable."""
    text = answer.body.decode() if answer.status == 200 else _NOTHING
    items = re.findall(r"<Contents>.*?</Contents>", text, re.S)
    whole = "<IsTruncated>false</IsTruncated>"
    text = re.sub(r"<NextContinuationToken>.*?</NextContinuationToken>", "", text, flags=re.S)
    more = "<IsTruncated>true</IsTruncated>"
    kept = items
    if ill is Ill.EMPTY:
        kept, more = [], whole
    elif ill is Ill.PART:
        kept, more = items[: len(items) // 2], whole
    elif ill is Ill.TWISTED:
        kept, more = items[::-1], whole
    elif ill is Ill.SAME_TOKEN:
        more += "<NextContinuationToken>again</NextContinuationToken>"
        kept = []
    text = re.sub(r"<Contents>.*</Contents>", "", text, flags=re.S)
    text = re.sub(r"<IsTruncated>\w+</IsTruncated>", more + "".join(kept), text)
    headers = [pair for pair in answer.headers if pair[0].lower() != "content-length"]
    return Answer(200, headers, text.encode())


_NOTHING = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
