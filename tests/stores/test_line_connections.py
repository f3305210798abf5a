"""Which connection a line uses for what: kept ones while nothing speaks against it, none twice."""

from __future__ import annotations

import gc
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ProtocolError

from buckia.stores.line import Line
from tests.servers.scripted import Peer, saying, serve_script
from tests.stores.lines import WAITS, answer, get, see_news

pytestmark = pytest.mark.usefixtures("bare", "nothing_left")


def test_a_connection_is_used_again() -> None:
    """As long as both sides want it."""
    with (
        serve_script(saying(*map(answer, (b"1", b"2", b"3")))) as server,
        closing(Line(server.url, 2)) as line,
    ):
        assert [get(line) for _ in range(3)] == [b"1", b"2", b"3"]
    assert (server.connections, len(server.asked)) == (1, 3)


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\n1\r\n0\r\n\r\n",
    ],
)
def test_a_connection_that_is_to_end_is_ended(first: bytes) -> None:
    """At once and by us, without waiting for the other side."""
    ended = threading.Event()

    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(first)
        peer.wait()
        ended.set()

    with serve_script(script) as server, closing(Line(server.url, 2)) as line:
        assert get(line) == b"1"
        assert ended.wait(10)
        assert get(line) == b"1"
    assert server.connections == 2


SURPLUS = {
    "an answer": answer(b"wrong"),
    "a part of one": b"H",
    "a page": b"<html>",
    "an answer after the last": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize(
    ("method", "first"),
    [
        ("GET", answer(b"1")),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("name", SURPLUS)
@pytest.mark.parametrize("late", [False, True])
def test_what_nobody_asked_for_answers_nothing(
    method: str, first: bytes, name: str, late: bool
) -> None:
    """It spoils neither the answer before it nor the one after it."""
    follow, connections = threading.Event(), iter((1, 2))

    def script(peer: Peer) -> None:
        number = next(connections)
        peer.hear()
        if number == 2:
            peer.say(answer(b"right"))
        elif late:
            peer.say(first)
            follow.wait(10)
            peer.say(SURPLUS[name])
        else:
            peer.say(first + SURPLUS[name])
        peer.wait()

    with serve_script(script) as server, closing(Line(server.url, 2)) as line:
        told = line.ask(method, "/", {}, WAITS)
        assert told.status in (200, 204)
        assert told.body == (b"1" if method == "GET" and told.status == 200 else b"")
        follow.set()
        if late and line._idle:
            see_news(line)
        assert get(line) == b"right"
    assert (server.connections, len(server.asked)) == (2, 2)


@pytest.mark.parametrize("abruptly", [False, True])
def test_a_connection_that_was_ended_meanwhile_is_not_used(abruptly: bool) -> None:
    """Nothing is sent on it."""
    follow = threading.Event()

    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(answer(b"1"))
        follow.wait(10)
        peer.end(abruptly=abruptly)

    with serve_script(script) as server, closing(Line(server.url, 2)) as line:
        get(line)
        follow.set()
        see_news(line)
        assert get(line) == b"1"
    assert (server.connections, len(server.asked)) == (2, 2)


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
@pytest.mark.parametrize("abruptly", [False, True])
def test_nothing_is_sent_twice(method: str, abruptly: bool) -> None:
    """A kept connection that dies with a request on it is an error: it may have been done."""

    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(answer(b""))
        peer.hear()
        peer.end(abruptly=abruptly)

    with serve_script(script) as server, closing(Line(server.url, 2)) as line:
        line.ask(method, "/", {}, WAITS)
        with pytest.raises(ProtocolError):
            line.ask(method, "/", {}, WAITS)
        assert not line._idle
    assert (server.connections, len(server.asked)) == (1, 2)


# threads


def echo(peer: Peer) -> None:
    """Answer each request with its target."""
    while True:
        peer.say(answer(peer.hear().split(b" ")[1]))


def test_more_threads_than_connections() -> None:
    """Each gets its own answer, and no more connections are kept than are meant to."""
    with serve_script(echo) as server, closing(Line(server.url, 2)) as line:
        meet = threading.Barrier(8)

        def work(number: int) -> None:
            for turn in range(20):
                if turn == 0:
                    meet.wait(10)
                assert get(line, f"/{number}/{turn}") == f"/{number}/{turn}".encode()
                assert len(line._idle) <= 2 + 8

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert 0 < len(line._idle) <= 2
    assert len(server.asked) == 160


def test_closing_leaves_nothing_open() -> None:
    """Neither what is kept nor what is in use: that ends with its answer, as the server sees."""
    heard, follow = threading.Event(), threading.Event()
    ended: list[bytes] = []

    def script(peer: Peer) -> None:
        said = peer.hear()
        if b"/slow" in said:
            heard.set()
            follow.wait(10)
        peer.say(answer(b"1"))
        peer.wait()
        ended.append(said)

    with serve_script(script) as server, ThreadPoolExecutor(1) as pool:
        line = Line(server.url, 2)
        slow = pool.submit(get, line, "/slow")
        assert heard.wait(10)
        get(line)
        line.close()
        follow.set()
        assert slow.result(10) == b"1"
        assert not line._idle
    assert (server.connections, len(ended)) == (2, 2)


def test_closing_right_before_a_connection_is_kept() -> None:
    """The moment between the two is as good as any."""
    with serve_script(echo) as server:
        line = Line(server.url, 2)

        class Closing(deque[HTTPConnection]):
            def append(self, connection: HTTPConnection) -> None:
                line.close()
                super().append(connection)

        line._idle = idle = Closing()
        get(line)
        assert len(idle) == 0


def test_closing_ends_what_is_kept_to_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, not when Python clears up."""
    ended = threading.Event()

    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(answer(b"1"))
        peer.wait()
        ended.set()

    with serve_script(script) as server:
        monkeypatch.setenv("http_proxy", server.url)
        line = Line("http://storage.test", 2)
        assert get(line) == b"1"
        line.close()
        assert ended.wait(10)


def test_a_line_that_is_forgotten_leaves_nothing_open() -> None:
    """As when two threads make one at once, and one of both is never used again."""
    ended = threading.Event()

    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(answer(b"1"))
        peer.wait()
        ended.set()

    with serve_script(script) as server:
        line = Line(server.url, 2)
        get(line)
        del line
        gc.collect()
        assert ended.wait(10)
