"""New empty stores of every kind, with thresholds small enough to be crossed in tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from buckia.stores.b2 import B2Options, B2Store
from buckia.stores.bunny import BunnyOptions, BunnyStore
from buckia.stores.bunny_s3 import BunnyS3Store
from buckia.stores.s3 import S3Options, S3Store
from buckia.stores.s3_services import Conditions
from tests.servers.b2 import B2Server
from tests.servers.b2_simulator import Simulation
from tests.servers.bunny import Bunny
from tests.servers.bunny_s3 import Preview
from tests.servers.rgw import LINODE
from tests.servers.s3 import S3Server

MOTO = Conditions(create=True, replace=True, delete=True)
"""What moto enforces; it accepts and ignores the conditions of copies."""

SMALLEST_PART = 5 * 1024 * 1024
"""Bytes a part must have, so the least that can be sent in parts."""

PREFIX = "team/a b/"
"""What a limited key is limited to."""


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


def open_preview(preview: Preview, **options: Any) -> BunnyS3Store:
    """A new storage zone that speaks S3, with the same thresholds."""
    small: dict[str, Any] = {
        "multipart_threshold": SMALLEST_PART,
        "part_size": SMALLEST_PART,
        "copy_limit": SMALLEST_PART,
        "page_size": 7,
    }
    zone = preview.make_zone()
    given = BunnyOptions(zone, preview.zones[zone], preview.endpoint, **options)
    return BunnyS3Store(given, native=preview.endpoint, **small)


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


def limited_b2(server: B2Server) -> Callable[[], B2Store]:
    """A maker of new buckets, up to three, with one key that is limited to a prefix of them."""
    buckets = [server.add_bucket() for _ in range(3)]
    key = server.add_key(buckets=tuple(bucket.bucket_id for bucket in buckets), prefix=PREFIX)
    limits = {"key_id": key.key_id, "application_key": key.secret, "prefix": PREFIX}
    return lambda: open_b2(server, bucket=buckets.pop().name, **limits)


def open_simulated(simulation: Simulation) -> B2Store:
    """A new bucket in a simulation."""
    small: dict[str, Any] = {
        "large_threshold": SMALLEST_PART,
        "part_size": SMALLEST_PART,
        "copy_limit": SMALLEST_PART,
        "page_size": 7,
    }
    options = B2Options(simulation.add_bucket(), simulation.key_id, simulation.key, **small)
    return B2Store(options, api=simulation.api)


def open_linode(rgw: tuple[S3Server, S3Server]) -> S3Store:
    """What is below a prefix of a new versioned bucket, at the address of a region of Linode."""
    plain, tls = rgw
    bucket = plain.make_bucket()
    plain.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return S3Store(
        S3Options(
            bucket,
            service="linode",
            region=LINODE,
            access_key_id=plain.access_key,
            secret_access_key=plain.secret_key,
            ca_bundle=str(tls.ca),
            prefix=PREFIX,
            multipart_threshold=SMALLEST_PART,
            part_size=SMALLEST_PART,
            copy_limit=SMALLEST_PART,
            page_size=7,
        )
    )


def open_bunny(server: Bunny, **options: Any) -> BunnyStore:
    """A new storage zone."""
    zone = server.make_zone()
    return BunnyStore(
        BunnyOptions(zone.name, zone.password, **{"endpoint": server.endpoint, **options})
    )
