"""What can be told of a bucket without changing it: credentials, the way there, its clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from statistics import median
from typing import Final

from buckia import credentials
from buckia.config import BucketConfig
from buckia.errors import BuckiaError
from buckia.model import Direction
from buckia.runs.doctor.findings import Check, bad, failed, note, ok
from buckia.stores.base import Store
from buckia.stores.bench import Bench, Benched
from buckia.stores.probe import SCRATCH
from buckia.workspace import Workspace

_SAMPLES: Final = 3
"""Small requests whose median time is told."""

_EXACT: Final = 2.0
"""Seconds within which a header that tells whole seconds, and took its way, says nothing."""

_WRONG: Final = 300.0
"""Seconds after which a clock is wrong. Amazon refuses requests that are 900 off."""


def look(space: Workspace, bucket: BucketConfig) -> Iterator[Check]:
    """Until something does not work that all the rest needs."""
    yield _paths(space, bucket)
    try:
        found = credentials.find(bucket)
        store = space.remote(bucket.name)
    except BuckiaError as problem:
        yield failed("credentials", problem)
        return
    bench = store.bench if isinstance(store, Benched) else None
    if found.source != credentials.NONE.source:
        yield ok("credentials", f"from {(bench and bench.signer) or found.source}")
    try:
        yield from _service(bench) if bench else _directory(store)
    except BuckiaError as problem:
        yield failed("listing", problem)


def sign_in(space: Workspace, bucket: BucketConfig) -> str:
    """One small request by the credential of a bucket: where that comes from, what it may.

    Raises what is wrong with it.
    """
    found, store = credentials.find(bucket), space.remote(bucket.name)
    if not isinstance(store, Benched):
        next(iter(store.entries(SCRATCH)), None)
        return "a directory, which needs no credential"
    told = store.bench.ping()
    return f"signed in from {store.bench.signer or found.source}; {told or 'it may list'}"


def _paths(space: Workspace, bucket: BucketConfig) -> Check:
    """Whether the local side is there, and can be written to where anything may arrive."""
    for place in bucket.layout.mappings:
        path = space.root / place.path
        arrives = place.direction is not Direction.UPLOAD
        if not path.exists():
            return note("paths", f"{place.path or './'} is not there yet")
        wanted = os.R_OK | (os.W_OK if arrives else 0)
        if not os.access(path, wanted):
            verb = "written" if os.access(path, os.R_OK) else "read"
            return bad("paths", f"{place.path} cannot be {verb}", "check its permissions")
    return ok("paths", ", ".join(place.path or "./" for place in bucket.layout.mappings))


def _service(bench: Bench) -> Iterator[Check]:
    try:
        theirs, ours = bench.reach(), time.time()
    except BuckiaError as problem:
        yield failed("endpoint", problem)
        return
    yield ok("endpoint", bench.endpoint)
    if theirs is not None:
        yield _clock(theirs - ours)
    times, told = [], ""
    for _ in range(_SAMPLES):
        began = time.perf_counter()
        told = bench.ping()
        times.append(time.perf_counter() - began)
    yield ok("listing", f"permitted; {told}" if told else "permitted")
    typical = median(times)
    shown = f"{typical * 1000:.0f} ms, the median of {_SAMPLES} small listings"
    yield ok("latency", shown, round(typical, 4))


def _clock(skew: float) -> Check:
    if abs(skew) <= _EXACT:
        return ok("clock", "as the service's", 0.0)
    told = f"this computer is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead'}"
    advice = "set it by NTP: signatures and `newest_wins` go by it"
    judge = bad if abs(skew) > _WRONG else note
    return judge("clock", told, advice, round(skew))


def _directory(store: Store) -> Iterator[Check]:
    next(iter(store.entries(SCRATCH)), None)
    yield ok("listing", "permitted")
