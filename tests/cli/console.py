"""A command run in this process as a script would run it: no terminal anywhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper

import pytest

from buckia.cli import run


@dataclass(frozen=True)
class Ended:
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int


def buckia(*words: str, given: str = "") -> Ended:
    """Run `buckia` with these words and this stdin."""
    out, err = _pipe(), _pipe()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", _pipe(given.encode()))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        code = run(words)
    return Ended(_text(out), _text(err), code)


def _pipe(data: bytes = b"") -> TextIOWrapper:
    return TextIOWrapper(BytesIO(data), encoding="utf-8", newline="")


def _text(pipe: TextIOWrapper) -> str:
    pipe.flush()
    assert isinstance(pipe.buffer, BytesIO)
    return pipe.buffer.getvalue().decode()
