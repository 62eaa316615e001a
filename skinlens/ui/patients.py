"""Patients: found by pseudonym; of each the lesions with their last photos and course, and a timeline of all visits."""

from collections.abc import Sequence

import streamlit as st

from skinlens import pipeline
from skinlens.clinical import PHOTOTYPES, PLANS
from skinlens.clock import today
from skinlens.followup.words import trend_words
from skinlens.records import Lesion, Patient, Visit
from skinlens.store import CaseQuery, CaseRow, CaseStore
from skinlens.ui import placement, session, widgets
from skinlens.ui.words import STATUSES, diagnosis_name, name, percent, plain, recall_words, site
from skinlens.wording import UNRELIABLE_BRIEFLY

MOST = 30
"""Patients that are listed at once."""
COLUMNS = 3
MOST_VISITS = 500


def page(store: CaseStore) -> None:
    """The list, or the patient that was chosen in it."""
    patients = {one.id: one for one in store.patients()}
    chosen = patients.get(st.session_state.get(session.PATIENT_SHOWN, 0))
    if chosen is None:
        _list(tuple(patients.values()))
    else:
        _patient(store, chosen)


def found(patients: Sequence[Patient], words: str) -> list[Patient]:
    """Those whose pseudonym holds these signs, whatever their case; by pseudonym."""
    wanted = words.strip().casefold()
    return sorted((one for one in patients if wanted in one.pseudonym.casefold()), key=lambda one: one.pseudonym)


def _list(patients: Sequence[Patient]) -> None:
    if not patients:
        st.markdown("No patient is stored yet. Save a case with a patient, and the patient is listed here.")
        st.page_link("pages/visit.py", label="New photo")
        return
    words = st.text_input("Search by patient ID", key="patient_search", persist_state="session", placeholder="P-0147")
    matching = found(patients, words)
    st.markdown(f"**{len(matching):,} {'patient' if len(matching) == 1 else 'patients'}**")
    for one in matching[:MOST]:
        with st.container(border=True, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{plain(one.pseudonym)}** · {plain(placement.described(one))}", width="content")
            if st.button(f"Open {plain(one.pseudonym)}", key=f"patient-{one.id}"):
                session.show_patient(one.id)
                st.rerun()
    if len(matching) > MOST:
        st.caption(f"The first {MOST} are shown. Type more of the patient ID.")


# -------------------------------------------------------------------------------------------------------- one patient


def _patient(store: CaseStore, patient: Patient) -> None:
    if st.button("All patients", icon=":material/arrow_back:"):
        st.session_state.pop(session.PATIENT_SHOWN, None)
        st.rerun()
    st.header(plain(patient.pseudonym))
    phototype = f", skin phototype {PHOTOTYPES[patient.phototype]}" if patient.phototype else ""
    st.markdown(plain(f"{placement.described(patient)}{phototype}"))
    lesions = store.lesions(patient.id)
    visits = {lesion.id: store.visits_of_lesion(lesion.id) for lesion in lesions}
    with st.container(horizontal=True):
        if st.button("Add photo", type="primary", help="The patient is chosen beforehand."):
            session.begin_with(patient.id)
            st.switch_page("pages/visit.py")
        widgets.export_patient(store, patient.id)
    st.subheader("Lesions")
    _lesions(store, lesions, visits)
    st.subheader("All visits")
    _timeline(store, patient)


def _lesions(store: CaseStore, lesions: Sequence[Lesion], visits: dict[int, tuple[Visit, ...]]) -> None:
    shown = [lesion for lesion in lesions if visits[lesion.id]]
    if not shown:
        st.markdown("No photo of this patient is stored.")
        return
    pictures = store.thumbnails([visits[lesion.id][-1].id for lesion in shown])
    for start in range(0, len(shown), COLUMNS):
        for column, lesion in zip(st.columns(COLUMNS), shown[start : start + COLUMNS], strict=False):
            latest = visits[lesion.id][-1]
            with column, st.container(border=True):
                where = site(lesion.body_site, lesion.remark)
                st.html(widgets.thumbnail(pictures.get(latest.id, b""), f"Latest photo of lesion {lesion.id}"))
                st.markdown(f"**{plain(where)}**")
                count = len(visits[lesion.id])
                st.markdown(
                    plain(f"{count} {'visit' if count == 1 else 'visits'}, last on {latest.taken_on}. ")
                    + plain(trend_words(pipeline.melanoma_course(store, lesion.id)))
                )
                if st.button(f"Open case {latest.id}", key=f"patient_case-{latest.id}", width="stretch"):
                    session.show_case(latest.id)
                    session.to_visit()


def _timeline(store: CaseStore, patient: Patient) -> None:
    rows = store.search(CaseQuery(patient_id=patient.id, sort="date", descending=True, limit=MOST_VISITS))
    widgets.problems(rows.problems)
    day = today().isoformat()
    widgets.wide_table(
        "All visits of the patient",
        ("Date", "Case", "Lesion", "Model result", "Diagnosis", "Plan", "Histology", "Status"),
        [cells(row, day) for row in rows.rows],
    )
    if rows.total > MOST_VISITS:
        st.caption(f"The latest {MOST_VISITS} of {rows.total:,} are shown.")


def cells(row: CaseRow, day: str) -> tuple[str, ...]:
    """One visit as a line of the timeline; ``day``: today, as an ISO date."""
    result = f"{name(row.top_label)} {percent(row.top_prob)}" if row.reliable else UNRELIABLE_BRIEFLY
    if row.reliable and row.above_cutoff:
        result += f"; melanoma {percent(row.melanoma_prob)}, above the cut-off"
    plan = PLANS[row.plan] if row.plan else ""
    if recall := recall_words(row, day):
        plan += f"; {recall}"
    return (
        row.taken_on,
        str(row.visit_id),
        site(row.body_site, row.remark),
        result,
        diagnosis_name(row.clinician_label),
        plan.removeprefix("; "),
        diagnosis_name(row.histology) if row.histology else "",
        STATUSES[row.status],
    )
