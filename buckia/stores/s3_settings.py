"""The settings of a bucket of the S3 family: which requests tell, set and remove each.

A server that does not know a setting may take `DELETE /bucket?setting` for the bucket itself. So
nothing is removed that the server has not just told.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from buckia.errors import AccessError, StoreError, UnavailableError
from buckia.model import Value
from buckia.settings.s3 import LINODE, S3
from buckia.stores.border import NoBucketError
from buckia.stores.s3_errors import FAILURES, persist, symptom, translate
from buckia.stores.settling import demand_expected, demand_kept

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from buckia.stores.s3_session import S3Session

_Call = Callable[[Any, str], Any]
_Write = Callable[[Any, str, Any], Any]


class _Row(Struct, frozen=True):
    """The requests for one setting, and the rights they need.

    get     what is told, as `buckia.settings` reads it
    put     sets what `buckia.settings` wrote
    remove  removes it; None where putting is all there is
    none    the code that says that there is none, and then it is what `empty` reads
    rights  to get, to put, to remove; `s3:` goes before them
    """

    get: _Call
    put: _Write
    rights: tuple[str, ...]
    remove: _Call | None = None
    none: str = ""
    empty: Any = None


def _put_acl(client: S3Client, bucket: str, grants: Any) -> None:
    """Grants are written with the owner's own, whom the bucket names."""
    owner = client.get_bucket_acl(Bucket=bucket)["Owner"]
    own = {"Grantee": {"Type": "CanonicalUser", "ID": owner["ID"]}, "Permission": "FULL_CONTROL"}
    policy: Any = {"Owner": owner, "Grants": [own, *grants]}
    client.put_bucket_acl(Bucket=bucket, AccessControlPolicy=policy)


def _put_lifecycle(client: S3Client, bucket: str, rules: Any) -> None:
    """Rules are written with the least size of a transition as it is: it is no part of them, and
    would be set to the service's default."""
    least: Any = {}
    try:
        told: Any = client.get_bucket_lifecycle_configuration(Bucket=bucket)
        least = {_LEAST: told[_LEAST]} if _LEAST in told else {}
    except FAILURES as problem:
        if symptom(problem)[0] != "NoSuchLifecycleConfiguration":
            raise
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": rules}, **least
    )


_LEAST: Final = "TransitionDefaultMinimumObjectSize"

ROWS: Final[dict[str, _Row]] = {
    "policy": _Row(
        lambda client, bucket: json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"]),
        lambda client, bucket, told: client.put_bucket_policy(
            Bucket=bucket, Policy=json.dumps(told)
        ),
        ("GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
        lambda client, bucket: client.delete_bucket_policy(Bucket=bucket),
        "NoSuchBucketPolicy",
    ),
    "acl": _Row(
        lambda client, bucket: client.get_bucket_acl(Bucket=bucket),
        _put_acl,
        ("GetBucketAcl", "PutBucketAcl"),
    ),
    "ownership": _Row(
        lambda client, bucket: (
            client.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
            .get("Rules", [{}])[0]
            .get("ObjectOwnership")
        ),
        lambda client, bucket, told: client.put_bucket_ownership_controls(
            Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": told}]}
        ),
        ("GetBucketOwnershipControls", "PutBucketOwnershipControls"),
        none="OwnershipControlsNotFoundError",
    ),
    "public_access_block": _Row(
        lambda client, bucket: client.get_public_access_block(Bucket=bucket)[
            "PublicAccessBlockConfiguration"
        ],
        lambda client, bucket, told: client.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=told
        ),
        ("GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock"),
        none="NoSuchPublicAccessBlockConfiguration",
        empty={},
    ),
    "cors": _Row(
        lambda client, bucket: client.get_bucket_cors(Bucket=bucket).get("CORSRules", []),
        lambda client, bucket, told: client.put_bucket_cors(
            Bucket=bucket, CORSConfiguration={"CORSRules": told}
        ),
        ("GetBucketCORS", "PutBucketCORS", "PutBucketCORS"),
        lambda client, bucket: client.delete_bucket_cors(Bucket=bucket),
        "NoSuchCORSConfiguration",
    ),
    "lifecycle": _Row(
        lambda client, bucket: client.get_bucket_lifecycle_configuration(Bucket=bucket).get(
            "Rules", []
        ),
        lambda client, bucket, told: _put_lifecycle(client, bucket, told),
        ("GetLifecycleConfiguration", "PutLifecycleConfiguration", "PutLifecycleConfiguration"),
        lambda client, bucket: client.delete_bucket_lifecycle(Bucket=bucket),
        "NoSuchLifecycleConfiguration",
    ),
    "versioning": _Row(
        lambda client, bucket: client.get_bucket_versioning(Bucket=bucket).get("Status"),
        lambda client, bucket, told: client.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": told}
        ),
        ("GetBucketVersioning", "PutBucketVersioning"),
    ),
    "acceleration": _Row(
        lambda client, bucket: client.get_bucket_accelerate_configuration(Bucket=bucket).get(
            "Status"
        ),
        lambda client, bucket, told: client.put_bucket_accelerate_configuration(
            Bucket=bucket, AccelerateConfiguration={"Status": told}
        ),
        ("GetAccelerateConfiguration", "PutAccelerateConfiguration"),
    ),
    "website": _Row(
        lambda client, bucket: _website(client.get_bucket_website(Bucket=bucket)),
        lambda client, bucket, told: client.put_bucket_website(
            Bucket=bucket, WebsiteConfiguration=told
        ),
        ("GetBucketWebsite", "PutBucketWebsite", "DeleteBucketWebsite"),
        lambda client, bucket: client.delete_bucket_website(Bucket=bucket),
        "NoSuchWebsiteConfiguration",
    ),
}

_REFUSED: Final = {
    "AccessControlListNotSupported": "the bucket takes no ACLs; set `ownership` as well",
    "InvalidBucketAclWithObjectOwnership": "the ACL has to be private for that; set `acl` as well",
    "MalformedPolicy": "the service finds the policy malformed; look at its principals and "
    "resources",
    "MalformedXML": "the service does not take it in this form; look for what it does not offer",
    "InvalidRequest": "the service does not take it in this form; look at what it offers",
    "InvalidArgument": "the service does not take it in this form, or does not know the setting; "
    "look at what it offers",
    "MethodNotAllowed": "the service does not offer it; take it out of `settings`",
    "NotImplemented": "the service does not offer it; take it out of `settings`",
    "NotSignedUp": "the service does not offer it; take it out of `settings`",
    "UnsupportedOperation": "the service does not offer it; take it out of `settings`",
}
"""What a refusal means where it is about a setting."""

_NO_CORS: Final = "Linode's newer endpoints (E2, E3) take no CORS rules; take `cors` out"


class S3Settings:
    """The settings of one bucket."""

    def __init__(self, session: S3Session, bucket: str) -> None:
        self._session = session
        self._bucket = bucket
        self._linode = session.service.name == "linode"
        session.client.meta.events.register_first("before-sign.s3", _add_md5)

    def names(self) -> tuple[str, ...]:
        """All that the service is known to have."""
        return tuple(LINODE if self._linode else S3)

    def read(self, wanted: Mapping[str, Value | None]) -> dict[str, Value | StoreError | None]:
        """What each setting is now, one request each."""
        found: dict[str, Value | StoreError | None] = {}
        for name in wanted:
            try:
                found[name] = self._read(name)
            except (NoBucketError, UnavailableError):
                raise
            except StoreError as problem:
                found[name] = problem
        return found

    def configure(self, name: str, document: Value | None, *, expect: Value | None) -> None:
        """Set a setting. There are no conditions here: looked at right before, and after."""
        place = self._place(name)
        now = self._read(name)
        if now == document:
            return
        demand_expected(now, expect, place)
        row, kind = ROWS[name], S3[name]
        if document is not None:
            told = kind.write(document)
            self._ask(name, lambda: row.put(self._session.client, self._bucket, told), 1)
        elif row.remove is not None:
            remove = row.remove
            self._ask(name, lambda: remove(self._session.client, self._bucket), 2)
        demand_kept(lambda: self._read(name), document, now, place)

    def _read(self, name: str) -> Value | None:
        row = ROWS[name]

        def get() -> Any:
            try:
                return row.get(self._session.client, self._bucket)
            except FAILURES as problem:
                if row.none and symptom(problem)[0] == row.none:
                    return row.empty
                raise
            except ValueError:
                raise StoreError(
                    f"{self._place(name)}: the service keeps no JSON there; set it anew"
                ) from None

        told = self._ask(name, get, 0)
        return None if told is None else S3[name].read(told)

    def _ask(self, name: str, step: Callable[[], Any], right: int) -> Any:
        """One request, again while the service is busy; what is refused says what is missing."""
        place = self._place(name)

        def explained() -> Any:
            try:
                return step()
            except FAILURES as problem:
                error = self._explain(name, problem, right)
                if isinstance(error, UnavailableError):
                    raise  # it may say when to come again
                raise error from None

        return persist(explained, place)

    def _explain(self, name: str, problem: Exception, right: int) -> StoreError:
        place, code = self._place(name), symptom(problem)[0]
        error = translate(problem, place)
        if isinstance(error, AccessError) and code in ("AccessDenied", "403", ""):
            needed = f"s3:{ROWS[name].rights[right]}"
            more = ", unless `public_access_block` forbids what is public" if right else ""
            return AccessError(
                f"{place}: access denied; the key needs {needed}{more}; give it that"
            )
        if self._linode and name == "cors" and type(error) is StoreError:
            return StoreError(f"{place}: refused ({code}); {_NO_CORS}")
        return StoreError(f"{place}: {_REFUSED[code]} ({code})") if code in _REFUSED else error

    def _place(self, name: str) -> str:
        return f"the setting `{name}` of s3://{self._bucket} at {self._session.endpoint}"


def _website(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "ResponseMetadata"}


_SETTERS: Final = frozenset(
    [
        *("PutBucketPolicy", "PutBucketAcl", "PutBucketOwnershipControls"),
        *("PutPublicAccessBlock", "PutBucketCors", "PutBucketLifecycleConfiguration"),
        *("PutBucketVersioning", "PutBucketAccelerateConfiguration", "PutBucketWebsite"),
    ]
)


def _add_md5(request: Any, operation_name: str = "", **_: object) -> None:
    """Send a Content-MD5, which every service takes, for botocore's CRC32, which some refuse."""
    if operation_name not in _SETTERS:
        return
    body = request.data if isinstance(request.data, bytes) else str(request.data).encode()
    for name in [name for name in request.headers if name.lower().startswith(_CHECKSUMS)]:
        del request.headers[name]
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()


_CHECKSUMS: Final = ("x-amz-checksum-", "x-amz-sdk-checksum")
