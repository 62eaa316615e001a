"""A tab's connection has ended: when does its session end?"""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

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


# ------------------------------------------------------------------------- a run begins while an answer is on its way


def file_address() -> ForwardMsg:
    """What a page asks for before it sends a chosen file."""
    message = ForwardMsg()
    message.file_urls_response.response_id = "asked"
    return message


def drawn(words: str) -> ForwardMsg:
    message = ForwardMsg()
    message.delta.new_element.markdown.body = words
    return message


@pytest.mark.parametrize("kept", [True, False])
def test_the_address_for_a_chosen_file_outlasts_the_beginning_of_a_run(
    monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """False: Streamlit as it is, which loses the file."""
    monkeypatch.setattr(ForwardMsgQueue, "clear", tabs._clear_queue)
    if kept:
        tabs.keep_answers()
    queue = ForwardMsgQueue()
    for message in (drawn("of the run before"), file_address()):
        queue.enqueue(message)
    queue.clear(retain_lifecycle_msgs=True)
    queue.enqueue(drawn("of this run"))
    assert [one.WhichOneof("type") for one in queue.flush()] == [*(["file_urls_response"] * kept), "delta"]
    assert queue.is_empty()
