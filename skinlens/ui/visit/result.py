"""The result of a visit: what a dermatologist needs first, first; then criteria, diagnosis, plan and signature."""

import streamlit as st

from skinlens.store import CaseStore
from skinlens.ui.components import widgets
from skinlens.ui.state import session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import newer, operating_point, photo, record, save_form


def view(store: CaseStore, opened: OpenCase) -> None:
    """The photo on the left, on the right all that is said of it, in the order in which it is needed."""
    classifier = session.classifier_of(opened)
    operating_point.first_line(opened.analysis.quality, opened.analysis.prediction)
    left, right = st.columns([6, 5], gap="large")
    with left, st.container(key="visit_photo"):
        photo.large(opened, classifier, overlays=True)
    with right:
        _verdict(opened)
        if opened.case is None:
            save_form.save(store, opened)
        else:
            newer.section(store, opened.case.visit.id)
            record.form(store, opened)


def _verdict(opened: OpenCase) -> None:
    quality, prediction = opened.analysis.quality, opened.analysis.prediction
    operating_point.verdict(quality, prediction, opened.impression, result_first=opened.result_first)
    st.button("Why this result?", on_click=_ask_why)
    widgets.quality(quality, cause_shown=not quality.reliable)
    operating_point.at_a_prevalence(quality, prediction)
    widgets.model_line(opened)


def _ask_why() -> None:
    session.turn_to(session.WHY)
    session.to_top()
