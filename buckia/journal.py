"""One line an outcome, on the disk before the next step: what survives a crash, and the audit log.

A journal belongs to one run. Its header says which plan ran against which state; each further line
is an outcome; a last line says that the lockfile holds it all. A journal without that last line is
picked up by the next run. A torn last line, as a crash leaves it, is ignored.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from buckia import pipelines
from buckia.decisions import folding
from buckia.errors import DocumentError, LocalError
from buckia.lockfile import BucketState, Lockfile
from buckia.model import Count, Outcome
from buckia.planfile import BaseRef
from buckia.stores import files
from buckia.stores.usage import NOTHING, Usage

FORMAT: Final = "buckia.journal"
VERSION: Final = "1.0"


class Origin(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The state a run began from, and the lineage it gives a history that has none.

    `source` is, for a promotion, the state of the bucket that it promotes from. `purges` follow
    what the run changes.
    """

    base: BaseRef
    lineage: str
    source: BaseRef | None = None
    purges: tuple[str, ...] = ()


class Header(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The first line: which plan, by whom, where, when (UTC), from which state.

    `approver` and `run` are what a build service tells: who approved, and its address of the run.
    """

    format: str
    format_version: str
    plan: str
    buckets: dict[str, Origin]
    started: str = ""
    user: str = ""
    host: str = ""
    pid: int = 0
    approver: str = ""
    run: str | None = None


class Finish(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The last line: the lockfile holds every outcome above.

    `used` is what the run asked of all buckets until then, `seconds` how long it took, `serials`
    those it left; a run that was cut short has none of them.
    """

    event: Literal["finish"]
    at: str = ""
    used: Usage = NOTHING
    seconds: float | None = None
    serials: dict[str, Count] = {}


class Record(Struct, frozen=True):
    """A journal read back."""

    path: Path
    header: Header
    outcomes: list[Outcome]
    finished: bool
    finish: Finish | None = None


class Journal:
    """The journal of the run under way. Only the main thread writes it."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self._began = time.monotonic()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as problem:
            raise self._unwritable(problem) from None
        self._file = os.fdopen(handle, "wb")
        try:
            self._write([header])
        except LocalError:
            self.close()
            raise

    def record(self, outcomes: list[Outcome]) -> None:
        """Put outcomes on the disk, all with one flush. Raises `LocalError` when that fails."""
        self._write(outcomes)

    def finish(self, used: Usage = NOTHING, serials: Mapping[str, int] | None = None) -> None:
        """Say that the lockfile holds every outcome, what was used, and which serials are left."""
        took = round(time.monotonic() - self._began, 3)
        self._write([Finish("finish", _utc(), used, took, dict(serials or {}))])

    def close(self) -> None:
        """Close the file; without `finish` the next run picks it up."""
        with suppress(OSError):  # what could not be written has been told
            self._file.close()

    def _write(self, items: Iterable[object]) -> None:
        try:
            self._file.write(b"".join(msgspec.json.encode(item) + b"\n" for item in items))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as problem:
            raise self._unwritable(problem) from None

    def _unwritable(self, problem: OSError) -> LocalError:
        return LocalError(
            f"the journal {self.path.name} cannot be written ({problem.strerror}); stopped, "
            "because nothing may happen unrecorded; free some space and run the same plan again"
        )


def start(folder: Path, plan: str, origins: dict[str, Origin]) -> Journal:
    """A new journal after all others in the folder."""
    latest = max(map(_number, _paths(folder)), default=0)
    short = plan.removeprefix("sha256:")[:12]
    header = Header(
        FORMAT,
        VERSION,
        plan,
        origins,
        started=_utc(),
        user=_user(),
        host=socket.gethostname(),
        pid=os.getpid(),
        approver=pipelines.approver(os.environ),
        run=pipelines.run(os.environ),
    )
    return Journal(folder / f"{latest + 1:06}-{short}.jsonl", header)


def _number(path: Path) -> int:
    head = path.name.partition("-")[0]
    return int(head) if head.isdecimal() else 0


def _utc() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def records(folder: Path) -> list[Record]:
    """Every journal of a folder, oldest first."""
    return [read(path) for path in _paths(folder)]


def unfinished(folder: Path) -> list[Record]:
    """The journals that no lockfile is known to hold, oldest first."""
    return [read(path) for path in _paths(folder) if not _closed(path)]


def _paths(folder: Path) -> list[Path]:
    """The files of a folder, oldest first. `LocalError` for a folder that cannot be listed: it may
    hold what no lockfile does."""
    with files.explained(f"{folder.parent.name}/{folder.name}"), suppress(FileNotFoundError):
        return sorted((p for p in folder.iterdir() if p.suffix == ".jsonl"), key=_number)
    return []


_LONGEST_FINISH: Final = 64 * 1024
"""Bytes that are more than a last line has."""


def _closed(path: Path) -> bool:
    """Whether the last line is a whole finish, told without reading the whole file."""
    with files.explained(f"{path.parent.name}/{path.name}"), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_FINISH))
        end = file.read()
    return end.endswith(b"\n") and _is_finish(end.rpartition(b"\n{")[2])


def _is_finish(line: bytes) -> bool:
    return b'"event":"finish"' in line


def read(path: Path) -> Record:
    """A journal read back. Raises `DocumentError` for damage other than a torn last line."""
    with files.explained(f"{path.parent.name}/{path.name}"):
        lines = path.read_bytes().split(b"\n")
    whole = [line for line in lines[:-1] if line]  # what follows the last newline is torn
    if not whole or _is_finish(whole[0]):  # the run ended before its header was on the disk
        return Record(path, Header(FORMAT, VERSION, "", {}), [], True)
    try:
        header = msgspec.json.decode(whole[0], type=Header)
        if header.format != FORMAT or header.format_version.partition(".")[0] != "1":
            raise msgspec.ValidationError(f"format {header.format} {header.format_version}")
        finished = _is_finish(whole[-1])
        body = whole[1:-1] if finished else whole[1:]
        outcomes = [msgspec.json.decode(line, type=Outcome) for line in body]
        ended = msgspec.json.decode(whole[-1], type=Finish) if finished else None
    except (msgspec.DecodeError, ValueError) as problem:
        raise DocumentError(
            f"the journal {path.name} is damaged ({problem}); move it away and run `buckia plan` "
            "to see where things stand"
        ) from None
    return Record(path, header, outcomes, finished, ended)


def absorb(lock: Lockfile, found: Iterable[Record]) -> Lockfile:
    """The lockfile with the outcomes of unfinished journals that began from its states."""
    for record in found:
        for name, origin in record.header.buckets.items():
            state = lock.state(name)
            if not _continues(state, record.header.plan, origin):
                continue
            seen = list(folding.share(record.outcomes, name))
            if any(item.done for item in seen) or not set(origin.purges) <= set(state.purges):
                new = folding.fold(state, seen, origin.purges)
                moved = folding.advance(
                    state,
                    new,
                    record.header.plan,
                    origin.lineage,
                    partial=True,
                    source=origin.source,
                    configured=folding.configures(seen),
                )
                lock = lock.with_state(name, moved)
    return lock


def _continues(state: BucketState, plan: str, origin: Origin) -> bool:
    return state.ref == origin.base or (state.partial and state.plan == plan)


def finish(found: Iterable[Record]) -> None:
    """Mark journals whose outcomes a lockfile now holds. Where that fails the next run does it."""
    for record in found:
        with suppress(OSError):
            _finish(record)


def _finish(record: Record) -> None:
    whole = record.path.read_bytes().rpartition(b"\n")[0]
    with record.path.open("r+b") as file:
        file.truncate(len(whole) + 1 if whole else 0)
        file.seek(0, os.SEEK_END)
        file.write(msgspec.json.encode(Finish("finish", _utc())) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def rotate(folder: Path, count: int, seconds: int | None, now: float) -> list[str]:
    """Delete the oldest journals, and say which: those beyond `count`, and those older than
    `seconds` (None: of any age) before `now`, a time in seconds since 1970.

    A journal that no lockfile is known to hold stays, and so does the newest, which numbers them.
    """
    gone: list[str] = []
    paths = _paths(folder)
    for left, path in zip(range(len(paths), 1, -1), paths, strict=False):
        with suppress(OSError):
            old = seconds is not None and now - path.stat().st_mtime > seconds
            if (left > count or old) and _closed(path):
                path.unlink()
                gone.append(path.name)
    return gone
