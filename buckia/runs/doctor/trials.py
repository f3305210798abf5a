"""A bucket tried out: what it really does, against what buckia relies on.

Everything happens below one scratch prefix, and whatever happens, it is cleared afterwards.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from typing import Final

from buckia.config import BucketConfig
from buckia.errors import (
    AccessError,
    BuckiaError,
    Interrupted,
    LocalError,
    PreconditionError,
    StoreError,
)
from buckia.model import DIGESTS, Direction, Entry, replace
from buckia.runs.doctor import conditions
from buckia.runs.doctor.findings import Check, State, bad, failed, note, ok
from buckia.stores.base import Store
from buckia.stores.bench import Bench, Benched, Extra
from buckia.stores.meter import Meter
from buckia.stores.probe import SCRATCH, Verdict

_TYPE: Final = "text/x-buckia"
_STRANGE: Final = "é ü/ключ +&%.txt"
"""A name that services and proxies have been seen to spoil."""


def run(store: Store, bucket: BucketConfig, stop: threading.Event) -> list[Check]:
    """Every trial, and whether the bucket is as it was."""
    trial = _Trial(store, bucket)
    checks: list[Check] = []
    try:
        for name, step in trial.steps():
            if stop.is_set():
                raise Interrupted("interrupted; the scratch objects were deleted")
            checks += trial.attempt(name, step)
            if checks[-1].state is State.UNTRIED:
                break
    finally:
        left = trial.clear()
    return [*checks, left]


class _Trial:
    """The trials of one bucket, and the keys they used."""

    def __init__(self, store: Store, bucket: BucketConfig) -> None:
        self._store = store
        self._bench: Bench | None = store.bench if isinstance(store, Benched) else None
        self._scratch = f"{SCRATCH}{secrets.token_hex(8)}/"
        self._keys: set[str] = set()
        self._made = False
        self._first = Entry("", 0)
        self._only_reads = all(
            place.direction is Direction.DOWNLOAD for place in bucket.layout.mappings
        )

    def steps(self) -> Iterator[tuple[str, Callable[[], Iterable[Check]]]]:
        """In an order in which each needs no more than those before it."""
        yield "write", self._write
        yield "read", self._read
        yield "list", self._list
        yield "metadata", self._metadata
        yield "names", self._names
        yield "replace", self._replace
        yield "copy", self._copy
        yield "conditions", lambda: conditions.judge(self._store, self._bench, self._scratch)
        yield "checksum", self._checksum
        for extra in self._bench.extras(self._scratch) if self._bench else ():
            yield extra.name, lambda extra=extra: self._extra(extra)  # type: ignore[misc]
        yield "delete", self._delete

    def attempt(self, name: str, step: Callable[[], Iterable[Check]]) -> list[Check]:
        """One trial; what goes wrong is what was found."""
        try:
            return list(step())
        except (StoreError, LocalError) as problem:
            refused = isinstance(problem, AccessError)
            need = self._rights.get(name) if refused else None
            found = failed(name, problem, need and f"the credential needs {need}")
        if name != "write":
            return [found]
        if self._only_reads:
            found = replace(found, state=State.NOTE, code=0, advice="enough for downloads")
        return [found, Check("others", State.UNTRIED, "not tried: nothing can be written")]

    def clear(self) -> Check:
        """Delete everything that was made, known or listed, for good."""
        kept: BuckiaError | None = None
        with suppress(BuckiaError):
            self._keys |= {entry.key for entry in self._store.entries(self._scratch)}
        for key in sorted(self._keys):
            with suppress(BuckiaError):
                if entry := self._store.head(key):
                    self._store.delete(entry)
        try:
            if self._bench and self._made:
                self._bench.erase(self._scratch)
        except BuckiaError as problem:
            kept = problem
        with suppress(BuckiaError):
            if left := [entry.key for entry in self._store.entries(self._scratch)]:
                advice = f"delete what is below {self._scratch}"
                return bad("scratch", f"{len(left)} scratch objects remain", advice)
        if kept and self._store.capabilities.versions:
            return note("scratch", f"old versions remain: {kept}", "a lifecycle rule ends them")
        return ok("scratch", "everything that was tried is gone")

    @property
    def _rights(self) -> Mapping[str, str]:
        return self._bench.rights if self._bench else {}

    def _put(self, name: str, data: bytes, replacing: Entry | None = None) -> Entry:
        key = self._scratch + name
        self._keys.add(key)
        meter = Meter()
        meter.add(data)
        announced = Entry(key, len(data), sha256=meter.digests["sha256"], type=_TYPE)
        written = self._store.put(announced, BytesIO(data), replacing=replacing)
        self._made = True
        return written

    def _write(self) -> Iterator[Check]:
        self._first = self._put("first", b"first")
        yield ok("write", "permitted")

    def _read(self) -> Iterator[Check]:
        with self._store.open(self._first) as body:
            data = body.read()
        yield ok("read", "permitted") if data == b"first" else bad("read", "other bytes came back")

    def _list(self) -> Iterator[Check]:
        """Whether what was written is listed at once, and tells what comparing goes by."""
        found = {entry.key: entry for entry in self._store.entries(self._scratch)}
        entry, claimed = found.get(self._first.key), self._store.capabilities.digests
        if entry is None:
            yield bad("list", "what was just written is not listed", value="late")
            return
        digests = [name for name in DIGESTS if getattr(entry, name)]
        told = f"at once, with {' and '.join(digests) or 'no digest'}"
        if claimed - set(digests):
            advice = f"{' and '.join(sorted(claimed))} is relied on"
            yield bad("list", told, advice, ", ".join(digests))
        elif entry.version != self._first.version:
            yield bad("list", f"{told}, and another version than the write told")
        else:
            yield ok("list", told, ", ".join(digests))

    def _metadata(self) -> Iterator[Check]:
        """Whether our digest and the content type come back with the object."""
        held = self._store.head(self._first.key) or Entry("", 0)
        kept = [word for word, there in (
            ("sha256", held.sha256 == self._first.sha256),
            ("content type", held.type == _TYPE),
        ) if there]  # fmt: skip
        told = f"{' and '.join(kept)} kept" if kept else "nothing kept"
        if "sha256" not in kept:
            advice = "two sides that no lockfile knows cannot be told to be equal"
            yield note("metadata", told, advice)
        elif self._store.capabilities.headers_in_place and "content type" not in kept:
            yield note("metadata", told, "browsers will guess what the objects are")
        else:
            yield ok("metadata", told)

    def _names(self) -> Iterator[Check]:
        made = self._put(_STRANGE, b"strange")
        found = {entry.key for entry in self._store.entries(self._scratch)}
        if made.key in found and self._store.head(made.key):
            yield ok("names", "letters and signs come back as they are")
        else:
            yield bad("names", "a name with letters and signs comes back as another")

    def _replace(self) -> Iterator[Check]:
        """Over what is there, and never over what is not there any more."""
        old = self._first
        self._first = self._put("first", b"second", replacing=old)
        try:
            self._first = self._put("first", b"third", replacing=old)
        except PreconditionError:
            yield ok("replace", "permitted, and only over what was seen")
        else:
            yield bad("replace", "a version that was not there any more was replaced")

    def _copy(self) -> Iterator[Check]:
        key = f"{self._scratch}copy"
        self._keys.add(key)
        made = self._store.copy(self._store, self._first, key=key, replacing=None)
        if made is None:
            claimed = self._store.capabilities.copy
            judge = bad if claimed else ok
            yield judge("copy", "not offered: what moves is sent again", value="none")
            return
        with self._store.open(self._first) as one, self._store.open(made) as other:
            same = one.read() == other.read()
        yield ok("copy", "inside the service") if same else bad("copy", "copies hold other bytes")

    def _checksum(self) -> Iterator[Check]:
        if self._bench is None:
            return
        key = f"{self._scratch}wrong"
        self._keys.add(key)
        verdict = self._bench.checksum(key)
        if verdict is Verdict.ENFORCED:
            yield ok("checksum", "bytes that change on the way are refused", verdict.value)
            return
        advice = "buckia holds every upload against the digest that is told afterwards"
        if not self._store.capabilities.digests:
            advice = "bytes that a line spoils go unnoticed; use https"
        yield note("checksum", "bytes that change on the way are taken", advice, verdict.value)

    def _extra(self, extra: Extra) -> Iterator[Check]:
        try:
            yield ok(extra.name, extra.act())
        except StoreError as problem:
            refused = isinstance(problem, AccessError)
            advice = f"the credential needs {extra.right}; {extra.loss}" if refused else extra.loss
            yield note(extra.name, str(problem), advice)

    def _delete(self) -> Iterator[Check]:
        self._store.delete(self._first)
        if self._store.head(self._first.key) is None:
            yield ok("delete", "permitted")
        else:
            yield bad("delete", "what was deleted is still there")
