"""A disk that is full from some write on: one clear line, nothing lost, the next run goes on."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from buckia import journal, lockfile
from buckia.errors import BuckiaError
from buckia.planfile import Plan
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from tests.cli.console import buckia
from tests.helpers import ALL_DELETIONS, World

pytestmark = pytest.mark.usefixtures("hurried")


class Disk:
    """A disk that takes so many more writes and new names, then none."""

    def __init__(self, room: int) -> None:
        self.room = room

    def take(self, path: object = "") -> None:
        """Use some room. `OSError` when there is none left."""
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def naming(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        """A function that makes a name, on this disk."""

        def named(*paths: Any, **kwargs: Any) -> Any:
            new = paths[0] if plain.__name__ == "mkdir" else paths[1]
            if not os.path.lexists(new):
                self.take(new)
            return plain(*paths, **kwargs)

        return named

    def opening(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        """A function that opens files, on this disk."""

        def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            found = plain(file, mode, *args, **kwargs)
            return Written(found, self) if set(mode) & set("wax+") else found

        return opened

    @contextmanager
    def used(self) -> Iterator[None]:
        """Everything is on this disk."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("link", "replace", "rename", "mkdir"):
                patch.setattr(os, name, self.naming(getattr(os, name)))
            patch.setattr(os, "fdopen", self.opening(os.fdopen))
            patch.setattr(io, "open", self.opening(io.open))
            yield


class Written:
    """A file being written: what does not fit is written by half, then refused."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file = file
        self._disk = disk

    def write(self, data: Any) -> int:
        try:
            self._disk.take()
        except OSError:
            self._file.write(data[: len(data) // 2])
            self._file.flush()
            raise
        return int(self._file.write(data))

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def mixed(folder: Path) -> tuple[World, Plan]:
    """A world with every kind of action ahead."""
    folder.mkdir()
    past = {key: key.encode() for key in ("mine", "theirs", "moved", "gone-here", "gone-there")}
    world = World(folder, {"main": MemoryStore()}, max_workers=1, **ALL_DELETIONS).settled(past)
    for key in ("mine", "new-here", "both"):
        world.write(key, b"here: " + key.encode())
    for key in ("theirs", "new/there"):
        world.put(key, b"there: " + key.encode())
    world.put("both", b"here: both")
    world.write("moved-to", b"moved")
    for key in ("moved", "gone-here"):
        world.remove(key)
    world.drop("gone-there")
    plan = world.plan()
    shutil.rmtree(world.root / ".buckia.d")  # as in a fresh clone, so that all of it is made anew
    return world, plan


def test_a_disk_that_is_full_from_any_write_on(tmp_path: Path) -> None:
    """Whatever could not be written: one line says so, and the same plan leads to the same end."""
    world, plan = mixed(tmp_path / "whole")
    disk = Disk(1000)
    with disk.used():
        assert not world.apply(plan).failed
    end, contents = world.both(), world.everything() - {b""}
    writes = 1000 - disk.room
    assert writes > 30
    for room in range(writes):
        world, plan = mixed(tmp_path / f"{room}")
        with Disk(room).used():
            told = problem_of(world, plan)
        assert "\n" not in told
        assert not world.apply(plan).failed, room
        assert world.both() == end
        assert contents <= world.everything()
        assert world.left_behind() == []
        assert world.plan().actions == ()
        records = journal.records(world.root / ".buckia.d/journal")
        assert all(record.finished for record in records)


def problem_of(world: World, plan: Plan) -> str:
    """What a run says went wrong, if anything did."""
    try:
        applied = world.apply(plan)
    except BuckiaError as problem:
        return str(problem)
    return "".join(str(item.error) for item in applied.failed[:1])


# -- as a person sees it ---------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a plan of three uploads, and the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".buckia").write_text(
        "main:\n  provider: local\n  bucket_name: bucket\n  paths: [tree/]\n  max_workers: 1\n"
    )
    (tmp_path / "bucket").mkdir()
    (tmp_path / "tree").mkdir()
    for key in "abc":
        (tmp_path / "tree" / key).write_text(key)
    assert buckia("plan", "--out", "plan.json").code == 0
    return tmp_path


def objects(workspace: Path) -> str:
    """The names of what is in the bucket."""
    return "".join(sorted(path.name for path in (workspace / "bucket").iterdir() if path.is_file()))


@contextmanager
def refused(number: int, *names: str) -> Iterator[None]:
    """These files can be given no name, whatever way."""

    def refusing(plain: Callable[..., Any]) -> Callable[..., Any]:
        def tried(source: Any, target: Any, **kwargs: Any) -> Any:
            if Path(target).name in names:
                raise OSError(number, os.strerror(number), str(target))
            return plain(source, target, **kwargs)

        return tried

    with pytest.MonkeyPatch.context() as patch:
        for name in ("link", "replace", "rename"):
            patch.setattr(os, name, refusing(getattr(os, name)))
        yield


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_lockfile_that_cannot_be_written(workspace: Path, number: int) -> None:
    """Everything is done and in the journal, which the next run picks up, whatever it is."""
    with refused(number, ".buckia.lock"):
        ended = buckia("apply", "plan.json")
        again = buckia("apply", "plan.json")
    assert (ended.code, objects(workspace)) == (5, "abc")
    assert re.fullmatch(
        r"Error: what was done is done, but the lockfile could not be written: .*"
        rf"{os.strerror(number)}.*; the journal holds it; plan again, which picks it up\n",
        ended.err,
    )
    assert again.code == 1 and again.err.count("\n") == 1
    assert "nothing to do" in buckia("plan").err
    assert buckia("apply", "plan.json").code == 0
    state = lockfile.load(LocalStore(workspace)).lock.state("main")
    assert (set(state.entries), state.partial, state.serial) == (set("abc"), False, 1)
    records = journal.records(workspace / ".buckia.d/journal")
    assert all(record.finished for record in records)


def test_a_journal_that_cannot_be_written(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is begun: of three uploads the first is recorded, and one more was in flight."""
    plain, lines = os.fsync, []

    def fsync(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().suffix == ".jsonl":
            lines.append(handle)
            if len(lines) > 2:  # the header is one
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        ended = buckia("apply", "plan.json")
    assert ended.code == 5
    assert re.fullmatch(
        r"Error: the journal \S+ cannot be written \(No space left on device\); stopped, because "
        r"nothing may happen unrecorded; free some space and run the same plan again\n",
        ended.err,
    )
    assert objects(workspace) in ("ab", "abc")
    ended = buckia("apply", "plan.json")
    assert (ended.code, objects(workspace)) == (0, "abc")
