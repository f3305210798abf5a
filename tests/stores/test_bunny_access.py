"""Who may use a Bunny store, what it says to those who may not, and where it asks."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from buckia.config import BucketConfig
from buckia.connect import open_remote
from buckia.errors import (
    AccessError,
    BuckiaError,
    ConfigError,
)
from buckia.stores.bunny import BunnyOptions, BunnyStore
from buckia.stores.hashing import HashCache
from tests.servers.bunny import Bunny
from tests.servers.bunny_zone import Zone
from tests.stores.contract import entry_for, listed, read, write

DATA = b"0123456789" * 20
ENTRY = entry_for("key", DATA)


# who asks


@pytest.mark.parametrize("cause", ["password", "zone", "host", "suspended"])
def test_a_401_names_every_cause(bunny: Bunny, bunny_zone: Zone, cause: str) -> None:
    """One answer for all of them, in one line, without the password."""
    bunny.switches.suspended = cause == "suspended"
    host = bunny.endpoint.replace("127.0.0.1", "localhost") if cause == "host" else bunny.endpoint
    name = "another" if cause == "zone" else bunny_zone.name
    password = "very-secret" if cause == "password" else bunny_zone.password
    store = BunnyStore(BunnyOptions(name, password, host))
    for step in (lambda: listed(store), lambda: store.head("key"), lambda: read(store, ENTRY)):
        with pytest.raises(BuckiaError) as caught:
            step()
    with pytest.raises(AccessError) as refused:
        write(store, "key", DATA)
    text = str(refused.value)
    for word in ("password", "storage_zone", "region", "suspended", "read-only"):
        assert word in text
    assert password not in text + str(caught.value)
    assert "\n" not in text
    store.close()


@pytest.mark.parametrize("status", [401, 403])
def test_a_read_only_password_reads(bunny: Bunny, bunny_zone: Zone, status: int) -> None:
    """And says that it cannot write."""
    bunny.switches.read_only = status
    bunny_zone.put("key", DATA)
    store = BunnyStore(BunnyOptions(bunny_zone.name, bunny_zone.read_only, bunny.endpoint))
    (entry,) = store.entries()
    assert read(store, entry) == DATA
    for refused in (lambda: write(store, "new", DATA), lambda: store.delete(entry)):
        with pytest.raises(AccessError, match=str(status)):
            refused()
    store.close()


@pytest.mark.parametrize("missing", ["[]", "404"])
def test_a_proxy_that_knows_no_describe(
    bunny: Bunny, bunny_store: BunnyStore, missing: str
) -> None:
    """Is gone around by listing the folder."""
    bunny.switches.describes, bunny.switches.missing_folder = False, missing  # type: ignore[assignment]
    first = write(bunny_store, "folder/key", b"first")
    entry = write(bunny_store, "folder/key", DATA, first)
    assert bunny_store.head("folder") is bunny_store.head("no/such") is None
    assert read(bunny_store, entry) == DATA
    bunny_store.delete(entry)
    assert bunny.counts["DESCRIBE"] == 1


def test_head_is_never_sent(bunny: Bunny, bunny_zone: Zone, bunny_store: BunnyStore) -> None:
    """The server would answer 401, whatever the password."""
    bunny_store.delete(write(bunny_store, "key", DATA))
    assert set(bunny.counts) == {"DESCRIBE", "PUT", "DELETE"}
    headers = {"AccessKey": bunny_zone.password}
    answer = requests.head(f"{bunny.endpoint}/{bunny_zone.name}/key", headers=headers, timeout=20)
    assert answer.status_code == 401


def test_secrets_are_in_no_text(bunny: Bunny) -> None:
    """Neither of the two."""
    options = BunnyOptions("zone", "very-secret", account_key="all-mighty")
    store = BunnyStore(options)
    text = repr(options) + repr(store) + store.url + store.public_url("key")
    assert "secret" not in text and "mighty" not in text


# from the configuration


def remote(**options: str) -> BunnyStore:
    """The store of a bucket."""
    said = {"provider": "bunny", "bucket_name": "acme", "storage_api_key": "password", **options}
    store = open_remote(BucketConfig(**said), Path(), HashCache())  # type: ignore[arg-type]
    assert isinstance(store, BunnyStore)
    return store


def test_the_region_tells_the_host() -> None:
    """`domain` wins over it, and Frankfurt needs neither."""
    for options, host in (
        ({}, "https://storage.bunnycdn.com"),
        ({"region": "ny"}, "https://ny.storage.bunnycdn.com"),
        ({"region": "NY", "domain": "uk.storage.bunnycdn.com"}, "https://uk.storage.bunnycdn.com"),
        ({"domain": "http://127.0.0.1:1/"}, "http://127.0.0.1:1"),
    ):
        assert remote(**options).public_url("a b") == f"{host}/acme/a%20b"
    with pytest.raises(ConfigError, match="xx: no storage region of Bunny; choose one of DE, UK"):
        remote(region="xx")


def test_the_storage_zone_may_have_another_name() -> None:
    """`bucket_name` is the default."""
    assert remote().url == "bunny://acme"
    assert remote(storage_zone="other").url == "bunny://other"


def test_the_public_finds_objects_behind_the_pull_zone() -> None:
    """By its name or by a host name of its own."""
    for zone, host in (("acme-cdn", "acme-cdn.b-cdn.net"), ("cdn.acme.org", "cdn.acme.org")):
        assert remote(pull_zone=zone).public_url("a/é") == f"https://{host}/a/%C3%A9"


def test_a_zone_without_a_password_is_refused() -> None:
    """Before anything is asked."""
    bucket = BucketConfig(provider="bunny", bucket_name="acme", api_key="the-account's")
    with pytest.raises(AccessError, match="no credentials in `storage_api_key` of the"):
        open_remote(bucket, Path(), HashCache())
    with pytest.raises(AccessError, match="no password; set `storage_api_key`"):
        BunnyStore(BunnyOptions("acme", ""))
