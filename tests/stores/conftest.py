"""The stores the contract runs against, each fresh and empty for every test.

Those on a real Ceph gateway run when asked for with `-m rgw`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from buckia.stores import bunny_errors
from buckia.stores.b2 import B2Options, B2Store
from buckia.stores.base import Store
from buckia.stores.bunny import BunnyOptions, BunnyStore
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from buckia.stores.s3 import S3Options, S3Store
from buckia.stores.s3_services import Conditions
from tests.servers.b2 import B2Server, serve_b2
from tests.servers.bunny import Bunny, serve_bunny
from tests.servers.bunny_zone import Zone
from tests.servers.moto import serve_moto
from tests.servers.rgw import serve_rgw
from tests.servers.s3 import S3Server

Maker = Callable[[], Store]
"""Makes another empty store of the same service."""

MOTO = Conditions(create=True, replace=True, delete=True)
"""What moto enforces; it accepts and ignores the conditions of copies."""

SMALLEST_PART = 5 * 1024 * 1024
"""Bytes a part must have, so the least that can be sent in parts."""

KINDS = (
    "memory",
    "local",
    "moto",
    "b2",
    "bunny",
    pytest.param("rgw", marks=pytest.mark.rgw),
    pytest.param("rgw-tls", marks=pytest.mark.rgw),
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the real gateway out, unless it is asked for."""
    if "rgw" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("rgw")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """moto over HTTP."""
    with serve_moto() as server:
        yield server


@pytest.fixture(scope="session")
def rgw() -> Iterator[tuple[S3Server, S3Server]]:
    """A Ceph gateway, over HTTP and over TLS."""
    with serve_rgw() as servers:
        yield servers


@pytest.fixture(scope="session")
def contract_bunny() -> Iterator[Bunny]:
    """Bunny over HTTP, its limits on."""
    with serve_bunny() as server:
        yield server


@pytest.fixture
def bunny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bunny]:
    """A server of its own, so that its switches are nobody else's; retries come at once."""
    monkeypatch.setattr(bunny_errors, "_FIRST_WAIT", 0.0)
    with serve_bunny() as server:
        yield server


@pytest.fixture
def bunny_zone(bunny: Bunny) -> Zone:
    """An empty storage zone there."""
    return bunny.make_zone()


@pytest.fixture
def bunny_store(bunny: Bunny, bunny_zone: Zone) -> Iterator[BunnyStore]:
    """A store on it."""
    made = BunnyStore(BunnyOptions(bunny_zone.name, bunny_zone.password, bunny.endpoint))
    yield made
    made.close()


def open_bunny(server: Bunny, **options: Any) -> BunnyStore:
    """A new storage zone."""
    zone = server.make_zone()
    return BunnyStore(
        BunnyOptions(zone.name, zone.password, **{"endpoint": server.endpoint, **options})
    )


def open_s3(server: S3Server, **options: Any) -> S3Store:
    """A new bucket with thresholds small enough to be crossed in tests."""
    small: dict[str, Any] = {
        "multipart_threshold": SMALLEST_PART,
        "part_size": SMALLEST_PART,
        "copy_limit": SMALLEST_PART,
        "page_size": 7,
    }
    return S3Store(
        S3Options(
            server.make_bucket(),
            endpoint=server.endpoint,
            region="us-east-1",
            access_key_id=server.access_key,
            secret_access_key=server.secret_key,
            ca_bundle=str(server.ca) if server.ca else None,
            **{**small, **options},
        )
    )


@pytest.fixture(scope="session")
def b2() -> Iterator[B2Server]:
    """A stub of Backblaze B2 over HTTP."""
    with serve_b2(copy_limit=SMALLEST_PART) as server:
        yield server


def open_b2(server: B2Server, **options: Any) -> B2Store:
    """A new bucket with thresholds small enough to be crossed in tests."""
    small: dict[str, Any] = {
        "realm": server.endpoint,
        "key_id": server.master.key_id,
        "application_key": server.master.secret,
        "large_threshold": SMALLEST_PART,
        "part_size": SMALLEST_PART,
        "copy_limit": SMALLEST_PART,
        "page_size": 7,
    }
    return B2Store(B2Options(**{"bucket": server.add_bucket().name, **small, **options}))


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    """A maker of empty stores of one kind."""
    count = itertools.count()

    def local() -> Store:
        root = tmp_path / f"store-{next(count)}"
        root.mkdir()
        return LocalStore(root)

    def rgw(which: int) -> Store:
        return open_s3(request.getfixturevalue("rgw")[which], service="ceph")

    makers: dict[str, Maker] = {
        "memory": lambda: MemoryStore(f"memory-{next(count)}"),
        "local": local,
        "moto": lambda: open_s3(request.getfixturevalue("moto"), conditions=MOTO),
        "b2": lambda: open_b2(request.getfixturevalue("b2")),
        "bunny": lambda: open_bunny(request.getfixturevalue("contract_bunny")),
        "rgw": lambda: rgw(0),
        "rgw-tls": lambda: rgw(1),
    }
    with ExitStack() as stack:

        def make_one() -> Store:
            store = makers[str(request.param)]()
            stack.callback(store.close)
            return store

        yield make_one


@pytest.fixture
def store(make: Maker) -> Store:
    """One empty store."""
    return make()
