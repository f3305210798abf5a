"""The stores the contract runs against, each fresh and empty for every test.

Those on a real Ceph gateway run when asked for with `-m rgw`.
"""

from __future__ import annotations

import gc
import itertools
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from buckia.stores import retry
from buckia.stores.base import Store
from buckia.stores.bunny import BunnyOptions, BunnyStore
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from buckia.stores.network import BUNDLES
from tests.servers.b2 import B2Server, serve_b2
from tests.servers.b2_simulator import Simulation
from tests.servers.bunny import Bunny, serve_bunny
from tests.servers.bunny_s3 import Preview, serve_preview
from tests.servers.bunny_zone import Zone
from tests.servers.moto import serve_moto
from tests.servers.rgw import serve_rgw
from tests.servers.s3 import S3Server
from tests.servers.tls import certify
from tests.servers.tunnel import Tunnel, serve_tunnel
from tests.stores.contract import Claims
from tests.stores.kinds import KINDS
from tests.stores.makers import MOTO as MOTO
from tests.stores.makers import SMALLEST_PART as SMALLEST_PART
from tests.stores.makers import limited_b2, open_linode, open_simulated
from tests.stores.makers import open_b2 as open_b2
from tests.stores.makers import open_bunny as open_bunny
from tests.stores.makers import open_preview as open_preview
from tests.stores.makers import open_s3 as open_s3

Maker = Callable[[], Store]
"""Makes another empty store of the same service."""


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


@pytest.fixture(scope="session")
def contract_preview(moto: S3Server) -> Iterator[Preview]:
    """Bunny's S3 preview over HTTP."""
    with serve_preview(moto) as server:
        yield server


@pytest.fixture
def bunny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bunny]:
    """A server of its own, so that its switches are nobody else's; retries come at once."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
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


@pytest.fixture(scope="session")
def b2() -> Iterator[B2Server]:
    """A stub of Backblaze B2 over HTTP."""
    with serve_b2(copy_limit=SMALLEST_PART) as server:
        yield server


@pytest.fixture(scope="session")
def tunnel(rgw: tuple[S3Server, S3Server]) -> Iterator[Tunnel]:
    """The way from any address to the gateway."""
    port = urlsplit(rgw[1].endpoint).port
    assert port
    with serve_tunnel(port) as serving:
        yield serving


def _params() -> Iterator[object]:
    for name, kind in KINDS.items():
        yield pytest.param(name, marks=[pytest.mark.rgw] if kind.rgw else [])


@pytest.fixture(params=_params())
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Maker]:
    """A maker of empty stores of one kind."""
    request.node.user_properties.append(("kind", request.param))
    count, have = itertools.count(), request.getfixturevalue

    def local() -> Store:
        root = tmp_path / f"store-{next(count)}"
        root.mkdir()
        return LocalStore(root)

    @cache
    def simulation() -> Simulation:
        return Simulation(SMALLEST_PART)

    @cache
    def limited() -> Callable[[], Store]:
        return limited_b2(have("b2"))

    def linode() -> Store:
        have("tunnel").lead(monkeypatch)
        return open_linode(have("rgw"))

    makers: dict[str, Maker] = {
        "memory": lambda: MemoryStore(f"memory-{next(count)}"),
        "local": local,
        "moto": lambda: open_s3(have("moto"), conditions=MOTO),
        "rgw": lambda: open_s3(have("rgw")[0], service="ceph"),
        "linode": linode,
        "b2": lambda: open_b2(have("b2")),
        "b2-limited": lambda: limited()(),
        "b2-simulator": lambda: open_simulated(simulation()),
        "bunny": lambda: open_bunny(have("contract_bunny")),
        "bunny-s3": lambda: open_preview(have("contract_preview")),
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


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Which kind of store this is about."""
    return str(request.node.callspec.params["make"])


@pytest.fixture
def claims(request: pytest.FixtureRequest, store: Store) -> Claims:
    """What the store claims, with each question noted for the table of clauses."""

    def claim(flag: str) -> bool:
        value = getattr(store.capabilities, flag)
        told = sorted(value) if isinstance(value, frozenset) else value
        request.node.user_properties.append((flag, told))
        return bool(value)

    return claim


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing of how to reach a service."""
    for name in list(os.environ):
        if name.upper() in BUNDLES or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def nothing_left() -> Iterator[None]:
    """Whatever was left open is found: by then it is a warning, and that an error."""
    yield
    gc.collect()


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """What a server shows; its authority is in `authority.pem`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certify(tmp_path, "nobody's authority"))
    return context
