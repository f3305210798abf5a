"""The one place that makes threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia import pool
from tests.strategies import examples


def flat(batches: Iterator[list[int]]) -> list[int]:
    return [item for batch in batches for item in batch]


@examples(40)
@given(st.lists(st.integers(), max_size=50), st.integers(1, 5))
def test_every_item_is_done_once(items: list[int], workers: int) -> None:
    """Whatever the number of threads; the order is that of completion."""
    assert sorted(flat(pool.each(lambda item: item * 2, items, workers=workers))) == sorted(
        item * 2 for item in items
    )


def test_no_more_is_under_way_than_twice_the_workers() -> None:
    """Items are taken as there is room, so a million of them cost no memory."""
    taken, done = 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(200):
            taken += 1
            assert taken - done <= 2 * 3
            yield number

    for batch in pool.each(lambda item: item, items(), workers=3):
        done += len(batch)
    assert done == 200


def test_no_more_run_at_once_than_there_are_workers() -> None:
    """Two workers meet at a barrier of two, and nobody ever waits for a third."""
    together = threading.Barrier(2, timeout=30)
    running, most = 0, 0
    lock = threading.Lock()

    def meet(item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait()
        with lock:
            running -= 1
        together.wait()
        return item

    assert sorted(flat(pool.each(meet, range(8), workers=2))) == list(range(8))
    assert most == 2


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_an_exception_comes_out_and_nothing_new_begins(problem: type[BaseException]) -> None:
    """What had begun ends first; then the exception is raised here."""
    began: list[int] = []

    def work(item: int) -> int:
        began.append(item)
        if item == 3:
            raise problem("no")
        return item

    with pytest.raises(problem):
        flat(pool.each(work, range(1000), workers=2, name="ending"))
    assert len(began) < 20
    assert not [thread for thread in threading.enumerate() if "ending" in thread.name]


def test_a_consumer_that_stops_early_leaves_nothing_running() -> None:
    """Closing the iteration ends the threads."""
    results = pool.each(lambda item: item, range(1000), workers=2, name="early")
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if "early" in thread.name]


def test_a_given_executor_is_used_and_left_open() -> None:
    """Its threads do the work; whoever made it ends it."""
    with ThreadPoolExecutor(1, thread_name_prefix="given") as executor:
        names = [
            name
            for batch in pool.each(
                lambda item: threading.current_thread().name, range(3), workers=1, executor=executor
            )
            for name in batch
        ]
        assert executor.submit(int).result() == 0
    assert [name[:5] for name in names] == ["given"] * 3


@examples(40)
@given(st.lists(st.integers()), st.integers(1, 9))
def test_batches_hold_everything_in_order(items: list[int], size: int) -> None:
    """No batch is empty or too large."""
    made = list(pool.batches(items, size))
    assert [item for batch in made for item in batch] == items
    assert all(0 < len(batch) <= size for batch in made)
