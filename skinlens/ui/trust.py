"""What the maps on the page are worth: the checks of them, each a section of its own, in this order."""

from collections.abc import Callable

import streamlit as st

from skinlens.predict import Classifier
from skinlens.ui import agreement, artefacts, depth, faithfulness, outline, reference, session, stability
from skinlens.ui.maps import POLL_S
from skinlens.ui.open_case import OpenCase

Section = Callable[[OpenCase, Classifier | None], None]
"""Draws a heading, what was found so far, and the button that asks for more; nothing where there is nothing to check.
Without a classifier the case was read by another model: then only what is kept of it is shown."""

ROWS: tuple[tuple[Section, ...], ...] = (
    (agreement.section, faithfulness.section),
    (outline.section,),
    (stability.section, artefacts.section),
    (depth.section,),
    (reference.section,),
)
"""Sections in one row stand side by side on a wide screen."""


def below(opened: OpenCase, classifier: Classifier | None) -> None:
    """Below the row of maps. While work is in progress it looks again by itself."""
    busy = session.desk().busy
    st.fragment(_below, run_every=POLL_S if busy else None)(opened, classifier, busy)


def _below(opened: OpenCase, classifier: Classifier | None, was_busy: bool) -> None:
    session.leave_if_gone(opened)
    with st.container(key="trust"):  # its key keeps it from fading at each look: see frame.css
        for row in ROWS:
            places = st.columns(len(row), gap="large") if len(row) > 1 else [st.container()]
            for place, section in zip(places, row, strict=True):
                with place:
                    section(opened, classifier)
    if session.desk().busy != was_busy:
        st.rerun()  # of the whole page: it decides whether to look again
