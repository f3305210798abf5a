"""The stores that the contract runs against: the columns of the table in docs/providers.md."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Kind(Struct, frozen=True):
    """One store on one server.

    title  the head of its column
    what   what it is and where its objects are
    rgw    whether it needs the Debian packages of a Ceph gateway
    """

    title: str
    what: str
    rgw: bool = False


KINDS: Final = {
    "memory": Kind("memory", "objects in a dictionary: the reference for all others"),
    "local": Kind("local", "`provider: local`, a folder"),
    "moto": Kind("S3", "`provider: s3` on moto over HTTP"),
    "rgw": Kind("Ceph", "`provider: s3` on a Ceph RADOS Gateway 16.2", rgw=True),
    "linode": Kind(
        "Linode",
        "`provider: linode` on the same gateway, at the address of a region, over TLS, below a "
        "prefix of a bucket with versions",
        rgw=True,
    ),
    "b2": Kind("B2", "`provider: b2` on a stub of the native API over HTTP"),
    "b2-limited": Kind(
        "B2, limited", "the same with a key that is limited to a prefix of one bucket"
    ),
    "b2-simulator": Kind("B2, simulated", "`provider: b2` on the simulator in Backblaze's b2sdk"),
    "bunny": Kind("Bunny", "`provider: bunny` on a stub of the Edge Storage API, limits on"),
    "bunny-s3": Kind(
        "Bunny, S3",
        "the same with `api: s3`, on moto behind a stub of the S3 preview that refuses and forgets "
        "what the preview does",
    ),
}
"""By name, in the order of the columns."""
