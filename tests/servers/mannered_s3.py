"""A small S3 whose manners are told: what it does with conditions, checksums and rights.

A script for `serve_lies`. It knows just what buckia asks of a service, and nothing of signatures.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import quote, unquote

from buckia.stores.probe import Verdict
from tests.servers.lying_s3 import Answer, Request, error

_TIME = "2026-01-02T03:04:05.678Z"
_STAYING = ("content-type", "cache-control", "content-disposition", "content-encoding")
_RACE = 0.5
"""Seconds in which a racy service waits for a second writer, before it lets the first one go on."""


@dataclass(frozen=True)
class Blob:
    """An object and the headers it came with."""

    data: bytes
    headers: dict[str, str] = field(default_factory=dict)
    modified: float = field(default_factory=time.time)

    @property
    def modified_text(self) -> str:
        """When it was written, as a listing tells it."""
        told = datetime.fromtimestamp(self.modified, UTC).isoformat(timespec="milliseconds")
        return told.replace("+00:00", "Z")

    @property
    def etag(self) -> str:
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()


@dataclass
class MannerlyS3:
    """Objects, and how they are guarded.

    manners    by kind of condition; what is not named is enforced
    checks     whether a body that has not the signed sha256 is refused
    keeps      whether metadata comes back
    page       uploads that are listed at once
    coding     whether keys of uploads are coded when asked for: "told", "untold" as Ceph does it,
               "none"
    denied     operations that are refused with 403, such as "PutObject"
    beside     the buckets at the same service, from which is copied
    """

    manners: dict[str, Verdict] = field(default_factory=dict)
    checks: bool = True
    keeps: bool = True
    page: int = 1000
    coding: str = "told"
    denied: frozenset[str] = frozenset()
    objects: dict[str, Blob] = field(default_factory=dict)
    uploads: dict[str, tuple[str, dict[int, bytes]]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    beside: Mapping[str, MannerlyS3] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.writers: Counter[str] = Counter()
        self.arrived = threading.Condition()

    def __call__(self, request: Request) -> Answer:
        """One request."""
        operation = _operation(request)
        with self.lock:
            self.calls[operation] += 1
        if operation in self.denied:
            return error(403, "AccessDenied")
        act: Callable[[Request], Answer] | None = getattr(self, f"_{operation}", None)
        return act(request) if act else error(501, "NotImplemented")

    def _ListObjectsV2(self, request: Request) -> Answer:  # noqa: N802
        prefix = request.query.get("prefix", "")
        with self.lock:
            found = sorted((k, b) for k, b in self.objects.items() if k.startswith(prefix))
        items = "".join(
            f"<Contents><Key>{quote(key)}</Key><Size>{len(blob.data)}</Size>"
            f"<ETag>&quot;{blob.etag}&quot;</ETag>"
            f"<LastModified>{blob.modified_text}</LastModified></Contents>"
            for key, blob in found
        )
        more = "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
        return _xml("ListBucketResult", more + items)

    def _ListMultipartUploads(self, request: Request) -> Answer:  # noqa: N802
        prefix = request.query.get("prefix", "")
        spell = str if self.coding == "none" else quote
        after = (request.query.get("key-marker", ""), request.query.get("upload-id-marker", ""))
        found = sorted((key, upload) for upload, (key, _) in self.uploads.items())
        rest = [item for item in found if item[0].startswith(prefix) and item > after]
        items = "".join(
            f"<Upload><Key>{spell(key)}</Key><UploadId>{upload}</UploadId>"
            f"<Initiated>{_TIME}</Initiated></Upload>"
            for key, upload in rest[: self.page]
        )
        more = f"<IsTruncated>{str(len(rest) > self.page).lower()}</IsTruncated>"
        for key, upload in rest[: self.page][-1:]:
            marker = quote(key) if self.coding == "told" else key
            more += f"<NextKeyMarker>{marker}</NextKeyMarker>"
            more += f"<NextUploadIdMarker>{upload}</NextUploadIdMarker>"
        coded = "<EncodingType>url</EncodingType>" if self.coding == "told" else ""
        return _xml("ListMultipartUploadsResult", f"{coded}{more}{items}")

    def _ListParts(self, request: Request) -> Answer:  # noqa: N802
        found = self.uploads.get(request.query["uploadId"])
        if found is None or found[0] != request.key:
            return error(404, "NoSuchUpload")
        items = "".join(
            f"<Part><PartNumber>{number}</PartNumber><Size>{len(data)}</Size>"
            f"<LastModified>{_TIME}</LastModified></Part>"
            for number, data in sorted(found[1].items())
        )
        return _xml("ListPartsResult", f"<IsTruncated>false</IsTruncated>{items}")

    def _ListObjectVersions(self, request: Request) -> Answer:  # noqa: N802
        return _xml("ListVersionsResult", "<IsTruncated>false</IsTruncated>")

    def _GetBucketVersioning(self, request: Request) -> Answer:  # noqa: N802
        return _xml("VersioningConfiguration", "")

    def _GetObject(self, request: Request) -> Answer:  # noqa: N802
        blob = self.objects.get(request.key or "")
        if blob is None:
            return error(404, "NoSuchKey")
        if request.headers.get("if-match", "").strip('"') not in ("", blob.etag):
            return error(412, "PreconditionFailed")
        modified = formatdate(blob.modified, usegmt=True)
        told = {"ETag": f'"{blob.etag}"', "Last-Modified": modified, **blob.headers}
        if not (wanted := request.headers.get("range", "").removeprefix("bytes=")):
            return Answer(200, blob.data, told)
        first, _, last = wanted.partition("-")
        part = blob.data[int(first) : int(last) + 1 if last else None]
        if not part:
            return error(416, "InvalidRange")
        end = int(first) + len(part) - 1
        return Answer(206, part, {**told, "Content-Range": f"bytes {first}-{end}/{len(blob.data)}"})

    _HeadObject = _GetObject

    def _GetObjectAcl(self, request: Request) -> Answer:  # noqa: N802
        return _xml("AccessControlPolicy", "<Owner><ID>owner</ID></Owner>")

    def _PutObject(self, request: Request) -> Answer:  # noqa: N802
        signed = request.headers.get("x-amz-content-sha256")
        if self.checks and signed != hashlib.sha256(request.body).hexdigest():
            return error(400, "XAmzContentSHA256Mismatch")
        kind = "create" if "if-none-match" in request.headers else "replace"
        return self._write(request, kind, Blob(request.body, self._kept(request)))

    def _kept(self, request: Request) -> dict[str, str]:
        """The headers that stay with an object."""
        return {
            name: value
            for name, value in request.headers.items()
            if self.keeps and (name in _STAYING or name.startswith("x-amz-meta-"))
        }

    def _CopyObject(self, request: Request) -> Answer:  # noqa: N802
        named, _, key = unquote(request.headers["x-amz-copy-source"]).lstrip("/").partition("/")
        held = self.beside.get(named, self).objects.get(key)
        if held is None:
            return error(404, "NoSuchKey")
        replaced = request.headers.get("x-amz-metadata-directive") == "REPLACE"
        blob = Blob(held.data, self._kept(request) if replaced else held.headers)
        wanted = request.headers.get("x-amz-copy-source-if-match", "").strip('"')
        if wanted and not self._passes("source", wanted == blob.etag):
            return error(412, "PreconditionFailed")
        written = self._write(request, "copy", blob)
        if written.status != 200:
            return written
        return _xml("CopyObjectResult", f"<ETag>&quot;{blob.etag}&quot;</ETag>")

    def _DeleteObject(self, request: Request) -> Answer:  # noqa: N802
        key = request.key or ""
        with self.lock:
            wanted = request.headers.get("if-match", "").strip('"')
            held = self.objects.get(key)
            if wanted and not self._passes("delete", bool(held and held.etag == wanted)):
                return error(412, "PreconditionFailed")
            self.objects.pop(key, None)
        return Answer(204)

    def _CreateMultipartUpload(self, request: Request) -> Answer:  # noqa: N802
        upload = f"upload-{len(self.calls)}-{self.calls['CreateMultipartUpload']}"
        self.uploads[upload] = (request.key or "", {})
        told = f"<Key>{request.key}</Key><UploadId>{upload}</UploadId>"
        return _xml("InitiateMultipartUploadResult", told)

    def _UploadPart(self, request: Request) -> Answer:  # noqa: N802
        _, parts = self.uploads[request.query["uploadId"]]
        parts[int(request.query["partNumber"])] = request.body
        return Answer(200, headers={"ETag": f'"{Blob(request.body).etag}"'})

    def _CompleteMultipartUpload(self, request: Request) -> Answer:  # noqa: N802
        _, parts = self.uploads[request.query["uploadId"]]
        blob = Blob(b"".join(parts[number] for number in sorted(parts)))
        written = self._write(request, "complete", blob)
        if written.status != 200:
            return written
        del self.uploads[request.query["uploadId"]]
        return _xml("CompleteMultipartUploadResult", f"<ETag>&quot;{blob.etag}&quot;</ETag>")

    def _AbortMultipartUpload(self, request: Request) -> Answer:  # noqa: N802
        gone = self.uploads.pop(request.query["uploadId"], None)
        return Answer(204) if gone else error(404, "NoSuchUpload")

    def _write(self, request: Request, kind: str, blob: Blob) -> Answer:
        """Put an object in its place, if its conditions are met in the manner of the service."""
        key = request.key or ""
        wanted = request.headers.get("if-match", "").strip('"')
        conditional = bool(wanted) or "if-none-match" in request.headers
        manner = self.manners.get(kind, Verdict.ENFORCED)
        if conditional and manner is Verdict.REFUSED:
            return error(501, "NotImplemented")
        with self.lock:
            held = self.objects.get(key)
            holds = held is None if not wanted else bool(held and held.etag == wanted)
            if conditional and not self._passes(kind, holds):
                return error(412, "PreconditionFailed")
            if not (conditional and manner is Verdict.RACY):
                self.objects[key] = blob
                return Answer(200, headers={"ETag": f'"{blob.etag}"'})
        self._meet(key)
        with self.lock:
            self.objects[key] = blob
        return Answer(200, headers={"ETag": f'"{blob.etag}"'})

    def _meet(self, key: str) -> None:
        """Wait between look and write until somebody else has looked, too."""
        with self.arrived:
            self.writers[key] += 1
            self.arrived.notify_all()
            self.arrived.wait_for(lambda: self.writers[key] > 1, _RACE)

    def _passes(self, kind: str, holds: bool) -> bool:
        match self.manners.get(kind, Verdict.ENFORCED):
            case Verdict.IGNORED:
                return True
            case Verdict.INVERTED:
                return not holds
        return holds


def _operation(request: Request) -> str:
    """The operation of the S3 API that a request is."""
    query, copied = request.query, "x-amz-copy-source" in request.headers
    if request.key is None:
        kinds = {"uploads": "ListMultipartUploads", "versions": "ListObjectVersions"}
        kinds |= {"versioning": "GetBucketVersioning", "list-type": "ListObjectsV2"}
        return next((kinds[name] for name in kinds if name in query), "HeadBucket")
    if request.method == "PUT":
        return "UploadPart" if "partNumber" in query else "CopyObject" if copied else "PutObject"
    if request.method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if request.method == "DELETE":
        return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
    if "uploadId" in query:
        return "ListParts"
    if "acl" in query:
        return "GetObjectAcl"
    return {"GET": "GetObject", "HEAD": "HeadObject"}[request.method]


def _xml(name: str, content: str) -> Answer:
    space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    return Answer(200, f"<{name} {space}>{content}</{name}>".encode())
