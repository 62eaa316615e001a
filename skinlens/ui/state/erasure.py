"""Erasing for good as far as the pages reach: afterwards no tab, cache or held file has anything of what was erased."""

import unicodedata

import streamlit as st

from skinlens.records import Visit
from skinlens.store import CaseStore
from skinlens.ui.state import address, drafts, session, tabs
from skinlens.ui.state.open_case import open_anywhere
from skinlens.ui.worklist import tray_drafts


def erase_case(store: CaseStore, visit_id: int) -> None:
    """Erase one visit. Raises CaseNotFound where there is none, StoreError where it or a trace of it remains."""
    visits = (store.case(visit_id).visit,)
    try:
        store.delete_visit(visit_id)
    finally:  # the rows may be gone where only a trace of them stays
        forget(store, visits)


def erase_patient(store: CaseStore, patient_id: int) -> None:
    """Erase a patient with all visits. Raises as ``erase_case``."""
    patient = store.patient(patient_id)
    visits = tuple(visit for lesion in store.lesions(patient_id) for visit in store.visits_of_lesion(lesion.id))
    try:
        store.delete_patient(patient_id)
    finally:
        for tray in session.TRAYS.every():
            tray_drafts.forget(tray, patient.id, patient.pseudonym)
        forget(store, visits)


def not_confirmed(typed: str, pseudonym: str) -> str:
    """Error in what was typed to confirm the erasure of a patient; empty where it is the pseudonym."""
    if unicodedata.normalize("NFC", typed).strip() == pseudonym:
        return ""
    entry = f"“{typed.strip()}” was typed" if typed.strip() else "nothing was typed"
    return f"Nothing was deleted: to delete this patient, type the patient ID “{pseudonym}”; {entry}."


def forget_searched() -> None:
    """Empty the fields of the search and of the worklist in which the pseudonym may stand."""
    for name in ("q", "search"):
        address.forget(name)
    for key in (
        "q",
        "find_patient",
        "tray_pseudonym",
        "tray_patient",
        "search",
    ):
        st.session_state.pop(key, None)


def forget(store: CaseStore, visits: tuple[Visit, ...]) -> None:
    """Let all that the server holds in memory of these visits go, as far as they are not stored any more."""
    gone = {visit.id: visit.photo_sha256 for visit in visits if not store.exists(visit.id)}
    if not gone:
        return
    # An unsaved photo in another tab is one more copy of what was erased, unless it is stored elsewhere as well.
    photos = {photo for photo in gone.values() if not store.cases_with_photo(photo)}
    held = [
        opened
        for opened in open_anywhere()
        if (
            opened.case.visit.id in gone and opened.home == store.home if opened.case else opened.photo_sha256 in photos
        )
    ]
    for opened in held:
        opened.erased = True
    drafts.UNSAVED.drop_where(lambda opened: opened.erased)
    drafts.erase(gone)
    for tray in session.TRAYS.every():
        tray.forget(gone, photos)
    st.cache_data.clear()
    tabs.forget({opened.tab for opened in held} | {tabs.here()})
    tabs.rerun_others()
