"""A tab's connection has ended: when does its session end?"""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from skinlens.ui.state import tabs

SIZE = tabs.CUT_OFF_BYTES // 2


class Clock:
    """Notes what a loop is asked to call later."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, str]] = []

    def call_later(self, delay: float, _call: Callable[[str], None], tab: str) -> None:
        self.asked.append((delay, tab))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    monkeypatch.setattr(tabs, "_CUT_OFF", type(tabs._CUT_OFF)())
    token = tabs.CLOSED.set(False)
    yield made
    tabs.CLOSED.reset(token)


def test_a_closed_tab_ends_soon_and_one_that_is_cut_off_in_an_hour(clock: Clock) -> None:
    assert not tabs.left("cut off", SIZE)
    tabs.CLOSED.set(True)
    assert tabs.left("closed", SIZE)
    assert clock.asked == [(3600.0, "cut off"), (30.0, "closed")]


def test_the_tabs_that_are_cut_off_are_bounded_by_bytes(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    original = tabs._end
    monkeypatch.setattr(tabs, "_end", lambda tab: (ended.append(tab), original(tab)))
    for tab in ("first", "second", "third", "fourth"):
        tabs.left(tab, SIZE)
    assert ended == ["first", "second"]
    assert list(tabs._CUT_OFF) == ["third", "fourth"]
    tabs.left("huge", 10 * SIZE)  # the one that was there last stays whatever it takes
    assert list(tabs._CUT_OFF) == ["huge"]
