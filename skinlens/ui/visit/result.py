"""The result of a visit: what a dermatologist needs first, first; then criteria, diagnosis, plan and signature."""

import streamlit as st

from skinlens.predict import Classifier
from skinlens.store import CaseStore
from skinlens.ui import certainty, clinical_form, forms, maps, outline, save_form, session, widgets
from skinlens.ui.open_case import OpenCase
from skinlens.ui.visit import photo


def view(store: CaseStore, opened: OpenCase) -> None:
    """The photo on the left, on the right all that is said of it, in the order in which it is needed."""
    classifier = session.classifier_of(opened)
    if classifier is not None:
        maps.start_early(opened, classifier)
        outline.propose_early(opened, classifier)
    certainty.first_line(opened.analysis.quality, opened.analysis.prediction)
    left, right = st.columns([6, 5], gap="large")
    with left, st.container(key="visit_photo"):
        _photo(opened, classifier)
    with right:
        _verdict(opened)
        if opened.case is None:
            save_form.save(store, opened)
        else:
            forms.reading(store, opened)
            clinical_form.section(store, opened)


def _photo(opened: OpenCase, classifier: Classifier | None) -> None:
    """While the map that is to lie over the photo is being made, it looks again by itself."""
    waits = photo.waits(opened)
    st.fragment(_draw_photo, run_every=maps.POLL_S if waits else None)(opened, classifier, waits)


def _draw_photo(opened: OpenCase, classifier: Classifier | None, waited: bool) -> None:
    session.leave_if_gone(opened)
    photo.large(opened, classifier, overlays=True)
    if photo.waits(opened) != waited:
        st.rerun()  # of the whole page: it decides whether to look again


def _verdict(opened: OpenCase) -> None:
    quality, prediction = opened.analysis.quality, opened.analysis.prediction
    certainty.verdict(quality, prediction, opened.impression)
    st.button("Why this result?", on_click=session.turn_to, args=(session.WHY,))
    widgets.quality(quality)
    certainty.at_a_prevalence(quality, prediction)
    widgets.model_line(opened)
