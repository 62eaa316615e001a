"""Explanation of the result: the photo and the three maps side by side, what they are worth, the details behind."""

from functools import partial

import streamlit as st

from skinlens.store import CaseStore
from skinlens.ui.components import live, widgets
from skinlens.ui.components.text import plain
from skinlens.ui.forms import filters
from skinlens.ui.state import session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import checks_panel, contrast, maps, operating_point
from skinlens.wording.maps import CAVEAT

DETAILS = "technical_details"


def _waits_for_checks(opened: OpenCase) -> bool:
    """Whether nothing but checks is under way. While maps are made their row alone looks again, and then the page."""
    return live.busy() and not maps.waits(opened)


def view(store: CaseStore, opened: OpenCase) -> None:  # noqa: ARG001  views are called alike
    classifier = session.classifier_of(opened)
    if not opened.analysis.quality.reliable:
        operating_point.unreliable(opened.analysis.quality)
    session.queue().look()
    beside = maps.choose_class(opened)
    lacks = classifier is not None and maps.start(opened, classifier, beside, partial(checks_panel.follow, opened))
    checks_panel.begin(opened, classifier)
    shown = bool(st.session_state.get(DETAILS))
    # Above the pictures stands one line at most: they are to be seen whole in the first screen.
    above = st.container() if opened.analysis.quality.reliable else None
    live.draw(opened, partial(maps.row, opened, classifier, details=shown), partial(maps.waits, opened))
    with above or st.container():
        live.draw(opened, partial(checks_panel.line, opened, classifier), partial(_waits_for_checks, opened))
    contrast.describe(opened)
    if lacks:
        st.caption(plain(maps.stored_words(opened)))
    maps.load(opened)
    if classifier is None:
        widgets.model_line(opened)
    st.caption(CAVEAT)
    details = st.toggle("Technical details", key=DETAILS, persist_state="session")
    if details:
        checks_panel.below(opened, classifier)
        if classifier is not None:
            filters.map_settings(opened, classifier)
