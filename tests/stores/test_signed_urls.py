"""URLs that read one object for a while, opened by somebody without credentials."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from buckia import BucketConfig, BuckiaClient, UsageError
from buckia.errors import AccessError
from buckia.model import Entry
from buckia.stores.b2 import B2Store
from buckia.stores.base import Signing, Store
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from buckia.stores.s3 import S3Store
from tests.servers.b2 import B2Server
from tests.stores.conftest import open_b2, open_s3

KEY = "a folder/é ü+%26?#&=~.txt"
WEEK = 7 * 24 * 3600


@pytest.fixture(params=["moto", "b2", pytest.param("rgw", marks=pytest.mark.rgw)])
def store(request: pytest.FixtureRequest) -> Iterator[S3Store | B2Store]:
    """A store that signs, below a prefix of its bucket, with one object."""
    makers: dict[str, Callable[[], S3Store | B2Store]] = {
        "moto": lambda: open_s3(request.getfixturevalue("moto"), prefix="team/"),
        "rgw": lambda: open_s3(request.getfixturevalue("rgw")[0], prefix="team/"),
        "b2": lambda: open_b2(request.getfixturevalue("b2"), prefix="team/"),
    }
    made = makers[request.param]()
    made.put(Entry(KEY, 4), io.BytesIO(b"data"), replacing=None)
    yield made
    made.close()


def test_whoever_has_the_url_reads_the_object(store: S3Store | B2Store) -> None:
    """And nothing else by it."""
    assert isinstance(store, Signing)
    found = requests.get(store.signed_url(KEY, 60), timeout=10)
    assert (found.status_code, found.content) == (200, b"data")


@pytest.mark.parametrize("seconds", [0, WEEK + 1])
def test_the_limit_of_the_service_is_named(store: S3Store | B2Store, seconds: int) -> None:
    """A week is the most."""
    with pytest.raises(UsageError, match="at most 7 days; ask for less"):
        store.signed_url(KEY, seconds)
    assert store.signed_url(KEY, WEEK)


def test_s3_signs_by_version_4_for_the_time_asked(moto: object) -> None:
    """boto3 alone would sign by version 2 for an endpoint of one's own."""
    store = open_s3(moto)  # type: ignore[arg-type]
    query = parse_qs(urlsplit(store.signed_url("k", 60)).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["60"]
    store.close()


@pytest.mark.rgw
def test_a_url_expires(rgw: tuple[object, object]) -> None:
    """The gateway looks at the time and at the signature."""
    store = open_s3(rgw[0])  # type: ignore[arg-type]
    store.put(Entry("k", 1), io.BytesIO(b"1"), replacing=None)
    url = store.signed_url("k", 1)
    forged = url.replace("/k?", "/other?")
    assert requests.get(forged, timeout=10).status_code == 403
    deadline = time.monotonic() + 20
    while (status := requests.get(url, timeout=10).status_code) == 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert status == 403
    store.close()


def test_b2_shares_names_that_begin_so_and_needs_the_right(b2: B2Server) -> None:
    """What a token opens is told in the help of `buckia url`."""
    store = open_b2(b2)
    for key in ("a", "ab", "b"):
        store.put(Entry(key, 1), io.BytesIO(b"1"), replacing=None)
    token = urlsplit(store.signed_url("a", 60)).query
    answers = [requests.get(f"{store.public_url(k)}?{token}", timeout=10) for k in ("a", "ab", "b")]
    assert [answer.status_code for answer in answers] == [200, 200, 401]
    less = b2.add_key(capabilities=b2.master.capabilities - {"shareFiles"})
    limited = open_b2(b2, key_id=less.key_id, application_key=less.secret)
    with pytest.raises(AccessError, match="lacks `shareFiles`"):
        limited.signed_url("a", 60)
    store.close()
    limited.close()


@pytest.mark.parametrize("other", [MemoryStore(), LocalStore(Path())])
def test_other_stores_do_not_sign(other: Store) -> None:
    """What only this machine can read has no URL for others."""
    assert not isinstance(other, Signing)


def test_the_python_api_signs(b2: B2Server) -> None:
    """For an hour unless told otherwise; a directory as bucket cannot."""
    name = b2.add_bucket().name
    options: dict[str, Any] = {
        "api_key": b2.master.key_id,
        "password": b2.master.secret,
        "domain": b2.endpoint,
    }
    with BuckiaClient(BucketConfig(provider="b2", bucket_name=name, **options)) as client:
        url = client.get_signed_url("a/é.txt")
    assert urlsplit(url).path == f"/file/{name}/a/%C3%A9.txt"
    assert "Authorization=share" in url
    with (
        BuckiaClient(BucketConfig(provider="local", bucket_name="../bucket")) as client,
        pytest.raises(UsageError, match="the provider `local` signs no URLs"),
    ):
        client.get_signed_url("a")
