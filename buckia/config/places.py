"""Where in a configuration file an option stands."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from buckia.config.source import MAX_BYTES, Source, read

_DEFAULTS: Final = ("buckia", "defaults")


class Places:
    """The lines of a configuration file by option; empty where there is no file, or none to read.

    For people only: nothing is decided by it, so that a file which changed meanwhile does no harm.
    """

    def __init__(self, path: Path | None) -> None:
        self._name = path.name if path else ""
        self._source = _read(path) if path else Source()

    def of(self, bucket: str, *option: str | int) -> str | None:
        """`.buckia:12` for a part of an option of a bucket, wherever the bucket has it from."""
        for place in ((bucket, *option), (*_DEFAULTS, *option), ("buckia", *option)):
            if place[: len(place) - len(option) + 1] in self._source.values:
                return f"{self._name}:{self._source.mark(place).line}"
        return None


def _read(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            return read(file.read(MAX_BYTES), toml=path.suffix == ".toml")
    except OSError:
        return Source()
