"""Garbage collection of the app: rare, and only after use."""

import asyncio
import gc
import platform
import subprocess
import sys
import weakref

import pytest
from streamlit import config

from skinlens.ui.shell import memory


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_a_cycle_goes_after_use_and_nothing_is_done_without() -> None:
    gc.disable()
    try:
        memory.collect_if_used()
        left = weakref.ref(Cycle())
        assert not memory.collect_if_used()
        assert left() is not None
        memory.note_use()
        assert memory.collect_if_used()
        assert left() is None
    finally:
        gc.enable()


def test_it_is_done_while_the_app_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PERIOD_S", 0.01)
    done: list[bool] = []
    monkeypatch.setattr(memory, "collect_if_used", lambda: done.append(True))

    async def serve() -> int:
        async with memory.collected():
            await asyncio.sleep(0.2)
        count = len(done)
        await asyncio.sleep(0.05)
        return count

    assert asyncio.run(serve()) == len(done) > 0


def test_memory_is_given_back_after_use_a_few_times_and_then_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    used, given = iter([True]), list[bool]()
    monkeypatch.setattr(memory, "PERIOD_S", 0.001)
    monkeypatch.setattr(memory, "collect_if_used", lambda: next(used, False))
    monkeypatch.setattr(memory, "give_back", lambda: given.append(True))

    async def serve() -> None:
        async with memory.collected():
            async with asyncio.timeout(60):
                while len(given) < len(memory.LOOKS):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)

    asyncio.run(serve())
    assert len(given) == len(memory.LOOKS) == 3


def test_what_is_free_goes_back_to_the_system() -> None:
    """In a process of its own: 60 MB in small pieces are freed below one that stays, and so stay with the process."""
    code = (
        "import os; from skinlens.ui.shell import memory\n"
        "def resident(): return int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE')\n"
        "able = memory.limit_heaps()\n"
        "pieces = [bytes(60_000) for _ in range(1000)]; last = bytes(60_000); del pieces\n"
        "before = resident(); gave = memory.give_back(); print(able, gave, before - resident())"
    )
    if platform.libc_ver()[0] != "glibc":
        assert (memory.limit_heaps(), memory.give_back()) == (False, False)
        return
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said[:2] == ["True", "True"]
    assert int(said[2]) > 30_000_000


def test_streamlit_leaves_it_to_us_and_still_has_the_setting() -> None:
    assert config.get_config_options()["runner.postScriptGC"].default_val is True
    assert config.get_option("runner.postScriptGC") is False
