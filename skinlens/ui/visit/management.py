"""Management of a visit: its audit log; patient and lesion edited, the case moved, exported, erased."""

from typing import cast

import streamlit as st

from skinlens.case_record import Revision
from skinlens.checks.registry import CHECKS
from skinlens.clock import local_minute
from skinlens.explain import METHODS
from skinlens.formatting import Unit
from skinlens.records import Case, Method, Target
from skinlens.store import CaseStore
from skinlens.ui.components import allowed, confirmation, logged_names, unsaved_entries, widgets
from skinlens.ui.components.logged_names import Names
from skinlens.ui.forms import erase_dialogs
from skinlens.ui.patients import editing
from skinlens.ui.state import cache, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import moving
from skinlens.wording import audit
from skinlens.wording.naming import name
from skinlens.wording.records import target_words

_NAMES = ("signed_by", "amended_by", "moved_by")
"""Fields of the trail with the name of who made the change."""


def view(store: CaseStore, opened: OpenCase) -> None:
    """Audit log of the case; editing, moving and erasing it."""
    stored = opened.case
    assert stored is not None
    st.header("Audit log")
    revisions = store.revisions(stored.visit.id)
    moved = {(kind, int(number)) for kind in ("patient", "lesion") for number in _numbers(revisions, kind)}
    _changes(revisions, logged_names.names(store, moved))
    st.header("Edit, move, export, delete")
    _manage(store, opened, stored)


def _numbers(revisions: tuple[Revision, ...], field: str) -> tuple[str, ...]:
    """Stored numbers that the field had."""
    return tuple(number for revision in revisions for number in revision.changes.get(field) or () if number)


def _changes(revisions: tuple[Revision, ...], names: Names) -> None:
    unit = cache.settings().unit
    rows = []
    for revision in reversed(revisions):
        makers = [pair[1] for field in _NAMES if (pair := revision.changes.get(field))]
        what = [change(field, pair, unit, names) for field, pair in revision.changes.items() if field not in _NAMES]
        done = audit.done(revision.subject, revision.action)
        who = next(filter(None, makers), revision.actor)
        rows.append((local_minute(revision.at), who, done, "; ".join(filter(None, what))))
    widgets.table(("When", "Who", "What was done", "Change"), rows)


def change(field: str, pair: tuple[str | None, str | None] | None, unit: Unit, names: Names | None = None) -> str:
    """One changed field in words; empty where it says no more than what was done."""
    words = audit.field(field)
    if pair is None:  # of a patient, whose earlier values are not kept
        return words
    before, after = pair
    if field == "explanation" and after:
        method, *codes = after.split(" ")
        return f"{METHODS[cast(Method, method)].title} map for {target_words(Target(*codes))}"
    if field == "checks" and after:
        return ", ".join(_test(check) for check in after.split(", "))
    if field in {"patient", "lesion"}:
        sides = [side and audit.stored_words(side, (names or {}).get((field, int(side)), "")) for side in pair]
        return f"{words}: {' → '.join(side or 'none' for side in sides)}"
    if field == "status":
        return ""  # the action is the status reached
    if not before:
        return f"{words}: {audit.value(field, after, unit)}"
    return f"{words}: {audit.value(field, before, unit)} → {audit.value(field, after, unit)}"


def _test(stored: str) -> str:
    """A test as the log has it (kind, method, class) in words."""
    kind, *rest = stored.split(" ")
    title = CHECKS[kind].title if kind in CHECKS else kind
    about = [METHODS[code].title if code in METHODS else name(code) for code in rest]
    return f"{title} ({', '.join(about)})" if about else title


def _manage(store: CaseStore, opened: OpenCase, stored: Case) -> None:
    patient = stored.patient
    _edit(store, stored)
    with st.expander("Move this case to another lesion or patient"):
        if allowed.or_why("move"):
            moving.form(store, opened, stored)
    if patient is not None:
        st.markdown("**Everything stored about this patient**, as a ZIP: data, photos, maps, audit log.")
        unsaved_entries.notice(opened, f"patient's export of case {stored.visit.id}")
        widgets.export_patient(store, patient.id)
        st.divider()
    st.markdown("**Delete for good.** Deleted data cannot be brought back.")
    with st.container(horizontal=True):
        if st.button("Delete this case …", **allowed.button("erase")):
            erase_dialogs.case(store, stored, _leave)
        if patient is not None and st.button("Delete the patient …", **allowed.button("erase")):
            visits = sum(map(len, store.visits_of_patient(patient.id).values()))
            erase_dialogs.patient(store, patient, visits, _leave)


def _edit(store: CaseStore, stored: Case) -> None:
    """The forms of the patient's page; what is changed holds for all their cases."""
    patient, lesion = stored.patient, stored.lesion
    with st.container(horizontal=True):
        if patient is not None:
            st.button(
                "Edit patient",
                icon=":material/edit:",
                on_click=editing.begin,
                args=(patient,),
                **allowed.button("move"),
            )
        st.button(
            "Edit lesion", icon=":material/edit:", on_click=editing.begin, args=(lesion,), **allowed.button("move")
        )
    if patient is not None:
        confirmation.show(editing.place("patient", patient.id))
        if editing.is_open("patient", patient.id):
            editing.patient(store, patient)
    confirmation.show(editing.place("lesion", lesion.id))
    if editing.is_open("lesion", lesion.id):
        editing.lesion(store, lesion)


def _leave() -> None:
    """What was open is erased: back to the list."""
    editing.forget()
    session.close()
    session.go_to("pages/worklist.py")
