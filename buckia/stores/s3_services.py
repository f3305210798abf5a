"""What S3 services promise and where they live: rows of data, no classes.

A promise counts only where it was measured or is documented by the provider. Everywhere else the
store looks, then writes: one more request, and a short window for a race. The flags can be proved
against a real bucket with `S3Store.prove`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct


class Conditions(Struct, frozen=True):
    """Which conditions a service itself enforces, atomically.

    create    `If-None-Match: *` on PutObject
    replace   `If-Match` on PutObject
    delete    `If-Match` on DeleteObject
    complete  both on CompleteMultipartUpload
    copy      both on CopyObject, for the object that is written
    source    `x-amz-copy-source-if-match` on CopyObject and UploadPartCopy
    """

    create: bool = False
    replace: bool = False
    delete: bool = False
    complete: bool = False
    copy: bool = False
    source: bool = False


class Service(Struct, frozen=True):
    """One row: how a service is recognised and reached, and what it promises.

    hosts     a pattern for the host name of the endpoint; None when it can only be named
    endpoint  the URL for a region; None when there is no such rule
    virtual   the bucket is part of the host name (else of the path)
    region    what to sign for when no region is given
    """

    name: str
    hosts: str | None = None
    endpoint: str | None = None
    virtual: bool = False
    region: str = "us-east-1"
    conditions: Conditions = Conditions()


_AWS: Final = Conditions(
    create=True, replace=True, delete=True, complete=True, copy=True, source=True
)
"""Amazon S3 user guide, "conditional requests"."""

_CEPH: Final = Conditions(create=True, replace=True)
"""Measured on RADOS Gateway 16.2: conditions on DELETE, Complete and both sides of a copy are
accepted and ignored."""

_MINIO: Final = Conditions(create=True)
"""Releases before September 2025 let `If-Match` create a missing key, so it is not relied on."""

SERVICES: Final = (
    Service(
        "aws",
        hosts=r"s3[a-z0-9.-]*\.amazonaws\.com(\.cn)?",
        virtual=True,
        conditions=_AWS,
    ),
    Service(
        # A Ceph gateway of a release nobody outside knows: nothing is promised until proved.
        "linode",
        hosts=r"[a-z0-9-]+\.linodeobjects\.com",
        endpoint="https://{region}.linodeobjects.com",
        virtual=True,
    ),
    Service(
        # `If-Match` was seen ignored in one region and honoured in another.
        "spaces",
        hosts=r"[a-z0-9-]+\.digitaloceanspaces\.com",
        endpoint="https://{region}.digitaloceanspaces.com",
        virtual=True,
    ),
    Service(
        # The written side of a copy has headers of its own there.
        "r2",
        hosts=r"[a-z0-9.-]+\.r2\.cloudflarestorage\.com",
        region="auto",
        conditions=Conditions(create=True, replace=True, source=True),
    ),
    Service(
        "wasabi",
        hosts=r"s3[a-z0-9.-]*\.wasabisys\.com",
        endpoint="https://s3.{region}.wasabisys.com",
    ),
    Service("minio", conditions=_MINIO),
    Service("ceph", conditions=_CEPH),
    # Servers exist that ignore every condition, and others that refuse requests with one.
    Service("generic"),
)


def find_service(name: str | None, endpoint: str | None) -> Service:
    """The row that is named, or whose hosts the endpoint belongs to, or "generic".

    No name and no endpoint is Amazon. Raises `KeyError` for a name without a row.
    """
    rows = {service.name: service for service in SERVICES}
    if name:
        return rows[name]
    if endpoint is None:
        return rows["aws"]
    host = urlsplit(endpoint).hostname or ""
    for service in SERVICES:
        if service.hosts and re.fullmatch(service.hosts, host):
            return service
    return rows["generic"]


def absolute(endpoint: str) -> str:
    """An endpoint as a URL: a bare host means https."""
    url = endpoint if "://" in endpoint else f"https://{endpoint}"
    return url.rstrip("/")


def bucket_in_host(service: Service, endpoint: str, bucket: str) -> bool:
    """Whether the bucket belongs into the host name.

    Never where DNS or the certificate would not have it: IP addresses, hosts of one label,
    bucket names with dots or capitals.
    """
    host = urlsplit(endpoint).hostname or ""
    if not service.virtual or "." not in host:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", bucket) is not None
    return False
