"""When a request that failed is sent again, and how long is waited before: one rule for all stores.

A request is sent at most five times, with pauses that double from 0.2 to 10 seconds and vary by
chance. What `Retry-After` asks for comes on top; a service that asks for more than a minute has
failed.
"""

from __future__ import annotations

import random
import time
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from typing import Final

ATTEMPTS: Final = 5
"""How often a request is sent before its failure counts."""

FIRST_WAIT: float = 0.2
"""Seconds before the second attempt, doubled before each later one."""

LONGEST_WAIT: Final = 10.0
"""Seconds that a pause has at the most, what the service asks for aside."""

PATIENCE: Final = 60.0
"""Seconds that a service may ask to be left alone; one that asks for more has failed."""

_REPEATING: Final = ContextVar("repeating", default=False)


def wait_for(number: int, chance: float, asked: float = 0.0) -> float | None:
    """Seconds to wait after the attempt of that number, from 1; None to give up.

    `chance`, from 0 to 1, spreads those who failed together; `asked` is what the service asks for.
    """
    if asked > PATIENCE:
        return None
    return asked + (0.5 + chance / 2) * min(FIRST_WAIT * 2.0 ** (number - 1), LONGEST_WAIT)


def rest(number: int, asked: float = 0.0) -> bool:
    """Wait after a failed attempt; the next request repeats it. False when the wait is too long."""
    seconds = wait_for(number, random.random(), asked)  # noqa: S311
    if seconds is None:
        return False
    time.sleep(seconds)
    _REPEATING.set(True)
    return True


def is_repeat() -> bool:
    """Whether the request about to be sent is the first after a `rest`. True once for each."""
    if found := _REPEATING.get():
        _REPEATING.set(False)
    return found


def seconds_in(told: str) -> float:
    """The seconds that a `Retry-After` asks for, in a number or a date (RFC 9110, section 10.2.3).

    0 where there is none, or none that can be read.
    """
    if told.isdecimal():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return 0.0
