"""The page of one patient: head with editing, export and erasure; map and lesions; the timeline of all visits."""

from collections.abc import Mapping

import streamlit as st

from skinlens.clinical import PHOTOTYPES, PLANS
from skinlens.clock import today
from skinlens.formatting import grouped, percent
from skinlens.labels import MELANOMA
from skinlens.records import Patient
from skinlens.store import CaseQuery, CaseRow, CaseStore
from skinlens.ui.components import allowed, confirmation, unsaved_entries, widgets
from skinlens.ui.components.text import plain, recall_words
from skinlens.ui.forms import erase_dialogs, placement
from skinlens.ui.patients import editing, lesions
from skinlens.ui.shell import frame
from skinlens.ui.state import address, next_photo, session
from skinlens.ui.state.next_photo import NextPhoto
from skinlens.wording.naming import STATUSES, diagnosis_name, name, site
from skinlens.wording.quality import UNRELIABLE_BRIEFLY

MOST_VISITS = 500


def draw(store: CaseStore, patient: Patient) -> None:
    """The whole page."""
    visits = store.visits_of_patient(patient.id)
    rows = lesions.shown(store.lesions(patient.id), visits)
    frame.title(f"Patient {plain(patient.pseudonym)}")
    _head(store, patient, sum(map(len, visits.values())))
    lesions.section(store, patient, rows)
    st.header("All visits")
    _timeline(store, patient, {row.lesion.id: row.number for row in rows})


def _head(store: CaseStore, patient: Patient, visits: int) -> None:
    phototype = f", skin phototype {PHOTOTYPES[patient.phototype]}" if patient.phototype else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(plain(f"{placement.described(patient)}{phototype}"), width="content")
        if st.button("All patients", icon=":material/arrow_back:"):
            address.step(patient=None, lesion=None)
            st.rerun()
        if st.button("Add photo", type="primary", **allowed.button("file", "The patient is chosen beforehand.")):
            next_photo.begin(NextPhoto(patient.id))
            session.to_visit()
        st.button("Edit patient", on_click=editing.begin, args=(patient,), **allowed.button("move"))
        widgets.export_patient(store, patient.id)
        if st.button("Delete the patient …", **allowed.button("erase")):
            erase_dialogs.patient(store, patient, visits, _leave)
    opened = session.current()
    if opened and opened.case and opened.case.patient and opened.case.patient.id == patient.id:
        unsaved_entries.notice(opened, f"patient's export of case {opened.case.visit.id}")
    confirmation.show(editing.place("patient", patient.id))
    if editing.is_open("patient", patient.id):
        editing.patient(store, patient)


def _leave() -> None:
    """The patient is erased: back to the list."""
    editing.forget()
    session.go_to("pages/patients.py")


def _timeline(store: CaseStore, patient: Patient, numbers: Mapping[int, int]) -> None:
    rows = store.search(CaseQuery(patient_id=patient.id, sort="date", descending=True, limit=MOST_VISITS))
    widgets.problems(rows.problems)
    if not rows.rows:
        st.markdown("No visit of this patient is stored.")
        return
    day = today().isoformat()
    widgets.wide_table(
        "All visits of the patient",
        ("Date", "Case", "Lesion", "Model result", "Diagnosis", "Plan", "Histology", "Status"),
        [cells(row, day, numbers.get(row.lesion_id)) for row in rows.rows],
    )
    if rows.total > MOST_VISITS:
        st.caption(f"The latest {MOST_VISITS} of {grouped(rows.total)} are shown.")


def cells(row: CaseRow, day: str, number: int | None = None) -> tuple[str, ...]:
    """One visit as a line of the timeline; ``day``: today, as an ISO date; ``number``: of the lesion on the map."""
    result = f"{name(row.top_label)} {percent(row.top_prob)}" if row.reliable else UNRELIABLE_BRIEFLY
    if row.reliable and row.above_cutoff:
        own = "" if row.top_label == MELANOMA else f"; melanoma {percent(row.melanoma_prob)}"
        result += f"{own}, above the cut-off"
    plan = PLANS[row.plan] if row.plan else ""
    if recall := recall_words(row, day):
        plan += f"; {recall}"
    where = site(row.body_site, row.remark)
    return (
        row.taken_on,
        str(row.visit_id),
        f"{number} · {where}" if number else where,
        result,
        diagnosis_name(row.clinician_label),
        plan.removeprefix("; "),
        diagnosis_name(row.histology) if row.histology else "",
        STATUSES[row.status],
    )
