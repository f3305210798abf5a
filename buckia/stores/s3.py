"""Buckets of Amazon S3 and of everything that speaks its language."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import BinaryIO, Final
from urllib.parse import quote

from buckia.errors import BuckiaError, NotFoundError, PreconditionError, StoreError
from buckia.headers import ALL
from buckia.model import Entry, replace
from buckia.rules import is_document
from buckia.stores.base import Capabilities, Hold, Store, Use
from buckia.stores.border import NoBucketError
from buckia.stores.meter import Meter, announced
from buckia.stores.probe import Verdict, probe
from buckia.stores.s3_bench import S3Bench
from buckia.stores.s3_bulk import clear, delete_many
from buckia.stores.s3_carriers import Condition, carrier_for, carriers_for
from buckia.stores.s3_copies import change_headers, copy
from buckia.stores.s3_errors import FAILURES, persist
from buckia.stores.s3_guard import Guard
from buckia.stores.s3_headers import for_boto
from buckia.stores.s3_listing import (
    Listed,
    entry_of,
    facts,
    is_md5,
    keeps_versions,
    list_pages,
)
from buckia.stores.s3_parts import (
    Part,
    Request,
    complete,
    multipart,
    read_exactly,
    read_parts,
    send_parts,
)
from buckia.stores.s3_ranges import gather, list_ranges, list_spans
from buckia.stores.s3_reading import read
from buckia.stores.s3_services import Conditions
from buckia.stores.s3_session import S3Options as S3Options
from buckia.stores.s3_session import S3Session
from buckia.stores.s3_settings import S3Settings
from buckia.stores.s3_unfinished import S3Uploads
from buckia.stores.s3_urls import presign
from buckia.stores.s3_versions import open_version, past_versions
from buckia.stores.traffic import Traffic

_EVERYTHING: Final = Conditions(create=True, replace=True, delete=True)


_SEEN: Final = frozenset({Use.SEEN})
_NONE: Final[frozenset[Use]] = frozenset()


class S3Store:
    """One bucket, or what is below a prefix of it.

    The version of an object is its ETag without quotes. Its sha256 travels in the user metadata
    `sha256`: listings do not tell it, `head` does. A condition the service enforces is sent with
    the request; any other is looked at right before it.
    """

    def __init__(self, options: S3Options) -> None:
        self._options = options
        self._session = S3Session(options)
        self._guard = Guard(self._session)

    @property
    def url(self) -> str:
        """`s3://bucket`, or `s3://bucket/prefix`."""
        return f"s3://{self._options.bucket}/{self._options.prefix}".rstrip("/")

    @property
    def capabilities(self) -> Capabilities:
        """What the service promises, by its row or proved."""
        return Capabilities(
            digests=frozenset({"md5"} if self._guard.md5_etags else ()),
            create_if_absent=self._guard.conditions.create,
            replace_if_match=self._guard.conditions.replace,
            delete_if_match=self._guard.conditions.delete,
            guarded=None if self._guard.conditions.complete else self._options.multipart_threshold,
            guards_copies=self._guard.conditions.copy,
            copy=True,
            versions=self._versions,
            headers=ALL,
            headers_in_place=True,
        )

    @property
    def traffic(self) -> Traffic:
        """Requests so far, and what bounds them."""
        return self._session.traffic

    @cached_property
    def _versions(self) -> bool:
        """Whether overwritten objects remain: asked once, and no where the right to ask lacks."""
        if self._options.versions is not None:
            return self._options.versions
        try:
            return keeps_versions(self._session)
        except FAILURES:
            return False

    @property
    def bench(self) -> S3Bench:
        """What can be asked of the service beside the contract."""
        return S3Bench(self._session, self._guard.conditions, self._try_put, self._try_delete)

    @property
    def uploads(self) -> S3Uploads:
        """See `Uploading.uploads`."""
        return S3Uploads(self._session)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What it is signed in with, for those who look for it in documents."""
        return self._session.secrets

    @cached_property
    def settings(self) -> S3Settings:
        """The settings of the bucket."""
        return S3Settings(self._session, self._options.bucket)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every object below `prefix`; complete, or it raises."""
        full = self._guard.full(prefix)
        for page in list_pages(self._session, full):
            yield from self._listed(page)
        self._session.classes.finish(full)

    def ranged(
        self, prefix: str, known: Iterable[str], hold: Hold | None = None
    ) -> Iterator[Entry]:
        """See `Ranging.ranged`."""
        full = self._guard.full(prefix)
        cuts = map(self._guard.full, known) if self._options.prefix else known
        yield from list_ranges(self._session, full, cuts, partial(self._listed, hold=hold))
        self._session.classes.finish(full)

    def seek(
        self, prefix: str, keys: Sequence[str], known: Sequence[str]
    ) -> dict[str, Entry | None]:
        """See `Seeking.seek`: by pages that begin where the keys are; nothing where a listing is
        not what is there at that moment."""
        if not self._session.service.current:
            return {}
        full, cut = self._guard.full, len(self._options.prefix)
        names = list(map(full, known)) if cut else known
        spans = gather(map(full, keys), names, self._session.options.page_size)
        told = list_spans(self._session, full(prefix), spans)
        there = self._listed([item for item in told.values() if item])
        return dict.fromkeys(key[cut:] for key in told) | {entry.key: entry for entry in there}

    def _listed(self, page: Sequence[Listed], hold: Hold | None = None) -> list[Entry]:
        cut, md5_etags = len(self._options.prefix), self._guard.md5_etags
        key = ""
        try:
            if hold is None or not md5_etags:
                return [entry_of(key := o[0][cut:], o, md5_etags=md5_etags) for o in page]
            rest = (o for o in page if not hold(key := o[0][cut:], *facts(o)))
            return [entry_of(o[0][cut:], o, md5_etags=True) for o in rest]
        except ValueError:
            raise StoreError(
                f"{self._guard.place(key)}: listed without ETag, size or date; look for a proxy"
            ) from None

    def head(self, key: str) -> Entry | None:
        """The object at `key`, with its sha256 where its writer left one."""
        return self._guard.head(key)

    def open(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        """Read exactly `entry.version`."""
        full, place = self._guard.full(entry.key), self._guard.place(entry.key)
        version = entry.version
        if not version:
            raise PreconditionError(f"{place}: no version to read is known; plan again")
        return read(self._session, full, entry, version, place)

    def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        """Write the whole body, checked against `entry` before it can be seen.

        A document of buckia's own is one request however large it is: it is replaced by those who
        must not overwrite each other, and gateways exist that hold a condition against a whole
        object and ignore it for one in parts.
        """
        if entry.size > self._options.multipart_threshold and not is_document(entry.key):
            return self._put_parts(entry, body, replacing)
        guard = self._guard
        meter = Meter({"sha256", *announced(entry), *({"md5"} if guard.md5_etags else ())})
        data = read_exactly(body, entry.size + 1)  # the byte too many shows a body too long
        meter.add(data)
        known = meter.proved(entry)
        full = guard.full(entry.key)
        carriers = carriers_for(self._session, full)
        version = guard.write(
            known,
            replacing,
            guard.conditions.create if replacing is None else guard.conditions.replace,
            lambda condition: next(carriers).put(full, data, guard.told(known), condition),
        )
        if version and (version == known.md5 or not guard.md5_etags):
            return replace(known, version=version)
        stored = guard.confirm(known, version)  # no ETag, or one that proves nothing
        if is_md5(version):
            guard.md5_etags = False  # encrypted with a key of its own: ETags are only tokens here
        return replace(stored, md5=known.md5)

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        """Copy inside the service, headers and metadata included; None between two services."""
        if not (self.copies(source) and isinstance(source, S3Store)):
            return None
        return copy(source._guard, self._guard, entry, key, replacing)

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        """Copy an object onto itself under other headers."""
        return change_headers(self._guard, entry, replacing)

    def copies(self, source: Store) -> bool:
        """From any bucket at the same service that the same credentials reach."""
        return isinstance(source, S3Store) and self._session.same_service(source._session)

    def delete(self, entry: Entry) -> None:
        """Delete the object if it still is `entry.version`."""
        full = self._guard.full(entry.key)
        version = entry.version if self._guard.conditions.delete else None
        carriers = carriers_for(self._session, full)

        def step() -> None:
            with self._guard.once(entry.key):
                held = None if version else self._guard.held(entry.key)
                if held:  # looked at before every attempt: by then it may be somebody else's
                    self._guard.compare(held, entry)
                if held or version:
                    next(carriers).delete(full, version)

        try:
            persist(step, self._guard.place(entry.key))
        except NoBucketError:
            raise
        except NotFoundError:
            return

    @property
    def glances(self) -> frozenset[Use]:
        """See `Glancing.glances`: where listings tell what is there at that moment."""
        return self._guard.unchecked | _SEEN if self._session.service.current else _NONE

    def glance(self, uses: Mapping[Use, Collection[str]]) -> AbstractContextManager[None]:
        """See `Glancing.glance`: a page of a listing for each use."""
        wanted = self.glances
        named = {u: list(map(self._guard.full, keys)) for u, keys in uses.items() if u in wanted}
        return self._guard.looks.over(named)

    def seen(self, key: str) -> Entry | None:
        """See `Glancing.seen`: by an ETag that is the md5."""
        found = self._guard.looks.tell(self._guard.full(key), lambda: None)
        tag = found.version if found and self._guard.md5_etags else None
        return replace(found, key=key, md5=tag) if found and tag and is_md5(tag) else None

    def clear(self, entries: Sequence[Entry]) -> list[BuckiaError | None]:
        """See `Clearing.clear`."""
        return clear(self._guard, entries, self.delete)

    def past(self, prefix: str = "") -> Iterator[Entry]:
        """See `Remembering.past`: nothing, where versioning was never on."""
        cut = len(self._options.prefix)
        for found in past_versions(self._session, self._guard.full(prefix)):
            yield replace(found, key=found.key[cut:])

    def open_past(self, entry: Entry) -> AbstractContextManager[BinaryIO]:
        """See `Remembering.open_past`."""
        return open_version(
            self._session, self._guard.full(entry.key), entry, self._guard.place(entry.key)
        )

    def sweep(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """See `Sweeping.sweep`: a thousand with one request."""
        return delete_many(self._session, entries, lambda e: self._guard.full(e.key), self.delete)

    def public_url(self, key: str) -> str:
        """The object's own URL; whether everybody may read it is the bucket's policy."""
        path = quote(self._guard.full(key), safe="/~", errors="surrogateescape")
        return f"{self._session.bucket_url}/{path}"

    def signed_url(self, key: str, seconds: int) -> str:
        """See `Signing.signed_url`: by signature, at most seven days. No request is made."""
        return presign(self._session, self._guard.full(key), seconds)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def prove(self) -> Capabilities:
        """Try what the service enforces on scratch objects, and rely on just that from now on;
        where the options say what it enforces, on no more than they say."""
        proof = probe(self._try_put, self._try_delete, wrong="0" * 32)
        most = self._options.conditions or _EVERYTHING
        self._guard.conditions = replace(
            self._guard.conditions,
            create=most.create and proof.create is Verdict.ENFORCED,
            replace=most.replace and proof.replace is Verdict.ENFORCED,
            delete=most.delete and proof.delete is Verdict.ENFORCED,
        )
        return self.capabilities

    def _put_parts(self, entry: Entry, body: BinaryIO, replacing: Entry | None) -> Entry:
        self._guard.look(entry.key, replacing)  # before gigabytes travel in vain
        meter = Meter({"sha256", *announced(entry)})
        about = for_boto(self._guard.told(entry))
        with multipart(self._session, self._guard.full(entry.key), about) as upload:
            chunks = read_parts(body, entry.size, self._options.part_size, meter)
            parts = send_parts(self._session, upload, chunks)
            known = meter.proved(entry)
            version = self._complete(known, replacing, upload, parts)
        return self._guard.confirm(known, version)

    def _complete(
        self, known: Entry, replacing: Entry | None, upload: Request, parts: list[Part]
    ) -> str:
        def act(condition: Condition) -> str:
            return complete(self._session, upload, parts, condition)

        return self._guard.write(known, replacing, self._guard.conditions.complete, act)

    def _try_put(self, key: str, data: bytes, condition: Condition) -> str:
        full, known = self._guard.full(key), Entry(key, len(data))
        carrier = carrier_for(self._session, full)
        version = persist(
            lambda: carrier.put(full, data, known, condition), self._guard.place(key), attempts=1
        )
        return version or self._guard.confirm(known, "").version or ""

    def _try_delete(self, key: str, version: str | None) -> None:
        full = self._guard.full(key)
        carriers = carriers_for(self._session, full)
        persist(lambda: next(carriers).delete(full, version), self._guard.place(key))
