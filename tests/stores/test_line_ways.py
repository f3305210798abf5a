"""How a line gets to a service: by TLS, through proxies, by IPv6."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from urllib3.exceptions import HTTPError, ProtocolError, ProxyError, SSLError
from urllib3.exceptions import TimeoutError as Late

from buckia.stores.line import Line
from tests.servers.lying_s3 import Answer, serve_lies
from tests.servers.scripted import Peer, saying, serve_script
from tests.servers.tunnel import serve_tunnel
from tests.stores.lines import WAITS, answer, get, see_news

pytestmark = pytest.mark.usefixtures("bare", "nothing_left")


def echo(peer: Peer) -> None:
    """Answer each request with its target."""
    while True:
        peer.say(answer(peer.hear().split(b" ")[1]))


# TLS


@pytest.mark.promise("HYG-6")
def test_a_certificate_that_nobody_knows_ends_it(tls: ssl.SSLContext) -> None:
    """Nothing is said to such a service."""
    with (
        serve_script(echo, tls) as server,
        closing(Line(server.url, 2)) as line,
        pytest.raises(SSLError, match="certificate verify failed"),
    ):
        get(line)
    assert server.asked == []


@pytest.mark.promise("HYG-6")
def test_a_certificate_for_another_host_ends_it(tls: ssl.SSLContext, tmp_path: Path) -> None:
    """However well it is signed."""
    with (
        serve_script(echo, tls) as server,
        closing(Line(server.url.replace("127.0.0.1", "localhost"), 2, pem(tmp_path))) as line,
        pytest.raises(SSLError, match="certificate verify failed"),
    ):
        get(line)
    assert server.asked == []


def pem(folder: Path) -> str:
    return str(folder / "authority.pem")


def test_a_certificate_of_an_authority_that_is_trusted(tls: ssl.SSLContext, tmp_path: Path) -> None:
    """The connection is kept as any other."""
    with serve_script(echo, tls) as server, closing(Line(server.url, 2, pem(tmp_path))) as line:
        assert [get(line, f"/{number}") for number in range(3)] == [b"/0", b"/1", b"/2"]
    assert (server.connections, len(server.asked)) == (1, 3)


@pytest.mark.parametrize("late", [False, True])
def test_surplus_in_tls_answers_nothing(tls: ssl.SSLContext, tmp_path: Path, late: bool) -> None:
    """Whether or not it comes in the record of the answer before it."""
    connections = iter((1, 2))

    def script(peer: Peer) -> None:
        number = next(connections)
        peer.hear()
        if number == 2:
            peer.say(answer(b"right"))
        elif late:
            peer.say(answer(b"1"))
            peer.say(answer(b"wrong"))
        else:
            peer.say(answer(b"1") + answer(b"wrong"))
        peer.wait()

    with serve_script(script, tls) as server, closing(Line(server.url, 2, pem(tmp_path))) as line:
        assert get(line) == b"1"
        if late:
            see_news(line)
        assert get(line) == b"right"
    assert server.connections == 2


@pytest.mark.parametrize("abruptly", [False, True])
def test_a_tls_connection_that_breaks_is_no_matter_of_trust(
    tls: ssl.SSLContext, tmp_path: Path, abruptly: bool
) -> None:
    """Whoever is told of a certificate would not try again."""

    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(answer(b"12345")[:-2])
        peer.end(abruptly=abruptly)

    with (
        serve_script(script, tls) as server,
        closing(Line(server.url, 2, pem(tmp_path))) as line,
        pytest.raises(ProtocolError),
    ):
        get(line)
    assert len(server.asked) == 1


def test_a_service_without_tls(tmp_path: Path, tls: ssl.SSLContext) -> None:
    """Such an answer to a handshake is none."""

    def script(peer: Peer) -> None:
        peer.line.recv(1)
        peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.wait()

    with serve_script(script) as server:
        url = server.url.replace("http:", "https:")
        with closing(Line(url, 2, pem(tmp_path))) as line, pytest.raises(ProtocolError):
            get(line)


def test_a_handshake_that_never_comes_is_late(tmp_path: Path, tls: ssl.SSLContext) -> None:
    with serve_script(Peer.wait) as server:
        url = server.url.replace("http:", "https:")
        with closing(Line(url, 2, pem(tmp_path))) as line, pytest.raises(Late):
            line.ask("GET", "/", {}, (0.05, 10.0))


# proxies


def _moved() -> Answer:
    """Its body is as it is, whatever the headers say of it: nobody asked for another encoding."""
    return Answer(307, b"body", {"Location": "/b", "ETag": "a", "Content-Encoding": "gzip"})


def test_http_goes_by_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, under the host that was signed, and no redirect is followed."""
    with serve_lies(lambda request: _moved()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        with closing(Line("http://storage.test:80", 2)) as line:
            told = line.ask("PUT", "/a?b=", {"x-amz-a": "1"}, WAITS, b"sent")
            assert line.host == "storage.test"
    assert (told.status, told.body, told.headers["etag"]) == (307, b"body", "a")
    (asked,) = proxy.asked
    assert (asked.method, asked.query, asked.body) == ("PUT", {"b": ""}, b"sent")
    assert {name: asked.headers[name] for name in ("host", "x-amz-a", "accept-encoding")} == {
        "host": "storage.test",
        "x-amz-a": "1",
        "accept-encoding": "identity",
    }


def test_https_goes_through_a_tunnel(
    tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In which certificates are the service's own."""
    with serve_script(echo, tls) as server, serve_tunnel(urlsplit(server.url).port or 0) as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
        with closing(Line(server.url, 2, pem(tmp_path))) as line:
            assert [get(line, f"/{number}") for number in range(3)] == [b"/0", b"/1", b"/2"]
        assert (tunnel.dug, server.connections) == (1, 1)
        with closing(Line(server.url, 2)) as line, pytest.raises(SSLError):
            get(line)
        assert len(server.asked) == 3


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_away(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And there is no way around it."""
    monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    with (
        closing(Line(f"{scheme}://storage.test", 2)) as line,
        pytest.raises(ProxyError),
    ):
        get(line)


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", b"<html>"],
)
def test_a_proxy_that_breaks_off(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent twice here, either."""

    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(said)

    with serve_script(script) as server:
        monkeypatch.setenv("http_proxy", server.url)
        with closing(Line("http://storage.test", 2)) as line, pytest.raises(HTTPError):
            get(line)
    assert (server.connections, len(server.asked)) == (1, 1)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Storage.TEST", "storage.test"),
        ("https://storage.test:443/a", "storage.test"),
        ("https://storage.test:80", "storage.test:80"),
        ("http://storage.test:80", "storage.test"),
        ("http://storage.test:443", "storage.test:443"),
        ("http://[::1]:9000/a", "[::1]:9000"),
        ("http://[::1]", "[::1]"),
    ],
)
def test_the_host_is_named_as_it_is_signed(url: str, host: str) -> None:
    """The usual port is left out, any other is not."""
    with closing(Line(url, 1)) as line:
        assert line.host == host


def test_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address in brackets is looked up without them, and named with them."""
    asked: list[object] = []

    def find(host: str, port: int, *_: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    with serve_script(saying(answer(b"1"))) as server:
        monkeypatch.setattr(socket, "getaddrinfo", find)
        port = urlsplit(server.url).port
        with closing(Line(f"http://[::1]:{port}", 1)) as line:
            assert get(line) == b"1"
        monkeypatch.undo()
    assert asked == ["::1"]
    assert f"host: [::1]:{port}".encode() in server.asked[0]
