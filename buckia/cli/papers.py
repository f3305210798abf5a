"""Plan documents on their way in and out: files, stdin, stdout."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from buckia.errors import LocalError, UsageError

STREAM: Final = "-"
"""As a file name: stdin to read from, stdout to write to."""

_LOOKS: Final = b'{\n"format":"buckia.plan"', b'{\n"format": "buckia.plan"'


def read(name: str) -> bytes:
    """The bytes of a plan file, or of stdin. Raises `UsageError` where there is no such file."""
    from buckia import documents

    if name == STREAM:
        return documents.load(sys.stdin.buffer, "the plan on stdin")
    try:
        with Path(name).open("rb") as file:
            documents.refuse_size(os.fstat(file.fileno()).st_size, name)
            return documents.load(file, name)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise UsageError(
            f"there is no plan file {name}; `buckia plan --out {name}` writes one"
        ) from None
    except IsADirectoryError:
        raise UsageError(f"{name} is a directory; name a plan file") from None
    except OSError as problem:
        raise LocalError(
            f"the plan file {name} cannot be read: {problem.strerror}; check its permissions"
        ) from None


def refuse_target(name: str) -> None:
    """Raise `UsageError` for an `--out` that has no folder or would overwrite what is no plan."""
    path = Path(name)
    if name == STREAM:
        return
    if not path.parent.is_dir():
        raise UsageError(f"--out {name}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise UsageError(f"--out {name} is a directory; name a file in it")
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(64)
        if head and not head.startswith(_LOOKS):
            raise UsageError(f"--out {name} exists and is not a plan; name another file")


def write(data: bytes, name: str) -> None:
    """Put a document where `--out` says: all of it or, on any problem, nothing."""
    path = Path(name)
    if name == STREAM:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        if path.exists() and not path.is_file():  # a pipe or a device: nothing to replace
            path.write_bytes(data)
        else:
            replace(path.resolve(), data)
    except OSError as problem:
        raise LocalError(
            f"--out {name} cannot be written: {problem.strerror}; name another file"
        ) from None


def replace(path: Path, data: bytes) -> None:
    """Put other bytes into a file, all of them or none; its mode stays."""
    import tempfile  # only `--out` needs it

    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
    Path(file.name).chmod(mode)
    Path(file.name).replace(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
