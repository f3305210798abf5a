"""When a request is sent again, and what is told when it is not."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from buckia.errors import (
    AccessError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnavailableError,
)
from buckia.stores import retry
from buckia.stores.border import BUSY, GONE, MANGLED, Border, EndedError, MangledError, Row

PAUSES = (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0)


class Failed(Exception):
    """What a library raises: its row, and the seconds that the service asks for."""

    def __init__(self, row: Row, asked: float = 0.0) -> None:
        super().__init__("https://secret@host/key")
        self.row = row
        self.asked = asked


BORDER = Border((Failed,), lambda p: p.row, lambda p: p.asked)  # type: ignore[attr-defined]

REFUSED = Failed((PreconditionError, "not what was reviewed"))


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been waited."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


class Steps:
    """A step that fails in these ways, one after the other, and then succeeds."""

    def __init__(self, *problems: Exception) -> None:
        self.left = list(problems)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            raise self.left.pop(0)
        return "done"


def busy(asked: float = 0.0) -> Failed:
    return Failed(BUSY, asked)


# the pauses


@pytest.mark.parametrize(("number", "pause"), [*enumerate(PAUSES, 1)])
def test_pauses_double_up_to_ten_seconds(number: int, pause: float) -> None:
    """By chance they are down to half as long, so that those who failed together come apart."""
    assert retry.wait_for(number, 1.0) == pytest.approx(pause)
    assert retry.wait_for(number, 0.0) == pytest.approx(pause / 2)


def test_what_the_service_asks_for_comes_on_top() -> None:
    """Up to a minute; beyond that it has failed."""
    assert retry.wait_for(1, 1.0, 60.0) == pytest.approx(60.2)
    assert retry.wait_for(1, 1.0, 60.1) is None


@pytest.mark.parametrize(
    ("told", "seconds"), [("", 0), ("7", 7), ("soon", 0), ("-1", 0), ("1.5", 0)]
)
def test_a_retry_after_in_seconds(told: str, seconds: float) -> None:
    """What cannot be read asks for nothing."""
    assert retry.seconds_in(told) == seconds


def test_a_retry_after_as_a_date() -> None:
    """From now on; one that is over asks for nothing."""
    now = time.time()
    assert 50 < retry.seconds_in(formatdate(now + 55, usegmt=True)) <= 55
    assert retry.seconds_in(formatdate(now - 55, usegmt=True)) == 0


# trying again


def test_a_busy_service_is_asked_five_times(waits: list[float]) -> None:
    """Each time after a longer pause."""
    step = Steps(*[busy()] * 4)
    assert BORDER.persist(step, "place") == "done"
    assert (step.calls, len(waits)) == (5, 4)
    assert all(p / 2 <= wait <= p for p, wait in zip(PAUSES, waits, strict=False))
    step = Steps(*[busy()] * 5)
    with pytest.raises(UnavailableError, match="place: the service is busy"):
        BORDER.persist(step, "place")
    assert (step.calls, len(waits)) == (5, 8)


def test_a_service_that_asks_for_too_much_is_not_waited_for(waits: list[float]) -> None:
    """At the answer that says so, whichever it is."""
    step = Steps(busy(7), busy(61))
    with pytest.raises(UnavailableError):
        BORDER.persist(step, "place")
    assert step.calls == 2
    assert [int(wait) for wait in waits] == [7]


@pytest.mark.parametrize("row", [GONE, (AccessError, "no"), (StoreError, "no")])
def test_an_answer_that_repeating_does_not_better_is_taken(row: Row, waits: list[float]) -> None:
    """The error is the table's, and never holds the text of the problem."""
    with pytest.raises(row[0]) as caught:
        BORDER.persist(Steps(Failed(row)), "place")
    assert str(caught.value) == f"place: {row[1]}"
    assert waits == []


def test_mangled_bytes_are_sent_once_more() -> None:
    """A second time it is no accident."""
    assert BORDER.persist(Steps(Failed(MANGLED)), "place") == "done"
    with pytest.raises(MangledError):
        BORDER.persist(Steps(Failed(MANGLED), Failed(MANGLED)), "place")


@pytest.mark.parametrize(
    "problem", [REFUSED, Failed((EndedError, "ended")), Failed((NotFoundError, "gone"))]
)
def test_our_own_write_is_recognised(problem: Failed) -> None:
    """Only after an attempt whose answer may have been lost."""
    step = Steps(busy(), problem)
    assert BORDER.persist(step, "place", recognise=lambda: "ours") == "ours"
    step = Steps(REFUSED)
    with pytest.raises(PreconditionError):
        BORDER.persist(step, "place", recognise=lambda: "ours")


def test_what_is_not_ours_stays_refused() -> None:
    """And what is busy, or forbidden, is not looked at."""
    looks: list[int] = []

    def never() -> None:
        looks.append(1)

    with pytest.raises(PreconditionError):
        BORDER.persist(Steps(busy(), REFUSED), "place", recognise=never)
    assert len(looks) == 1
    with pytest.raises(AccessError):
        BORDER.persist(Steps(busy(), Failed((AccessError, "no"))), "place", recognise=never)
    assert len(looks) == 1


def test_a_step_within_a_step_is_not_repeated_five_times_five(waits: list[float]) -> None:
    """What was tried as often as it deserves is not tried again by whoever asked for it."""
    inner = Steps(*[busy()] * 25)
    with pytest.raises(UnavailableError):
        BORDER.persist(lambda: BORDER.persist(inner, "inner"), "outer")
    assert (inner.calls, len(waits)) == (5, 4)


def test_an_error_of_the_step_itself_is_tried_again() -> None:
    """It has not been tried before."""
    assert BORDER.persist(Steps(UnavailableError("busy")), "place") == "done"
