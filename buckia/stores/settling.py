"""What every service's settings have in common: looked at before they are set, and after."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from buckia.errors import PreconditionError, StoreError, UnavailableError
from buckia.model import Value

_PAUSES: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each look after a write: Amazon's settings take a moment to show."""


def demand_expected(now: Value | None, expect: Value | None, place: str) -> None:
    """Raise `PreconditionError` unless a setting is what it has to be before it is set."""
    if now != expect:
        raise PreconditionError(f"{place}: is not what was reviewed; plan again")


def demand_kept(
    read: Callable[[], Value | None], document: Value | None, old: Value | None, place: str
) -> None:
    """Raise unless a setting just set is what it was set to.

    A service may leave out what it does not know, and then every plan would find it again.
    """
    for pause in _PAUSES:
        time.sleep(pause)
        now = read()
        if now == document:
            return
        if now != old:
            raise StoreError(
                f"{place}: the service keeps it otherwise than it was sent: it does not offer all "
                "of it; `buckia import` shows what it keeps"
            )
    raise UnavailableError(f"{place}: was set and does not show yet; plan again")
