"""A part of a page that looks again by itself while work is in progress."""

from collections.abc import Callable

import streamlit as st

from skinlens.ui.state import session
from skinlens.ui.state.open_case import OpenCase

POLL_S = 0.4


def draw(opened: OpenCase, part: Callable[[], None], waits: Callable[[], bool]) -> None:
    """Draw a part of the open case's page, again and again while ``waits``, and the page anew when that changes."""
    waiting = waits()
    st.fragment(_draw, run_every=POLL_S if waiting else None)(opened, part, waits, waiting)


def _draw(opened: OpenCase, part: Callable[[], None], waits: Callable[[], bool], waited: bool) -> None:
    session.leave_if_gone(opened)
    part()
    if waits() != waited:
        st.rerun()  # of the whole page: it decides whether to look again


def busy() -> bool:
    """Whether the session waits for a map or a check."""
    return session.queue().busy
