"""What the tests of a line have in common."""

from __future__ import annotations

from urllib3.util.wait import wait_for_read

from buckia.stores.line import Line

WAITS = (10.0, 10.0)


def answer(body: bytes) -> bytes:
    """A whole answer."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def get(line: Line, target: str = "/") -> bytes:
    """The body of an answer."""
    return line.ask("GET", target, {}, WAITS).body


def see_news(line: Line) -> None:
    """Wait until something has come on the connection that is kept."""
    assert wait_for_read(line._idle[-1].sock, 10)
