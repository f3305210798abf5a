"""A certificate nobody vouches for ends every request, before anything is said."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from buckia.errors import StoreError
from buckia.model import Entry
from buckia.stores.s3 import S3Options, S3Store
from tests.servers.tls import Listener, serve_tls

pytestmark = pytest.mark.promise("HYG-6")


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    with serve_tls(tmp_path_factory.mktemp("tls")) as serving:
        yield serving


@pytest.fixture
def store(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """A bucket at that server, with nothing said about certificates."""
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    listener.asked.clear()
    yield from opened(listener)


def opened(listener: Listener) -> Iterator[S3Store]:
    store = S3Store(
        S3Options(
            "bucket",
            endpoint=listener.endpoint,
            region="us-east-1",
            access_key_id="access",
            secret_access_key="secret",
        )
    )
    yield store
    store.close()


STEPS: dict[str, Callable[[S3Store], object]] = {
    "entries": lambda store: list(store.entries()),
    "head": lambda store: store.head("k"),
    "put": lambda store: store.put(Entry("k", 1), io.BytesIO(b"1"), replacing=None),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
@pytest.mark.parametrize("name", ["", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_unknown_certificate_is_refused(
    store: S3Store,
    listener: Listener,
    step: Callable[[S3Store], object],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By listings, looks and writes alike; an empty variable is no way around it."""
    if name:
        monkeypatch.setenv(name, "")
    with pytest.raises(StoreError, match="certificate of the service is not trusted"):
        step(store)
    assert listener.asked == []


def test_an_authority_that_is_named_is_trusted(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the variable that every AWS tool knows."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(listener.authority))
    for store in opened(listener):
        assert list(store.entries()) == []
        assert store.head("k") is None
    assert len(listener.asked) >= 2
