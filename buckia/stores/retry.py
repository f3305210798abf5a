"""When a request that failed is sent again."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

_REPEATING: Final = ContextVar("repeating", default=False)


def repeating() -> None:
    """Say that the next request of this thread is sent because the one before it failed."""
    _REPEATING.set(True)


def is_repeat() -> bool:
    """Whether the request about to be sent was announced by `repeating`. True once for each."""
    if found := _REPEATING.get():
        _REPEATING.set(False)
    return found
