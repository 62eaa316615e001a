"""Save form of a new photo: the clinician's impression first, then the form that keeps the case."""

from datetime import date

import streamlit as st

from skinlens.errors import SkinLensError
from skinlens.formatting import counted
from skinlens.store import CaseStore, ClinicianReading, NewVisit
from skinlens.ui.components import confirmation, widgets
from skinlens.ui.components.shortcuts import SAVE
from skinlens.ui.components.text import plain
from skinlens.ui.forms import placement, refusal
from skinlens.ui.forms.placement import Placement
from skinlens.ui.state import messages, next_photo, open_case, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.wording.maps import SYNTHETIC

SHOW = "Show result"
"""One label, whatever was chosen: a button that changes its name while it is being pressed loses the press."""


def impression(opened: OpenCase) -> None:
    """The clinician's reading before the model's, which may be skipped."""
    open_case.put_back(opened, "impression")
    st.header("Your impression first")
    st.markdown("Record your impression before you see the model's: it stays independent.")
    key = opened.key("impression")
    widgets.choose_impression(key)
    open_case.take_down(opened)

    def reveal() -> None:  # before the page is drawn: it need not be drawn twice
        opened.reveal(st.session_state.get(key))
        session.to_top()

    st.button(SHOW, type="primary", key=f"show_reading-{opened.token}", on_click=reveal)


@st.fragment
def save(store: CaseStore, opened: OpenCase) -> None:
    """Patient, lesion, date and the clinician's own diagnosis; keeps the case."""
    session.leave_if_gone(opened)
    try:
        _form(store, opened)
    except SkinLensError as error:  # the page's own sentence is out of reach: this part is drawn by itself
        st.error(plain(error))


def _form(store: CaseStore, opened: OpenCase) -> None:
    open_case.put_back(opened, "form")
    st.header("Save this case")
    st.caption("Required: patient ID (or “No patient”) and body site.")
    if opened.remark:
        st.info(plain(opened.remark))
    chosen = placement.choose(store, opened.key, begin=next_photo.asked())
    again = _asked_about_the_photo(store, opened, chosen)
    taken_on, said = _reading(opened)
    open_case.take_down(opened)
    with refusal.beside("case") as trouble:
        pressed = "save" if st.button("Save case", type="primary", key=SAVE) else None
    missing = " and ".join((*chosen.missing, *again))
    words = f"The case is not saved yet. Still needed: {missing}." if missing else ""
    if refusal.mended(trouble, key=opened.key("case"), pressed=pressed, problem=lambda _: words):
        assert chosen.lesion is not None  # it is not missing
        try:
            with st.spinner("Saving …"):
                case = opened.save(store, NewVisit(chosen.patient, chosen.lesion, taken_on, said))
        except SkinLensError as error:  # also a full disk: the form stays as it is, to be saved again
            trouble.error(plain(error))
        else:
            confirmation.give(opened.key("case_saved"), f"Saved as case {case.visit.id}{_with_maps(opened)}.")
            try:
                placement.put_on_map(store, case, chosen)
            except SkinLensError as error:  # the case is saved, whatever the map says
                messages.say(f"Case {case.visit.id} is saved, but not placed on the body map. {plain(error)}")
            session.work_on(case)
            session.to_top()  # where it is confirmed
            st.rerun()


def _with_maps(opened: OpenCase) -> str:
    return f", with {counted(len(opened.maps), 'map')}" if opened.maps else ""


def _reading(opened: OpenCase) -> tuple[date, ClinicianReading]:
    """Date of the photo, and what the clinician says of it."""
    left, right = st.columns(2)
    taken_on = widgets.day_of_photo(left, "Date of the photo", opened.key("taken_on"))
    with right:
        label = widgets.choose_diagnosis(
            "Your diagnosis",
            opened.key("label"),
            help_text="Now, with all that you know. Your first impression is kept beside it, as you gave it.",
        )
    words = st.text_area(
        "Your diagnosis in your own words (optional)",
        key=opened.key("words"),
        persist_state="session",
        height="content",
        max_chars=500,
    )
    st.session_state.setdefault(opened.key("notes"), _first_note(opened))
    notes = st.text_area("Notes (optional)", key=opened.key("notes"), persist_state="session", height="content")
    widgets.unprintable({"diagnosis": words, "notes": notes})
    return taken_on, ClinicianReading(label, " ".join(words.splitlines()), notes)


def _first_note(opened: OpenCase) -> str:
    return f"{SYNTHETIC}\n" if opened.synthetic else ""


def _asked_about_the_photo(store: CaseStore, opened: OpenCase, chosen: Placement) -> tuple[str, ...]:
    """Where this very photo is stored already: say it, and ask whether it is meant. What is still to be answered."""
    cases = () if opened.synthetic else store.cases_with_photo(opened.photo_sha256)
    if not cases:
        return ()
    with st.container(border=True):
        st.warning(plain(placement.same_photo(cases, chosen)))
        for row in cases[:3]:
            st.link_button(f"Open case {row.visit_id} in another tab", f"./visit?case={row.visit_id}")
        meant = st.checkbox("Save this photo once more", key=opened.key("again"), persist_state="session")
    return () if meant else ("whether this photo is to be saved once more",)
