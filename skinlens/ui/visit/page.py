"""Page of one visit: the impression first, then the result, its reasons, the comparison, the report, the rest."""

from collections.abc import Callable, Mapping
from functools import partial

import streamlit as st

from skinlens.clock import local_day
from skinlens.errors import CaseNotFound
from skinlens.inference.classifier import Classifier
from skinlens.records import Visit
from skinlens.store import CaseStore
from skinlens.ui.compare import visits
from skinlens.ui.components import allowed, upload, widgets
from skinlens.ui.components.text import plain
from skinlens.ui.shell import frame
from skinlens.ui.state import address, cache, next_photo, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import management, maps, outline, photo, report, result, save_form, similar, why
from skinlens.wording.naming import STATUSES, case_title, site

NEW = "New photo"
View = Callable[[CaseStore, OpenCase], None]


def page() -> None:
    """The open visit; the upload field where none is open."""
    opened = session.current()
    if opened is None:
        frame.title(NEW)
        _begin()
        return
    line = frame.title(plain(title(opened)))
    store = cache.store()
    with line:
        _head(opened)
    widgets.problems(opened.problems)
    classifier = session.classifier_of(opened)
    if classifier is not None:
        maps.start_early(opened, classifier)
    if not opened.revealed:
        _before(opened, classifier)
        return
    if classifier is not None:
        outline.propose_early(opened, classifier)
    if (asked := session.view_asked_for()) is not None:
        address.turn(session.VIEW, asked)
    address.parts(session.VIEW, {name: partial(_draw, name, store, opened) for name in VIEWS})


def _draw(name: str, store: CaseStore, opened: OpenCase) -> None:
    if opened.case is None and name not in session.UNSAVED_VIEWS:
        st.markdown(f"“{name}” is there once the case is saved, under “{session.RESULT}”.")
    else:
        VIEWS[name](store, opened)


def title(opened: OpenCase) -> str:
    """Title of the open case, as its page's heading."""
    return NEW if opened.case is None else case_title(opened.case)


def _begin() -> None:
    if not allowed.or_why("file"):
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        _of_whom()
        upload.field()
        st.markdown("No photo at hand?")
        upload.example_button()
    with right, st.container(border=True):
        st.header("How it goes")
        widgets.steps(
            (
                "Upload a dermoscopic photo of one lesion, sharp and filling the center.",
                "Record your impression before you see the model's.",
                "Compare it with the model result; “Why?” shows what the result rests on.",
                "Save the case, sign your diagnosis, take the report.",
            )
        )
        st.page_link("pages/worklist.py", label="Many photos at once")


def _of_whom() -> None:
    """Whose photo it is to be, where that was said beforehand or is proposed, and the way to take that back."""
    asked = next_photo.asked()
    if asked is None:
        return
    store = cache.store()
    try:
        patient = store.patient(asked.patient_id)
        lesions = {lesion.id: site(lesion.body_site, lesion.remark) for lesion in store.lesions(patient.id)}
    except CaseNotFound:
        next_photo.forget()
        return
    new = f"new lesion{f' ({asked.region.words})' if asked.region else ''}"
    where = new if asked.of_new_lesion else lesions.get(asked.lesion_id or 0, "")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(plain(f"For patient {patient.pseudonym}{f', {where}' if where else ''}."), width="content")
        st.button("Not of this patient", on_click=next_photo.forget)


def _head(opened: OpenCase) -> None:
    """Status and date of a stored visit, and the way to its patient."""
    if opened.case is None:
        st.markdown("Not saved yet", width="content")
        if not opened.revealed:  # from then on the form that keeps the case names the patient
            _of_whom()
    else:
        visit = opened.case.visit
        st.markdown(f"**{STATUSES[visit.status]}**{_signature(visit)} · taken on {visit.taken_on}", width="content")
    if opened.synthetic:
        st.html('<span class="sl-synthetic">synthetic example, not a patient</span>', width="content")
    if opened.case is not None and opened.case.patient is not None and st.button("Patient"):
        session.to_patient(opened.case.patient.id, opened.case.lesion.id)


def _signature(visit: Visit) -> str:
    """By whom and on which day it was signed, as far as it was."""
    by = f" by {plain(visit.signed_by)}" if visit.signed_by else ""
    on = f" on {local_day(visit.signed_at)}" if visit.signed_at else ""
    if visit.status == "amended":
        return f", signed{by}{on}" if by or on else ""
    return by + on


def _before(opened: OpenCase, classifier: Classifier | None) -> None:
    """The photo and the question for the clinician's own impression."""
    left, right = st.columns([6, 5], gap="large")
    with left:
        photo.large(opened, classifier)
    with right:
        widgets.quality(opened.analysis.quality)
        save_form.impression(opened)
    if classifier is not None:
        outline.propose_early(opened, classifier)  # while the clinician looks: the result need not wait for it


def _compare(store: CaseStore, opened: OpenCase) -> None:
    assert opened.case is not None
    visits.compare(store, opened, opened.case)
    st.divider()
    similar.section(store, opened, opened.case)


def _report(store: CaseStore, opened: OpenCase) -> None:
    widgets.model_line(opened)
    report.report(store, opened)


VIEWS: Mapping[str, View] = {
    session.RESULT: result.view,
    session.WHY: why.view,
    session.COMPARE: _compare,
    session.REPORT: _report,
    session.MORE: management.view,
}
