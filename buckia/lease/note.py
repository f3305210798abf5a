"""The lease as it lies in a bucket: who is applying there, where, since when, which plan."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Mapping
from io import BytesIO
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from buckia import documents, pipelines
from buckia.errors import NotFoundError, PreconditionError, UnavailableError
from buckia.model import Entry
from buckia.rules import RESERVED_PREFIX
from buckia.stores.base import Store

KEY: Final = f"{RESERVED_PREFIX}lease.json"
"""Where a bucket's lease lives."""

FORMAT: Final = "buckia.lease"
VERSION: Final = "1.0"

TTL: Final = 600
"""Seconds a lease lasts when nobody renews it; `BUCKIA_LEASE_TTL` says otherwise."""

_LEAST: Final = 30
_MOST: Final = 24 * 3600
_LONGEST: Final = 64 * 1024
"""Bytes of a lease that are read at all."""

_LOOKS: Final = 16
"""How often a lease that is renewed or taken at that moment is looked at."""

_SHOWN: Final = 200
"""Characters of a foreign name that are repeated to a person."""


class Holder(Struct, frozen=True):
    """Who holds a lease. Times are the holder's own, in UTC, and only for people.

    id          of the run, random
    ttl_s       seconds without renewal after which others may take it over
    plan        the digest of the plan that is applied
    generation  1, and one more each time an expired lease was taken over
    run         the address of the run at a build service
    """

    format: str = FORMAT
    format_version: str = VERSION
    id: str = ""
    who: str = "somebody"
    where: str = "an unknown host"
    pid: int = 0
    since: str = ""
    renewed: str = ""
    ttl_s: Annotated[int, Meta(ge=1, le=_MOST)] = TTL
    plan: str = ""
    generation: int = 1
    run: str | None = None

    def __str__(self) -> str:
        parts = [f"{self.who[:_SHOWN]} on {self.where[:_SHOWN]} (pid {self.pid})"]
        parts += [f"since {self.since[:_SHOWN]}"] if self.since else []
        parts += [f"applying plan {self.plan[:19]}"] if self.plan else []
        parts += [self.run[:_SHOWN]] if self.run else []
        return ", ".join(parts)


class Found(Struct, frozen=True):
    """A lease and the version of the object that says so."""

    entry: Entry
    holder: Holder


def here(run_id: str, plan: str, environ: Mapping[str, str] = os.environ) -> Holder:
    """This process as the holder of a lease."""
    moment = utc()
    return Holder(
        id=run_id,
        who=_user(),
        where=socket.gethostname(),
        pid=os.getpid(),
        since=moment,
        renewed=moment,
        ttl_s=lifetime(environ),
        plan=plan,
        run=pipelines.run(environ),
    )


def look(store: Store) -> Found | None:
    """The lease of a bucket, or None.

    One that cannot be read has an unknown holder: it counts, and expires like any other. Raises
    `UnavailableError` where a look and what is read never agree.
    """
    for _ in range(_LOOKS):
        entry = store.head(KEY)
        if entry is None:
            return None
        try:
            with store.open(entry) as body:
                return Found(entry, _read(body.read(_LONGEST)))
        except (NotFoundError, PreconditionError):
            continue  # renewed or released between the two requests
    raise UnavailableError(f"{store.url}: the lease changed each time it was read; try again")


def write(store: Store, holder: Holder, *, replacing: Entry | None) -> Entry:
    """Put a lease where `replacing` is, as `Store.put` does."""
    data = documents.render(msgspec.structs.asdict(holder), {})
    return store.put(
        Entry(KEY, len(data), type="application/json"), BytesIO(data), replacing=replacing
    )


def _read(data: bytes) -> Holder:
    try:
        holder = msgspec.json.decode(data, type=Holder)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Holder()
    return holder if holder.format == FORMAT else Holder()


def utc() -> str:
    """This machine's time, for people."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def lifetime(environ: Mapping[str, str] = os.environ) -> int:
    """Seconds a lease of this process lasts without being renewed."""
    told = environ.get("BUCKIA_LEASE_TTL", "")
    return min(max(int(told), _LEAST), _MOST) if told.isdecimal() else TTL


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"
