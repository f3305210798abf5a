"""What an S3 bucket's options say with every request: encryption, who pays, and by which way."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests
from botocore.loaders import Loader

from buckia.errors import ConfigError
from buckia.model import Entry
from buckia.stores.s3 import S3Options, S3Store
from tests.servers.fault_proxy import Asked, Proxy, serve_faults
from tests.servers.s3 import S3Server
from tests.stores.conftest import MOTO, SMALLEST_PART, open_s3
from tests.stores.contract import entry_for, listed, read, write

KEYS: Final[dict[str, Any]] = {"access_key_id": "access", "secret_access_key": "secret"}
LARGE: Final = bytes(SMALLEST_PART + 1)
ODD: Final = "a//b"
"""A key that goes by botocore."""


@pytest.fixture(params=["moto", pytest.param("rgw", marks=pytest.mark.rgw)])
def server(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """moto, or a real gateway, and what it is asked."""
    found = request.getfixturevalue(request.param)
    with serve_faults(found if isinstance(found, S3Server) else found[0]) as proxy:
        yield proxy


def work(store: S3Store) -> None:
    """Everything a store does, by each of its clients."""
    for key in (ODD, "key"):
        entry = write(store, key, b"x")
        assert read(store, entry) == b"x"
        assert store.head(key)
    assert store.copy(store, entry, key="little", replacing=None)
    large = store.put(entry_for("large", LARGE), io.BytesIO(LARGE), replacing=None)
    assert read(store, large) == LARGE
    copied = store.copy(store, large, key="copy", replacing=None)
    assert copied
    store.put_headers(Entry("copy", copied.size, headers={"meta-a": "b"}), replacing=copied)
    assert listed(store) == [ODD, "copy", "key", "large", "little"]
    for key in listed(store):
        held = store.head(key)
        assert held
        store.delete(held)


def about_objects(server: Proxy) -> list[Asked]:
    """The requests about objects and listings, not those about the bucket."""
    return [asked for asked in server.asked if not asked.target.endswith("?versioning")]


@pytest.mark.parametrize("pays", [True, False])
def test_every_request_says_who_pays(server: Proxy, pays: bool) -> None:
    """Reads, writes, copies, deletions and listings, through each client, and signed with it; a URL
    for others, too."""
    store = open_s3(server, requester_pays=pays)
    server.asked.clear()
    work(store)
    told = [asked.headers.get("x-amz-request-payer") for asked in about_objects(server)]
    assert set(told) == {"requester" if pays else None}
    for asked in about_objects(server):
        signed = asked.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
        assert ("x-amz-request-payer" in signed.split(";")) == pays
    entry = write(store, "url", b"x")
    url = store.signed_url("url", 60)
    assert ("x-amz-request-payer=requester" in url) == pays
    assert requests.get(url, timeout=20).content == read(store, entry)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"encryption": "AES256"}, ("AES256", None)),
        ({"encryption": "aws:kms"}, ("aws:kms", None)),
        ({"encryption": "aws:kms", "kms_key": "alias/ours"}, ("aws:kms", "alias/ours")),
    ],
)
def test_what_is_written_is_encrypted_as_wanted(
    moto: S3Server, options: dict[str, Any], told: tuple[str, str | None]
) -> None:
    """Uploads whole and in parts, copies, and objects whose headers change."""
    with serve_faults(moto) as server:
        store = open_s3(server, conditions=MOTO, **options)
        server.asked.clear()
        work(store)
        name = "x-amz-server-side-encryption"
        key = f"{name}-aws-kms-key-id"
        begun = [asked for asked in server.asked if name in asked.headers]
        assert {(asked.headers[name], asked.headers.get(key)) for asked in begun} == {told}
        places = {urlsplit(asked.target) for asked in begun}
        keys = {place.path.removeprefix(f"/{store._options.bucket}/") for place in places}
        assert keys == {"key", ODD, "large", "copy", "little"}
        assert all(not place.query or place.query == "uploads" for place in places)


def test_under_a_key_management_an_etag_is_no_md5(moto: S3Server) -> None:
    """So a listing promises no digest; with the service's own keys it does."""
    for encryption, digests in ((None, {"md5"}), ("AES256", {"md5"}), ("aws:kms", set())):
        store = open_s3(moto, encryption=encryption)
        write(store, "key", b"x")
        (entry,) = store.entries()
        assert store.capabilities.digests == digests
        assert bool(entry.md5) == bool(digests)
        assert store.head("key")


def test_accelerated_bodies_go_another_way_and_nothing_else() -> None:
    """Looks, listings and settings take the usual one, by which acceleration is switched on."""
    options = S3Options("bucket-name", region="eu-west-1", acceleration=True, **KEYS)
    store = S3Store(options)
    session, fast = store._session, "bucket-name.s3-accelerate.amazonaws.com"
    assert urlsplit(session.transfer_url).hostname == fast
    assert session.reader.config["endpoint"] == f"https://{fast}"
    place = {"Bucket": "bucket-name", "Key": "key"}
    for operation in ("put_object", "get_object"):
        url = session.mover.generate_presigned_url(operation, place)
        assert urlsplit(url).hostname == fast
    usual = "bucket-name.s3.eu-west-1.amazonaws.com"
    assert urlsplit(session.bucket_url).hostname == usual
    for url in (store.public_url("key"), store.signed_url("key", 60)):
        assert urlsplit(url).hostname == usual
    assert session.same_service(S3Store(S3Options("b", region="eu-west-1", **KEYS))._session)
    store.close()


def test_without_acceleration_there_is_one_way() -> None:
    """And one client for all."""
    session = S3Store(S3Options("bucket-name", region="eu-west-1", **KEYS))._session
    assert session.mover is session.client
    assert session.transfer_url == session.bucket_url


def test_only_amazon_accelerates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an endpoint of the options nor one of the environment does."""
    with pytest.raises(ConfigError, match="`acceleration` is Amazon's own"):
        S3Store(S3Options("b", endpoint="http://127.0.0.1:1", acceleration=True, **KEYS))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(ConfigError, match="leave it out, or the endpoint"):
        S3Store(S3Options("b", region="eu-west-1", acceleration=True, **KEYS))


def test_what_botocore_knows_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many buckets there are; models that somebody keeps elsewhere are found."""

    def loader(store: S3Store) -> Loader:
        found = store._session.boto.get_component("data_loader")
        assert isinstance(found, Loader)
        return found

    here = S3Options("acme", region="eu-central-1", **KEYS)
    one, two = S3Store(here), S3Store(here)
    places = loader(one).search_paths
    assert loader(one) is loader(two) and loader(two).search_paths == places
    assert one._session.client.meta.service_model.service_name == "s3"
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert loader(S3Store(here)).search_paths == [str(tmp_path), *places]
