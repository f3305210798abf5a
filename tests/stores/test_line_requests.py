"""What a line does where there is no answer, what it sends, and what a store tells of both."""

from __future__ import annotations

import os
import socket
from contextlib import closing, suppress
from typing import Any

import pytest
import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader, NewConnectionError, ProtocolError
from urllib3.exceptions import TimeoutError as Late

from buckia.errors import BuckiaError, StoreError, UnavailableError
from buckia.stores import line as line_module
from buckia.stores import retry
from buckia.stores.line import Line
from buckia.stores.s3 import S3Options, S3Store
from tests.servers.scripted import Peer, Script, Scripted, saying, serve_script

WAITS = (10.0, 10.0)
OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
AWAY = (UnavailableError, "no connection", retry.ATTEMPTS)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, retries at once."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def asked_once(script: Script, method: str, body: bytes = b"") -> Scripted:
    """A server that one request was sent to."""
    with serve_script(script) as server, closing(Line(server.url, 2)) as line:
        line.ask(method, "/", {}, WAITS, body)
    return server


# no connections, and late ones


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("said", [b"", OK, OK + b"Content-Length: 5\r\n\r\na"])
def test_a_service_that_says_nothing_is_late(said: bytes, kept: bool) -> None:
    """Before a word and in the middle of one; on a kept connection by the waits of this request."""

    def script(peer: Peer) -> None:
        if kept:
            peer.hear()
            peer.say(EMPTY)
        peer.hear()
        peer.say(said)
        peer.line.settimeout(5)  # then the connection ends, which is another error
        peer.wait()

    with serve_script(script) as server, closing(Line(server.url, 1)) as line:
        if kept:
            line.ask("GET", "/", {}, WAITS)
        with pytest.raises(Late):
            line.ask("GET", "/", {}, (10.0, 0.05))
        assert not line._idle
    assert server.connections == 1


def test_a_connection_that_takes_too_long_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr(urllib3.util.connection, "create_connection", wait)
    with closing(Line("http://127.0.0.1:9", 1)) as line, pytest.raises(Late):
        line.ask("GET", "/", {}, WAITS)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with closing(Line(f"http://127.0.0.1:{port}", 1)) as line, pytest.raises(NewConnectionError):
        line.ask("GET", "/", {}, WAITS)


@pytest.mark.parametrize("host", ["nowhere.test", f"{'a' * 70}.test", "a..test"])
def test_a_name_that_leads_nowhere(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with closing(Line(f"http://{host}", 1)) as line, pytest.raises(HTTPError):
        line.ask("GET", "/", {}, WAITS)


# requests


def test_a_request_says_what_it_has_to_and_no_more() -> None:
    server = asked_once(saying(EMPTY), "PUT", body=b"body")
    assert server.asked == [
        b"PUT / HTTP/1.1\r\nhost: %b\r\naccept-encoding: identity\r\nuser-agent: buckia\r\n"
        b"content-length: 4\r\n\r\nbody" % server.url.removeprefix("http://").encode()
    ]
    for method, length in (("GET", False), ("HEAD", False), ("PUT", True), ("POST", True)):
        server = asked_once(saying(EMPTY), method)
        assert (b"\r\ncontent-length: 0\r\n" in server.asked[0]) is length


@pytest.mark.parametrize("bad", [*map(chr, (*range(32), 127)), "\r\nX-More: a", "\udce9", "\ud800"])
def test_what_would_arrive_as_something_else_is_not_sent(bad: str) -> None:
    """No character of a name or of a service's answer becomes a header, or another request."""
    with serve_script(saying(EMPTY)) as server, closing(Line(server.url, 1)) as line:
        for target, headers in (
            (f"/a{bad}b", {}),
            ("/", {"x-amz-a": f"a{bad}b"}),
            ("/", {f"x-amz-a{bad}": "a"}),
        ):
            with pytest.raises(InvalidHeader):
                line.ask("GET", target, headers, WAITS)
        for target in ("/a b", "/\xe9", ""):
            with pytest.raises(InvalidHeader):
                line.ask("GET", target, {}, WAITS)
    assert server.connections == 0


def test_a_large_body_that_is_refused_before_it_is_read() -> None:
    """The answer is heard though not all was sent, and the connection is not used again."""

    def script(peer: Peer) -> None:
        peer.line.recv(10)
        peer.say(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")
        peer.line.shutdown(socket.SHUT_RD)
        peer.end()

    with serve_script(script) as server, closing(Line(server.url, 1)) as line:
        with suppress(ProtocolError):  # a reset may reach us before the answer does
            assert line.ask("PUT", "/", {}, WAITS, bytes(32 * 1024 * 1024)).status == 400
        assert not line._idle
    assert server.connections == 1


def test_an_answer_is_heard_where_the_rest_cannot_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken pipe is no answer, and what was said before it is one."""

    class Broken:
        def sendall(self, data: bytes) -> None:
            raise BrokenPipeError

        def recv(self, size: int) -> bytes:
            return b"HTTP/1.1 412 No\r\nContent-Length: 0\r\n\r\n"

    broken: Any = Broken()
    answer, lasts = line_module._exchange(broken, b"", bodiless=False)
    assert (answer.status, lasts) == (412, False)


@pytest.mark.parametrize(
    ("bucket", "path"),
    [("photos", "/photos"), ("photos#old", "/photos%23old"), ("a?b c", "/a%3Fb%20c")],
)
def test_a_bucket_is_asked_for_by_its_whole_name(bucket: str, path: str) -> None:
    """No end of it is taken for something else: that would be another bucket."""
    said = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
    with serve_script(saying(said)) as server:
        options = S3Options(
            bucket,
            f"{server.url}/base",
            "us-east-1",
            access_key_id="access",
            secret_access_key="secret",
        )
        with closing(S3Store(options)) as store, pytest.raises(StoreError):
            list(store.entries())
    (asked,) = server.asked
    assert asked.startswith(f"GET /base{path}/?".encode())


# what a person is told


def told_by(script: Script, **options: Any) -> BuckiaError:
    """The error of a listing."""
    keys = {"access_key_id": "access", "secret_access_key": "secret"} | options
    with serve_script(script) as server:
        store = S3Store(S3Options("bucket", server.url, "us-east-1", **keys))
        with closing(store), pytest.raises(BuckiaError) as told:
            list(store.entries())
    return told.value


@pytest.mark.parametrize(
    ("said", "kind", "words", "times"),
    [
        (OK + b"Content-Length: 4\r\n\r\nabc", *AWAY),
        (b"<html>Sign in</html>", *AWAY),
        (b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", *AWAY),
        (
            OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
            StoreError,
            "the answer is not S3",
            1,
        ),
        (
            b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
            StoreError,
            "in another region",
            1,
        ),
    ],
)
def test_what_a_store_says_of_it(
    said: bytes, kind: type[StoreError], words: str, times: int
) -> None:
    """And how often it has tried."""
    asked: list[bytes] = []

    def script(peer: Peer) -> None:
        asked.append(peer.hear())
        peer.say(said)

    problem = told_by(script)
    assert type(problem) is kind and words in str(problem)
    assert len(asked) == times


def test_what_a_store_says_of_a_service_that_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("buckia.stores.s3_signed.QUICK", (10.0, 0.05))
    problem = told_by(lambda peer: peer.wait())
    assert type(problem) is UnavailableError and "no answer in time" in str(problem)


@pytest.mark.parametrize("option", ["access_key_id", "session_token"])
def test_what_a_store_says_of_a_line_end_in_credentials(option: str) -> None:
    """As it comes from a variable of CI. Nothing was sent, and it is not tried again."""
    called: list[Peer] = []
    problem = told_by(called.append, **{option: "abc\n"})
    assert type(problem) is StoreError and "check `kms_key` and the credentials" in str(problem)
    assert "abc" not in str(problem) and not called
