"""A pull killed at its K-th operation, for every so-many-th K.

`python -m tests.crash.pulls URL FOLDER STRIDE`: FOLDER is one into which something else was pulled
before, and in which somebody then changed a file. Each K has a copy of it. Prints as JSON how many
operations there are, how many were tried, and what was wrong.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, Final

from buckia import pull
from buckia.runs.pulling import fetching
from buckia.stores import files, filling, web
from tests.crash.hooks import Steps, install
from tests.publishing import rows, trashed, tree

CHANGED: Final = "notes.txt"
OWN: Final = "diary.txt"
"""The file that somebody changed, and one that no pull put there."""


def main(url: str, folder: str, stride: int) -> None:
    """Try them."""
    base = Path(folder)
    room = base.parent / "tries"
    room.mkdir()
    whole = _copy(base, room / "whole")
    _forked(whole, room, url, 0, counted=True)
    count, expected = int((room / "count").read_text()), look(whole)
    faults = [
        fault
        for last in range(1, count + 1, stride)
        if (fault := _try(base, room, url, last, expected)) is not None
    ]
    tried = len(range(1, count + 1, stride))
    print(json.dumps({"count": count, "tried": tried, "faults": faults}))


def look(folder: Path) -> list[Any]:
    """What counts in a folder: its files, its rows, what is in the trash and what lies about."""
    plain = {path: data.hex() for path, data in tree(folder).items() if path != "App.sqlite"}
    kept = {path: data.hex() for path, data in trashed(folder).items()}
    own = folder / ".buckia.d"
    about = sorted(p.name for p in (*own.glob("pull/*"), *own.glob("tmp/*"), *folder.glob(".b*")))
    return [plain, rows(folder / "App.sqlite"), kept, about]


def _try(base: Path, room: Path, url: str, last: int, expected: list[Any]) -> str | None:
    """Kill one, run again; what is wrong afterwards, if anything is."""
    folder = _copy(base, room / str(last))
    ended = _forked(folder, room, url, last, counted=True)
    if ended == 0 and look(folder) == expected:
        return None  # what came over the line came in fewer pieces than when they were counted
    if not os.WIFSIGNALED(ended) or os.WTERMSIG(ended) != signal.SIGKILL:
        return f"{last}: it was not killed ({ended})"
    found = tree(folder)
    if found.get(OWN) != b"mine":
        return f"{last}: a file that no pull put there is gone"
    if b"My notes." not in {*found.values(), *trashed(folder).values()}:
        return f"{last}: what somebody changed is nowhere"
    names = {name for name in rows(folder / "App.sqlite").values() if name not in found}
    if names:
        return f"{last}: the database names {names}, which are not there"
    if _forked(folder, room, url, 0) != 0:
        return f"{last}: it could not be run again"
    if (ended_as := look(folder)) != expected:
        return f"{last}: {ended_as[2:]} {ended_as[:2]}"
    shutil.rmtree(folder)
    return None


def _copy(base: Path, folder: Path) -> Path:
    return Path(shutil.copytree(base, folder))


def _forked(folder: Path, room: Path, url: str, last: int, *, counted: bool = False) -> int:
    """Run in a process of its own; how that ended."""
    if (child := os.fork()) == 0:
        try:
            _run(folder, room, url, last, counted=counted)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def _run(folder: Path, room: Path, url: str, last: int, *, counted: bool) -> None:
    for module in (files, filling, fetching, web):
        for name in ("CHUNK", "_CHUNK", "_PIECE"):
            if name in vars(module):
                vars(module)[name] = 64 * 1024
    steps = Steps(last, room / "trace")
    if counted:
        install(steps)
    pull(url, folder, max_workers=1)
    if counted and not last:
        (room / "count").write_bytes(str(steps.count).encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
