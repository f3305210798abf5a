"""What SIGINT and SIGTERM do."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn

from buckia.errors import Interrupted

_PATIENCE: Final = 4.0
"""Seconds a command that changes nothing gets to clear up after the first signal."""

UNCHANGED: Final = "interrupted; nothing was changed"

_SHOW_CURSOR: Final = b"\x1b[?25h"


class Stop:
    """The wish to stop.

    A first signal ends what only looks. What changes something ends it itself, once it has saved
    what was done: it asks `event`. A second signal leaves at once.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self._changing = False
        self._last = threading.Timer(_PATIENCE, _give_up)
        self._last.daemon = True

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen to signals for as long as this lasts."""
        before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(UNCHANGED) from None
        finally:
            self._last.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """From here on something is changed, so that stopping means saving first."""
        self._changing = True
        try:
            yield
        finally:
            self._changing = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.event.is_set():
            _leave()
        self.event.set()
        if self._changing:
            # os.write: a signal may come in the middle of a print
            os.write(2, b"\nStopping; what is done is being saved. Again to leave at once.\n")
            return
        self._last.start()
        raise KeyboardInterrupt


_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def _give_up() -> None:
    """Leave although something, a server that does not answer say, is still being waited for."""
    os.write(2, f"\nError: {UNCHANGED}\n".encode())
    _leave()


def leave(code: int) -> NoReturn:
    """End the program when all is saved and said.

    A transfer that a stop has abandoned may hang for minutes; Python would wait for its thread.
    """
    if any(not (one.daemon or one is threading.current_thread()) for one in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _leave() -> None:
    if sys.stderr.isatty():
        os.write(2, _SHOW_CURSOR)
    os._exit(Interrupted.exit_code)
