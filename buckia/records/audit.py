"""What becomes of a journal when its run is over: a copy in the bucket, and old ones gone."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Final

from buckia import journal
from buckia.errors import BuckiaError, LocalError, PreconditionError
from buckia.hygiene import Hygiene
from buckia.model import Entry
from buckia.rules import RESERVED_PREFIX
from buckia.stores.base import Store

PREFIX: Final = f"{RESERVED_PREFIX}audit/"
"""Where a bucket with `audit: true` keeps copies of journals, each under its serial and plan."""

_TRIES: Final = 9

log = logging.getLogger(__name__)


def copy(path: Path, serial: int, plan: str, stores: Iterable[Store], hygiene: Hygiene) -> None:
    """Put a finished journal into each of these buckets, over nothing that is there.

    A copy that fails is told in the log and no error: what was applied is applied, and the journal
    is still here.
    """
    for store in stores:
        try:
            data = hygiene.demand_clean(path.read_bytes(), "the audit log")
            _put(store, f"{PREFIX}{serial:06}-{plan.removeprefix('sha256:')[:12]}", data)
        except (BuckiaError, OSError) as problem:
            log.warning("%s: the audit log was not copied there: %s", store.url, problem)


def _put(store: Store, name: str, data: bytes) -> None:
    """Create the object; a run that resumes what was cut has the same name, and gets a number."""
    for number in range(1, _TRIES + 1):
        key = f"{name}.jsonl" if number == 1 else f"{name}-{number}.jsonl"
        if store.head(key) is not None:
            continue
        try:
            store.put(
                Entry(key, len(data), type="application/jsonl"), BytesIO(data), replacing=None
            )
        except PreconditionError:  # created in this moment
            continue
        return
    raise LocalError(f"{name}.jsonl and {_TRIES - 1} more are there already; apply again")


def rotate(folder: Path, count: int, seconds: int | None) -> None:
    """Delete journals that are too many or too old, and name them in the log."""
    try:
        gone = journal.rotate(folder, count, seconds, time.time())
    except BuckiaError as problem:
        log.warning("old journals were left: %s", problem)
        return
    for name in gone:
        log.info("the journal %s has had its time", name)
