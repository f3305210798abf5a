"""Where a bucket is: services, regions, hosts and prefixes, and the mistakes made with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buckia.config import BucketConfig, Config
from buckia.config.schema import options
from buckia.connect import open_remote
from buckia.errors import ConfigError
from buckia.runs import tiers
from buckia.stores.hashing import HashCache
from buckia.stores.s3_services import SERVICES
from buckia.workspace import Workspace
from tests.reference import PROVIDERS

KEYS: dict[str, Any] = {"api_key": "id", "password": "secret"}


def place(provider: str = "s3", **said: Any) -> BucketConfig:
    return BucketConfig(provider=provider, bucket_name="photos", **said)


def test_the_option_names_every_service() -> None:
    """But Linode and Bunny, which are providers of their own."""
    names = [service.name for service in SERVICES if service.name not in PROVIDERS]
    assert sorted(options()["service"]["enum"]) == sorted(names)


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ({"service": "spaces", "region": "nyc3"}, "https://photos.nyc3.digitaloceanspaces.com/k"),
        ({"service": "wasabi", "region": "eu-1"}, "https://s3.eu-1.wasabisys.com/photos/k"),
        ({"service": "minio", "domain": "http://127.0.0.1:9"}, "http://127.0.0.1:9/photos/k"),
        (
            {"provider": "linode", "region": "nl-ams-1"},
            "https://photos.nl-ams-1.linodeobjects.com/k",
        ),
        (
            {"provider": "linode", "domain": "eu-central-1.linodeobjects.com"},
            "https://photos.eu-central-1.linodeobjects.com/k",
        ),
        (
            {"region": "eu-west-1", "prefix": "a//b"},
            "https://photos.s3.eu-west-1.amazonaws.com/a/b/k",
        ),
    ],
)
def test_service_and_region_make_the_address(
    said: dict[str, Any], url: str, tmp_path: Path
) -> None:
    """A service has an address for each region; `domain` replaces it; keys are below `prefix`."""
    store = open_remote(place(**{"provider": "s3", **said, **KEYS}), tmp_path, HashCache())
    assert store.public_url("k") == url
    store.close()


@pytest.mark.parametrize("provider", ["b2", "bunny"])
def test_every_service_has_prefixes(provider: str, tmp_path: Path) -> None:
    """The prefix is part of the store's name."""
    credentials = KEYS if provider == "b2" else {"password": "secret"}
    store = open_remote(place(provider, prefix="team", **credentials), tmp_path, HashCache())
    assert store.url == f"{provider}://photos/team"
    store.close()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            {"provider": "linode", "region": "us-east"},
            "region: `us-east` is no endpoint of `linode`",
        ),
        (
            {"domain": "photos.us-east-1.linodeobjects.com"},
            "domain: is the host without the bucket",
        ),
        (
            {"provider": "linode", "domain": "https://photos.us-east-1.linodeobjects.com/"},
            "without the bucket: `us-east-1.linodeobjects.com`",
        ),
        ({"domain": "photos.s3.eu-west-1.amazonaws.com"}, "`s3.eu-west-1.amazonaws.com`"),
        ({"service": "linode"}, "service"),
        ({"prefix": ".buckia/x"}, "prefix: `.buckia/x/` is "),
        ({"prefix": "../up"}, "prefix"),
    ],
)
def test_what_cannot_be_right_is_said_before_any_request(said: dict[str, Any], why: str) -> None:
    """A data centre for an endpoint, a host with the bucket in front, buckia's own folder."""
    with pytest.raises(ConfigError) as told:
        place(**{"provider": "s3", **said})
    assert why in str(told.value)


def test_a_host_of_ones_own_may_begin_with_the_bucket() -> None:
    """Only where the rest is a service that is known."""
    assert place(domain="photos.example.com").domain == "photos.example.com"


def test_another_prefix_is_another_bucket(tmp_path: Path) -> None:
    """A plan for one is none for the other, and a promotion may go between; two spellings are
    one."""
    spellings = {"one": "a", "same": "./a/", "other": "b"}
    buckets = {name: place(name=name, prefix=prefix) for name, prefix in spellings.items()}
    whose = {name: {**bucket.identity(), "name": ""} for name, bucket in buckets.items()}
    assert whose["one"] == whose["same"] != whose["other"]
    with Workspace(Config(tmp_path, None, buckets)) as space:
        where = {name: tiers.place(space, name) for name in buckets}
    assert where["one"] == where["same"] != where["other"]
