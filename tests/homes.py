"""Every kind of bucket that a week can be lived with, and what its server says it was asked."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from buckia.config import BucketConfig
from buckia.planfile import Plan
from buckia.runs.applying import Applied
from buckia.stores import bunny_core
from buckia.stores.usage import Usage
from tests.scenario import FOLDER, Week
from tests.servers.b2 import serve_b2
from tests.servers.bunny import Bunny, serve_bunny
from tests.servers.bunny_s3 import serve_preview
from tests.servers.bunny_zone import Zone
from tests.servers.moto import serve_moto
from tests.servers.rgw import LINODE, serve_rgw
from tests.servers.s3 import S3Server
from tests.servers.tunnel import serve_tunnel

Books = dict[str, int]
"""Requests by the server's own classes."""


@dataclass(frozen=True)
class Home:
    """A new bucket, as a configuration has it.

    asked  what the server counted so far, by its classes; None where it keeps no books
    told   what a store counted, by the same classes
    live   makes the week that is lived there
    check  asserts in the end what else has to hold there; what it saw, for people
    """

    bucket: BucketConfig
    asked: Callable[[], Books] | None = None
    told: Callable[[Usage], Books] = lambda usage: {k.value: n for k, n in usage.requests.items()}
    live: Callable[[Path, BucketConfig], Week] = Week
    check: Callable[[], str] = str


def bucket(provider: str, name: str, **said: Any) -> BucketConfig:
    """A bucket that holds the one folder of a week, in which deletions travel."""
    return BucketConfig(
        provider=provider,
        bucket_name=name,
        name="home",
        paths=["assets/"],
        folders=[FOLDER],
        delete_orphaned=True,
        **said,
    )


@contextmanager
def folder(root: Path) -> Iterator[Home]:
    """A folder beside the project."""
    (root / "bucket").mkdir()
    yield Home(bucket("local", "bucket"), told=lambda usage: {})


@contextmanager
def moto(root: Path) -> Iterator[Home]:
    """moto, as S3."""
    with serve_moto() as server:
        yield Home(_s3(server))


@contextmanager
def ceph(root: Path) -> Iterator[Home]:
    """A Ceph gateway, as S3."""
    with serve_rgw() as (server, _):
        yield Home(_s3(server, service="ceph"), _logged(server), _by_method)


@contextmanager
def linode(root: Path) -> Iterator[Home]:
    """The same gateway, as Linode: at the address of a region, over TLS, through a proxy."""
    with serve_rgw() as (server, tls), pytest.MonkeyPatch.context() as patch:
        port = urlsplit(tls.endpoint).port
        assert port
        with serve_tunnel(port) as tunnel:
            tunnel.lead(patch)
            patch.setenv("AWS_CA_BUNDLE", str(tls.ca))
            found = bucket("linode", server.make_bucket(), region=LINODE, **_keys(server))
            yield Home(found, _logged(server), _by_method)


@contextmanager
def b2(root: Path) -> Iterator[Home]:
    """A stub of Backblaze B2."""
    with serve_b2() as server:
        keys = {"api_key": server.master.key_id, "password": server.master.secret}
        name = server.add_bucket().name
        found = bucket("b2", name, domain=server.endpoint, **keys)
        yield Home(found, lambda: dict(server.cost), _by_class)


@contextmanager
def bunny(root: Path) -> Iterator[Home]:
    """A stub of Bunny behind a pull zone, its limits on; two requests of a hundred fail."""
    with serve_bunny() as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(bunny_core, "CORE", server.core.endpoint)
        zone = server.make_zone()
        server.switches.faults = 0.02
        keys = {"storage_api_key": zone.password, "api_key": server.core.account_key}
        found = bucket("bunny", zone.name, domain=server.endpoint, pull_zone="acme-cdn", **keys)

        def publish(root: Path, bucket: BucketConfig) -> Week:
            return Published(root, bucket, server, zone)

        def check() -> str:
            assert 1 <= server.peaks["LIST"] <= 5
            assert server.refused["LIST"] == 0
            assert server.failed > 0
            assert server.core.purged
            return f"{server.peaks['LIST']} listings at once, {server.failed} failed on purpose"

        yield Home(found, lambda: dict(server.counts), _by_verb, publish, check)


@contextmanager
def bunny_s3(root: Path) -> Iterator[Home]:
    """Bunny's S3 preview, without what the storage API knows."""
    with serve_moto() as behind, serve_preview(behind) as server:
        zone = server.make_zone()
        where = {"domain": server.endpoint, "api": "s3"}
        yield Home(bucket("bunny", zone, storage_api_key=server.zones[zone], **where))


class Published(Week):
    """A week of a storage zone that visitors read behind a pull zone."""

    def __init__(self, root: Path, bucket: BucketConfig, server: Bunny, zone: Zone) -> None:
        super().__init__(root, bucket)
        self._server, self._zone = server, zone

    def apply(self, plan: Plan) -> Applied:
        """With everybody looking at everything before, and at nothing old afterwards."""
        self._server.core.visit(self._zone)
        self._server.core.spent.clear()
        applied = super().apply(plan)
        assert self._server.core.stale(self._zone) == set()
        return applied


HOMES: Final[dict[str, Callable[[Path], AbstractContextManager[Home]]]] = {
    "folder": folder,
    "moto": moto,
    "ceph": ceph,
    "linode": linode,
    "b2": b2,
    "bunny": bunny,
    "bunny-s3": bunny_s3,
}


def _keys(server: S3Server) -> dict[str, Any]:
    return {"api_key": server.access_key, "password": server.secret_key}


def _s3(server: S3Server, **said: Any) -> BucketConfig:
    where = {"domain": server.endpoint, "region": "us-east-1"}
    return bucket("s3", server.make_bucket(), **where, **_keys(server), **said)


# -- the books of the servers ----------------------------------------------------------------------

_LINE = re.compile(r'"([A-Z]+) (\S+) HTTP/1\.1" \d')


def _logged(server: S3Server) -> Callable[[], Books]:
    """What a Ceph gateway has in its log since now, by what can be told from a line."""
    assert server.log
    log, start = server.log, _settled(server.log)

    def read() -> Books:
        _settled(log)
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode("utf-8", "replace")
        return dict(Counter(_kind(method, where) for method, where in _LINE.findall(lines)))

    return read


def _settled(log: Path) -> int:
    """The size of a log once nothing more is written to it."""
    size = -1
    while (now := log.stat().st_size) != size:
        size = now
        time.sleep(0.5)
    return size


def _kind(method: str, where: str) -> str:
    words = urlsplit(where).query
    if method == "GET" and "list-type=" in words:
        return "list"
    if method in ("GET", "HEAD") and not words:
        return {"GET": "read", "HEAD": "look"}[method]
    if method == "DELETE" or words == "delete":
        return "delete"
    return "write or copy" if method in ("PUT", "POST") else "settings"


def _by_method(usage: Usage) -> Books:
    told = {name: getattr(usage, name) for name in ("list", "look", "read", "delete", "settings")}
    told["write or copy"] = usage.write + usage.copy
    return {name: count for name, count in told.items() if count}


def _by_class(usage: Usage) -> Books:
    """Backblaze bills a listing by the thousand."""
    return {
        "A": usage.write + usage.delete,
        "B": usage.look + usage.read,
        "C": usage.pages + usage.copy + usage.settings,
    }


def _by_verb(usage: Usage) -> Books:
    told = {"LIST": usage.list, "DESCRIBE": usage.look, "GET": usage.read}
    told |= {"PUT": usage.write, "DELETE": usage.delete}
    return {name: count for name, count in told.items() if count}
