"""What Backblaze B2 holds: keys, buckets, versions, large files; and what is wrong with it today.

Names, codes and limits are those of the native API v4.
"""

from __future__ import annotations

import hashlib
import itertools
import mimetypes
import re
import secrets
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

CAPABILITIES = frozenset(
    [
        *("listBuckets", "readBuckets", "writeBuckets", "deleteBuckets"),
        *("listFiles", "readFiles", "shareFiles", "writeFiles", "deleteFiles"),
        *("listKeys", "writeKeys", "deleteKeys"),
        *("readBucketEncryption", "writeBucketEncryption"),
    ]
)

FREE = frozenset(
    [
        *("b2_upload_file", "b2_upload_part", "b2_get_upload_url", "b2_get_upload_part_url"),
        *("b2_start_large_file", "b2_finish_large_file", "b2_cancel_large_file"),
        *("b2_hide_file", "b2_delete_file_version"),
    ]
)
"""Class A: these cost nothing."""

READS = frozenset(["b2_download_file_by_id", "b2_download_file_by_name", "b2_get_file_info"])
"""Class B. All that is neither here nor above is class C, the dear one."""

NEEDS = {
    "b2_list_buckets": "listBuckets",
    "b2_create_bucket": "writeBuckets",
    "b2_update_bucket": "writeBuckets",
    "b2_create_key": "writeKeys",
    "b2_delete_file_version": "deleteFiles",
    "b2_get_file_info": "readFiles",
    "b2_get_download_authorization": "shareFiles",
    "b2_list_file_names": "listFiles",
    "b2_list_file_versions": "listFiles",
    "b2_list_unfinished_large_files": "listFiles",
    "b2_list_parts": "writeFiles",
    **dict.fromkeys(["b2_download_file_by_id", "b2_download_file_by_name"], "readFiles"),
}
"""The capability an operation needs, where it is not `writeFiles`."""

SHA1_AT_END = "hex_digits_at_end"


class Refusal(Exception):
    """An error as the service words it."""

    def __init__(
        self, status: int, code: str, message: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.message = status, code, message or code
        self.retry_after = retry_after


@dataclass(frozen=True)
class Key:
    """An application key and what it is limited to."""

    key_id: str
    secret: str
    capabilities: frozenset[str] = CAPABILITIES
    buckets: tuple[str, ...] | None = None
    prefix: str | None = None

    def check(self, capability: str, bucket: str | None, name: str | None) -> None:
        """Refuse what the key may not do."""
        outside = bucket is not None and self.buckets is not None and bucket not in self.buckets
        foreign = name is not None and not name.startswith(self.prefix or "")
        if capability not in self.capabilities or outside or foreign:
            raise Refusal(401, "unauthorized", "not allowed")


@dataclass
class File:
    """One version: an upload, a hide marker, or a large file that was started."""

    file_id: str
    name: str
    bucket: str
    stamp: int
    action: str = "upload"
    data: bytes = b""
    sha1: str | None = None
    type: str = "application/octet-stream"
    info: dict[str, str] = field(default_factory=dict)
    parts: dict[int, bytes] = field(default_factory=dict)
    part_stamps: dict[int, int] = field(default_factory=dict)

    def told(self, **other: Any) -> Json:
        """The version as answers have it."""
        return {
            "accountId": "account",
            "bucketId": self.bucket,
            "fileId": self.file_id,
            "fileName": self.name,
            "action": self.action,
            "contentLength": len(self.data),
            "contentSha1": self.sha1,
            "contentType": self.type,
            "fileInfo": self.info,
            "uploadTimestamp": self.stamp,
            "serverSideEncryption": {"mode": None, "algorithm": None},
            "fileRetention": {"isClientAuthorizedToRead": False, "value": None},
            "legalHold": {"isClientAuthorizedToRead": False, "value": None},
            **other,
        }


@dataclass
class Bucket:
    """A bucket and every version of every name in it, the newest first."""

    bucket_id: str
    name: str
    settings: Json
    revision: int = 1
    encryption: Json = field(default_factory=lambda: {"mode": "none"})
    files: dict[str, list[File]] = field(default_factory=lambda: defaultdict(list))

    def told(self, key: Key) -> Json:
        """The bucket as answers have it; how it encrypts is told to those alone who may know."""
        known = "readBucketEncryption" in key.capabilities
        encryption: Json = {"isClientAuthorizedToRead": known}
        encryption |= {"value": {"algorithm": None, **self.encryption}} if known else {}
        return {
            "accountId": "account",
            "bucketId": self.bucket_id,
            "bucketName": self.name,
            "bucketInfo": {},
            "corsRules": [],
            "lifecycleRules": [],
            "options": [],
            "defaultServerSideEncryption": encryption,
            "fileLockConfiguration": {"isClientAuthorizedToRead": False, "value": None},
            "revision": self.revision,
            **self.settings,
        }

    def names(self) -> list[str]:
        """Every name with a version, in the order of the service."""
        return sorted((name for name, held in self.files.items() if held), key=str.encode)

    def current(self, name: str) -> File | None:
        """What is at a name, unless it is hidden. An unfinished large file hides nothing."""
        whole = (file for file in self.files.get(name, ()) if file.action != "start")
        newest = next(whole, None)
        return newest if newest and newest.action == "upload" else None


class State:
    """Everything the service holds, its switches and its books.

    smallest_part  bytes that every part but the last must have
    copy_limit     bytes above which `b2_copy_file` refuses
    asked, cost    the operations in their order, and how many of each class
    cuts           how many bytes the next downloads are cut short after
    """

    def __init__(self, smallest_part: int = 5_000_000, copy_limit: int = 5_000_000_000) -> None:
        self.smallest_part, self.copy_limit = smallest_part, copy_limit
        self.lock = threading.RLock()
        self.keys: dict[str, Key] = {}
        self.buckets: dict[str, Bucket] = {}
        self.tokens: dict[str, Key] = {}
        self.upload_tokens: dict[str, tuple[Key, str, str]] = {}
        self.share_tokens: dict[str, tuple[str, str, float]] = {}
        self.expired: set[str] = set()
        self.busy: set[str] = set()
        self.asked: list[str] = []
        self.cost: Counter[str] = Counter(A=0, B=0, C=0)
        self.cuts: deque[int] = deque()
        self._faults: dict[str, deque[Refusal | None]] = defaultdict(deque)
        self._serials = itertools.count(1)
        self._stamp = 0

    def add_key(self, **limits: Any) -> Key:
        """A new application key."""
        key = Key(f"key{next(self._serials):03}", secrets.token_hex(16), **limits)
        self.keys[key.key_id] = key
        return key

    def add_bucket(self, name: str | None = None, **settings: Any) -> Bucket:
        """A new empty bucket, private unless told otherwise."""
        bucket_id = f"bucket{next(self._serials):03}"
        kind = {"bucketType": "allPrivate", **settings}
        self.buckets[bucket_id] = Bucket(bucket_id, name or f"files-{bucket_id}", kind)
        return self.buckets[bucket_id]

    def fail(self, operation: str, *faults: Refusal | None) -> None:
        """Refuse the next requests for an operation; None does the work and loses the answer."""
        self._faults[operation].extend(faults)

    def expire(self) -> None:
        """Make every token that was handed out an expired one."""
        self.expired |= {*self.tokens, *self.upload_tokens}

    def enter(self, operation: str) -> bool:
        """Count a request; raise the fault in its way; whether its answer is to be lost."""
        self.asked.append(operation)
        self.cost["A" if operation in FREE else "B" if operation in READS else "C"] += 1
        faults = self._faults[operation]
        if not faults:
            return False
        fault = faults.popleft()
        if fault:
            raise fault
        return True

    def stamp(self) -> int:
        """Milliseconds since 1970, never the same twice."""
        self._stamp = max(self._stamp + 1, time.time_ns() // 1_000_000)
        return self._stamp

    def new_id(self) -> str:
        """An opaque file id."""
        return f"4_z{next(self._serials):08}_f{secrets.token_hex(8)}"

    def bucket(self, bucket_id: str) -> Bucket:
        """A bucket, or the refusal."""
        if bucket_id not in self.buckets:
            raise Refusal(400, "bad_bucket_id", f"Bad bucketId: {bucket_id}")
        return self.buckets[bucket_id]

    def by_name(self, name: str) -> Bucket:
        """A bucket by its name, or the refusal."""
        for bucket in self.buckets.values():
            if bucket.name == name:
                return bucket
        raise Refusal(404, "not_found", f"Bucket {name} does not exist")

    def all_files(self) -> Iterator[File]:
        """Every version there is."""
        for bucket in self.buckets.values():
            for held in bucket.files.values():
                yield from held

    def file(self, file_id: str, status: int = 404, code: str = "not_found") -> File:
        """A version by its id, or the refusal."""
        for file in self.all_files():
            if file.file_id == file_id:
                return file
        raise Refusal(status, code, f"File not present: {file_id}")

    def started(self, file_id: str) -> File:
        """A large file that is not finished, or the refusal."""
        file = self.file(file_id, 400, "bad_request")
        if file.action != "start":
            raise Refusal(400, "bad_request", f"No active upload for: {file_id}")
        return file

    def add(self, bucket: Bucket, name: str, **fields: Any) -> File:
        """A new version above all others of its name."""
        check_name(name)
        check_info(name, fields.get("info") or {})
        if fields.get("type") == "b2/x-auto":
            fields["type"] = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = File(self.new_id(), name, bucket.bucket_id, self.stamp(), **fields)
        bucket.files[name].insert(0, file)
        return file


def check_name(name: str) -> None:
    """Refuse a name that B2 cannot hold."""
    size = len(name.encode())
    bad = re.search(r"[\x00-\x1f\x7f\\]|^/|/$|//", name)
    long = any(len(segment.encode()) > 250 for segment in name.split("/"))
    if bad or long or not 1 <= size <= 1024:
        raise Refusal(400, "bad_request", f"File name not allowed: {name!r}")


def check_settings(body: Json) -> None:
    """Refuse settings of a bucket that are none (Backblaze, "Lifecycle rules", "CORS rules")."""
    rules = body.get("lifecycleRules", [])
    prefixes = [rule["fileNamePrefix"] for rule in rules]
    if len(rules) > 100 or len({*prefixes}) < len(prefixes):
        raise Refusal(400, "bad_request", "Too many lifecycle rules, or two for one prefix")
    for rule in rules:
        days = [value for name, value in rule.items() if name != "fileNamePrefix"]
        if not any(days) or any(value is not None and value < 1 for value in days):
            raise Refusal(400, "bad_request", "Lifecycle rule without days")
    for rule in body.get("corsRules", []):
        named = re.fullmatch(r"[A-Za-z0-9-]{6,50}", rule["corsRuleName"])
        age = rule.get("maxAgeSeconds")
        if not named or not rule["allowedOrigins"] or not rule["allowedOperations"]:
            raise Refusal(400, "bad_request", "CORS rule without name, origins or operations")
        if not isinstance(age, int) or not 0 <= age <= 86_400:
            raise Refusal(400, "bad_request", "maxAgeSeconds must be between 0 and 86400")
    if body.get("bucketType", "allPrivate") not in ("allPrivate", "allPublic"):
        raise Refusal(400, "bad_request", "Invalid bucket type")


def check_info(name: str, info: dict[str, str]) -> None:
    """Refuse information that is too much, or under a key that is not allowed."""
    size = len(name.encode()) + sum(len(key) + len(value.encode()) for key, value in info.items())
    if size > 7000 or any(len(key) > 50 or key != key.lower() for key in info):
        raise Refusal(400, "bad_request", "bad file info")


def sha1(data: bytes) -> str:
    """The SHA-1 that the service checks and keeps."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
