"""Garbage collection of the app: rare, and only after use."""

import asyncio
import gc
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
        memory.note_use()
        while memory.collect_if_used():
            pass  # a thorough one follows after the last use
        left = weakref.ref(Cycle())
        assert not memory.collect_if_used()
        assert left() is not None
        memory.note_use()
        assert memory.collect_if_used()
        assert left() is None
    finally:
        gc.enable()
        gc.unfreeze()


def test_what_was_found_alive_is_looked_at_again_after_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_since_thorough", memory.THOROUGH_EVERY)
    gc.disable()
    try:
        alive = Cycle()
        left = weakref.ref(alive)
        memory.note_use()
        assert memory.collect_if_used()
        frozen = gc.get_freeze_count()
        assert frozen > 0
        del alive
        for _ in range(memory.THOROUGH_EVERY):
            memory.note_use()
            assert memory.collect_if_used()
            assert left() is not None
        assert gc.get_freeze_count() == frozen
        memory.note_use()
        assert memory.collect_if_used()
        assert left() is None
    finally:
        gc.enable()
        gc.unfreeze()


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


def test_streamlit_leaves_it_to_us_and_still_has_the_setting() -> None:
    assert config.get_config_options()["runner.postScriptGC"].default_val is True
    assert config.get_option("runner.postScriptGC") is False
