"""The only place that makes threads: a bounded, ordered-by-completion map over an executor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def threads(workers: int, name: str) -> ThreadPoolExecutor:
    """A thread pool whose threads carry a name that shows in debuggers."""
    return ThreadPoolExecutor(workers, thread_name_prefix=f"buckia-{name}")


GRACE: Final = 3.0
"""Seconds that calls under way get to end after a stop; then they are left to themselves."""


def each(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    executor: Executor | None = None,
    name: str = "worker",
    stop: threading.Event | None = None,
    beat: bool = False,
) -> Iterator[list[Result]]:
    """Call `function` for every item on `workers` threads; yield the results as they come.

    Results come in batches: all that were ready at the same moment. At most twice as many calls as
    workers are under way, so a million items cost no memory. When the consumer stops early, calls
    that have begun end first. An exception of `function` is raised here.

    When `stop` is set no further call begins, and those under way have `GRACE` seconds to end. What
    then still hangs is abandoned: its result is never known, as after a crash. With `stop`
    or `beat` a batch is empty where nothing has ended for `POLL` seconds.
    """
    pool = threads(workers, name) if executor is None else executor
    halted = stop.is_set if stop else _never
    queue = iter(items)
    running: set[Future[Result]] = set()
    try:
        while not halted():
            room = 2 * workers - len(running)
            running |= {pool.submit(function, item) for item in islice(queue, room)}
            if not running:
                return
            done, running = wait(running, POLL if stop or beat else None, FIRST_COMPLETED)
            yield [future.result() for future in done]
        done, running = wait([f for f in running if not f.cancel()], GRACE)
        if done:
            yield [future.result() for future in done]
    finally:
        abandoned = halted() and bool(running)
        if not abandoned:
            wait([future for future in running if not future.cancel()])
        if executor is None:
            pool.shutdown(wait=not abandoned)


POLL: Final = 0.2
"""Seconds between two looks at `stop`, and at how far things are."""


def _never() -> bool:
    return False


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of at most `size`: many tiny tasks cost less as few middling ones."""
    queue = iter(items)
    while batch := list(islice(queue, size)):
        yield batch
