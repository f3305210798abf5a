"""Proxies and certificates as the environment has them, by every client alike."""

from __future__ import annotations

import io
import os
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from buckia.errors import BuckiaError, ConfigError, StoreError
from buckia.model import Entry
from buckia.stores import retry
from buckia.stores.b2 import B2Options, B2Store
from buckia.stores.base import Store
from buckia.stores.bunny import BunnyOptions, BunnyStore
from buckia.stores.http_session import Network
from buckia.stores.network import BUNDLES, trusting
from buckia.stores.reaching import server_time
from buckia.stores.s3 import S3Options, S3Store
from tests.servers.lying_s3 import Answer, Liar, serve_lies
from tests.servers.tls import Listener, serve_tls
from tests.servers.tunnel import Tunnel, serve_tunnel

ELSEWHERE = "http://storage.example.test"
"""A host that there is not: only a proxy gets there."""

Step = Callable[[str], object]


def s3(endpoint: str) -> Store:
    return S3Store(
        S3Options(
            "bucket",
            endpoint=endpoint,
            region="us-east-1",
            access_key_id="access",
            secret_access_key="secret",
        )
    )


def b2(endpoint: str) -> Store:
    return B2Store(B2Options("bucket", "id", "key", realm=endpoint))


def bunny(endpoint: str) -> Store:
    return BunnyStore(BunnyOptions("zone", "password", endpoint))


def step(make: Callable[[str], Store], act: Callable[[Store], object]) -> Step:
    """Open a store at an endpoint and do something with it."""

    def run(endpoint: str) -> object:
        with closing(make(endpoint)) as store:
            return act(store)

    return run


STEPS: dict[str, Step] = {
    "a line lists S3": step(s3, lambda store: list(store.entries())),
    "obstore looks": step(s3, lambda store: store.head("k")),
    "obstore writes": step(
        s3, lambda store: store.put(Entry("k", 1), io.BytesIO(b"1"), replacing=None)
    ),
    "botocore looks": step(s3, lambda store: store.head("a//b")),
    "b2sdk signs in": step(b2, lambda store: store.head("k")),
    "requests lists Bunny": step(bunny, lambda store: list(store.entries())),
    "requests asks for the time": server_time,
}

every_client = pytest.mark.parametrize("run", STEPS.values(), ids=list(STEPS))


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing; retries come at once."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    for name in list(os.environ):
        if name in BUNDLES or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


# certificates


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """A server under a certificate of an authority nobody knows."""
    with serve_tls(tmp_path_factory.mktemp("tls")) as serving:
        yield serving


@pytest.fixture
def bundle(listener: Listener, tmp_path: Path) -> Path:
    """Two authorities in one file, the server's after another one."""
    other = tmp_path / "other"
    other.mkdir()
    with serve_tls(other, "another authority") as stranger:
        both = stranger.authority.read_bytes() + listener.authority.read_bytes()
    (tmp_path / "bundle.pem").write_bytes(both)
    listener.asked.clear()
    return tmp_path / "bundle.pem"


@pytest.mark.promise("HYG-6")
@every_client
@pytest.mark.parametrize("name", ["", *BUNDLES])
def test_an_unknown_certificate_is_refused(
    run: Step, name: str, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable is no way around it."""
    if name:
        monkeypatch.setenv(name, "")
    listener.asked.clear()
    with pytest.raises(StoreError, match="certificate of the service is not trusted"):
        run(listener.endpoint)
    assert listener.asked == []


@every_client
@pytest.mark.parametrize("name", BUNDLES)
def test_an_authority_that_the_environment_names_is_trusted(
    run: Step, name: str, listener: Listener, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the variables of Amazon's tools, of requests, of curl and of OpenSSL, the first first."""
    for other in BUNDLES:
        monkeypatch.setenv(other, str(bundle) if other == name else "")
    with suppress(BuckiaError):  # what it answers is not the point
        run(listener.endpoint)
    assert listener.asked


@every_client
def test_another_authority_is_not_enough(
    run: Step, listener: Listener, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first variable that says something counts, and no later one adds to it."""
    monkeypatch.setenv(BUNDLES[0], str(bundle.parent / "other" / "authority.pem"))
    monkeypatch.setenv(BUNDLES[1], str(bundle))
    with pytest.raises(StoreError, match="certificate of the service is not trusted"):
        run(listener.endpoint)
    assert listener.asked == []


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_that_is_not_there_is_said(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing else is trusted in its place."""
    monkeypatch.setenv(name, str(tmp_path / "nowhere.pem"))
    for make in (s3, b2, bunny):
        with pytest.raises(ConfigError, match=f"{name}: .*nowhere.pem is not a file"):
            make("https://127.0.0.1:9")


def test_a_bundle_without_certificates_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no absence of an object, nor of a connection."""
    (tmp_path / "notes.txt").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "notes.txt"))
    with pytest.raises(ConfigError, match=r"notes\.txt: no certificates in it; name a PEM file"):
        trusting()
    with pytest.raises(ConfigError, match=r"nowhere\.pem: no certificates in it"):
        trusting(str(tmp_path / "nowhere.pem"))


# proxies


@pytest.fixture
def service() -> Iterator[Liar]:
    """Something that answers behind the proxy."""
    with serve_lies(lambda request: Answer(404)) as liar:
        yield liar


@pytest.fixture
def tunnel(service: Liar) -> Iterator[Tunnel]:
    """A proxy that leads there."""
    port = urlsplit(service.endpoint).port
    assert port
    with serve_tunnel(port) as serving:
        yield serving


@every_client
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_requests_go_through_the_proxy_of_the_environment(
    run: Step, name: str, tunnel: Tunnel, service: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, and none beside it."""
    monkeypatch.setenv(name, tunnel.url)
    with suppress(BuckiaError):
        run(ELSEWHERE)
    assert tunnel.asked == {"storage.example.test"}
    assert tunnel.passed == len(service.asked) > 0


@every_client
@pytest.mark.parametrize(
    ("name", "hosts"),
    [("NO_PROXY", "localhost,127.0.0.1"), ("no_proxy", "*"), ("NO_PROXY", "127.0.0.0/8")],
)
def test_hosts_that_need_no_proxy_get_none(
    run: Step,
    name: str,
    hosts: str,
    tunnel: Tunnel,
    service: Liar,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever way the variable is written."""
    monkeypatch.setenv("HTTP_PROXY", tunnel.url)
    monkeypatch.setenv(name, hosts)
    with suppress(BuckiaError):
        run(service.endpoint)
    assert (tunnel.asked, tunnel.passed) == (set(), 0)
    assert service.asked


@every_client
def test_tls_goes_through_a_tunnel(
    run: Step, listener: Listener, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees a host and nothing else; certificates are the service's own."""
    port = urlsplit(listener.endpoint).port
    assert port
    with serve_tunnel(port) as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
        with pytest.raises(StoreError, match="certificate of the service is not trusted"):
            run(listener.endpoint)
        assert (tunnel.asked, listener.asked) == ({"127.0.0.1"}, [])
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        with suppress(BuckiaError):
            run(listener.endpoint)
        assert listener.asked
        assert tunnel.dug > 1
        assert tunnel.passed == 0


@every_client
def test_a_proxy_is_signed_in_to(run: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what its URL says."""
    with serve_lies(lambda request: Answer(404)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint.replace("//", "//user:p%40ss@"))
        with suppress(BuckiaError):
            run(ELSEWHERE)
    told = {name.lower(): value for name, value in proxy.asked[0].headers.items()}
    assert told["proxy-authorization"] == "Basic " + b64encode(b"user:p@ss").decode()


@every_client
def test_a_proxy_that_is_away_is_no_connection(run: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """And there is no way around it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="no connection"):
        run(ELSEWHERE)


# pools


def test_connections_are_kept(service: Liar) -> None:
    """One after the other, requests share one."""
    with Network(4) as session:
        for _ in range(5):
            session.get(service.endpoint)
        pools = session.get_adapter(service.endpoint).poolmanager.pools  # type: ignore[attr-defined]
        (pool,) = (pools[key] for key in pools.keys())  # noqa: SIM118  (no plain mapping)
        assert (pool.num_connections, pool.num_requests) == (1, 5)
