"""The history: stored cases as cards or as a table, and one case in full."""

import math
from collections.abc import Callable
from html import escape
from typing import Any, cast

import streamlit as st

from skinlens.clock import local_minute
from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.records import Case, Method, Patient, Target
from skinlens.store import CaseQuery, CaseRow, CaseStore, Revision
from skinlens.ui import certainty, clinical_form, erasure, forms, moving, session, similar, visits, widgets
from skinlens.ui.forms import PAGE_SIZE
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import STATUSES, diagnosis_name, impression_name, name, patient_line, percent, plain, site
from skinlens.wording import UNRELIABLE_BRIEFLY

COLUMNS = 4
_TYPED, _NOT_CONFIRMED = "case_erase_typed", "case_erase_problem"


def show(visit_id: int) -> None:
    session.show_case(visit_id)
    st.rerun()


def back() -> None:
    session.show_in_history(False)
    st.rerun()


# ---------------------------------------------------------------------------------------------------------- the list


def results(store: CaseStore, query: CaseQuery) -> None:
    """How many were found, and one page of them."""
    number = st.session_state.get("find_page", 1)
    page = store.search(_at(query, number))
    pages = max(1, math.ceil(page.total / PAGE_SIZE))
    if number > pages:
        st.session_state["find_page"] = number = 1
        page = store.search(_at(query, 1))
    widgets.problems(page.problems)
    if not page.total:
        _nothing(store)
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.markdown(f"**{page.total:,} {'case' if page.total == 1 else 'cases'}**", width="content")
        look = st.segmented_control(
            "Show as", ["Cards", "Table"], default="Cards", required=True, key="find_look", persist_state="session"
        )
    (_cards if look == "Cards" else _table)(store, page.rows)
    if pages > 1:
        st.pagination(pages, key="find_page", persist_state="session")


def _at(query: CaseQuery, page: int) -> CaseQuery:
    return CaseQuery(**{**vars(query), "offset": (page - 1) * PAGE_SIZE})


def _nothing(store: CaseStore) -> None:
    with st.container(border=True):
        if store.search(CaseQuery(limit=1)).total:
            st.subheader("No case matches")
            st.markdown("Take out a word or a filter. The search looks at your own diagnosis, not at the reading.")
        else:
            st.subheader("No case is stored yet")
            st.markdown("Analyse a photo and save it as a case: it appears here, to be found again.")
            st.page_link("pages/analyse.py", label="Analyse a photo")


def _cards(store: CaseStore, rows: tuple[CaseRow, ...]) -> None:
    pictures = _thumbnails(store, rows)
    for start in range(0, len(rows), COLUMNS):
        for column, row in zip(st.columns(COLUMNS), rows[start : start + COLUMNS], strict=False):
            with column, st.container(border=True):
                st.html(
                    f'<img class="sl-thumb" src="{pictures[row.visit_id]}" alt="Photo of case {row.visit_id}">'
                    f'<div class="sl-card"><b>{escape(_who(row))}</b><br>{escape(_where(row))}, {row.taken_on}<br>'
                    f"{'<br>'.join(_verdict(row))}<br>"
                    f"{STATUSES[row.status]}</div>"
                )
                if st.button(f"Open case {row.visit_id}", key=f"open-{row.visit_id}", width="stretch"):
                    show(row.visit_id)


def _table(store: CaseStore, rows: tuple[CaseRow, ...]) -> None:
    pictures = _thumbnails(store, rows)
    listed: list[dict[str, Any]] = [
        {
            "Photo": pictures[row.visit_id],
            "Case": row.visit_id,
            "Patient": _who(row),
            "Body site": _where(row),
            "Date": row.taken_on,
            "Most probable class": _verdict(row)[0],
            "Melanoma": percent(row.melanoma_prob) if row.reliable else UNRELIABLE_BRIEFLY.lower(),
            "Diagnosis": diagnosis_name(row.clinician_label),
            "Status": STATUSES[row.status],
            "Model": row.model_version,
        }
        for row in rows
    ]
    chosen = st.dataframe(
        listed,
        hide_index=True,
        row_height=64,
        column_config={"Photo": st.column_config.ImageColumn(width="small")},
        on_select="rerun",
        selection_mode="single-row",
        key="find_table",
        alt="Stored cases",
    )
    picked = chosen["selection"]["rows"]
    if st.button("Open the chosen case", disabled=not picked) and picked:
        show(rows[picked[0]].visit_id)
    st.caption("Tick a row to choose it.")


def _thumbnails(store: CaseStore, rows: tuple[CaseRow, ...]) -> dict[int, str]:
    """As data addresses; empty for a case whose thumbnail is lost."""
    whole = store.thumbnails([row.visit_id for row in rows])
    return {row.visit_id: widgets.address_of(whole.get(row.visit_id, b"")) for row in rows}


def _verdict(row: CaseRow) -> tuple[str, ...]:
    """What the model says, in the lines of a card; of an unreliable photo that alone."""
    if not row.reliable:
        return (f"{UNRELIABLE_BRIEFLY}: unlike the training photos",)
    return f"{name(row.top_label)}, {percent(row.top_prob)}", f"Melanoma {percent(row.melanoma_prob)}"


def _who(row: CaseRow) -> str:
    return row.pseudonym or "No patient"


def _where(row: CaseRow) -> str:
    return site(row.body_site, row.remark)


# ---------------------------------------------------------------------------------------------------------- one case


def case(store: CaseStore, opened: OpenCase) -> None:
    """One stored case in full."""
    stored = opened.case
    assert stored is not None
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Back to all cases"):
            back()
        st.page_link("pages/explain.py", label="Explain it")
        st.page_link("pages/report.py", label="Print the report")
    widgets.problems(opened.problems)
    where = site(stored.lesion.body_site, stored.lesion.remark)
    st.subheader(plain(f"Case {stored.visit.id}: {where}, {stored.visit.taken_on}"))
    left, right = st.columns([5, 7], gap="large")
    with left:
        widgets.photo(opened.analysis.photo, synthetic=opened.synthetic)
        widgets.fields(
            {
                "Patient": patient_line(stored),
                "Body site": where,
                "Photo of": stored.visit.taken_on,
                "Status": STATUSES[stored.visit.status],
                "Maps kept": str(len(opened.maps)),
            }
        )
        widgets.quality(stored.visit.quality)
    with right:
        reading, own, clinical, changes, manage = st.tabs(
            ["Model's reading", "Your diagnosis", "Criteria and plan", "Changes", "Move, export, delete"]
        )
        with reading:
            certainty.verdict(stored.visit.quality, stored.visit.prediction)
            widgets.model_line(opened)
        with own:
            forms.reading(store, opened)
        with clinical:
            clinical_form.section(store, opened)
        with changes:
            _changes(store.revisions(stored.visit.id))
        with manage:
            _manage(store, opened, stored)
    visits.compare(store, opened, stored)
    st.divider()
    similar.section(store, opened, stored)


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
    return f"{words}: {before or 'nothing'} → {after or 'nothing'}"


def _manage(store: CaseStore, opened: OpenCase, stored: Case) -> None:
    patient = stored.patient
    with st.expander("Correct the patient or the lesion"):
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
        "its maps, the model's reading, your diagnosis, your notes, and its trail of changes."
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
    st.text_input("Type the pseudonym to confirm", key=_TYPED, autocomplete="off")
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

    with st.container(horizontal=True, horizontal_alignment="right"):
        cancelled = st.button("Cancel")
        with st.container(key="erase_for_good", width="content"):
            erased = st.button(label, type="primary", on_click=pressed)
    problem = st.session_state.pop(_NOT_CONFIRMED, "")
    if problem:
        st.error(plain(problem))
    if cancelled or (erased and not problem):
        st.rerun()  # of the whole page, not of the dialog alone
