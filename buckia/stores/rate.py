"""How fast a store may go: requests and bytes a second, by token buckets.

A token bucket fills at a steady rate up to a burst. Who takes more than there is, waits until the
debt is paid, so that over any time no more passes than the burst and what has flowed in.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Final

from msgspec import Struct

from buckia.errors import UsageError

_UNITS: Final = {"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9}
_TIMES: Final = {"s": 1, "min": 60}
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?) ?([kKMG]?B|)/(s|min)")


_BURST: Final = 0.1
"""Seconds whose share may pass at once after a rest; a line would feel more than that."""


class Rates(Struct, frozen=True):
    """Requests, bytes up and bytes down a second, at the most; None for as many as there are."""

    requests: float | None = None
    upload: float | None = None
    download: float | None = None


UNLIMITED: Final = Rates()


def rates_from(said: Mapping[str, str]) -> Rates:
    """The rates of a configuration, such as `{requests: 100/s, upload: 10MB/s}`."""
    return Rates(**{name: per_second(text) for name, text in said.items()})


def per_second(text: str) -> float:
    """What `100/s`, `10MB/s` or `6GB/min` say. Raises `UsageError` for anything else."""
    match = _RATE.fullmatch(text)
    if match is None or not float(match[1]):
        raise UsageError(f"{text!r} is no rate; say 100/s for requests, 10MB/s for bytes")
    return float(match[1]) * _UNITS[match[2]] / _TIMES[match[3]]


class Tokens(Struct, frozen=True):
    """A token bucket at some moment. Pure: `take` gives the next one.

    rate   tokens that flow in, a second
    burst  the most there are
    left   those there are; below zero it is a debt
    at     the moment, in seconds
    """

    rate: float
    burst: float
    left: float
    at: float

    def take(self, amount: float, now: float) -> tuple[Tokens, float]:
        """The bucket after `amount` was taken, and the seconds to wait until that is paid for."""
        filled = min(self.burst, self.left + max(0.0, now - self.at) * self.rate)
        left = filled - amount
        return Tokens(self.rate, self.burst, left, now), max(0.0, -left / self.rate)


class Pace:
    """A gate that lets as much through as its rate says. Safe for many threads.

    It begins with nothing to spare: the first second is no faster than those after it.
    """

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._tokens = Tokens(rate, max(1.0, rate * _BURST), 0.0, clock())
        self._lock = Lock()

    def take(self, amount: float) -> None:
        """Wait until `amount` may have passed."""
        with self._lock:
            self._tokens, wait = self._tokens.take(amount, self._clock())
        if wait:
            self._sleep(wait)
