"""Patients: the list, found by patient ID, with what waits for each; or the page of the one that the address names."""

import math
from collections.abc import Sequence

import streamlit as st

from skinlens.clock import today
from skinlens.errors import CaseNotFound
from skinlens.formatting import counted
from skinlens.store import CaseStore, PatientQuery, PatientRow
from skinlens.store.patient_list import PatientSort
from skinlens.ui.components import widgets
from skinlens.ui.components.text import plain
from skinlens.ui.forms import placement
from skinlens.ui.patients import editing
from skinlens.ui.patients import patient as patient_page
from skinlens.ui.shell import frame
from skinlens.ui.state import address, messages, next_photo
from skinlens.wording.naming import capital, open_recall_words

PAGE_SIZE = 20
_NOTED = "patient_noted"
CHIPS = ("Suspicious for melanoma", "Unsigned", "Recall due")
SORTS: dict[str, PatientSort] = {"Last visit": "last visit", "Patient ID": "pseudonym"}


def page(store: CaseStore) -> None:
    """The list, or the patient that the address names."""
    next_photo.forget()
    number = address.number("patient")
    if number is not None:
        try:
            patient = store.patient(number)
        except CaseNotFound:
            messages.say("This patient is not stored any more.")
            address.step(patient=None, lesion=None)
            st.rerun()
        _note_view(store, number)
        patient_page.draw(store, patient)
        return
    st.session_state.pop(_NOTED, None)
    editing.forget()
    frame.title("Patients")
    _list(store)


def _note_view(store: CaseStore, number: int) -> None:
    """In the audit log, once until another patient or the list is shown in this tab."""
    if st.session_state.get(_NOTED) == number:
        return
    if not_noted := store.note_view("patient", number):
        st.warning(plain(not_noted))
    st.session_state[_NOTED] = number


def _list(store: CaseStore) -> None:
    with st.container(key="patients_find"):
        text, order = st.columns([3, 1], vertical_alignment="bottom")
    orders = list(SORTS)
    address.seed("search", "")
    address.seed("by", orders[0], orders)
    words = text.text_input("Search by patient ID", key="search", placeholder="e.g. P-0147")
    sort = order.selectbox("Order", orders, key="by")
    address.note("search", words)
    address.note("by", sort)
    address.seed("only", [], CHIPS)
    chips = st.pills("Show only", CHIPS, selection_mode="multi", key="only")
    address.note("only", list(chips))
    address.seed("sheet", 1)
    sheet = int(st.session_state["sheet"])
    query = PatientQuery(
        text=words,
        sort=SORTS[sort],
        suspicious="Suspicious for melanoma" in chips,
        unsigned="Unsigned" in chips,
        recall_due_on=today().isoformat() if "Recall due" in chips else None,
        limit=PAGE_SIZE,
        offset=(sheet - 1) * PAGE_SIZE,
    )
    matches = store.patient_page(query)
    sheets = max(1, math.ceil(matches.total / PAGE_SIZE))
    if sheet > sheets:
        st.session_state["sheet"] = sheet = 1
        matches = store.patient_page(PatientQuery(**{**vars(query), "offset": 0}))
    widgets.problems(matches.problems)
    if not matches.total:
        _nothing(asked=bool(words.strip() or chips))
        return
    st.markdown(f"**{counted(matches.total, 'patient')}**")
    _rows(matches.rows)
    if sheets > 1:
        widgets.pages("sheet", sheets, sheet)
    address.note("sheet", sheet if sheets > 1 else 1)


def _nothing(*, asked: bool) -> None:
    with st.container(border=True):
        if asked:
            st.markdown("**No patient matches.** Take out a chip, or type less of the patient ID.")
        else:
            st.markdown("**No patient is stored yet.** Save a case with a patient, and the patient is listed here.")
            st.page_link("pages/visit.py", label="New photo")


def _rows(rows: Sequence[PatientRow]) -> None:
    day = today().isoformat()
    for row in rows:
        with st.container(border=True):
            who, what, waits, action = st.columns([4, 4, 5, 3], vertical_alignment="center")
            who.markdown(f"**{plain(row.patient.pseudonym)}**  \n{plain(placement.described(row.patient))}")
            what.markdown("  \n".join(plain(line) for line in counts(row)))
            waits.markdown("  \n".join(plain(line) for line in flags(row, day)))
            number = row.patient.id
            if action.button(f"Open {plain(row.patient.pseudonym)}", key=f"patient-{number}", width="stretch"):
                address.step(patient=str(number))
                st.rerun()


def counts(row: PatientRow) -> tuple[str, ...]:
    """Lesions, visits, and the last visit."""
    last = f"Last visit {row.last_visit_on}" if row.last_visit_on else "No visit yet"
    return f"{counted(row.lesions, 'lesion')}, {counted(row.visits, 'visit')}", last


def flags(row: PatientRow, day: str) -> tuple[str, ...]:
    """Flags of a patient; ``day``: today, as an ISO date."""
    said = []
    if row.suspicious:
        said.append(f"▲ {counted(row.suspicious, 'lesion')} suspicious for melanoma")
    if row.unsigned:
        said.append(f"{counted(row.unsigned, 'visit')} not signed")
    if recall := open_recall_words(row.recall_on, day):
        said.append(capital(recall))
    return tuple(said)
