"""Parts of large objects: units of one schedule, whichever object they are of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.stores.parts import Crew
from tests.strategies import examples

WAIT = 30.0
"""Seconds after which a test that hangs has failed."""


@pytest.fixture
def crew() -> Iterator[Crew]:
    """Three who carry parts."""
    with closing(Crew(3)) as made:
        yield made


def listed(crew: Crew, act: Callable[[int], int], items: Iterator[int]) -> list[int]:
    """What comes in order, taken to the end."""
    return list(crew.in_order(act, items))


both = pytest.mark.parametrize("way", [Crew.each, listed])


@both
@examples(40)
@given(items=st.lists(st.integers(), max_size=50), workers=st.integers(1, 5))
def test_results_are_those_of_all_pieces_in_their_order(
    way: Callable[[Crew, Callable[[int], int], Iterator[int]], list[int]],
    items: list[int],
    workers: int,
) -> None:
    with closing(Crew(workers)) as crew:
        assert way(crew, lambda item: item * 2, iter(items)) == [item * 2 for item in items]


@both
def test_one_object_alone_has_them_all(
    way: Callable[[Crew, Callable[[int], int], Iterator[int]], list[int]], crew: Crew
) -> None:
    """Three of its parts are under way together, else the barrier breaks."""
    together = threading.Barrier(3, timeout=WAIT)

    def meet(item: int) -> int:
        together.wait()
        return item

    assert way(crew, meet, iter(range(6))) == list(range(6))


def test_many_objects_share_them(crew: Crew) -> None:
    """No more parts are under way than three, and no more are taken than three and one of each."""
    lock, under_way, most, taken, done = threading.Lock(), 0, 0, 0, 0
    ahead = 0

    def pieces() -> Iterator[int]:
        nonlocal taken, ahead
        for number in range(20):
            with lock:
                taken += 1
                ahead = max(ahead, taken - done)
            yield number

    def carry(number: int) -> int:
        nonlocal under_way, most, done
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.001)  # so that a fourth one would be seen
        with lock:
            under_way -= 1
            done += 1
        return number

    with ThreadPoolExecutor(5) as objects:
        for told in [objects.submit(crew.each, carry, pieces()) for _ in range(5)]:
            assert told.result() == list(range(20))
    assert 1 < most <= 3
    assert ahead <= 3 + 5


def test_no_object_waits_for_another(crew: Crew) -> None:
    """One that is not read on keeps what has come for it; all others still come to their end."""
    stalled = crew.in_order(lambda item: item, range(100))
    assert next(stalled) == 0
    assert crew.each(lambda item: item, range(50)) == list(range(50))
    assert list(crew.in_order(lambda item: item, range(50))) == list(range(50))
    assert list(stalled) == list(range(1, 100))


def test_no_more_is_ahead_than_there_is_room_for(crew: Crew) -> None:
    """What nobody takes is not asked for."""
    begun: list[int] = []

    def begin(item: int) -> int:
        begun.append(item)
        return item

    found = crew.in_order(begin, range(100))
    for taken in range(10):
        assert next(found) == taken
        assert max(begun) <= taken + 4
    found.close()
    assert max(begun) <= 9 + 4
    assert crew.each(lambda item: item, range(9)) == list(range(9))


def test_after_a_failure_no_piece_is_taken(crew: Crew) -> None:
    """Those under way end first, and there is as much room as before."""
    taken: list[int] = []
    ended: list[int] = []

    def pieces() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    def fail(item: int) -> int:
        if item == 2:
            raise ValueError(item)
        ended.append(item)
        return item

    for _ in range(3):
        taken.clear()
        ended.clear()
        with pytest.raises(ValueError, match="2"):
            crew.each(fail, pieces())
        assert len(taken) < 50
        assert set(ended) <= set(taken)
    together = threading.Barrier(3, timeout=WAIT)
    crew.each(lambda item: together.wait(), range(3))


def test_a_failure_comes_when_its_turn_has_come(crew: Crew) -> None:
    def fail(item: int) -> int:
        if item == 2:
            raise ValueError(item)
        return item

    found = crew.in_order(fail, range(5))
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="2"):
        next(found)
    together = threading.Barrier(3, timeout=WAIT)
    crew.each(lambda item: together.wait(), range(3))


@both
def test_pieces_that_fail_leave_the_room_there_was(
    way: Callable[[Crew, Callable[[int], int], Iterator[int]], list[int]], crew: Crew
) -> None:
    """A body that breaks while it is read."""

    def broken() -> Iterator[int]:
        yield from range(5)
        raise OSError("gone")

    for _ in range(5):
        with pytest.raises(OSError, match="gone"):
            way(crew, lambda item: item, broken())
    together = threading.Barrier(3, timeout=WAIT)
    crew.each(lambda item: together.wait(), range(3))


def test_who_was_closed_begins_anew(crew: Crew) -> None:
    assert crew.each(lambda item: item, range(3)) == [0, 1, 2]
    crew.close()
    assert crew.each(lambda item: item, range(3)) == [0, 1, 2]
