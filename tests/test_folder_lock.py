"""One run at a time in a folder: who comes second waits, and is told whom for."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from buckia import lease
from buckia.errors import Interrupted, LocalError, LockedError
from buckia.lease import folder_lock, leases
from buckia.lease import note as lease_note
from buckia.model import Tick
from buckia.stores.memory import MemoryStore
from tests.helpers import World

PLAN = "sha256:" + "ab" * 32


def hold(folder: Path, timeout: float = 0.0, plan: str = PLAN) -> None:
    """Take the lock and give it back."""
    with folder_lock.hold(folder, plan=plan, timeout=timeout, stop=threading.Event()):
        pass


def test_whoever_comes_second_is_told_who_is_first(tmp_path: Path) -> None:
    """Who, where, since when, which plan; afterwards nothing is left of it."""
    with folder_lock.hold(tmp_path, plan=PLAN, stop=threading.Event()):
        assert (tmp_path / folder_lock.NOTE).stat().st_mode & 0o777 == 0o600
        me = lease_note.here("", PLAN)
        with pytest.raises(LockedError) as refused:
            hold(tmp_path)
        for words in (
            me.who,
            me.where,
            f"pid {os.getpid()}",
            "since 2",
            "plan sha256:abababababab",
        ):
            assert words in str(refused.value)
    assert not (tmp_path / folder_lock.NOTE).exists()
    hold(tmp_path)


@pytest.mark.promise("INV-20")
def test_whoever_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    """And finds out what the first run did."""
    world = World(tmp_path)
    world.write("a", b"1")
    plan = world.plan()
    ended: list[bool] = []
    second = threading.Thread(
        target=lambda: ended.append(world.apply(plan, lock_timeout=60).already)
    )

    def begin(tick: Tick) -> None:
        if tick.stage == "upload" and not second.ident:
            second.start()
            time.sleep(0.3)
            assert not ended

    world.apply(plan, progress=begin)
    second.join()
    assert ended == [True]


def test_the_wait_ends_with_the_time_or_a_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is kept longer than he wants."""
    stop = threading.Event()
    with folder_lock.hold(tmp_path, plan=PLAN, stop=stop):
        with pytest.raises(LockedError):
            hold(tmp_path, timeout=0.5)
        assert f"waiting for another buckia in this folder: {lease_note.here('', '').who}" in (
            caplog.text
        )
        stop.set()
        with (
            pytest.raises(Interrupted, match="nothing was changed"),
            folder_lock.hold(tmp_path, timeout=60, stop=stop),
        ):
            pytest.fail("two at once")


@pytest.mark.parametrize("spoil", [
    lambda note: note.unlink(),
    lambda note: note.write_bytes(b""),
    lambda note: note.write_bytes(b"[]"),
    lambda note: note.write_bytes(note.read_bytes().replace(b'"pid":', b'"pid":99999999')),
    lambda note: note.write_bytes(note.read_bytes().replace(b'"pid":', b'"pid":-')),
])  # fmt: skip
def test_a_note_that_says_nothing(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Missing, half written, or of a run that died: then nobody is named."""
    with folder_lock.hold(tmp_path, plan=PLAN, stop=threading.Event()):
        spoil(tmp_path / folder_lock.NOTE)
        with pytest.raises(LockedError, match=r"in this folder; nothing was changed"):
            hold(tmp_path)


def test_a_note_that_cannot_be_left_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / folder_lock.NOTE).mkdir()
    hold(tmp_path)


def test_a_lock_that_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / folder_lock.FILE).mkdir()
    with pytest.raises(LocalError, match="/lock: "):
        hold(tmp_path)


def test_the_time_to_wait_is_one_for_all_buckets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the wait for the first took is not there for the second."""
    clock = iter((100.0, 100.0, 107.0))
    given: list[float] = []

    @contextmanager
    def hold_lease(*_: object, timeout: float, **__: object) -> Iterator[SimpleNamespace]:
        given.append(timeout)
        yield SimpleNamespace(lost=threading.Event(), released=True)

    monkeypatch.setattr(
        leases, "time", SimpleNamespace(monotonic=lambda: next(clock), time=time.time)
    )
    monkeypatch.setattr(lease, "hold", hold_lease)
    stores = {name: MemoryStore(name) for name in ("one", "two")}
    with leases.hold(tmp_path / "leases", stores, PLAN, timeout=10, stop=threading.Event()):
        assert given == [10, 3]
