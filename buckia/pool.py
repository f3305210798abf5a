"""The only place that makes threads: a bounded, ordered-by-completion map over an executor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def threads(workers: int, name: str) -> ThreadPoolExecutor:
    """A thread pool whose threads carry a name that shows in debuggers."""
    return ThreadPoolExecutor(workers, thread_name_prefix=f"buckia-{name}")


def each(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    executor: Executor | None = None,
    name: str = "worker",
) -> Iterator[list[Result]]:
    """Call `function` for every item on `workers` threads; yield the results as they come.

    Results come in batches: all that were ready at the same moment. At most twice as many calls as
    workers are under way, so a million items cost no memory. When the consumer stops early, calls
    that have begun end first. An exception of `function` is raised here.
    """
    own = threads(workers, name) if executor is None else nullcontext(executor)
    queue = iter(items)
    with own as pool:
        running: set[Future[Result]] = set()
        try:
            while True:
                room = 2 * workers - len(running)
                running |= {pool.submit(function, item) for item in islice(queue, room)}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield [future.result() for future in done]
        finally:
            for future in running:
                future.cancel()
            wait(running)


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of at most `size`: many tiny tasks cost less as few middling ones."""
    queue = iter(items)
    while batch := list(islice(queue, size)):
        yield batch
