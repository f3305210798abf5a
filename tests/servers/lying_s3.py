"""A tiny HTTP server that answers as it is told: every fault a real S3 shows once a year."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.listener import Listener
from tests.servers.s3 import S3Server

EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"


@dataclass(frozen=True)
class Request:
    """What came in. `key` is None for requests to the bucket itself."""

    method: str
    key: str | None
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    bucket: str = ""


@dataclass(frozen=True)
class Answer:
    """What goes out; `cut` ends the connection after so many bytes of the body, 0 before a word."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


Script = Callable[[Request], Answer]


@dataclass(frozen=True)
class Liar(S3Server):
    """The server, and everything it was asked."""

    asked: list[Request] = field(default_factory=list)


@contextmanager
def serve_lies(script: Script) -> Iterator[Liar]:
    """A server that answers every request by `script`."""
    asked: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            request = read(self)
            asked.append(request)
            send(self, script(request))

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = Listener(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Liar(f"http://127.0.0.1:{server.server_port}", "access", "secret", asked=asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def read(handler: BaseHTTPRequestHandler) -> Request:
    """One request, whole."""
    url = urlsplit(handler.path)
    bucket, _, key = url.path.removeprefix("/").partition("/")
    query = {name: values[0] for name, values in parse_qs(url.query, True).items()}
    headers = {name.lower(): value for name, value in handler.headers.items()}
    body = handler.rfile.read(int(headers.get("content-length", 0)))
    return Request(handler.command, unquote(key) or None, query, headers, body, bucket)


def send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    """One answer, or a part of it."""
    if answer.cut == 0:
        handler.close_connection = True
        return
    handler.send_response(answer.status)
    for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(answer.body[: answer.cut])
    handler.close_connection = answer.cut is not None


def error(status: int, code: str) -> Answer:
    """An S3 error."""
    return Answer(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode())


def item(key: str) -> str:
    """One object of a listing."""
    return (
        f"<Contents><Key>{key}</Key><Size>1</Size><ETag>&quot;{'0' * 32}&quot;</ETag>"
        "<LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents>"
    )


def page(*keys: str, truncated: bool = False, token: str | None = None) -> Answer:
    """One page of a listing, its keys coded for URLs already."""
    following = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    text = (
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<EncodingType>url</EncodingType><IsTruncated>{str(truncated).lower()}</IsTruncated>"
        f"{following}{''.join(map(item, keys))}</ListBucketResult>"
    )
    return Answer(body=text.encode())
