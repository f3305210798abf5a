"""Buckets of Backblaze B2, by its native API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import quote

from b2sdk.v3 import MetadataDirectiveMode  # type: ignore[import-untyped]

from buckia.errors import NotFoundError
from buckia.headers import agrees
from buckia.model import Entry, replace, same_content
from buckia.stores.b2_bench import B2Bench
from buckia.stores.b2_errors import persist
from buckia.stores.b2_guard import Guard
from buckia.stores.b2_headers import SETTABLE, changed, of_info
from buckia.stores.b2_listing import entry_of_headers, list_objects
from buckia.stores.b2_parts import (
    about,
    copy_parts,
    large_file,
    read_exactly,
    read_parts,
    send_parts,
    send_small,
)
from buckia.stores.b2_reading import read_version
from buckia.stores.b2_session import Account
from buckia.stores.b2_session import B2Options as B2Options
from buckia.stores.b2_settings import B2Settings
from buckia.stores.b2_sharing import share
from buckia.stores.b2_unfinished import B2Uploads
from buckia.stores.b2_versions import past_versions
from buckia.stores.base import Capabilities, Store
from buckia.stores.border import NoBucketError
from buckia.stores.meter import Meter, announced
from buckia.stores.traffic import Traffic

if TYPE_CHECKING:
    from b2sdk.v3 import B2HttpApiConfig
    from requests import Response

About = tuple[str, dict[str, str]]
"""A content type and file info."""

_CAPABILITIES: Final = Capabilities(
    digests=frozenset({"sha256", "sha1"}),
    copy=True,
    versions=True,
    headers=SETTABLE,
    headers_in_place=True,
)
"""The API has no conditional requests: the store looks, then writes. In the window between the two
nothing is lost, because a write only ever puts a version above the others."""


class B2Store:
    """One bucket, or what is below a prefix of it.

    The version of an object is its file id. Its sha256 travels in the file info `sha256`, its SHA-1
    is the service's own. What is overwritten or deleted stays as an older version: a delete hides
    the name, because deleting a version would bring the one before it back to light, and because
    hiding can be undone. A lifecycle rule of the bucket ends old versions.
    """

    def __init__(self, options: B2Options, *, api: B2HttpApiConfig | None = None) -> None:
        self._options = options
        self._account = Account(options, api)
        self._guard = Guard(self._account)

    @property
    def url(self) -> str:
        """`b2://bucket`, or `b2://bucket/prefix`."""
        return f"b2://{self._options.bucket}/{self._options.prefix}".rstrip("/")

    @property
    def capabilities(self) -> Capabilities:
        """The same for every bucket."""
        return _CAPABILITIES

    @property
    def traffic(self) -> Traffic:
        """Requests so far, and what bounds them."""
        return self._account.traffic

    @property
    def bench(self) -> B2Bench:
        """What can be asked of the service beside the contract."""
        return B2Bench(self._account)

    @property
    def uploads(self) -> B2Uploads:
        """See `Uploading.uploads`."""
        return B2Uploads(self._account)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What it is signed in with, for those who look for it in documents."""
        return (self._options.application_key,)

    @cached_property
    def settings(self) -> B2Settings:
        """The settings of the bucket."""
        return B2Settings(self._account)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every object below `prefix` that is not hidden; complete, or it raises."""
        cut = len(self._options.prefix)
        for name, found in list_objects(self._account, self._options.prefix + prefix):
            yield replace(found, key=name[cut:])

    def head(self, key: str) -> Entry | None:
        """The object at `key`; None for a hidden one, too. One request of class B."""
        return self._guard.head(key)

    def open(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        """Read exactly `entry.version`, as long as it is what the name stands for."""
        name = self._guard.name(entry.key)
        self._account.need("readFiles", name)
        url = self._account.session.get_download_url_by_name(self._options.bucket, name)
        return self._read(url, entry, exactly=True)

    def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        """Write the whole body, checked against `entry` before it can be seen."""
        self._account.need("writeFiles", self._guard.name(entry.key))
        if entry.size > max(self._options.large_threshold, self._account.smallest_part):
            return self._put_parts(entry, body, replacing)
        data = read_exactly(body, entry.size + 1)  # the byte too many shows a body too long
        meter = Meter({"sha256", "sha1", *announced(entry)})
        meter.add(data)
        known = meter.proved(entry)
        name = self._guard.name(entry.key)

        def own(held: Entry) -> bool:
            return bool(same_content(held, known))

        return self._guard.write(
            known, replacing, lambda: send_small(self._account, name, data, known), own
        )

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        """Copy inside the account, type and file info included; None for any other source."""
        if not isinstance(source, B2Store):
            return None
        name = self._guard.name(key)
        if not self._account.reaches(source._account, source._guard.name(entry.key)):
            return None
        self._account.need("writeFiles", name)
        held = replace(source._guard.expect(entry.key, entry), key=key)
        return self._copy(held, replacing, None)

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        """Copy an object onto itself under other headers, as a new version."""
        self._account.need("writeFiles", self._guard.name(entry.key))
        held = self._guard.expect(entry.key, replacing)
        kind, info = self._about(held)
        info = changed(info, replacing.headers, entry.headers)
        wanted = replace(held, type=entry.type or kind, headers=of_info(info))
        return self._copy(wanted, replacing, (entry.type or kind, info))

    def copies(self, source: Store) -> bool:
        """From every bucket of the account that this key may read."""
        return isinstance(source, B2Store) and self._account.reaches(
            source._account, source._options.prefix
        )

    def delete(self, entry: Entry) -> None:
        """Hide the object if it still is `entry.version`; the version itself remains."""
        name, place = self._guard.name(entry.key), self._guard.place(entry.key)
        self._account.need("writeFiles", name)

        def hide() -> None:
            held = self._guard.head(entry.key)
            if held is not None:
                self._guard.compare(held, entry)
                self._account.session.hide_file(self._account.bucket_id, name)

        try:
            persist(hide, place)
        except NoBucketError:
            raise
        except NotFoundError:
            return  # somebody else was quicker

    def past(self, prefix: str = "") -> Iterator[Entry]:
        """See `Remembering.past`."""
        cut = len(self._options.prefix)
        for found in past_versions(self._account, self._options.prefix + prefix):
            yield replace(found, key=found.key[cut:])

    def open_past(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        """See `Remembering.open_past`."""
        self._account.need("readFiles", self._guard.name(entry.key))
        url = self._account.session.get_download_url_by_id(entry.version)
        return self._read(url, entry, exactly=False)

    def public_url(self, key: str) -> str:
        """Where a public bucket shows the object.

        The account tells the host, so the first use of the store, this one too, signs in.
        """
        host = self._account.info.get_download_url()
        path = quote(self._options.prefix + key, safe="/~", errors="surrogateescape")
        return f"{host}/file/{self._options.bucket}/{path}"

    def signed_url(self, key: str, seconds: int) -> str:
        """See `Signing.signed_url`: one request of class C. It also reads names that begin so."""
        token = share(self._account, self._guard.name(key), seconds)
        return f"{self.public_url(key)}?Authorization={token}"

    def close(self) -> None:
        """Close the connections."""
        self._account.close()

    def _read(self, url: str, entry: Entry, *, exactly: bool) -> BinaryIO:
        """The version that a URL leads to; `exactly` where it may be another than the entry's."""
        place = self._guard.place(entry.key)
        response = self._guard.download(url, None, place)
        try:
            held = entry_of_headers(response.headers, place)
            if exactly:
                self._guard.compare(replace(held, key=entry.key), entry)
        except BaseException:
            response.close()
            raise
        by_id = self._account.session.get_download_url_by_id(held.version)

        def again(offset: int) -> Response:
            return self._guard.download(by_id, (offset, held.size - 1), place)

        return read_version(response, again, held, place, self.traffic)

    def _put_parts(self, entry: Entry, body: BinaryIO, replacing: Entry | None) -> Entry:
        self._guard.look(entry.key, replacing)  # before gigabytes travel in vain
        meter = Meter({"sha256", *announced(entry)})
        with large_file(self._account, self._guard.name(entry.key), *about(entry)) as file_id:
            chunks = read_parts(self._account, body, entry.size, meter)
            parts = send_parts(self._account, file_id, chunks)
            return self._finish(meter.proved(entry), replacing, file_id, parts)

    def _copy(self, held: Entry, replacing: Entry | None, about: About | None) -> Entry:
        """Copy the version that is held to its key, under other type and file info if given."""
        if held.size > self._options.copy_limit:
            return self._copy_parts(held, replacing, about or self._about(held))
        other: dict[str, Any] = {}
        if about:
            replacement = {"content_type": about[0], "file_info": about[1]}
            other = {"metadata_directive": MetadataDirectiveMode.REPLACE, **replacement}

        def act() -> Any:
            return self._account.session.copy_file(
                held.version,
                self._guard.name(held.key),
                destination_bucket_id=self._account.bucket_id,
                **other,
            )

        def own(there: Entry) -> bool:
            return bool(same_content(there, held)) and agrees(there, held.headers)

        return self._guard.write(held, replacing, act, own)

    def _about(self, held: Entry) -> About:
        """The type and the whole file info of a version."""
        tell, place = self._account.session.get_file_info_by_id, self._guard.place(held.key)
        told = persist(lambda: tell(held.version), place)
        kind, info = about(replace(held, headers=None))
        return told.get("contentType") or kind, {**(told.get("fileInfo") or {}), **info}

    def _copy_parts(self, held: Entry, replacing: Entry | None, about: About) -> Entry:
        self._guard.look(held.key, replacing)
        with large_file(self._account, self._guard.name(held.key), *about) as file_id:
            parts = copy_parts(self._account, file_id, str(held.version), held.size)
            return self._finish(held, replacing, file_id, parts)

    def _finish(
        self, known: Entry, replacing: Entry | None, file_id: str, parts: list[str]
    ) -> Entry:
        """Make a large file appear, and see that it does.

        It takes its place among the versions by the time it was begun, so a write since then would
        stay above it.
        """

        def act() -> Any:
            return self._account.session.finish_large_file(file_id, parts)

        made = self._guard.write(known, replacing, act, lambda held: held.version == file_id)
        self._guard.look(known.key, made)
        return made
