"""What S3 services promise and where they live: rows of data, no classes.

A promise counts only where it was measured or is documented by the provider. Everywhere else the
store looks, then writes: one more request, and a short window for a race. The flags can be proved
against a real bucket with `S3Store.prove`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

SOURCE: Final = "x-amz-copy-source-if-match"
"""The version of what is copied: Amazon S3 API reference, CopyObject."""


class Conditions(Struct, frozen=True):
    """Which conditions a service itself enforces, atomically.

    create    `If-None-Match: *` on PutObject
    replace   `If-Match` on PutObject
    delete    `If-Match` on DeleteObject
    complete  both on CompleteMultipartUpload
    copy      both on CopyObject, for the object that is written
    source    `x-amz-copy-source-if-match` on CopyObject, or what the service has in its place
    bulk      an ETag for each key of DeleteObjects
    """

    create: bool = False
    replace: bool = False
    delete: bool = False
    complete: bool = False
    copy: bool = False
    source: bool = False
    bulk: bool = False


class Quirk(Struct, frozen=True):
    """Something a service does its own way, and who says so. `sure` is False where nobody proved
    it: buckia then works either way."""

    what: str
    source: str
    sure: bool = True


class Service(Struct, frozen=True):
    """One row: how a service is recognised and reached, what it promises, what is odd about it.

    hosts     a pattern for the host name of the endpoint; None when it can only be named
    endpoint  the URL for a region; None when there is no such rule
    virtual   the bucket is part of the host name (else of the path)
    region    what to sign for when no region is given
    regions   a pattern that every region of `endpoint` fits
    bulk      how many keys one DeleteObjects takes; 0 where it is not offered
    crc32     whether checksums of requests that need one are CRC32, as botocore has them; else they
              are MD5, which every service understands
    source    a header in which it wants the ETag of what CopyObject copies, besides the usual one
    metadata  whether objects carry metadata of their own, and with it our sha256
    md5_etags whether an ETag of 32 hex digits may be taken for the md5
    current   whether a listing tells all that was written and deleted before it, as a look does
    """

    name: str
    hosts: str | None = None
    endpoint: str | None = None
    virtual: bool = False
    region: str = "us-east-1"
    regions: str | None = None
    conditions: Conditions = Conditions()
    bulk: int = 1000
    crc32: bool = False
    source: str | None = None
    metadata: bool = True
    md5_etags: bool = True
    current: bool = False
    quirks: tuple[Quirk, ...] = ()

    def again(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a copy that say once more, in the service's own, what others of it say."""
        version = headers.get(SOURCE)
        return {self.source: version} if self.source and version else {}

    def has(self, region: str) -> bool:
        """Whether a region can be one of this service, as far as its names tell."""
        return self.regions is None or re.fullmatch(self.regions, region) is not None


_MEASURED: Final = "measured on RADOS Gateway 16.2"

_CEPH_SOURCE: Final = "x-amz-copy-if-match"
"""Ceph's S3 API, Copy Object. It is no name of S3, whose own is ignored."""

_CEPH_ODD: Final = (
    Quirk("conditions on DELETE, Complete and what a copy writes are ignored", _MEASURED),
    Quirk(f"a copy checks the version of its source in `{_CEPH_SOURCE}`", "Ceph docs, measured"),
    Quirk("an ETag in quotes fails `If-Match` of PutObject, so it is sent bare", _MEASURED),
    Quirk("Complete tells no ETag: it is made of those of the parts", _MEASURED),
    Quirk("DeleteObjects takes MD5 and CRC32, and any key, and ignores ETags", _MEASURED),
    Quirk("a listing tells every write before it", _MEASURED),
)

SERVICES: Final = (
    Service(
        "aws",
        hosts=r"s3[a-z0-9.-]*\.amazonaws\.com(\.cn)?",
        virtual=True,
        conditions=Conditions(
            create=True,
            replace=True,
            delete=True,
            complete=True,
            copy=True,
            source=True,
            bulk=True,
        ),
        crc32=True,
        current=True,
        quirks=(
            Quirk("a listing tells every write before it", "S3 user guide, consistency"),
            Quirk("every condition is enforced, those of DeleteObjects too", "S3 user guide"),
            Quirk("a key that is missing answers 403 to who may not list", "S3 API reference"),
            Quirk("under SSE-KMS an ETag is no MD5", "S3 API reference, Object"),
        ),
    ),
    Service(
        # A Ceph gateway of a release nobody outside knows: nothing is promised until proved.
        "linode",
        hosts=r"[a-z0-9-]+\.linodeobjects\.com",
        endpoint="https://{region}.linodeobjects.com",
        virtual=True,
        regions=r"[a-z0-9-]+-[0-9]+",
        source=_CEPH_SOURCE,
        quirks=(
            Quirk("a Ceph gateway of an unknown release: see `ceph`", "Akamai techdocs"),
            Quirk("uploads with CRC32 trailers are refused; none are sent", "boto3 issue 4398"),
            Quirk("conditional writes", "no source", sure=False),
            Quirk("CORS on endpoints of type E2 and E3", "Terraform provider 2083", sure=False),
        ),
    ),
    Service(
        "spaces",
        hosts=r"[a-z0-9-]+\.digitaloceanspaces\.com",
        endpoint="https://{region}.digitaloceanspaces.com",
        virtual=True,
        quirks=(
            Quirk("`If-Match` was seen ignored in sfo3", "denoland/celld 137", sure=False),
            Quirk("`If-Match` was seen enforced without quotes", "slatedb 1818", sure=False),
            Quirk("at most ten PUT or COPY of one object at once", "DigitalOcean docs"),
        ),
    ),
    Service(
        "r2",
        hosts=r"[a-z0-9.-]+\.r2\.cloudflarestorage\.com",
        region="auto",
        conditions=Conditions(create=True, replace=True, source=True),
        current=True,
        quirks=(
            Quirk("a listing tells every write before it", "Cloudflare R2 docs, consistency"),
            Quirk("the written side of a copy has headers of its own", "Cloudflare R2 docs"),
            Quirk("signs for the region `auto`", "Cloudflare R2 docs"),
        ),
    ),
    Service(
        "wasabi",
        hosts=r"s3[a-z0-9.-]*\.wasabisys\.com",
        endpoint="https://s3.{region}.wasabisys.com",
        quirks=(Quirk("conditional writes", "no source", sure=False),),
    ),
    Service(
        "minio",
        conditions=Conditions(create=True),
        quirks=(
            Quirk("`If-Match` created a missing key before September 2025", "minio issue 21526"),
            Quirk("CRC32 trailers on old releases; none are sent", "no source", sure=False),
        ),
    ),
    Service(
        "ceph",
        conditions=Conditions(create=True, replace=True, source=True),
        source=_CEPH_SOURCE,
        current=True,
        quirks=_CEPH_ODD,
    ),
    Service(
        "backblaze",
        hosts=r"s3\.[a-z0-9-]+\.backblazeb2\.com",
        endpoint="https://s3.{region}.backblazeb2.com",
        quirks=(
            Quirk("a conditional PUT answers `NotImplemented`", "hashicorp/terraform 37143"),
            Quirk("`provider: b2` tells sha256 in listings, this does not", "Backblaze docs"),
        ),
    ),
    Service(
        # What `provider: bunny` with `api: s3` speaks.
        "bunny",
        hosts=r"[a-z]+-s3\.storage\.bunnycdn\.com",
        endpoint="https://{region}-s3.storage.bunnycdn.com",
        region="de",
        regions="de|ny|sg|uk|se|la|jh|syd",
        bulk=0,
        metadata=False,
        md5_etags=False,
        quirks=(
            Quirk("only for zones that were made with S3; others answer 403", "Bunny docs, S3"),
            Quirk("no `x-amz-meta-*`, no DeleteObjects, no settings of buckets", "Bunny docs, S3"),
            Quirk("a copy tells no ETag and gets its type from its name", "Bunny docs, S3"),
            Quirk("conditional writes", "no source", sure=False),
            Quirk("whether an ETag is an MD5", "no source", sure=False),
            Quirk("conditional reads, which were added late", "Bunny changelog", sure=False),
        ),
    ),
    # Servers exist that ignore every condition, and others that refuse requests with one.
    Service("generic"),
)
"""Who is known, and what for. The first row whose hosts fit counts."""


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
