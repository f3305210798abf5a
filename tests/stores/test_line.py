"""What a line makes of an answer: the whole of it, or one of urllib3's errors."""

from __future__ import annotations

import gc
import socket
from contextlib import closing
from typing import Any

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

from buckia.stores import line as line_module
from buckia.stores.line import Line, _exchange, _Heard
from tests.servers.scripted import Peer, Script, saying, serve_script
from tests.stores.lines import WAITS

pytestmark = pytest.mark.usefixtures("bare", "nothing_left")

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\nETag: a\r\n\r\n"


def failed(script: Script, words: str | None = None) -> None:
    """One request fails in these words, was sent once, and its connection is not kept."""
    with serve_script(script) as server, closing(Line(server.url, 2)) as line:
        with pytest.raises(ProtocolError, match=words):
            line.ask("GET", "/", {}, WAITS)
        assert not line._idle
    assert (server.connections, len(server.asked)) == (1, 1)


class Pieces:
    """A socket that has these pieces to give, and then its end."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.sent: list[bytes] = []

    def sendall(self, sent: bytes) -> None:
        self.sent.append(sent)

    def recv(self, most: int) -> bytes:
        return next(self._pieces, b"")


def read(*pieces: bytes, bodiless: bool = False) -> tuple[int, dict[str, str], bytes, bool]:
    """What comes of an answer in these pieces."""
    line: Any = Pieces(*pieces)
    answer, lasts = _exchange(line, b"request", bodiless=bodiless)
    assert line.sent == [b"request"]
    return answer.status, dict(answer.headers), answer.body, lasts


# answers

ANSWERS = {
    "empty": EMPTY,
    "length": OK + b"Content-Length: 3\r\n\r\nabc",
    "chunks": CHUNKED + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"3\r\nabc\r\n0\r\nX-End: z\r\n\r\n",
    "to the end": OK + b"ETag: a\r\n\r\nabc\r\n",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nETag: a\r\n\r\nabc",
    "HTTP/1.0 kept": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
    "closed": OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc",
    "no content": b"HTTP/1.1 204 No Content\r\nETag: a\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    "no reason": b"HTTP/1.1 404\r\nContent-Length: 1\r\n\r\nx",
    "redirect": b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
    "busy": b"HTTP/1.1 503 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
    "no value": OK + b"X-None:\r\nX-Blank:  \r\nETag: a\r\nContent-Length: 0\r\n\r\n",
    "twice": OK + b"Via: a\r\nvia: b\r\nContent-Length: 0\r\n\r\n",
    "latin": OK + b"X-Name: \xe9\xff\r\nContent-Length: 0\r\n\r\n",
    "gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
    "informed": b"HTTP/1.1 100 Continue\r\n\r\n" + EMPTY,
}


def by_urllib3(url: str, method: str) -> tuple[int, dict[str, str], bytes]:
    """What urllib3 makes of it."""
    with urllib3.PoolManager() as pool:
        told = pool.urlopen(method, url, retries=False, redirect=False, decode_content=False)
        return told.status, {name.lower(): told.headers[name] for name in told.headers}, told.data


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_what_urllib3_makes_of_them(name: str, method: str) -> None:
    """Every way there is to say where a body ends."""

    def script(peer: Peer) -> None:
        peer.hear()
        said = ANSWERS[name]
        peer.say(said if method != "HEAD" else said[: said.rindex(b"\r\n\r\n") + 4])

    with serve_script(script) as server, closing(Line(server.url, 2)) as line:
        answer = line.ask(method, "/", {}, WAITS)
        told = {key.lower(): answer.headers[key] for key in answer.headers}
        assert (answer.status, told, answer.body) == by_urllib3(server.url, method)
        assert len(server.asked) == 2


@pytest.mark.parametrize("name", ANSWERS)
def test_it_does_not_matter_how_an_answer_is_cut(name: str) -> None:
    """At every byte, and once at each place."""
    said = ANSWERS[name]
    whole = read(said)
    assert read(*(said[at : at + 1] for at in range(len(said)))) == whole
    for at in range(len(said)):
        assert read(said[:at] or said[:1], said[at or 1 :]) == whole


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.data())
def test_chunks_are_put_together(chunks: list[bytes], data: st.DataObject) -> None:
    """Whatever they hold and wherever they are cut, the body is theirs."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    said = CHUNKED + body + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(said) - 1), max_size=5)))
    pieces = [said[i:j] for i, j in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    assert read(*pieces)[2:] == (b"".join(chunks), True)


def test_what_a_body_ends_with_is_no_header_of_the_answer() -> None:
    """RFC 9110, section 6.5.1: nobody has said that the two may be merged."""
    told = read(CHUNKED + b"1\r\na\r\n0\r\nETag: b\r\nX-More: c\r\n\r\n")
    assert told == (200, {"Transfer-Encoding": "chunked", "ETag": "a"}, b"a", True)


@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
def test_an_answer_to_head_has_no_body(framing: bytes) -> None:
    """Whatever its headers announce; and the connection is used again."""
    said = OK + framing + b"\r\n\r\n"
    with (
        serve_script(saying(said, said)) as server,
        closing(Line(server.url, 2)) as line,
    ):
        for _ in range(2):
            assert line.ask("HEAD", "/", {}, WAITS).body == b""
    assert server.connections == 1


def test_what_comes_before_an_answer_is_not_the_answer() -> None:
    """Nor are its headers."""
    before = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    for pieces in ([before + EMPTY], [before, EMPTY], [before * 3, EMPTY[:20], EMPTY[20:]]):
        for bodiless in (False, True):
            assert read(*pieces, bodiless=bodiless) == (200, {"Content-Length": "0"}, b"", True)


def test_nothing_of_an_answer_waits_for_the_garbage_collector() -> None:
    """Parser and what it tells hold each other; of thousands that would be felt."""
    gc.collect()
    gc.disable()
    try:
        for said in (EMPTY, ANSWERS["to the end"]):
            read(said)
        with pytest.raises(ProtocolError):
            read(OK)
        assert not [one for one in gc.get_objects() if isinstance(one, _Heard)]
    finally:
        gc.enable()


# no answers

EARLY = {
    "nothing": b"",
    "status": b"HTTP/1.1 20",
    "headers": OK + b"Content-Length: 0\r\n",
    "length": OK + b"Content-Length: 4\r\n\r\nabc",
    "chunk": CHUNKED + b"4\r\nabc",
    "last chunk": CHUNKED + b"3\r\nabc\r\n",
    "trailers": CHUNKED + b"3\r\nabc\r\n0\r\nA: b\r\n",
    "informed": b"HTTP/1.1 100 Continue\r\n\r\n",
    "informed, length": b"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc",
    "not chunked": OK + b"Transfer-Encoding: gzip\r\n\r\nabc",
}

GARBAGE = {
    "a page": b"<html>Sign in</html>",
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02F",
    "a long status": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "line ends": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "no colon": OK + b"Content-Length\r\n\r\n",
    "a space before the colon": OK + b"Content-Length : 0\r\n\r\n",
    "a folded header": OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "a NUL": OK + b"A: b\0c\r\nContent-Length: 0\r\n\r\n",
    "a lone CR": OK + b"A: b\rc\r\nContent-Length: 0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a list of lengths": OK + b"Content-Length: 1, 1\r\n\r\na",
    "length and chunks": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n0\r\n\r\n",
    "a negative length": OK + b"Content-Length: -1\r\n\r\n",
    "no length": OK + b"Content-Length:\r\n\r\n",
    "an endless length": OK + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "a negative chunk": CHUNKED + b"-1\r\n",
    "an endless chunk": CHUNKED + b"fffffffffffffffff\r\n",
    "a chunk too long": CHUNKED + b"1\r\nabc\r\n0\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "another protocol, unnamed": b"HTTP/1.1 101 S\r\n\r\n",
}


@pytest.mark.parametrize("abruptly", [False, True])
@pytest.mark.parametrize("name", EARLY)
def test_an_answer_that_ends_early_is_none(name: str, abruptly: bool) -> None:
    """Politely or by a reset, at whatever place."""

    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(EARLY[name])
        peer.end(abruptly=abruptly)

    failed(script)


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_http_is_no_answer(name: str, cut: bool) -> None:
    """Nothing is guessed, whatever others would let pass."""
    said = GARBAGE[name]

    def script(peer: Peer) -> None:
        peer.hear()
        for at in range(len(said)) if cut else ():
            peer.say(said[at : at + 1])
        peer.say(b"" if cut else said)
        peer.line.shutdown(socket.SHUT_WR)
        peer.wait()

    failed(script)


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (OK, b"X-Filler: %b\r\n" % (b"a" * 1000)),
        (OK + b"A: ", b"a" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    ],
)
def test_headers_have_to_end(start: bytes, more: bytes) -> None:
    """Otherwise memory would be full before anybody noticed."""

    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(start)
        for _ in range(1_000_000 // len(more)):
            peer.say(more)

    failed(script, "an answer without an end")


def test_an_answer_has_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of its body."""
    monkeypatch.setattr(line_module, "_MOST", 500_000)

    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(OK + b"\r\n")
        for _ in range(1000):
            peer.say(bytes(1000))

    failed(script, "an answer without an end")


def test_an_interrupt_is_no_bad_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser holds what is raised while it tells; a signal has to come through it."""

    def interrupt(heard: object, piece: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_Heard, "on_body", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read(ANSWERS["length"])
