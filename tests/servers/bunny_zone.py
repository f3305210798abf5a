"""A storage zone as Bunny keeps one: files, folders that outlive their files, and its odd dates."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

BEGAN = datetime(2026, 9, 30, 8, 37, 34, 390_000, tzinfo=UTC)
TICK = timedelta(milliseconds=370)


@dataclass
class Switches:
    """Which side of each disputed fact the server takes, and how it treats its guests.

    mismatch         what a wrong `Checksum` gets: 400, or 201 and the file is not stored
    lower_case       whether a checksum in small letters is understood
    missing_folder   what a listing of a folder that is not there answers
    read_only        the status of a write with the read-only password
    null_checksums   the zone was filled before checksums were kept
    new_guids        whether a write renews the id
    describes        whether DESCRIBE gets through
    content_types    whether DESCRIBE and listings tell content types
    decimals         the most decimals of a date
    largest          the most bytes of a file; nobody has told a limit
    conditions       whether `If-None-Match: *` keeps a PUT from replacing a file
    bare_zones       the list of pull zones is an array, as older accounts got
    vary_hosts       the pull zone caches a file once for each of its hosts
    vary_queries     and once for each query string
    retry_after      what comes with a 429 of the Core API, if anything
    suspended        the account is
    limits           whether there are any
    faults           share of the requests that fail in one way or another
    """

    mismatch: Literal[400, 201] = 400
    lower_case: bool = False
    missing_folder: Literal["[]", "404"] = "[]"
    read_only: int = 401
    null_checksums: bool = False
    new_guids: bool = True
    describes: bool = True
    content_types: bool = False
    decimals: int = 3
    largest: int | None = None
    conditions: bool = False
    bare_zones: bool = False
    vary_hosts: bool = False
    vary_queries: bool = False
    retry_after: str = ""
    suspended: bool = False
    limits: bool = True
    faults: float = 0.0
    listings: int = 5
    deletes: int = 30
    connections: int = 100
    purges: int = 120
    prefix_purges: int = 20


@dataclass(frozen=True)
class Blob:
    """One file."""

    data: bytes
    guid: str
    created: datetime
    changed: datetime
    kind: str

    @property
    def etag(self) -> str:
        """Time and size in hexadecimal; no digest."""
        return f'"{int(self.changed.timestamp()):x}-{len(self.data):x}"'


@dataclass
class Zone:
    """Files by path, and folders by paths that end in `/`. The root is the folder ``""``."""

    name: str
    switches: Switches
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    read_only: str = field(default_factory=lambda: secrets.token_hex(16))
    files: dict[str, Blob] = field(default_factory=dict)
    folders: dict[str, datetime] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    writes: int = 0

    def put(self, path: str, data: bytes, kind: str = "") -> None:
        """Store a file and every folder above it."""
        with self.lock:
            now = self._now()
            old = self.files.get(path)
            guid = str(uuid.uuid4()) if old is None or self.switches.new_guids else old.guid
            created = old.created if old else now
            self.files[path] = Blob(data, guid, created, now, kind)
            parts = path.split("/")[:-1]
            for depth in range(1, len(parts) + 1):
                self.folders.setdefault("/".join(parts[:depth]) + "/", now)

    def make_folder(self, path: str) -> bool:
        """Make an empty folder; False if it is there."""
        with self.lock:
            there = path in self.folders
            self.folders.setdefault(path, self._now())
            return not there

    def remove(self, path: str) -> bool:
        """Delete a file or, for a path that ends in `/`, a folder with all below it."""
        with self.lock:
            if not path.endswith("/"):
                return self.files.pop(path, None) is not None
            there = path in self.folders
            self.files = {p: b for p, b in self.files.items() if not p.startswith(path)}
            self.folders = {p: b for p, b in self.folders.items() if not p.startswith(path)}
            return there

    def describe(self, path: str) -> dict[str, Any] | None:
        """What DESCRIBE and listings tell of one file or folder."""
        with self.lock:
            blob, folder = self.files.get(path), self.folders.get(path)
        if blob is None and folder is None:
            return None
        above, _, name = path.removesuffix("/").rpartition("/")
        checksum = hashlib.sha256(blob.data).hexdigest().upper() if blob else None
        changed, created = (blob.changed, blob.created) if blob else (folder, folder)
        return {
            "Guid": blob.guid if blob else str(uuid.uuid5(uuid.NAMESPACE_URL, path)),
            "StorageZoneName": self.name,
            "Path": f"/{self.name}/{above}/" if above else f"/{self.name}/",
            "ObjectName": name,
            "Length": len(blob.data) if blob else 0,
            "LastChanged": self._date(changed),
            "ServerId": 0,
            "ArrayNumber": 0,
            "IsDirectory": blob is None,
            "UserId": "b2b5ca4a-1111-4a4a-8888-0123456789ab",
            "ContentType": blob.kind if blob and self.switches.content_types else "",
            "DateCreated": self._date(created),
            "StorageZoneId": 1,
            "Checksum": None if self.switches.null_checksums else checksum,
            "ReplicatedZones": None,
        }

    def list(self, folder: str) -> list[dict[str, Any]] | None:
        """One level below a folder; None where there is no such folder."""
        with self.lock:
            if folder and folder not in self.folders:
                return None
            paths = [
                path
                for path in (*self.folders, *self.files)
                if path.startswith(folder)
                and path != folder
                and "/" not in path[len(folder) :].removesuffix("/")
            ]
        return [told for path in paths if (told := self.describe(path))]

    def _now(self) -> datetime:
        self.writes += 1
        return BEGAN + self.writes * TICK

    def _date(self, moment: datetime | None) -> str:
        """UTC without saying so, with as few decimals as it takes."""
        assert moment
        text = moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
        whole, _, decimals = text.partition(".")
        kept = decimals[: self.switches.decimals].rstrip("0")
        return f"{whole}.{kept}" if kept else whole


def is_known(match: str | None, since: str | None, blob: Blob) -> bool:
    """Whether the client has a file already; the ETag counts more than the date."""
    if match is not None:
        return blob.etag in match
    return since is not None and blob.changed.replace(microsecond=0) <= parsedate_to_datetime(since)


def span_of(header: str | None, size: int) -> tuple[int, int] | None:
    """The part that is asked for; None for the whole, which several parts at once get too."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    return int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
