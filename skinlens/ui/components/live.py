"""A part of a page that looks again by itself while work is in progress."""

from collections.abc import Callable

import streamlit as st

from skinlens.ui.state import session
from skinlens.ui.state.open_case import OpenCase

POLL_S, SLOWEST_POLL_S = 0.4, 2.0


def poll_s(others: int) -> float:
    """Seconds between two looks while so many others wait for a place too.

    Each look runs a part of the page: with many waiting, looks alone would take the time that the maps need.
    """
    return min(POLL_S * max(1, others), SLOWEST_POLL_S)


def draw(opened: OpenCase, part: Callable[[], None], waits: Callable[[], bool]) -> None:
    """Draw a part of the open case's page, again and again while ``waits``, and the page anew when that changes."""
    waiting = waits()
    st.fragment(_draw, run_every=poll_s(session.queue().others()) if waiting else None)(opened, part, waits, waiting)


def _draw(opened: OpenCase, part: Callable[[], None], waits: Callable[[], bool], waited: bool) -> None:
    session.leave_if_gone(opened)
    part()
    if waits() != waited:
        st.rerun()  # of the whole page: it decides whether to look again


def busy() -> bool:
    """Whether the session waits for a map or a check."""
    return session.queue().busy
