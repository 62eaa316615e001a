"""Prefetching map: the next batch of masked copies is made while the engine is busy."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from skinlens.background import give_way

Item = TypeVar("Item")
Result = TypeVar("Result")

DEPTH = 2
"""Items that are being worked on at once: the engine's pool gets the next batch before it has done with this one."""


def prefetch_map(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``work`` of each item in turn, on threads of its own, while the next item is made on the caller's.

    At most ``DEPTH`` + 1 items are in use: one more may be made in the memory of the first.
    """
    with ThreadPoolExecutor(DEPTH, thread_name_prefix="ahead", initializer=give_way) as workers:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(workers.submit(work, item))
            if len(waiting) > DEPTH:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
