"""Many objects deleted by one request, where the service takes it and nobody else writes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from buckia.errors import AccessError, BuckiaError, PreconditionError
from buckia.model import Entry
from buckia.stores.base import Sweeping
from buckia.stores.s3 import S3Options, S3Store
from tests.servers.lying_s3 import Answer, Liar, Request, Script, error, serve_lies
from tests.servers.s3 import S3Server
from tests.stores.contract import HOSTILE, UNICODE, listed, write
from tests.stores.makers import open_s3

GONE = b"<DeleteResult/>"


@pytest.fixture(params=["moto", pytest.param("rgw", marks=pytest.mark.rgw)])
def server(request: pytest.FixtureRequest) -> S3Server:
    """moto, or a real gateway."""
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, S3Server) else found[0]


@pytest.fixture
def store(server: S3Server) -> Iterator[S3Store]:
    """A store on a new bucket, below a prefix."""
    store = open_s3(server, prefix="in here/", page_size=1000)
    yield store
    store.close()


def test_any_keys_go_together(store: S3Store) -> None:
    """Keys of every kind are deleted by one request, and no other object is."""
    keys = [key for key in (*UNICODE, *HOSTILE) if _kept(store, key)]
    assert len(keys) > 15
    write(store, "stays", b"x")
    chosen = [entry for entry in store.entries() if entry.key != "stays"]
    before = store.traffic.usage.delete
    assert [entry.key for entry in store.sweep(chosen)] == [entry.key for entry in chosen]
    assert store.traffic.usage.delete - before == 1
    assert listed(store) == ["stays"]
    assert list(store.sweep(chosen)) == chosen  # gone already


def _kept(store: S3Store, key: str) -> bool:
    try:
        write(store, key, b"x")
    except BuckiaError:
        return False
    return True


def test_a_store_can_sweep(store: S3Store) -> None:
    """Whoever has many to delete can ask for it."""
    assert isinstance(store, Sweeping)


def sweep(script: Script, service: str, count: int) -> tuple[list[Request], list[Entry]]:
    """What is asked of a service, and what is gone in the end."""
    entries = [Entry(f"k{number:04}", 1, version="e" * 32) for number in range(count)]
    with serve_lies(script) as liar:
        store = _open(liar, service)
        gone = list(store.sweep(entries))
        store.close()
    return liar.asked, gone


def _open(liar: Liar, service: str) -> S3Store:
    keys: dict[str, Any] = {"access_key_id": "access", "secret_access_key": "secret"}
    return S3Store(S3Options("bucket", endpoint=liar.endpoint, region="x", service=service, **keys))


def test_a_request_takes_a_thousand() -> None:
    """More are several requests; a single one goes by itself, under its condition."""
    asked, gone = sweep(lambda request: Answer(body=GONE), "aws", 2001)
    assert [request.method for request in asked] == ["POST", "POST", "DELETE"]
    assert [request.body.count(b"<Key>") for request in asked] == [1000, 1000, 0]
    assert len(gone) == 2001


@pytest.mark.parametrize("service", ["aws", "ceph"])
def test_each_service_gets_what_it_understands(service: str) -> None:
    """Amazon an ETag for each key and a CRC32, all others the MD5 that every service knows."""
    (request,), _ = sweep(lambda request: Answer(body=GONE), service, 2)
    digest = base64.b64encode(hashlib.md5(request.body).digest()).decode()
    amazon = service == "aws"
    assert request.body.count(b"<ETag>") == (2 if amazon else 0)
    assert ("x-amz-checksum-crc32" in request.headers) is amazon
    assert request.headers.get("content-md5") == (None if amazon else digest)
    assert b"<Quiet>true</Quiet>" in request.body


@pytest.mark.parametrize("code", ["NotImplemented", "MissingContentMD5", "MethodNotAllowed"])
def test_where_it_is_not_offered_they_go_one_by_one(code: str) -> None:
    """A service that cannot delete many deletes each, looked at first where it has to be."""

    def script(request: Request) -> Answer:
        if request.method == "POST":
            return error(501, code)
        return Answer(404) if request.method == "HEAD" else Answer(204)

    asked, gone = sweep(script, "generic", 3)
    assert [request.method for request in asked] == ["POST", "HEAD", "HEAD", "HEAD"]
    assert len(gone) == 3


def test_what_was_left_of_many_is_asked_for_alone() -> None:
    """A success with errors in it: each key that is named there goes by itself, or says why not."""
    left = b"<DeleteResult><Error><Key>k0001</Key><Code>PreconditionFailed</Code></Error>"

    def script(request: Request) -> Answer:
        if request.method == "POST":
            return Answer(body=left + b"</DeleteResult>")
        return error(412, "PreconditionFailed")

    with pytest.raises(PreconditionError, match="k0001"):
        sweep(script, "aws", 3)


def test_a_refusal_is_an_error() -> None:
    """Without the right to delete nothing is taken for deleted."""
    with pytest.raises(AccessError):
        sweep(lambda request: error(403, "AccessDenied"), "ceph", 2)
