"""What a storage zone holds: folder by folder, or one file by itself.

A listing is complete or it raises. There is no recursion, no paging and no filter on the other
side, so a tree is walked one folder a request, a few at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Annotated, Final, TypeVar

import msgspec
import requests
from msgspec import Meta, Struct

from buckia.errors import StoreError
from buckia.model import Entry
from buckia.pool import each
from buckia.stores.bunny_errors import BadAnswer, Doing, persist, shown
from buckia.stores.bunny_session import LISTINGS, BunnySession, is_hostile

Told = TypeVar("Told")

_GUID: Final = 36
"""Characters in the id of what is really there (Bunny's PHP SDK takes no other answer for one)."""

_JSON: Final = {"Accept": "application/json"}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_UNKNOWN_METHOD: Final = (403, 405, 501)
"""How things between here and Bunny answer a method they do not know."""


class File(Struct, frozen=True, rename="pascal"):
    """One file or folder, as a listing and DESCRIBE tell it alike.

    The date is UTC without saying so, with up to three decimals. The checksum is SHA-256 in capital
    letters, or missing, as for older objects.
    """

    object_name: Annotated[str, Meta(min_length=1)]
    length: Annotated[int, Meta(ge=0)]
    last_changed: str
    is_directory: bool
    guid: str = ""
    checksum: str | None = None
    content_type: str | None = None

    def __post_init__(self) -> None:
        """Raise `ValueError` for a name or a date that cannot be."""
        if "/" in self.object_name or self.changed < 0:
            raise ValueError(self.object_name)

    @property
    def sha256(self) -> str | None:
        """The digest of the content, where Bunny knows it."""
        found = (self.checksum or "").lower()
        return found if is_sha256(found) else None

    @property
    def changed(self) -> int:
        """When the file was written, in nanoseconds since 1970."""
        moment = datetime.fromisoformat(self.last_changed)
        passed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
        return (passed.days * 86_400 + passed.seconds) * 1_000_000_000 + passed.microseconds * 1000

    @property
    def stamp(self) -> str:
        """Which write this is: time to the millisecond, size, and the id where writes renew it."""
        return f"{self.changed // 1_000_000}-{self.length}-{self.guid}"

    @property
    def version(self) -> str:
        """The digest of the content, else the stamp.

        The digest is all that a person reviewed and what every write of other content changes; it
        is the same wherever it is told. Nothing promises that of ids and dates.
        """
        return self.sha256 or self.stamp

    def is_version(self, version: str | None) -> bool:
        """Whether this is the version named, also when it was named before its digest was known."""
        return version in (self.version, self.stamp)

    def entry(self, key: str) -> Entry:
        """The file as every store tells it."""
        return Entry(
            key,
            self.length,
            sha256=self.sha256,
            version=self.version,
            modified=self.changed,
            type=self.content_type or None,
        )


def is_sha256(text: str) -> bool:
    """Whether a text has the form of a SHA-256 in lower-case hexadecimal."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def walk(session: BunnySession, prefix: str) -> Iterator[tuple[str, File]]:
    """Every file whose path starts with `prefix`, with its path, in no order."""
    folder, slash, _ = prefix.rpartition("/")
    if slash and is_hostile(folder):
        return  # nothing can be there, and another folder might answer in its place
    folders = [folder + slash]
    while folders:
        deeper: list[str] = []
        for batch in each(partial(list_folder, session), folders, workers=LISTINGS, name="list"):
            for path, file in chain.from_iterable(batch):
                if not path.startswith(prefix):
                    continue
                if file.is_directory:
                    deeper.append(path)
                else:
                    yield path, file
        folders = deeper


def find(session: BunnySession, path: str) -> File | None:
    """The file of that path, or None where there is none or a folder. Asked once.

    By DESCRIBE, or by a listing of its folder where something on the way knows no such method.
    """
    if session.describes:
        try:
            return _describe(session, path)
        except BadAnswer as problem:
            if problem.status not in _UNKNOWN_METHOD:
                raise
            session.describes = False
    folder, slash, _ = path.rpartition("/")
    return _list_once(session, folder + slash).get(path)


def _describe(session: BunnySession, path: str) -> File | None:
    try:
        answer = session.ask(Doing.DESCRIBE, session.file_url(path), headers=_JSON)
    except BadAnswer as problem:
        if problem.is_absence:
            return None
        raise
    found = _decode(answer, Doing.DESCRIBE, File)
    return None if found.is_directory or len(found.guid) != _GUID else found


def list_folder(session: BunnySession, folder: str) -> list[tuple[str, File]]:
    """What is directly in a folder, by path; `folder` is empty or ends in `/`."""
    place = f"listing of {session.url}/{shown(folder)}"
    return list(persist(lambda: _list_once(session, folder), place).items())


def _list_once(session: BunnySession, folder: str) -> dict[str, File]:
    """What is directly in a folder, by path; the paths of folders end in `/`."""
    try:
        answer = session.ask(Doing.LIST, session.folder_url(folder), headers=_JSON)
    except BadAnswer as problem:
        if problem.is_absence:
            return {}  # some zones answer so for a folder without files, others with []
        raise
    found: dict[str, File] = {}
    for file in _decode(answer, Doing.LIST, list[File]):
        path = f"{folder}{file.object_name}{'/' if file.is_directory else ''}"
        if path in found:
            raise StoreError(
                f"{session.url}/{shown(path)}: listed twice; nothing was used; look for a proxy"
            )
        found[path] = file
    return found


def _decode(answer: requests.Response, doing: Doing, kind: type[Told]) -> Told:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.MsgspecError, UnicodeError):
        raise BadAnswer(doing, answer.status_code, genuine=False) from None
