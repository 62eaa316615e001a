"""Behind a visit: its audit log; patient and lesion edited, the case moved, exported, erased."""

from typing import cast

import streamlit as st

from skinlens.clock import local_minute
from skinlens.explain import METHODS
from skinlens.records import Case, Method, Target
from skinlens.store import CaseStore, Revision
from skinlens.ui import erase_dialogs, forms, moving, session, widgets
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import diagnosis_name, impression_name


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
            erase_dialogs.case(store, stored, _leave)
        if patient is not None and st.button("Delete the patient …"):
            visits = sum(map(len, store.visits_of_patient(patient.id).values()))
            erase_dialogs.patient(store, patient, visits, _leave)


def _leave() -> None:
    """What was open is erased: back to the list."""
    session.close()
    session.go_to("pages/worklist.py")
