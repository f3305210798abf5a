"""What Backblaze B2 does, without the HTTP: the operations of the native API v4, by their names.

An operation takes the key it is called with and the parameters of the request, and gives the
answer or raises the refusal.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.servers.b2_state import (
    NEEDS,
    SHA1_AT_END,
    Bucket,
    File,
    Json,
    Key,
    Refusal,
    State,
    check_settings,
    sha1,
)


class Service(State):
    """The operations. The caller holds the lock."""

    def run(self, operation: str, key: Key, body: Json) -> Json:
        """One operation, if the key may do it."""
        act = getattr(self, operation, None)
        if act is None:
            raise Refusal(404, "not_found", operation)
        key.check(NEEDS.get(operation, "writeFiles"), body.get("bucketId"), body.get("fileName"))
        answer: Json = act(key, body)
        return answer

    def b2_list_buckets(self, key: Key, body: Json) -> Json:
        """Buckets by name or id; a limited key has to name one that is its own."""
        name, bucket_id = body.get("bucketName"), body.get("bucketId")
        found = [
            bucket
            for bucket in self.buckets.values()
            if name in (None, bucket.name) and bucket_id in (None, bucket.bucket_id)
        ]
        if key.buckets is not None and not {b.bucket_id for b in found} <= {*key.buckets}:
            raise Refusal(401, "unauthorized")
        return {"buckets": [bucket.told(key) for bucket in found]}

    def b2_create_bucket(self, key: Key, body: Json) -> Json:
        """A bucket under a name nobody uses."""
        if any(bucket.name == body["bucketName"] for bucket in self.buckets.values()):
            raise Refusal(400, "duplicate_bucket_name")
        settings = {name: value for name, value in body.items() if name.startswith("bucketType")}
        return self.add_bucket(body["bucketName"], **settings).told(key)

    def b2_update_bucket(self, key: Key, body: Json) -> Json:
        """The one compare-and-swap there is: `ifRevisionIs`."""
        bucket = self.bucket(body["bucketId"])
        if body.get("ifRevisionIs", bucket.revision) != bucket.revision:
            raise Refusal(409, "conflict")
        if "defaultServerSideEncryption" in body:
            key.check("writeBucketEncryption", bucket.bucket_id, None)
        check_settings(body)
        told = {"bucketType", "bucketInfo", "corsRules", "lifecycleRules"}
        bucket.settings |= {name: body[name] for name in told & body.keys()}
        bucket.encryption = body.get("defaultServerSideEncryption", bucket.encryption)
        bucket.revision += 1
        return bucket.told(key)

    def b2_create_key(self, key: Key, body: Json) -> Json:
        """A key that may do no more than its maker."""
        made = self.add_key(
            capabilities=frozenset(body["capabilities"]) & key.capabilities,
            buckets=tuple(body["bucketIds"]) if body.get("bucketIds") else None,
            prefix=body.get("namePrefix"),
        )
        told = {name: body.get(name) for name in ("keyName", "bucketIds", "namePrefix")}
        return {
            **told,
            "accountId": "account",
            "applicationKeyId": made.key_id,
            "applicationKey": made.secret,
            "capabilities": sorted(made.capabilities),
            "options": [],
        }

    def b2_list_file_names(self, key: Key, body: Json) -> Json:
        """The newest version of each name that is not hidden, or the folders they are in."""
        bucket, start = self._listed(key, body)
        names = [name for name in bucket.names() if name.encode() >= start.encode()]
        found = [file for name in names if (file := bucket.current(name))]
        shown = list(_fold(found, body.get("prefix") or "", body.get("delimiter")))
        count = self._count(body, len(shown))
        following = shown[count]["fileName"] if len(shown) > count else None
        return {"files": shown[:count], "nextFileName": following}

    def b2_list_file_versions(self, key: Key, body: Json) -> Json:
        """Every version with its markers, by name and then the newest first."""
        bucket, start = self._listed(key, body)
        prefix, after = body.get("prefix") or "", body.get("startFileId")
        found = [
            file
            for name in bucket.names()
            if name.startswith(prefix) and name.encode() >= start.encode()
            for file in bucket.files[name]
        ]
        ids = [file.file_id for file in found]
        rest = found[ids.index(after) if after in ids else 0 :]
        count = self._count(body, len(rest))
        following = rest[count] if len(rest) > count else None
        return {
            "files": [file.told() for file in rest[:count]],
            "nextFileName": following and following.name,
            "nextFileId": following and following.file_id,
        }

    def b2_list_unfinished_large_files(self, key: Key, body: Json) -> Json:
        """Large files that were started and neither finished nor cancelled, by their ids."""
        prefix, start = body.get("namePrefix") or "", body.get("startFileId") or ""
        key.check("listFiles", body["bucketId"], prefix)
        held = self.bucket(body["bucketId"]).files.values()
        started = sorted(
            (file for files in held for file in files if file.action == "start"),
            key=lambda file: file.file_id,
        )
        found = [f for f in started if f.name.startswith(prefix) and f.file_id >= start]
        count = min(int(body.get("maxFileCount") or 100), 100)
        following = found[count].file_id if len(found) > count else None
        return {"files": [file.told() for file in found[:count]], "nextFileId": following}

    def b2_list_parts(self, key: Key, body: Json) -> Json:
        """The parts of one large file so far."""
        file = self._own(key, "writeFiles", self.started(body["fileId"]).file_id)
        start, count = int(body.get("startPartNumber") or 1), int(body.get("maxPartCount") or 100)
        numbers = [number for number in sorted(file.parts) if number >= start]
        parts = [
            {
                "fileId": file.file_id,
                "partNumber": number,
                "contentLength": len(file.parts[number]),
                "contentSha1": sha1(file.parts[number]),
                "uploadTimestamp": file.part_stamps[number],
            }
            for number in numbers[:count]
        ]
        following = numbers[count] if len(numbers) > count else None
        return {"parts": parts, "nextPartNumber": following}

    def b2_get_file_info(self, key: Key, body: Json) -> Json:
        """One version."""
        return self._own(key, "readFiles", body["fileId"]).told()

    def b2_hide_file(self, key: Key, body: Json) -> Json:
        """A marker above what is at a name."""
        bucket, name = self.bucket(body["bucketId"]), body["fileName"]
        if not bucket.files.get(name):
            raise Refusal(400, "no_such_file", f"File not present: {name}")
        if bucket.current(name) is None:
            raise Refusal(400, "already_hidden", f"File already hidden: {name}")
        return self.add(bucket, name, action="hide").told()

    def b2_delete_file_version(self, key: Key, body: Json) -> Json:
        """One version is gone for good, and what was below it comes out."""
        file = self.file(body["fileId"], 400, "file_not_present")
        key.check("deleteFiles", file.bucket, file.name)
        self.buckets[file.bucket].files[file.name].remove(file)
        return {"fileId": file.file_id, "fileName": file.name}

    def b2_get_download_authorization(self, key: Key, body: Json) -> Json:
        """A token that reads every name that begins so, for a while."""
        bucket, prefix = self.bucket(body["bucketId"]), body["fileNamePrefix"]
        lasting = body["validDurationInSeconds"]
        key.check("shareFiles", bucket.bucket_id, prefix)
        if not 1 <= lasting <= 604_800:
            raise Refusal(400, "bad_request", "validDurationInSeconds out of range")
        token = f"share{next(self._serials):06}="
        self.share_tokens[token] = (bucket.bucket_id, prefix, time.time() + lasting)
        return {**body, "authorizationToken": token}

    def b2_get_upload_url(self, key: Key, body: Json) -> Json:
        """A place for uploads to a bucket, one at a time."""
        return {
            "bucketId": body["bucketId"],
            **self._place(key, "b2_upload_file", body["bucketId"]),
        }

    def b2_get_upload_part_url(self, key: Key, body: Json) -> Json:
        """A place for parts of one large file, one at a time."""
        file = self.started(body["fileId"])
        return {"fileId": file.file_id, **self._place(key, "b2_upload_part", file.file_id)}

    def b2_start_large_file(self, key: Key, body: Json) -> Json:
        """A large file without parts. It takes its place in time now, not when it is finished."""
        about = {"type": body["contentType"], "info": body.get("fileInfo") or {}}
        bucket = self.bucket(body["bucketId"])
        return self.add(bucket, body["fileName"], action="start", sha1="none", **about).told()

    def b2_finish_large_file(self, key: Key, body: Json) -> Json:
        """The parts become the file."""
        file = self._own(key, "writeFiles", self.started(body["fileId"]).file_id)
        parts = [file.parts[number] for number in sorted(file.parts)]
        if sorted(file.parts) != list(range(1, len(parts) + 1)):
            raise Refusal(400, "missing_part")
        if [sha1(part) for part in parts] != body["partSha1Array"]:
            raise Refusal(400, "bad_request", "Part sha1 array is not that of the parts")
        if len(parts) < 2 or any(len(part) < self.smallest_part for part in parts[:-1]):
            raise Refusal(400, "bad_request", "Part too small, or a single one")
        file.data, file.parts, file.action = b"".join(parts), {}, "upload"
        return file.told()

    def b2_cancel_large_file(self, key: Key, body: Json) -> Json:
        """A large file that never was."""
        file = self.started(body["fileId"])
        self.buckets[file.bucket].files[file.name].remove(file)
        return {"fileId": file.file_id, "fileName": file.name}

    def b2_copy_file(self, key: Key, body: Json) -> Json:
        """A copy of one version, or of a range of it, into any bucket of the account."""
        source = self._own(key, "readFiles", body["sourceFileId"])
        data = _cut(source.data, body.get("range"))
        if len(data) > self.copy_limit:
            raise Refusal(400, "source_too_large", f"Copy source too big: {len(data)}")
        target = self.bucket(body.get("destinationBucketId") or source.bucket)
        key.check("writeFiles", target.bucket_id, body["fileName"])
        about: Json = {"type": source.type, "info": dict(source.info)}
        if body.get("metadataDirective") == "REPLACE":
            about = {"type": body["contentType"], "info": body.get("fileInfo") or {}}
        digest = source.sha1 if data == source.data else sha1(data)
        made = self.add(target, body["fileName"], data=data, sha1=digest, **about)
        return made.told(action="copy")

    def b2_copy_part(self, key: Key, body: Json) -> Json:
        """A range of one version as a part of a large file."""
        source = self._own(key, "readFiles", body["sourceFileId"])
        data = _cut(source.data, body.get("range"))
        if len(data) > self.copy_limit:
            raise Refusal(400, "source_too_large", f"Copy source too big: {len(data)}")
        return self._part(self.started(body["largeFileId"]), int(body["partNumber"]), data)

    def upload(self, target: str, headers: dict[str, str], data: bytes) -> Json:
        """What is sent to an upload URL: a file for a bucket, or a part of a large file."""
        data, digest = _verified(data, headers["x-bz-content-sha1"])
        if "x-bz-part-number" in headers:
            return self._part(self.started(target), int(headers["x-bz-part-number"]), data)
        info = {
            name.removeprefix("x-bz-info-"): value
            for name, value in headers.items()
            if name.startswith("x-bz-info-")
        }
        kind, name = headers["content-type"], headers["x-bz-file-name"]
        bucket = self.bucket(target)
        return self.add(bucket, name, data=data, sha1=digest, type=kind, info=info).told()

    @contextmanager
    def alone(self, token: str) -> Iterator[None]:
        """Refuse a second upload by one token at the same time."""
        with self.lock:
            if token in self.busy:
                words = f"more than one upload using auth token {token}"
                raise Refusal(400, "auth_token_limit", words)
            self.busy.add(token)
        try:
            yield
        finally:
            self.busy.discard(token)

    def _part(self, file: File, number: int, data: bytes) -> Json:
        if not 1 <= number <= 10_000:
            raise Refusal(400, "bad_request", "bad part number")
        file.parts[number] = data
        file.part_stamps[number] = self.stamp()
        told = {"fileId": file.file_id, "partNumber": number, "contentLength": len(data)}
        return {**told, "contentSha1": sha1(data)}

    def _place(self, key: Key, operation: str, target: str) -> Json:
        token = f"upload{next(self._serials):06}"
        self.upload_tokens[token] = (key, operation, target)
        return {"uploadUrl": f"/b2api/v4/{operation}/{target}/{token}", "authorizationToken": token}

    def _own(self, key: Key, capability: str, file_id: str) -> File:
        file = self.file(file_id)
        key.check(capability, file.bucket, file.name)
        return file

    def _listed(self, key: Key, body: Json) -> tuple[Bucket, str]:
        """The bucket to list and the name to begin at; a limited key has to say its prefix."""
        key.check("listFiles", body["bucketId"], body.get("prefix") or "")
        return self.bucket(body["bucketId"]), body.get("startFileName") or ""

    def _count(self, body: Json, found: int) -> int:
        """How many to list at once; each thousand of them is paid for as one more transaction."""
        count = min(int(body.get("maxFileCount") or 100), 10_000)
        self.cost["C"] += max(min(found, count) - 1, 0) // 1000
        return count


def _fold(files: list[File], prefix: str, delimiter: str | None) -> Iterator[Json]:
    """The files below a prefix, those below a delimiter as one folder."""
    last = None
    for file in files:
        if not file.name.startswith(prefix):
            continue
        name, cut, _ = file.name[len(prefix) :].partition(delimiter or "\0")
        folder = f"{prefix}{name}{cut}"
        if not cut:
            yield file.told()
        elif folder != last:
            yield {"fileName": folder, "action": "folder", "fileId": None, "contentLength": 0}
            last = folder


def _verified(data: bytes, announced: str) -> tuple[bytes, Any]:
    """The bytes of an upload without the digest behind them, and the digest to keep."""
    if announced == SHA1_AT_END:
        data, announced = data[:-40], data[-40:].decode()
    if announced == "do_not_verify":
        return data, f"unverified:{sha1(data)}"
    if announced != sha1(data):
        raise Refusal(400, "bad_request", "Checksum did not match data received")
    return data, announced


def _cut(data: bytes, span: str | None) -> bytes:
    """The bytes of a range such as `bytes=0-99`."""
    if span is None:
        return data
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", span)
    if not found or int(found[1]) >= len(data):
        raise Refusal(416, "range_not_satisfiable")
    return data[int(found[1]) : int(found[2]) + 1 if found[2] else None]
