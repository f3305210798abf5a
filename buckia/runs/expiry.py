"""The trash is emptied by age, as `trash: {keep: 30d}` and `buckia trash empty` want it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from buckia.errors import BuckiaError
from buckia.stores.hashing import now
from buckia.trash import Kept, Trash

log = logging.getLogger(__name__)


def older(items: Iterable[Kept], seconds: int) -> list[Kept]:
    """Those that were deleted longer ago; what has no time is never old."""
    limit = now() - seconds * 1_000_000_000
    return [item for item in items if item.deleted is not None and item.deleted < limit]


def expire(trash: Trash, seconds: int | None) -> None:
    """Delete for good what was deleted longer ago; None keeps all. A failure is only logged: what
    the run was for is done. Under the leases of the buckets: they tell what time it is there."""
    if seconds is None:
        return
    try:
        old = older(trash.kept(), seconds)
        if old and (bucket := trash.out_of_step()):
            log.warning(
                "the trash was not emptied: the clock of this computer and that of `%s` are more "
                "than a day apart; set it",
                bucket,
            )
            return
        trash.empty(old)
    except BuckiaError as problem:
        log.warning("the trash was not emptied: %s", problem)
