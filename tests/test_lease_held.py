"""A lease while it is held: renewed, lost, given back; and the wait for somebody else's."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from buckia import lease
from buckia.errors import Interrupted, LockedError, UnavailableError
from buckia.lease import note as lease_note
from buckia.model import Entry
from buckia.stores.memory import MemoryStore
from tests.helpers import read_all
from tests.moods import PLAN, Clock, Mood, Moody, hold, holder_of, leave, until

pytestmark = pytest.mark.usefixtures("contested")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(clock=clock.nanoseconds)


# -- lost and given back ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("happened", "why"), [("stolen", "it is now held by Ada on ci-7"), ("removed", "removed it")]
)
def test_a_lost_lease_is_noticed_and_left_alone(
    happened: str, why: str, store: MemoryStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The next renewal tells; what is there then is somebody else's and stays."""
    with hold(store, clock) as held:
        stolen = leave(store)
        if happened == "removed":
            store.delete(stolen)
        clock.advance(lease_note.TTL / 3)
        until(held.lost.is_set)
        assert why in held.why
    assert (lease.look(store) is not None) == (happened == "stolen")
    assert ("Ada" if happened == "stolen" else "somebody removed it") in caplog.text


def test_a_lease_that_cannot_be_renewed_counts_as_lost(
    store: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half its life without an answer, or with a request that hangs, is the end."""
    with hold(store, clock) as held:
        with monkeypatch.context() as patch:
            patch.setattr(store, "put", _fail)
            clock.advance(lease_note.TTL / 2 - 1)
            assert not held.lost.is_set()
            clock.advance(1)
            until(held.lost.is_set)
        assert held.why == "it could not be renewed in time"
    assert read_all(store) == {}


def _fail(*args: object, **named: object) -> Any:
    raise UnavailableError("no answer in time")


def test_a_renewal_whose_answer_was_lost_is_recognised(
    store: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happened all the same: the lease has a version nobody was told of, and is still ours."""
    with hold(store, clock) as held:
        real = store.put

        def put(*args: Any, **named: Any) -> Entry:
            real(*args, **named)
            raise UnavailableError("no answer in time")

        with monkeypatch.context() as patch:
            patch.setattr(store, "put", put)
            with pytest.raises(UnavailableError):
                held.renew()
        held.renew()
        assert not held.lost.is_set()
    assert read_all(store) == {}


def test_giving_back_fails_softly(
    store: MemoryStore,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with monkeypatch.context() as patch, hold(store, clock) as held:
        patch.setattr(store, "delete", _fail)
    assert not held.released
    assert "could not be removed and ends by itself in 600 s" in caplog.text


def test_a_request_that_hangs_does_not_hold_a_stop_up(
    store: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What gives the lease back is left to itself after a second."""
    answer, stop = threading.Event(), threading.Event()
    real = store.delete

    def delete(entry: Entry) -> None:
        if entry.key == lease_note.KEY:
            assert answer.wait(60)
        real(entry)

    monkeypatch.setattr(store, "delete", delete)
    with hold(store, clock, stop=stop):
        stop.set()
    assert lease.look(store) is not None
    answer.set()
    until(lambda: read_all(store) == {})


# -- waiting ---------------------------------------------------------------------------------------


def test_who_has_to_wait_is_told_whom_for(store: MemoryStore, clock: Clock) -> None:
    """After 0.4 s, once; then in longer and longer steps until the time is up."""
    leave(store, since="2026-01-02T03:04:05Z", run="https://ci.example/7")
    told: list[str] = []
    with (
        pytest.raises(LockedError) as refused,
        hold(store, clock, timeout=50, on_wait=told.append),
    ):
        raise AssertionError
    who = "Ada on ci-7 (pid 42), since 2026-01-02T03:04:05Z, applying plan sha256:abababababab"
    assert told == [f"waiting for the lease of `main`: {who}, https://ci.example/7"]
    assert who in str(refused.value) and "buckia unlock main" in str(refused.value)
    assert refused.value.exit_code == 7
    assert clock.waits == [0.4, 1, 2, 4, 8, 16, 16, pytest.approx(2.6)]


def test_a_lease_given_back_meanwhile_is_taken(store: MemoryStore, clock: Clock) -> None:
    entry = leave(store)
    with hold(store, clock, timeout=5, on_wait=lambda _: store.delete(entry)) as held:
        assert held.holder.generation == 1


@pytest.mark.parametrize("mood", ["atomic", "checked"])
def test_a_stop_ends_the_waiting(mood: Mood, store: MemoryStore, clock: Clock) -> None:
    stop = threading.Event()
    stop.set()
    if mood == "atomic":
        leave(store)
    with (
        pytest.raises(Interrupted, match="nothing was changed"),
        hold(Moody(mood, store), clock, timeout=5, stop=stop),
    ):
        raise AssertionError


def test_one_run_takes_a_lease_once(store: MemoryStore, clock: Clock) -> None:
    """Two buckets of a configuration may be one: the outer holder gives it back."""
    with hold(store, clock) as outer:
        with hold(store, clock) as inner:
            assert inner.holder.id == outer.holder.id
        assert holder_of(store).id == "mine"
    assert read_all(store) == {}


@pytest.mark.parametrize(
    ("told", "seconds"), [("", 600), ("60", 60), ("1", 30), ("999999", 86400), ("soon", 600)]
)
def test_the_lifetime_can_be_told(told: str, seconds: int) -> None:
    """Within reason; and the run is named where a build service names it."""
    environ = {"BUCKIA_LEASE_TTL": told, "GITHUB_RUN_ID": "9", "GITHUB_REPOSITORY": "a/b"}
    holder = lease_note.here("x", PLAN, environ)
    assert (holder.ttl_s, holder.run) == (seconds, "https://github.com/a/b/actions/runs/9")
    assert lease_note.here("x", PLAN, {"BUILD_URL": "https://jenkins/1"}).run == "https://jenkins/1"


def test_warnings_are_told_by_default(
    store: MemoryStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    leave(store)
    with pytest.raises(LockedError), hold(store, clock, timeout=2):
        raise AssertionError
    assert caplog.messages == [
        "waiting for the lease of `main`: Ada on ci-7 (pid 42), applying plan sha256:abababababab"
    ]
