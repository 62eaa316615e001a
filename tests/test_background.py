"""Background threads give way to the page: a priority of their own, below that of the process."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from skinlens.background import LOWEST, NICE, give_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has a priority for each thread")


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def started_by_one_that_gave_way() -> int:
    """Priority of a thread that gives way and was started by one that does: no lower than that."""
    give_way()
    with ThreadPoolExecutor(1, initializer=give_way) as workers:
        return workers.submit(priority).result()


def test_only_the_thread_that_gives_way_has_a_lower_priority() -> None:
    before = priority()
    with ThreadPoolExecutor(1, initializer=give_way) as workers:
        assert workers.submit(priority).result() == min(LOWEST, before + NICE)
        with ThreadPoolExecutor(1) as inner:
            assert inner.submit(started_by_one_that_gave_way).result() == min(LOWEST, before + NICE)
    assert priority() == before
