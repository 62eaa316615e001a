"""Similar cases of this archive beside the open one: their photos, what confirmed their diagnoses, whose they are."""

import logging
import threading
from pathlib import Path

import streamlit as st

from skinlens.errors import SkinLensError
from skinlens.formatting import percent
from skinlens.inference.classifier import Classifier
from skinlens.records import Case
from skinlens.store import CaseStore, SimilarCase
from skinlens.store.similar import fill_features, find_similar
from skinlens.ui.components import widgets
from skinlens.ui.components.text import plain
from skinlens.ui.state import session
from skinlens.ui.state.open_case import OpenCase
from skinlens.wording.naming import diagnosis_name, site

COLUMNS = 3
COUNT = 6
LEAST = 0.5
"""Cosine from which a case is shown: below, the model sees little in common."""
SOURCES = {
    "histology": "histology",
    "clinician": "signed by a clinician",
    "not signed": "not signed",
    "none": "no diagnosis yet",
}
CAUTION = "Similarity is as the model measures it: it can differ from what you see, and is no proof of a diagnosis."


@st.fragment
def section(store: CaseStore, opened: OpenCase, stored: Case) -> None:
    """Looked for when it is asked for; what another model read is read again in the background first."""
    session.leave_if_gone(opened)
    st.header("Similar cases of this archive")
    classifier = session.classifier_of(opened)
    if classifier is None:
        st.markdown("They are found by the model that made this result, which is not the installed one.")
        return
    if not opened.analysis.quality.reliable:
        st.markdown("The photo is unlike those that the model learned from: its features say nothing.")
        return
    every = st.toggle("Also cases without a confirmed diagnosis", key="case_similar_every", persist_state="session")
    _fill(store.home, classifier.engine.model_ref.sha256, classifier)
    try:
        cases = find_similar(
            store,
            classifier,
            opened.analysis,
            patient_id=stored.patient.id if stored.patient else None,
            lesion_id=stored.lesion.id,
            count=COUNT,
            confirmed_only=not every,
        )
        cases = tuple(case for case in cases if case.similarity >= LEAST)
        if not cases:
            kind = "" if every else " with a confirmed diagnosis (histology, or signed)"
            st.markdown(f"No case of another lesion{kind} has a similarity of 50 % or more.")
            return
        pictures = store.thumbnails([case.visit_id for case in cases])
    except SkinLensError as error:  # the page's own sentence is out of reach: this part is drawn by itself
        st.error(plain(error))
        return
    for start in range(0, len(cases), COLUMNS):
        for column, case in zip(st.columns(COLUMNS), cases[start : start + COLUMNS], strict=False):
            with column, st.container(border=True):
                _card(case, pictures.get(case.visit_id, b""))
    st.caption(CAUTION)


def _card(case: SimilarCase, picture: bytes) -> None:
    if picture:
        st.html(widgets.thumbnail(picture, f"Photo of case {case.visit_id}"))
    st.markdown("  \n".join(plain(line) for line in lines(case)))
    if st.button(f"Open case {case.visit_id}", key=f"similar-{case.visit_id}", width="stretch"):
        session.show_case(case.visit_id)
        st.rerun()


def lines(case: SimilarCase) -> tuple[str, ...]:
    """Lines under the photo: diagnosis and its source, whose it is, how alike."""
    diagnosis = diagnosis_name(case.diagnosis) if case.diagnosis else case.diagnosis_text or diagnosis_name(None)
    whose = {
        "same patient": "The same patient",
        "another patient": f"Another patient: {case.pseudonym}",
        "patient not recorded": "Patient not recorded" if not case.pseudonym else f"Patient: {case.pseudonym}",
    }[case.relation]
    return (
        f"{diagnosis} ({SOURCES[case.source]})",
        f"{whose}, {site(case.body_site, case.remark)}, {case.taken_on}",
        f"Similarity {percent(case.similarity)}",
    )


@st.cache_resource(show_spinner=False, max_entries=2)
def _fill(home: Path, model_sha256: str, _classifier: Classifier) -> threading.Thread:  # noqa: ARG001  a part of the key
    """Once for each store and model: read the photos that it has not read yet, beside everything else."""

    def work() -> None:
        store = CaseStore(home)
        try:
            while fill_features(store, _classifier, most=100):
                pass
        except SkinLensError as error:  # the next start tries again
            logging.getLogger(__name__).warning("similar cases: %s", error)

    thread = threading.Thread(target=work, name="similar-cases", daemon=True)
    thread.start()
    return thread
