"""Behind a visit: its audit log; patient and lesion edited, the case moved, exported, erased."""

from collections.abc import Callable
from typing import cast

import streamlit as st

from skinlens.clock import local_minute
from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.records import Case, Method, Patient, Target
from skinlens.store import CaseStore, Revision
from skinlens.ui import erasure, forms, moving, session, widgets
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import diagnosis_name, impression_name, plain, site

_TYPED, _NOT_CONFIRMED = "case_erase_typed", "case_erase_problem"


def view(store: CaseStore, opened: OpenCase) -> None:
    """What was done to the case; editing, moving and erasing it."""
    stored = opened.case
    assert stored is not None
    st.header("Audit log")
    _changes(store.revisions(stored.visit.id))
    st.header("Edit, move, export, delete")
    _manage(store, opened, stored)


def _changes(revisions: tuple[Revision, ...]) -> None:
    rows = []
    for revision in reversed(revisions):
        what = [_change(field, pair) for field, pair in revision.changes.items()]
        rows.append(
            (local_minute(revision.at), revision.subject.replace("visit", "case"), revision.action, "; ".join(what))
        )
    widgets.table(("When", "What", "Done", "Change"), rows)


def _change(field: str, pair: tuple[str | None, str | None] | None) -> str:
    """One changed field in words."""
    words = field.replace("_", " ")
    if pair is None:  # of a patient, whose earlier values are not kept
        return words
    before, after = pair
    if field == "explanation" and after:
        method, *codes = after.split(" ")
        return f"{METHODS[cast(Method, method)].title} map for {Target(*codes).words}"
    if field == "clinician_label":
        return f"diagnosis: {diagnosis_name(before)} → {diagnosis_name(after)}"
    if field == "first_impression":
        return f"first impression: {impression_name(after)}"
    if field in {"signed_by", "amended_by"} and after:
        return f"{words} {after}"
    if field == "status" and before is None:
        return "case created"
    return f"{words}: {before or 'nothing'} → {after or 'nothing'}"


def _manage(store: CaseStore, opened: OpenCase, stored: Case) -> None:
    patient = stored.patient
    with st.expander("Edit patient or lesion"):
        forms.correction(store, opened)
    with st.expander("Move this case to another lesion or patient"):
        moving.form(store, opened, stored)
    if patient is not None:
        st.markdown("**Everything kept of this patient**, as a ZIP: data, photos, maps, changes.")
        widgets.export_patient(store, patient.id)
        st.divider()
    st.markdown("**Delete for good.** Deleted data cannot be brought back.")
    with st.container(horizontal=True):
        if st.button("Delete this case …"):
            _delete_case(store, stored)
        if patient is not None and st.button("Delete the patient …"):
            visits = sum(len(store.visits_of_lesion(lesion.id)) for lesion in store.lesions(patient.id))
            _delete_patient(store, patient, visits)


# What a dialog needs is read before it opens: it is drawn again by itself, also when the case is gone already.


@st.dialog("Delete this case?")
def _delete_case(store: CaseStore, stored: Case) -> None:
    number, where = stored.visit.id, site(stored.lesion.body_site, stored.lesion.remark)
    st.markdown(
        f"Case {number} ({plain(where)}, {stored.visit.taken_on}) will be erased: its photo, "
        "its maps, the model's result, your diagnosis, your notes, and its audit log."
    )
    _erase_or_cancel(
        "Delete the case for good", lambda: erasure.erase_case(store, number), f"Case {number} is deleted."
    )


@st.dialog("Delete the patient?")
def _delete_patient(store: CaseStore, patient: Patient, visits: int) -> None:
    cases = "1 case" if visits == 1 else f"{visits} cases"
    st.markdown(
        f"Patient {plain(patient.pseudonym)} will be erased, with {cases}: all photos, maps, "
        "readings, diagnoses, notes, and the trail of changes. Export the patient first if you need a copy."
    )
    st.text_input("Type the patient ID to confirm", key=_TYPED, autocomplete="off")
    _erase_or_cancel(
        "Delete the patient for good",
        lambda: erasure.erase_patient(store, patient.id),
        "The patient and all cases of this patient are deleted.",
        patient.pseudonym,
    )


def _erase_or_cancel(label: str, erase: Callable[[], None], words: str, pseudonym: str = "") -> None:
    """The two buttons. A pseudonym must have been typed to confirm."""

    def pressed() -> None:
        if pseudonym and (problem := erasure.not_confirmed(st.session_state.get(_TYPED, ""), pseudonym)):
            st.session_state[_NOT_CONFIRMED] = problem
            return
        try:
            erase()
        except SkinLensError as error:  # the rows may be gone, and only traces of them left: back to the list as well
            session.say_problem(error)
        else:
            session.say(words)
        session.close()
        erasure.forget_searched()
        session.go_to("pages/worklist.py")

    with st.container(horizontal=True, horizontal_alignment="right"):
        cancelled = st.button("Cancel")
        with st.container(key="erase_for_good", width="content"):
            erased = st.button(label, type="primary", on_click=pressed)
    problem = st.session_state.pop(_NOT_CONFIRMED, "")
    if problem:
        st.error(plain(problem))
    if cancelled or (erased and not problem):
        st.rerun()  # of the whole page, not of the dialog alone
