"""Bunny's S3 preview: moto behind a server that refuses, drops and forgets what the preview does.

It knows no conditional writes, no metadata, no DeleteObjects and nothing about buckets but their
listing; a zone's name is the key id and its password the secret. What nobody has proved yet is a
switch.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.servers.fault_proxy import Answer, pass_on, send
from tests.servers.listener import Listener
from tests.servers.s3 import S3Server

REGION: Final = "de"

_MISSING: Final = (
    "acl", "attributes", "cors", "delete", "encryption", "legal-hold", "lifecycle", "object-lock",
    "policy", "publicAccessBlock", "restore", "retention", "tagging", "versioning", "versions",
    "website",
)  # fmt: skip
"""Sub-resources that the preview answers with NotImplemented."""

_CONDITIONS: Final = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
_COPIED: Final = "x-amz-copy-source-"
_UNKNOWN: Final = (
    "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
    "x-amz-storage-class", "x-amz-tagging", "x-amz-acl", "x-amz-server-side-encryption",
)  # fmt: skip


@dataclass
class Switches:
    """Which side of each fact nobody has proved the server takes.

    writes    what the condition of a write gets: it is ignored, or the write refused with 501
    reads     whether conditions of GET and HEAD count
    etags     an md5, or something that only looks like one
    metadata  what `x-amz-meta-*` gets: it is dropped, or the write refused with 400
    crc32     whether a CRC32 is taken, which is what boto3 sends unless told otherwise
    """

    writes: Literal["ignored", "501"] = "ignored"
    reads: bool = True
    etags: Literal["md5", "other"] = "other"
    metadata: Literal["dropped", "400"] = "400"
    crc32: bool = False


@dataclass
class Preview:
    """Where the server listens, the passwords of its zones, and what it was asked.

    `disabled` are zones that were made without S3. `counts` are requests by method and, where there
    is one, sub-resource. `told` is what the storage API tells instead of the truth.
    """

    behind: S3Server
    endpoint: str = ""
    switches: Switches = field(default_factory=Switches)
    zones: dict[str, str] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    told: dict[str, object] = field(default_factory=dict)

    def make_zone(self) -> str:
        """A new empty storage zone with S3 switched on."""
        name = self.behind.make_bucket()
        self.zones[name] = secrets.token_hex(16)
        return name


class PreviewHandler(BaseHTTPRequestHandler):
    """One request: refused, or passed on and its answer made poorer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    preview: Preview

    def answer(self) -> None:
        """Read all of it before anything is said."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        _, zone, key = (unquote(url.path) + "/").split("/", 2)
        query = parse_qs(url.query, keep_blank_values=True)
        missing = next((name for name in _MISSING if name in query), "")
        self.preview.counts[f"{self.command} {missing}".strip()] += 1
        refusal = self.refusal(zone, missing)
        if refusal:
            return self.refuse(*refusal)
        return self.serve(key.removesuffix("/"), query, body)

    def do_DESCRIBE(self) -> None:
        """The storage API's word for one file, at the same address."""
        zone, key = unquote(urlsplit(self.path).path).removeprefix("/").split("/", 1)
        self.preview.counts["DESCRIBE"] += 1
        if self.headers.get("AccessKey") != self.preview.zones.get(zone):
            return self.describe(401, {"HttpCode": 401, "Message": "Unauthorized"})
        client = self.preview.behind.client
        try:
            found = client.get_object(Bucket=zone, Key=key)
        except client.exceptions.NoSuchKey:
            return self.describe(404, {"HttpCode": 404, "Message": "Object Not Found"})
        data = found["Body"].read()
        told = {
            "Guid": "0" * 36,
            "ObjectName": key.rpartition("/")[2],
            "Length": len(data),
            "LastChanged": found["LastModified"].replace(tzinfo=None).isoformat(),
            "IsDirectory": False,
            "Checksum": hashlib.sha256(data).hexdigest().upper(),
            **self.preview.told,
        }
        return self.describe(200, told)

    def describe(self, status: int, told: object) -> None:
        """An answer in JSON."""
        send(
            self, Answer(status, [("Content-Type", "application/json")], json.dumps(told).encode())
        )

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815

    def refusal(self, zone: str, missing: str) -> tuple[int, str] | None:
        """The status and the code of what is not served."""
        switches, names = self.preview.switches, [name.lower() for name in self.headers]
        writing = self.command in ("PUT", "POST", "DELETE")
        if zone in self.preview.disabled:
            return 403, "ServiceUnavailable"
        if zone not in self.preview.zones or not self.is_signed(self.preview.zones[zone]):
            return 403, "SignatureDoesNotMatch"
        if missing or (writing and switches.writes == "501" and set(names) & set(_CONDITIONS)):
            return 501, "NotImplemented"
        if switches.metadata == "400" and any(name.startswith("x-amz-meta-") for name in names):
            return 400, "InvalidRequest"
        if not switches.crc32 and any(
            "crc32" in f"{k}{v}".lower() for k, v in self.headers.items()
        ):
            return 400, "InvalidRequest"
        return None

    def is_signed(self, password: str) -> bool:
        """Whether the signature is one by the zone's name and password."""
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/s3/aws4_request, ?"
            r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})",
            self.headers.get("Authorization", ""),
        )
        zone = urlsplit(self.path).path.split("/")[1]
        if found is None:  # a presigned URL, by its key alone
            given = parse_qs(urlsplit(self.path).query).get("X-Amz-Credential", [""])
            return given[0].startswith(f"{zone}/")
        if found[1] != zone:
            return False
        signed = {name: self.headers[name] for name in found[4].split(";")}
        request = AWSRequest(self.command, f"http://{self.headers['Host']}{self.path}", signed)
        request.context["timestamp"] = self.headers["x-amz-date"]
        auth = S3SigV4Auth(Credentials(zone, password), "s3", found[3])
        wanted = auth.string_to_sign(request, auth.canonical_request(request))
        return auth.signature(wanted, request) == found[5]

    def serve(self, key: str, query: dict[str, list[str]], body: bytes) -> None:
        """Pass a request on without what the preview does not know."""
        writing, copying = (
            self.command in ("PUT", "POST", "DELETE"),
            "x-amz-copy-source" in self.headers,
        )
        for name in list(self.headers):
            lower = name.lower()
            dropped = lower in _UNKNOWN or lower.startswith(("x-amz-meta-", _COPIED + "if"))
            if dropped or (lower in _CONDITIONS and (writing or not self.preview.switches.reads)):
                del self.headers[name]
            elif lower in ("if-match", "if-none-match"):
                self.headers.replace_header(name, self.twisted(self.headers[name]))
        if (
            self.command == "PUT"
            and "partNumber" not in query
            and (copying or "content-type" not in self.headers)
        ):
            del self.headers["content-type"]
            self.headers["content-type"] = mimetypes.guess_type(key)[0] or "binary/octet-stream"
            if copying:
                self.headers["x-amz-metadata-directive"] = "REPLACE"
        send(self, self.poorer(pass_on(self, self.preview.behind, body), query, copying))

    def poorer(self, answer: Answer, query: dict[str, list[str]], copying: bool) -> Answer:
        """An answer as the preview gives it."""
        headers = [
            (
                name,
                self.twisted(value)
                if name.lower() == "etag" and "partNumber" not in query
                else value,
            )
            for name, value in answer.headers
            if name.lower() != "content-length" or self.command == "HEAD"
        ]
        body = answer.body
        if copying and "partNumber" not in query:
            body = re.sub(rb"<ETag>.*?</ETag>", b"", body)
        elif "list-type" in query:
            body = re.sub(
                rb"(?<=<ETag>)(.*?)(?=</ETag>)",
                lambda found: self.twisted(found[1].decode()).encode(),
                body,
            )
        return Answer(answer.status, headers, body)

    def twisted(self, etag: str) -> str:
        """An ETag that is no md5, or the md5 of one that is none."""
        if self.preview.switches.etags == "md5":
            return etag
        return re.sub(r"\b[0-9a-f]{32}\b(?!-)", lambda found: found[0][::-1], etag)

    def refuse(self, status: int, code: str) -> None:
        """An error, which for a HEAD is its status alone."""
        text = f"<Error><Code>{code}</Code><Message>m</Message></Error>"
        send(self, Answer(status, [("Content-Type", "application/xml")], text.encode()))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serve_preview(behind: S3Server) -> Iterator[Preview]:
    """A running server, gone afterwards; what it holds stays behind it."""
    preview = Preview(behind)
    handler = type("Handler", (PreviewHandler,), {"preview": preview})
    server = Listener(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    preview.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield preview
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
