"""The questions before a case or a patient is erased for good."""

from collections.abc import Callable

import streamlit as st

from skinlens.errors import SkinLensError
from skinlens.formatting import counted
from skinlens.records import Case, Patient
from skinlens.store import CaseStore
from skinlens.ui.components.text import plain
from skinlens.ui.state import erasure, messages
from skinlens.wording.naming import site

_TYPED, _NOT_CONFIRMED = "case_erase_typed", "case_erase_problem"


# What a dialog needs is read before it opens: it is drawn again by itself, also when the case is gone already.


@st.dialog("Delete this case?")
def case(store: CaseStore, stored: Case, leave: Callable[[], None]) -> None:
    """Ask whether a case is to be erased; ``leave`` is called once it is, to go where there is something to show."""
    number, where = stored.visit.id, site(stored.lesion.body_site, stored.lesion.remark)
    st.markdown(
        f"Case {number} ({plain(where)}, {stored.visit.taken_on}) will be erased: its photo, "
        "its maps, the model's result, your diagnosis, your notes, and its own log. The audit log notes that "
        "it was erased."
    )
    _erase_or_cancel(
        "Delete the case for good", lambda: erasure.erase_case(store, number), f"Case {number} is deleted.", leave
    )


@st.dialog("Delete the patient?")
def patient(store: CaseStore, whom: Patient, visits: int, leave: Callable[[], None]) -> None:
    """Ask whether a patient with all visits is to be erased; the patient ID must be typed first."""
    cases = counted(visits, "case")
    st.markdown(
        f"Patient {plain(whom.pseudonym)} will be erased, with {cases}: all photos, maps, "
        "results, diagnoses, notes, places on the body map, and their own log. The audit log notes that it was erased. "
        "Export the patient first if you need a copy."
    )
    st.text_input("Type the patient ID to confirm", key=_TYPED, autocomplete="off")
    _erase_or_cancel(
        "Delete the patient for good",
        lambda: erasure.erase_patient(store, whom.id),
        "The patient and all cases of this patient are deleted.",
        leave,
        whom.pseudonym,
    )


def _erase_or_cancel(
    label: str, erase: Callable[[], None], words: str, leave: Callable[[], None], pseudonym: str = ""
) -> None:
    """The two buttons. A pseudonym must have been typed to confirm."""

    def pressed() -> None:
        if pseudonym and (problem := erasure.not_confirmed(st.session_state.get(_TYPED, ""), pseudonym)):
            st.session_state[_NOT_CONFIRMED] = problem
            return
        try:
            erase()
        except SkinLensError as error:  # the rows may be gone, and only traces of them left: back to the list as well
            messages.say_problem(error)
        else:
            messages.say(words)
        erasure.forget_searched()
        leave()

    with st.container(horizontal=True, horizontal_alignment="right"):
        cancelled = st.button("Cancel")
        with st.container(key="erase_for_good", width="content"):
            erased = st.button(label, type="primary", on_click=pressed)
    problem = st.session_state.pop(_NOT_CONFIRMED, "")
    if problem:
        st.error(plain(problem))
    if cancelled or (erased and not problem):
        st.rerun()  # of the whole page, not of the dialog alone
