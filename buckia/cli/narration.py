"""What `-v`, `-vv`, `--quiet`, `--log-file` and `--log-format` make of the log."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from buckia.cli.options import LogFormat, Telling
from buckia.errors import UsageError
from buckia.text import visible

_LEVELS: Final = (logging.WARNING, logging.INFO, logging.DEBUG)


@contextmanager
def narrating(shared: Telling) -> Iterator[None]:
    """Send the log where the options say for as long as this lasts."""
    log = logging.getLogger("buckia")
    handlers: list[logging.Handler] = [_to_stderr(shared)]
    if shared.log_file:
        handlers.append(_to_file(shared.log_file))
    if shared.log_format is LogFormat.JSON:
        for handler in handlers:
            handler.setFormatter(_Json())
    level = log.level
    log.setLevel(min(handler.level for handler in handlers))
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield
    finally:
        log.setLevel(level)
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


def _to_stderr(shared: Telling) -> logging.Handler:
    handler = _Stderr()
    quiet = shared.quiet and not shared.verbose
    handler.setLevel(logging.ERROR if quiet else _LEVELS[min(shared.verbose, 2)])
    handler.setFormatter(_OneLine("%(message)s"))
    return handler


def _to_file(path: str) -> logging.Handler:
    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as problem:
        raise UsageError(f"--log-file {path}: {problem.strerror}; name another file") from None
    form = _OneLine("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    form.converter = time.gmtime
    handler.setFormatter(form)
    handler.setLevel(logging.DEBUG)
    return handler


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg]  # generic only for checkers
    """Writes to what stderr is at the moment: a progress display stands in for it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _OneLine(logging.Formatter):
    """A record is a line, whatever names it holds."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


class _Json(logging.Formatter):
    """A record is a JSON object on a line of its own: when (UTC), how grave, who says what."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "at": f"{at}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)
