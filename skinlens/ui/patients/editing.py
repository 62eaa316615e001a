"""Patient and lesion edited, on the page of either; what another window changed meanwhile is shown beside it."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skinlens.errors import Conflict, SkinLensError
from skinlens.records import Lesion, Patient, Sex
from skinlens.store import CaseStore
from skinlens.ui.components import confirmation, widgets
from skinlens.ui.components.text import plain
from skinlens.ui.forms import conflicts, site_form
from skinlens.ui.forms.conflicts import Value
from skinlens.wording.naming import SEXES

_STATE = "patient_editing"
"""What is being edited, and the record as it was when its form was opened."""
_HELD = "patient_editing_held"


def begin(record: Patient | Lesion) -> None:
    """Open the form of a patient or a lesion; the only one that is open."""
    forget()
    st.session_state[_STATE] = record


def is_open(kind: Literal["patient", "lesion"], number: int) -> bool:
    """Whether the form of this one is open."""
    read = st.session_state.get(_STATE)
    return isinstance(read, Patient if kind == "patient" else Lesion) and read.id == number


def forget() -> None:
    """Close the form; nothing of what was read stays in the session."""
    for key in (_STATE, _HELD):
        st.session_state.pop(key, None)


def place(kind: Literal["patient", "lesion"], number: int) -> str:
    """Place of the confirmation that this one was saved: where its form was."""
    return f"patient_edited_{kind}_{number}"


def patient(store: CaseStore, stored: Patient) -> None:
    """The form of a patient."""

    def fields(read: Any) -> dict[str, Value]:
        first, second, third = st.columns([5, 4, 4])
        sexes = list(SEXES)
        return {
            "pseudonym": first.text_input("Patient ID", read.pseudonym, help="Never a name."),
            "birth_year": _year(second, read.birth_year),
            "sex": third.selectbox("Sex", sexes, sexes.index(read.sex), format_func=SEXES.__getitem__),
        }

    def write(mine: Mapping[str, Value], version: int) -> None:
        typed = str(mine["pseudonym"]), cast(int | None, mine["birth_year"]), cast(Sex, mine["sex"])
        store.edit_patient(stored.id, *typed, expected_version=version)

    _form("patient", stored, fields, write, ("pseudonym",))


def _year(place: DeltaGenerator, stored: int | None) -> Value:
    """The birth year; the text that cannot be read stays what it is, and is refused when it is saved."""
    with place:
        year = widgets.birth_year(stored)
    return year.problem or year.whole


def lesion(store: CaseStore, stored: Lesion) -> None:
    """The form of a lesion."""

    def fields(read: Any) -> dict[str, Value]:
        return site_form.edited(read.body_site, read.remark)._asdict()

    def write(mine: Mapping[str, Value], version: int) -> None:
        store.edit_lesion(stored.id, str(mine["body_site"]), str(mine["remark"]), expected_version=version)

    _form("lesion", stored, fields, write, ("body_site", "remark"))


def _form(
    kind: Literal["patient", "lesion"],
    stored: Patient | Lesion,
    fields: Callable[[Patient | Lesion], dict[str, Value]],
    write: Callable[[Mapping[str, Value], int], None],
    texts: tuple[str, ...],
) -> None:
    read: Patient | Lesion = st.session_state[_STATE]
    if held := st.session_state.get(_HELD):
        settled = conflicts.resolve(held, lambda name: f"patient_edit_{name}")
        if settled is not None:
            _write(kind, read, write, settled, held.version)
        return
    if read != stored:
        st.info(
            f"The {kind} was changed in another window after this form was opened. What you typed is still here; "
            "when you save it, both are shown and you choose."
        )
    with st.form(f"edit-{kind}-{stored.id}-{read.version}", border=True):
        mine = fields(read)
        widgets.unprintable({field: str(mine[field]) for field in texts})
        with st.container(horizontal=True):
            saved = st.form_submit_button("Save edit", type="primary")
            cancelled = st.form_submit_button("Cancel edit")
    if saved and isinstance(mine.get("birth_year"), str):
        st.error("Nothing is saved yet. Correct the birth year.")
    elif saved:
        _write(kind, read, write, mine, read.version)
    if cancelled:
        forget()
        st.rerun()


def _write(
    kind: Literal["patient", "lesion"],
    read: Patient | Lesion,
    write: Callable[[Mapping[str, Value], int], None],
    mine: Mapping[str, Value],
    version: int,
) -> None:
    try:
        write(mine, version)
    except Conflict as conflict:
        before = {field: getattr(read, field) for field in conflict.fields if hasattr(read, field)}
        st.session_state[_HELD] = conflicts.pending(conflict, before, mine)
        st.rerun()
    except SkinLensError as error:  # what was typed stays, to be saved again
        st.error(plain(error))
        return
    forget()
    confirmation.give(place(kind, read.id), f"Saved: the {kind} is changed.")
    st.rerun()
