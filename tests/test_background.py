"""Background threads give way to the page: a priority of their own, below that of the process."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from skinlens.background import NICE, give_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has a priority for each thread")


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_only_the_thread_that_gives_way_has_a_lower_priority() -> None:
    before = priority()
    with ThreadPoolExecutor(1, initializer=give_way) as workers:
        assert workers.submit(priority).result() == max(before, NICE)
    assert priority() == before
