"""Make the next batch of masked copies while the engine is busy with this one."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``work`` of each item in turn, on a thread of its own, while the next item is made on the caller's.

    At most two items are in use: a third may be made in the memory of the first.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as worker:
        waiting = None
        for item in items:
            started = worker.submit(work, item)
            if waiting is not None:
                yield waiting.result()
            waiting = started
        if waiting is not None:
            yield waiting.result()
