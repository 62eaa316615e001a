"""What a clinician types: the reading of a stored case, corrections, settings of the maps, filters of the history."""

from typing import Any, cast

import streamlit as st

from skinlens.clock import today
from skinlens.errors import Conflict, InvalidEntry
from skinlens.explain import METHODS, Parameter
from skinlens.labels import CODES
from skinlens.predict import Classifier
from skinlens.records import Case, Method, Sex
from skinlens.store import FIRST_BIRTH_YEAR, CaseQuery, CaseStore
from skinlens.ui import session, suggestions, widgets
from skinlens.ui.open_case import OpenCase
from skinlens.ui.shortcuts import SAVE
from skinlens.ui.words import SEXES, STATUSES, name, named, plain

PAGE_SIZE = 12

# ----------------------------------------------------------------------------------------------- settings of the maps


def map_settings(opened: OpenCase, classifier: Classifier) -> None:
    """A form made of what each method can be asked; sent off, it has the maps made with these settings."""
    able = [method for method, info in METHODS.items() if info.parameters]
    with st.expander("Settings of the maps"), st.form("map_settings", border=False):
        asked = {}
        for column, method in zip(st.columns(len(able), gap="large"), able, strict=True):
            with column:
                st.markdown(f"**{METHODS[method].title}**")
                asked[method] = {one.name: _parameter(method, one) for one in METHODS[method].parameters}
        if st.form_submit_button("Make the maps with these settings"):
            for method, values in asked.items():
                defaults = METHODS[method].defaults
                session.set_map_params(method, {key: one for key, one in values.items() if one != defaults[key]})
            session.request_maps(opened, classifier, tuple(able))
            st.rerun()


def _parameter(method: Method, parameter: Parameter) -> Any:
    key = f"case_set_{method}_{parameter.name}"
    if parameter.kind == "choice":
        return st.selectbox(
            parameter.title,
            parameter.choices,
            index=parameter.choices.index(str(parameter.default)),
            help=parameter.help,
            key=key,
            persist_state="session",
        )
    value = None if parameter.default is None else int(parameter.default)
    return st.number_input(
        parameter.title,
        parameter.low,
        parameter.high,
        value=value,
        step=1,
        placeholder="from the photo",
        help=parameter.help,
        key=key,
        persist_state="session",
    )


# -------------------------------------------------------------------------------------------- the clinician's reading


def reading(store: CaseStore, opened: OpenCase) -> None:
    """Edit the diagnosis and the notes of a stored case; sign it. What was signed is amended, never overwritten."""
    case = opened.case
    assert case is not None
    visit = case.visit
    draft = visit.status == "draft"
    widgets.impression(visit.first_impression)
    with st.form(f"reading-{visit.id}-{visit.updated_at}"):
        said = st.selectbox(
            "Your diagnosis",
            CODES,
            index=CODES.index(visit.clinician_label) if visit.clinician_label else None,
            format_func=name,
            placeholder="None yet",
        )
        words = st.text_input("In your own words", visit.clinician_diagnosis)
        notes = st.text_area("Notes", visit.notes, height=140)
        with st.container(horizontal=True):
            saved = st.form_submit_button("Save changes" if draft else "Save as amendment", type="primary", key=SAVE)
            signed = draft and st.form_submit_button("Save and sign")
        st.caption(
            "Signing marks your reading as final. Later changes are kept as amendments."
            if draft
            else "This case is signed. A change amends it; what was signed before stays in the trail."
        )
    widgets.unprintable({"diagnosis": visit.clinician_diagnosis, "notes": visit.notes})
    if saved or signed:
        try:
            changed = store.annotate(
                visit.id,
                clinician_label=said,
                clinician_diagnosis=words,
                notes=notes,
                status="signed" if signed else visit.status,
                expected_version=visit.version,
            )
        except Conflict as conflict:
            st.error(plain(conflict))
            return
        session.refresh(changed)
        session.say(f"Case {visit.id}: {STATUSES[changed.visit.status].lower()}, changes kept.")
        st.rerun()


def correction(store: CaseStore, case: Case) -> None:
    """Put right what was typed of the patient and the lesion; it holds for all their cases."""
    patient, lesion = case.patient, case.lesion
    with st.form(f"correction-{case.visit.id}", border=False):
        pseudonym, year, sex = "", None, "unknown"
        if patient is not None:
            pseudonym = st.text_input("Pseudonym", patient.pseudonym, help="Never a name.")
            year = st.number_input("Birth year", FIRST_BIRTH_YEAR, today().year, patient.birth_year, placeholder="year")
            sex = st.selectbox("Sex", list(SEXES), list(SEXES).index(patient.sex), format_func=SEXES.__getitem__)
        site = st.text_input(suggestions.BODY_SITE, lesion.body_site)
        remark = st.text_input("Which one", lesion.remark)
        widgets.unprintable({"pseudonym": pseudonym, "body site": site, "remark": remark})
        if st.form_submit_button("Correct"):
            try:
                if patient is not None:
                    store.edit_patient(patient.id, pseudonym, year, cast(Sex, sex), expected_version=patient.version)
                store.edit_lesion(lesion.id, site, remark, expected_version=lesion.version)
            except (Conflict, InvalidEntry) as error:
                st.error(plain(error))
                return
            session.refresh(store.case(case.visit.id))
            session.say("Corrected.")
            st.rerun()


# ---------------------------------------------------------------------------------------------------------- filters

_SORTS: dict[str, dict[str, Any]] = {
    "Newest first": {"sort": "date", "descending": True},
    "Oldest first": {"sort": "date", "descending": False},
    "Highest melanoma probability": {"sort": "melanoma", "descending": True},
    "Patient": {"sort": "patient", "descending": False},
    "Most probable class": {"sort": "top", "descending": False},
}
ANY = "any"


def filters(store: CaseStore) -> CaseQuery:
    """What the history is asked for, but for the page."""
    text, order = st.columns([3, 2], vertical_alignment="bottom")
    query: dict[str, Any] = {
        "text": text.text_input(
            "Search", key="find_text", persist_state="session", placeholder="Words in pseudonym, site, diagnosis, notes"
        ),
        **_SORTS[order.selectbox("Order", list(_SORTS), key="find_order", persist_state="session")],
    }
    with st.expander("More filters"):
        first, second, third = st.columns(3)
        query["patient"] = first.text_input("Patient (pseudonym)", key="find_patient", persist_state="session")
        query["body_site"] = second.selectbox(
            "Body site", store.body_sites(), index=None, placeholder=ANY, key="find_site", persist_state="session"
        )
        query["status"] = third.selectbox(
            "Status",
            list(STATUSES),
            index=None,
            placeholder=ANY,
            format_func=STATUSES.__getitem__,
            key="find_status",
            persist_state="session",
        )
        query["top_label"] = first.selectbox(
            "Most probable class",
            CODES,
            index=None,
            placeholder=ANY,
            format_func=name,
            key="find_top",
            persist_state="session",
        )
        query["prob_of"] = second.selectbox(
            "Probability of",
            CODES,
            index=None,
            placeholder="no class",
            format_func=name,
            key="find_of",
            persist_state="session",
        )
        least = third.number_input(
            "is at least, %",
            0.0,
            100.0,
            0.0,
            step=0.5,
            format="%g",  # as it was typed: a cut-off of 8.5 % is not 8 %
            disabled=query["prob_of"] is None,
            key="find_least",
            persist_state="session",
        )
        query["min_prob"] = least / 100
        query["clinician_label"] = first.selectbox(
            "Clinician's diagnosis",
            CODES,
            index=None,
            placeholder=ANY,
            format_func=named,
            key="find_said",
            persist_state="session",
        )
        since = second.date_input(
            "Photo taken from", None, format="YYYY-MM-DD", key="find_from", persist_state="session"
        )
        until = third.date_input("until", None, format="YYYY-MM-DD", key="find_until", persist_state="session")
        query["taken_from"] = since.isoformat() if since else None
        query["taken_until"] = until.isoformat() if until else None
    return CaseQuery(**query, limit=PAGE_SIZE)
