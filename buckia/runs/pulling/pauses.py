"""How long a run waits for a publication that is under way."""

from __future__ import annotations

import threading
import time
from typing import Final

from buckia.errors import Interrupted

FIRST: float = 0.5
"""Seconds before the manifest is read again, doubled each time."""

LONGEST: Final = 8.0
"""Seconds that a pause has at the most."""


class Pauses:
    """The pauses of one run: they grow, and end when `longest` seconds have passed."""

    def __init__(self, longest: float) -> None:
        self._ends = time.monotonic() + longest
        self._next = FIRST

    def rest(self, stop: threading.Event) -> bool:
        """Wait; False where that would be too long."""
        left = self._ends - time.monotonic()
        if left <= 0:
            return False
        if stop.wait(min(self._next, left)):
            raise Interrupted("stopped by a signal; what was fetched is kept; run it again")
        self._next = min(self._next * 2, LONGEST)
        return True
