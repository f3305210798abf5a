"""How many requests may be under way at once."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as some

from buckia.stores import budget as budgets
from buckia.stores.budget import FIRST, Budget, Place, Window
from buckia.stores.traffic import Traffic, shares
from buckia.stores.usage import Kind


def settled(window: Window, at_once: float, rounds: int = 60) -> tuple[Window, list[int]]:
    """The window after rounds of answers of a service that has `at_once` requests done in the time
    of one, and the limits on the way."""
    limits = []
    for _ in range(rounds):
        limit = window.limit
        took = max(1.0, limit / at_once)
        for _ in range(limit):
            window = window.after(window.era, crowded=False, waiting=limit * (1 - 1 / took))
        limits.append(window.limit)
    return window, limits


def test_a_window_halves_once_for_those_that_were_under_way_together() -> None:
    """They complain about the same crowd."""
    window = Window(8, 8).after(0, crowded=True)
    assert (window.limit, window.era) == (4, 1)
    assert window.after(0, crowded=True).limit == 4
    assert window.after(1, crowded=True).limit == 2


def test_a_window_doubles_until_something_was_too_much() -> None:
    """After as many good answers as it allows; then it grows by one, and never beyond its most."""
    window = Window(2, 40)
    grown = []
    for _ in range(2 + 4 + 8 + 16):
        window = window.after(0, crowded=False)
        grown.append(window.limit)
    assert grown[:6] == [2, 4, 4, 4, 4, 8]
    assert grown[-2:] == [16, 32]
    window = window.after(0, crowded=True)
    for _ in range(16 + 17):
        window = window.after(1, crowded=False)
    assert window.limit == 18
    assert settled(window, 1000)[1][-1] == 40


@pytest.mark.parametrize("most", [8, 16, 256])
def test_a_window_stays_small_beside_a_service_that_does_two_at_once(most: int) -> None:
    """All others would only wait: a few do, so that there is always something to do."""
    window, limits = settled(Window(min(8, most), most), 2)
    assert 4 <= window.limit <= 6
    assert max(limits) <= 16
    assert limits[-20:] == [window.limit] * 20


def test_a_window_takes_all_it_may_where_the_way_is_what_takes_time() -> None:
    window, limits = settled(Window(8, 64), 1000)
    assert window.limit == 64
    assert limits[:3] == [16, 32, 64]


def test_a_complaint_starts_the_round_anew() -> None:
    """Also one that halves nothing: there is no growing while the service complains."""
    window = Window(4, 8, well=3, waited=1.0, era=1)
    for era in (0, 1):
        after = window.after(era, crowded=True)
        assert (after.well, after.waited, after.doubling) == (0, 0.0, False)


@given(
    some.integers(1, 64),
    some.lists(some.tuples(some.integers(0, 3), some.booleans(), some.floats(0, 64))),
)
def test_a_window_stays_between_one_and_its_most(
    most: int, answers: list[tuple[int, bool, float]]
) -> None:
    """Whatever comes; only a complaint halves it."""
    window = Window(min(8, most), most)
    for late, crowded, waiting in answers:
        before = window
        window = window.after(max(0, window.era - late), crowded=crowded, waiting=waiting)
        assert 1 <= window.limit <= most
        if crowded:
            assert window.limit in (before.limit, max(1, before.limit // 2))
        else:
            assert max(1, before.limit - 1) <= window.limit <= 2 * before.limit


def test_a_budget_gives_a_place_back() -> None:
    """One at a time is the least."""
    budget = Budget(1)
    for _ in range(3):
        budget.leave(budget.enter(), crowded=True)
    assert budget.window.limit == 1
    with pytest.raises(AttributeError):
        budget.window.limit = 2  # type: ignore[misc]


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all budgets."""
    made = Clock()
    monkeypatch.setattr(budgets, "time", made)
    return made


def serve(
    budget: Budget, clock: Clock, requests: int, *, work: float, lanes: int = 2, way: float = 0.0
) -> None:
    """So many requests of a client that always has one more, to a service that does `lanes` of
    them at once, each in `work` seconds, and is `way` seconds away and back."""
    free = [clock.now] * lanes
    under_way: list[tuple[float, int, Place]] = []
    for number in range(requests):
        while len(under_way) >= budget.window.limit:
            clock.now, _, place = heapq.heappop(under_way)
            budget.leave(place, crowded=False, kind="look")
        place = budget.enter()
        begins = max(heapq.heappop(free), clock.now)
        heapq.heappush(free, begins + work)
        heapq.heappush(under_way, (begins + work + way, number, place))
    while under_way:
        clock.now, _, place = heapq.heappop(under_way)
        budget.leave(place, crowded=False, kind="look")


@pytest.mark.parametrize("work", [0.0005, 0.002, 0.02])
def test_a_budget_is_small_beside_a_service_that_does_two_at_once(
    clock: Clock, work: float
) -> None:
    budget = Budget(64)
    serve(budget, clock, 3000, work=work)
    assert 3 <= budget.window.limit <= 10


def test_a_budget_is_large_where_the_way_is_what_takes_time(clock: Clock) -> None:
    budget = Budget(64)
    serve(budget, clock, 1000, work=0.001, lanes=8, way=0.04)
    assert budget.window.limit == 64


def test_a_budget_stops_where_more_would_only_wait(clock: Clock) -> None:
    """A service 40 ms away that does 400 a second has 16 under way when it is busy."""
    budget = Budget(256)
    serve(budget, clock, 5000, work=0.005, lanes=2, way=0.04)
    assert 16 <= budget.window.limit <= 32


def answer(budget: Budget, clock: Clock, seconds: float, kind: str | None = "look") -> None:
    """As many requests as may be are sent together and take so long."""
    places = [budget.enter() for _ in range(budget.window.limit)]
    clock.now += seconds
    for place in places:
        budget.leave(place, crowded=False, kind=kind)


def test_requests_of_each_kind_are_held_against_their_own(clock: Clock) -> None:
    """A large body takes longer than a look, and none of them waits."""
    budget = Budget(64)
    for _ in range(10):
        answer(budget, clock, 0.001, "look")
        answer(budget, clock, 1.0, "large")
    assert budget.window.limit == 64


def together(traffic: Traffic, clock: Clock, seconds: float, size: int, *, fail: bool) -> None:
    """As many writes of that size as may be, all as long."""
    turns = [traffic.request(Kind.WRITE, size) for _ in range(traffic.limit(Kind.WRITE) or 1)]
    clock.now += seconds
    for turn in turns:
        turn.end(answered=not fail)


@pytest.mark.parametrize(("small", "fail"), [(1, False), (8_000_000, True)])
def test_traffic_holds_bodies_against_those_of_their_size(
    clock: Clock, small: int, fail: bool
) -> None:
    """And nothing against what was refused at once."""
    traffic = Traffic(shares(64))
    for _ in range(12):
        together(traffic, clock, 0.001, small, fail=fail)
        together(traffic, clock, 1.0, 8_000_000, fail=False)
    assert traffic.limit(Kind.WRITE) == 64


def test_a_way_that_has_become_longer_is_known_after_a_while(clock: Clock) -> None:
    """All would look as if they waited, if the time of the old way counted for ever."""
    budget = Budget(32)
    for _ in range(10):
        answer(budget, clock, 0.001)
    for _ in range(3):
        answer(budget, clock, 0.080)
    assert budget.window.limit < 32
    clock.now += 600
    for _ in range(40):
        answer(budget, clock, 0.080)
    assert budget.window.limit == 32


def test_a_refusal_tells_nothing_of_how_long_an_answer_takes(clock: Clock) -> None:
    budget = Budget(64)
    answer(budget, clock, 0.000001, None)
    for _ in range(10):
        answer(budget, clock, 0.04)
    assert budget.window.limit == 64


def test_a_budget_begins_with_a_few() -> None:
    """Or with as many as there may be."""
    assert Budget(100).window.limit == FIRST
    assert Budget(3).window.limit == 3
