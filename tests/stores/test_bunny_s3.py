"""Bunny's S3 preview: both sides of what nobody has proved, and what the storage API knows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from botocore.response import StreamingBody

from buckia.config import BucketConfig, Config
from buckia.connect import open_remote
from buckia.errors import AccessError, ConfigError, PreconditionError
from buckia.model import replace
from buckia.project import Project
from buckia.stores import bunny_core, retry
from buckia.stores.bunny import BunnyOptions
from buckia.stores.bunny_cdn import CACHES
from buckia.stores.bunny_s3 import BunnyS3Store
from buckia.stores.bunny_settings import BunnySettings
from buckia.stores.bunny_urls import Grant, sign_url
from buckia.stores.hashing import HashCache
from tests.helpers import ops
from tests.servers.bunny import Bunny
from tests.servers.bunny_s3 import Preview, Switches, serve_preview
from tests.servers.s3 import S3Server
from tests.stores.contract import LARGE, entry_for, listed, read, write
from tests.stores.makers import open_preview

DATA = b"0123456789" * 20


@pytest.fixture
def preview(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Preview]:
    """A server whose switches are nobody else's."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    with serve_preview(moto) as server:
        yield server


def opened(preview: Preview, zone: str, password: str) -> BunnyS3Store:
    """A store on a zone that is there already."""
    return BunnyS3Store(BunnyOptions(zone, password, preview.endpoint))


# what nobody has proved


@pytest.mark.parametrize(
    "switched",
    [
        {"writes": "501"},
        {"reads": False},
        {"etags": "md5"},
        {"metadata": "dropped"},
        {"crc32": True},
        {"writes": "501", "reads": False, "etags": "md5", "metadata": "dropped"},
    ],
    ids=str,
)
def test_either_side_of_each_fact_will_do(preview: Preview, switched: dict[str, Any]) -> None:
    """Objects come, are replaced, read, refused when they have changed, and go."""
    preview.switches = Switches(**switched)
    store = open_preview(preview)
    old = write(store, "a b/é.txt", b"old")
    with pytest.raises(PreconditionError):
        write(store, "a b/é.txt", DATA)
    new = write(store, "a b/é.txt", DATA, old)
    assert read(store, new) == DATA
    with pytest.raises(PreconditionError):
        read(store, old)
    with pytest.raises(PreconditionError):
        store.delete(old)
    (entry,) = store.entries()
    assert (entry.version, entry.md5) == (new.version, None)
    large = store.put(entry_for("large", LARGE), io.BytesIO(LARGE), replacing=None)
    assert read(store, large) == LARGE
    for item in (new, large):
        store.delete(item)
    assert listed(store) == []
    store.close()


def test_a_changed_object_is_refused_whichever_client_reads_it(preview: Preview) -> None:
    """Also where the service ignores the condition: the answer tells what it is of."""
    preview.switches.reads = False
    store = open_preview(preview)
    for key in ("key", "odd//key"):
        old = write(store, key, b"old")
        write(store, key, b"new", old)
        with pytest.raises(PreconditionError):
            read(store, old)
    store.close()


def test_the_connection_of_a_refused_body_is_given_back(preview: Preview) -> None:
    """At once, not when somebody happens to clear memory up."""
    preview.switches.reads = False
    store = open_preview(preview)
    old = write(store, "odd//key", b"old")
    write(store, "odd//key", b"new", old)
    close = StreamingBody.close
    with (
        mock.patch.object(StreamingBody, "close", autospec=True, side_effect=close) as closed,
        pytest.raises(PreconditionError),
    ):
        read(store, old)
    closed.assert_called_once()
    store.close()


def test_nothing_is_asked_that_the_preview_does_not_know(preview: Preview) -> None:
    """No versions, no metadata, no list of deletions, no copy that would lose its type."""
    store = open_preview(preview)
    entries = [write(store, f"key-{number}", DATA) for number in range(3)]
    assert not store.capabilities.versions and not store.capabilities.copy
    assert not store.copies(store)
    assert store.copy(store, entries[0], key="other", replacing=None) is None
    list(store.sweep(entries))
    assert set(preview.counts) <= {"GET", "HEAD", "PUT", "DELETE"}
    store.close()


def test_it_has_the_settings_of_a_zone_and_all_of_its_secrets(preview: Preview) -> None:
    """Not those of an S3 bucket, which the preview refuses."""
    keys = {"account_key": "account", "token_key": "token"}
    store = open_preview(preview, **keys)
    assert isinstance(store.settings, BunnySettings)
    assert set(store.secrets) == {"account", "token", preview.zones[store._options.bucket]}
    store.close()


# who asks


def test_a_zone_without_s3_is_refused_once(preview: Preview) -> None:
    """And told apart from a service that is busy, which says so by another number."""
    zone = preview.make_zone()
    preview.disabled.add(zone)
    store = opened(preview, zone, preview.zones[zone])
    with pytest.raises(AccessError, match=r"does not speak S3.*leave `api: s3` out"):
        listed(store)
    assert preview.counts["GET"] == 1
    store.close()


def test_a_wrong_password_is_refused(preview: Preview) -> None:
    """It is the secret of the signature, and the zone's name its key."""
    store = opened(preview, preview.make_zone(), "very-secret")
    with pytest.raises(AccessError, match="secret key does not belong") as caught:
        listed(store)
    assert "very-secret" not in str(caught.value) + repr(store._options)
    store.close()


# what the storage API knows better


def test_the_storage_api_tells_the_sha256(preview: Preview) -> None:
    """To who asks for an object; what it tells of another write is not believed."""
    store = open_preview(preview)
    put = write(store, "a/b", DATA)
    (entry,) = store.entries()
    assert entry.sha256 is None
    assert store.head("a/b") == replace(
        put, modified=entry.modified, type="binary/octet-stream", headers={}
    )
    assert preview.counts["DESCRIBE"] == 1
    assert store.head("none") is None
    lone = opened(preview, store._options.bucket, preview.zones[store._options.bucket])
    head = lone.head("a/b")
    assert head and head.sha256 is None
    assert preview.counts["DESCRIBE"] == 1
    for name, told in (("Length", 1), ("LastChanged", "2020-01-02T03:04:05")):
        preview.told = {name: told}
        head = store.head("a/b")
        assert head and head.sha256 is None
    for made in (store, lone):
        made.close()


def test_a_first_plan_knows_equal_files(preview: Preview, tmp_path: Path) -> None:
    """By their sha256, though neither metadata nor an ETag tells it."""
    store = open_preview(preview)
    write(store, "same.txt", DATA)
    write(store, "other.txt", DATA)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "same.txt").write_bytes(DATA)
    (tmp_path / "tree" / "other.txt").write_bytes(DATA[::-1])
    bucket = BucketConfig(
        provider="bunny", bucket_name="zone", name="zone", api="s3", paths=["tree/"]
    )
    config = Config(tmp_path, None, {"zone": bucket})
    with Project(config, stores={"zone": store}) as project:
        plan = project.plan()
    assert ops(plan) == ["adopt same.txt"]
    assert [conflict.key for conflict in plan.conflicts] == ["other.txt"]


# from the configuration


def remote(**options: Any) -> BunnyS3Store:
    """The store of a bucket."""
    said = {"bucket_name": "acme", "storage_api_key": "password", "api": "s3", **options}
    store = open_remote(BucketConfig(provider="bunny", **said), Path(), HashCache())
    assert isinstance(store, BunnyS3Store)
    return store


def test_the_region_tells_the_address() -> None:
    """And Sao Paulo has none; `domain` wins over it."""
    for options, url in (
        ({}, "https://de-s3.storage.bunnycdn.com/acme/a%20b"),
        ({"region": "SYD"}, "https://syd-s3.storage.bunnycdn.com/acme/a%20b"),
        ({"domain": "http://127.0.0.1:1", "region": "BR"}, "http://127.0.0.1:1/acme/a%20b"),
        ({"pull_zone": "acme-cdn"}, "https://acme-cdn.b-cdn.net/a%20b"),
    ):
        assert remote(**options).public_url("a b") == url
    with pytest.raises(ConfigError, match="`BR` has no S3; leave `api: s3` out"):
        remote(region="BR")


def test_the_two_apis_make_two_plans() -> None:
    """The versions of one mean nothing to the other."""
    one, other = (
        BucketConfig(provider="bunny", bucket_name="acme", api=api) for api in ("s3", "native")
    )
    assert one.identity() != other.identity()


def test_a_pull_zone_publishes_it(
    bunny: Bunny, preview: Preview, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes is purged, and URLs are signed by its key, else by the service."""
    monkeypatch.setattr(bunny_core, "CORE", bunny.core.endpoint)
    store = open_preview(preview, pull_zone="acme-cdn", account_key=bunny.core.account_key)
    assert store.capabilities.caches == CACHES
    for key in ("a b", "a/", "/"):
        store.purge(key)
    site = "https://acme-cdn.b-cdn.net"
    assert bunny.core.purged == [f"{site}/a%20b", f"{site}/a/*", "77"]
    write(store, "a b", DATA)
    signed = store.signed_url("a b", 60)
    assert parse_qs(urlsplit(signed).query)["X-Amz-Expires"] == ["60"]
    assert requests.get(signed, timeout=20).content == DATA
    store.close()
    monkeypatch.setattr("buckia.stores.bunny_cdn.time.time", lambda: 1000.0)
    made = remote(pull_zone="acme-cdn", token_key="key")
    assert made.signed_url("a b", 60) == sign_url(f"{site}/a%20b", "key", Grant(expires=1060))
    made.close()
