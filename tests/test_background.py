"""Background threads give way to the page: a priority of their own, below that of the process."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from skinlens import background
from skinlens.background import LOWEST, NICE, give_way

linux = pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has a priority for each thread")


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def started_by_one_that_gave_way() -> int:
    """Priority of a thread that gives way and was started by one that does: no lower than that."""
    give_way()
    with ThreadPoolExecutor(1, initializer=give_way) as workers:
        return workers.submit(priority).result()


@linux
def test_only_the_thread_that_gives_way_has_a_lower_priority() -> None:
    before = priority()
    with ThreadPoolExecutor(1, initializer=give_way) as workers:
        assert workers.submit(priority).result() == min(LOWEST, before + NICE)
        with ThreadPoolExecutor(1) as inner:
            assert inner.submit(started_by_one_that_gave_way).result() == min(LOWEST, before + NICE)
    assert priority() == before


def test_work_in_the_background_is_held_back_while_a_page_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "HOLD_S", 60.0)
    order, asked = list[str](), threading.Event()

    def step() -> None:
        asked.set()
        background.hold_back()
        order.append("step")

    with ThreadPoolExecutor(1) as workers:
        with background.waited_for():
            with background.waited_for():  # a part of it
                assert background.is_waited_for()
            assert background.is_waited_for()
            assert not workers.submit(background.is_waited_for).result()
            held = workers.submit(step)
            assert asked.wait(60)
            order.append("page")
        held.result(60)
    assert order == ["page", "step"]
    assert not background.is_waited_for()


def test_a_page_that_never_ends_only_slows_it_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "HOLD_S", 0.001)
    with background.waited_for(), ThreadPoolExecutor(1) as workers:
        assert workers.submit(background.hold_back).result(60) is None
