"""Trials of an S3 service: what its conditions, checksums and multipart uploads are worth."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from msgspec.structs import asdict

from buckia.errors import NotFoundError, StoreError
from buckia.stores.bench import Conditional, Extra
from buckia.stores.network import QUICK
from buckia.stores.probe import ABSENT, Delete, Put, Verdict, contest, judge, probe
from buckia.stores.s3_carriers import Condition, conditions
from buckia.stores.s3_errors import persist, shown
from buckia.stores.s3_extras import for_http
from buckia.stores.s3_listing import list_pages
from buckia.stores.s3_parts import Request, complete, multipart
from buckia.stores.s3_services import Conditions
from buckia.stores.s3_session import S3Session
from buckia.stores.s3_signed import target_of
from buckia.stores.s3_traffic import asking
from buckia.stores.s3_unfinished import abort_upload, unfinished_uploads
from buckia.stores.usage import Kind

_NO_VERSION: Final = "0" * 32
"""An ETag that no object has."""

_SIGNERS: Final = {
    "env": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "shared-credentials-file": "~/.aws/credentials",
    "config-file": "~/.aws/config",
    "custom-process": "the credential process of ~/.aws/config",
    "sso": "SSO, by ~/.aws/config",
    "assume-role": "an assumed role, by ~/.aws/config",
    "assume-role-with-web-identity": "a role by web identity",
    "container-role": "the role of the container",
    "iam-role": "the role of the machine",
}
"""What botocore calls the ways it finds credentials."""


class S3Bench:
    """See `Bench`. `put` and `delete` send a condition as it is, without a look before."""

    def __init__(self, session: S3Session, relied_on: Conditions, put: Put, delete: Delete) -> None:
        self._session = session
        self._relied_on = relied_on
        self._put = put
        self._delete = delete
        self._bucket = session.options.bucket
        self._prefix = session.options.prefix

    @property
    def endpoint(self) -> str:
        """The URL of the service, without the bucket."""
        return self._session.endpoint

    @property
    def signer(self) -> str | None:
        """By the words of the table."""
        method = self._session.credentials.method
        return None if method == "explicit" else _SIGNERS.get(method, method)

    @property
    def rights(self) -> Mapping[str, str]:
        """As policies have them."""
        return {
            "list": "s3:ListBucket",
            "read": "s3:GetObject",
            "write": "s3:PutObject",
            "delete": "s3:DeleteObject",
        }

    def reach(self) -> float | None:
        """The service as such; the bucket is not asked."""
        from buckia.stores.reaching import server_time  # which loads requests

        return server_time(self.endpoint, trust=self._session.authorities)

    def ping(self) -> str:
        """One key is listed at most."""
        ask = self._session.client.list_objects_v2
        persist(
            lambda: ask(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1),
            f"listing of s3://{self._bucket} at {self.endpoint}",
        )
        return ""

    def conditions(self, scratch: str) -> dict[str, Conditional]:
        """All six, the first two also with several writers at once."""
        proof = probe(self._put, self._delete, wrong=_NO_VERSION, scratch=scratch)
        found = {"create": proof.create, "replace": proof.replace, "delete": proof.delete}
        for name in ("create", "replace"):
            if found[name] is Verdict.ENFORCED:
                found[name] = contest(self._put, self._delete, scratch, creating=name == "create")
        found |= {
            "complete": self._on_writes(scratch, "complete", self._complete),
            "copy": self._on_writes(scratch, "copy", self._copy),
            "source": self._on_source(scratch),
        }
        told = asdict(self._relied_on)
        return {name: Conditional(told[name], verdict) for name, verdict in found.items()}

    def checksum(self, key: str) -> Verdict:
        """A body that is not the signed one, which is what buckia has every upload held against."""
        session, target = self._session, target_of(self._session, self._full(key))
        right = hashlib.sha256(b"right").hexdigest()
        signed = session.sign("PUT", target, for_http(session.options), right)
        with asking(session.traffic, Kind.WRITE):
            persist(lambda: session.line.ask("PUT", target, signed, QUICK, b"wrong"), self.endpoint)
        return Verdict.IGNORED if self._exists(key) else Verdict.ENFORCED

    def extras(self, scratch: str) -> tuple[Extra, ...]:
        """Multipart uploads and versioning."""
        return (
            Extra(
                "parts",
                partial(self._try_parts, f"{scratch}parts"),
                "s3:PutObject and s3:AbortMultipartUpload",
                "large files cannot be sent, or what is left of them not be ended",
            ),
            Extra(
                "unfinished",
                self._unfinished,
                "s3:ListBucketMultipartUploads",
                "`buckia gc` cannot find uploads that were never finished",
            ),
            Extra(
                "versioning",
                self._versioning,
                "s3:GetBucketVersioning",
                "whether deleted objects remain as versions is not known, and taken as no",
            ),
        )

    def erase(self, scratch: str) -> None:
        """Objects whatever their versions, versions, markers and uploads."""
        full, client = self._full(scratch), self._session.client
        for listed in [one for page in list_pages(self._session, full) for one in page]:
            self._delete(listed[0].removeprefix(self._prefix), None)
        for upload in unfinished_uploads(self._session, full):
            abort_upload(self._session, upload)
        place = f"versions below s3://{self._bucket}/{shown(full)}"
        pages = client.get_paginator("list_object_versions").paginate
        found = persist(lambda: list(pages(Bucket=self._bucket, Prefix=full)), place)
        for page in found:
            for item in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                which: Request = {
                    "Bucket": self._bucket,
                    "Key": item["Key"],
                    "VersionId": item["VersionId"],
                }
                persist(partial(client.delete_object, **which), place)

    def _on_writes(
        self, scratch: str, kind: str, act: Callable[[str, Condition], object]
    ) -> Verdict:
        """A way to write, once onto nothing, once onto something, once onto something else."""
        new, old, other = (f"{scratch}{kind}-{name}" for name in ("new", "old", "other"))
        self._put(old, b"1", None)
        version = self._put(other, b"1", None)
        return judge(
            lambda: (act(new, ABSENT), act(other, version)),
            lambda: act(old, ABSENT),
            lambda: act(old, _NO_VERSION),
        )

    def _on_source(self, scratch: str) -> Verdict:
        version, target = self._put(f"{scratch}source", b"1", None), f"{scratch}source-copied"
        return judge(
            lambda: self._copy(target, None, version),
            lambda: self._copy(target, None, _NO_VERSION),
        )

    def _complete(self, key: str, condition: Condition) -> None:
        with multipart(self._session, self._full(key), {}) as upload:
            part = self._send_part(upload)
            persist(
                lambda: complete(self._session, upload, [part], condition),
                f"s3://{self._bucket}/{shown(key)}",
                attempts=1,
            )

    def _copy(self, key: str, condition: Condition, exactly: str | None = None) -> None:
        """Copy an object of the same scratch prefix; `exactly` is the version it must have."""
        source = f"{key.rpartition('/')[0]}/source"
        held: Request = conditions(condition)
        if exactly is None:
            self._put(source, b"1", None)
        else:
            held["CopySourceIfMatch"] = exactly
        held["CopySource"] = {"Bucket": self._bucket, "Key": self._full(source)}
        copy = self._session.client.copy_object
        persist(
            lambda: copy(Bucket=self._bucket, Key=self._full(key), **held),
            f"s3://{self._bucket}/{shown(key)}",
            attempts=1,
        )

    def _try_parts(self, key: str) -> str:
        with suppress(_GivenUp), multipart(self._session, self._full(key), {}) as upload:
            self._send_part(upload)
            raise _GivenUp
        left = list(unfinished_uploads(self._session, self._full(key)))
        if left:
            raise StoreError("an upload that was ended is still there; `buckia gc` tries again")
        return "begun, sent and ended"

    def _send_part(self, upload: Request) -> Request:
        send = self._session.client.upload_part
        sent = persist(
            lambda: send(PartNumber=1, Body=b"1", **upload),
            f"part of s3://{self._bucket}/{shown(upload['Key'])}",
        )
        return {"PartNumber": 1, "ETag": sent["ETag"]}

    def _unfinished(self) -> str:
        count = sum(1 for _ in unfinished_uploads(self._session))
        return f"{count} of other uploads; `buckia gc` ends those that are old" if count else "none"

    def _versioning(self) -> str:
        ask = self._session.client.get_bucket_versioning
        told = persist(lambda: ask(Bucket=self._bucket), f"s3://{self._bucket}")
        return {"Enabled": "on", "Suspended": "suspended"}.get(told.get("Status", ""), "off")

    def _exists(self, key: str) -> bool:
        look = self._session.client.head_object
        try:
            persist(
                lambda: look(Bucket=self._bucket, Key=self._full(key)),
                f"s3://{self._bucket}/{shown(key)}",
            )
        except NotFoundError:
            return False
        return True

    def _full(self, key: str) -> str:
        return self._prefix + key


class _GivenUp(Exception):
    """An upload that is not meant to be finished."""
