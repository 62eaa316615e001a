"""What a clinician types: own reading, the case to be kept, settings of the maps, filters of the history."""

from datetime import date
from typing import Any, cast

import streamlit as st

from skinlens.errors import Conflict, InvalidEntry
from skinlens.explain import METHODS, Parameter
from skinlens.labels import CODES, IMPRESSIONS
from skinlens.predict import Classifier
from skinlens.records import Case, Method, Sex
from skinlens.store import CaseQuery, CaseStore, NewLesion, NewPatient
from skinlens.ui import session, widgets
from skinlens.ui.session import OpenCase
from skinlens.ui.shortcuts import SAVE
from skinlens.ui.words import BODY_SITES, SEXES, STATUSES, impression_name, name, named, plain

NEW, KNOWN, NONE = "New patient", "Known patient", "No patient"
PAGE_SIZE = 12
_FIELDS = (
    "kind",
    "patient",
    "pseudonym",
    "year",
    "sex",
    "lesion_",
    "site",
    "remark",
    "taken_on",
    "label",
    "words",
    "notes",
)
_TYPED = tuple(f"case_{one}" for one in _FIELDS)
"""How the keys begin of all fields of the form that keeps a case."""
FIRST_YEAR = 1900


def impression(opened: OpenCase) -> None:
    """The clinician's reading before the model's, which may be skipped."""
    st.subheader("Your impression first")
    st.markdown("What do you see? Your reading, made before the model's, is worth more than one made after it.")
    chosen = st.selectbox(
        "Your impression (optional)",
        list(IMPRESSIONS),
        index=None,
        format_func=impression_name,
        placeholder="Choose a diagnosis, or leave empty",
        key="case_impression",
        persist_state="session",
    )
    if st.button("Show the model's reading" if chosen else "Show the model's reading without mine", type="primary"):
        opened.impression, opened.revealed = chosen, True
        st.rerun()


@st.fragment
def save(store: CaseStore, opened: OpenCase, here: str) -> None:
    """Patient, lesion, date and the clinician's own diagnosis; keeps the case. ``here``: the page that it stands on."""
    if opened.typed_on != here:  # Streamlit empties the fields when the page is changed or reloaded
        for key, value in opened.typed.items():
            st.session_state[key] = value
        opened.typed_on = here
    st.subheader("Keep this case")
    st.caption("A pseudonym, unless there is no patient, and a body site are needed. The rest may stay empty.")
    patient = _patient(store)
    lesion = _lesion(store, patient)
    left, right = st.columns(2)
    taken_on = left.date_input(
        "Date of the photo", max_value="today", format="YYYY-MM-DD", key="case_taken_on", persist_state="session"
    )
    said = right.selectbox(
        "Your diagnosis",
        CODES,
        index=None,
        format_func=name,
        placeholder="None yet",
        key="case_label",
        persist_state="session",
        help="Now, with all that you know. Your first impression is kept beside it, as you gave it.",
    )
    words = st.text_input(
        "Your diagnosis in your own words (optional)", key="case_words", persist_state="session", max_chars=500
    )
    st.session_state.setdefault("case_notes", _first_note(opened))
    notes = st.text_area("Notes (optional)", key="case_notes", persist_state="session")
    opened.typed = {str(key): value for key, value in st.session_state.items() if str(key).startswith(_TYPED)}
    trouble = st.container()
    if st.button("Save case", type="primary", key=SAVE):
        if missing := _missing(patient, lesion):
            trouble.error(f"The case is not saved yet. Still needed: {' and '.join(missing)}.")
            return
        entries: dict[str, Any] = {
            "patient": patient,
            "lesion": lesion,
            "taken_on": taken_on,
            "clinician_label": said,
            "clinician_diagnosis": words,
            "notes": notes,
        }
        try:
            with st.spinner("Saving …"):
                case = opened.save(store, **entries)
        except InvalidEntry as error:
            trouble.error(plain(error))
        else:
            maps = f", with {len(opened.maps)} map{'s' * (len(opened.maps) > 1)}" if opened.maps else ""
            session.say(f"Saved as case {case.visit.id}{maps}.")
            st.rerun()


def _missing(patient: NewPatient | int | None, lesion: NewLesion | int) -> list[str]:
    """All that is needed and not given, at once."""
    missing = []
    if isinstance(patient, NewPatient) and not patient.pseudonym.strip():
        missing.append("a pseudonym (or choose No patient)")
    if isinstance(lesion, NewLesion) and not lesion.body_site.strip():
        missing.append("a body site")
    return missing


def _first_note(opened: OpenCase) -> str:
    return "Synthetic example, not a patient.\n" if opened.synthetic else ""


def _patient(store: CaseStore) -> NewPatient | int | None:
    known = {patient.id: patient for patient in store.patients()}
    kinds = [NEW, KNOWN, NONE] if known else [NEW, NONE]
    if st.session_state.get("case_kind") not in kinds:
        st.session_state["case_kind"] = kinds[0]
    kind = st.segmented_control("Patient", kinds, required=True, key="case_kind", persist_state="session")
    if kind == NONE:
        return None
    if kind == KNOWN:
        chosen = st.selectbox(
            "Pseudonym of the patient",
            list(known),
            format_func=lambda number: known[number].pseudonym,
            key="case_patient",
            persist_state="session",
        )
        return int(chosen)
    pseudonym, year, sex = st.columns([5, 4, 4])
    return NewPatient(
        pseudonym.text_input(
            "Pseudonym", key="case_pseudonym", persist_state="session", placeholder="e.g. P-0147", help="Never a name."
        ),
        year.number_input(
            "Birth year",
            FIRST_YEAR - 20,
            _this_year(),
            value=None,
            key="case_year",
            persist_state="session",
            placeholder="year",
        ),
        sex.selectbox("Sex", list(SEXES), format_func=SEXES.__getitem__, key="case_sex", persist_state="session"),
    )


def _lesion(store: CaseStore, patient: NewPatient | int | None) -> NewLesion | int:
    if isinstance(patient, int):
        lesions = {lesion.id: lesion for lesion in store.lesions(patient)}
        chosen = st.selectbox(
            "Lesion",
            [*lesions, 0],
            format_func=lambda number: (
                f"{lesions[number].body_site} {lesions[number].remark} (lesion {number})".replace("  ", " ")
                if number
                else "a new lesion"
            ),
            help="A further photo of a lesion that is known makes visits that can be compared.",
            key=f"case_lesion_{patient}",
            persist_state="session",
        )
        if chosen:
            return int(chosen)
    site, remark = st.columns([1, 1])
    return NewLesion(
        site.selectbox(
            "Body site",
            _sites(store),
            index=None,
            accept_new_options=True,
            placeholder="Choose or type",
            key="case_site",
            persist_state="session",
        )
        or "",
        remark.text_input(
            "Which one (optional)",
            key="case_remark",
            persist_state="session",
            placeholder="e.g. left, below the scapula",
        ),
    )


def _sites(store: CaseStore) -> list[str]:
    return list(dict.fromkeys((*BODY_SITES, *store.body_sites())))


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
            year = st.number_input("Birth year", FIRST_YEAR - 20, _this_year(), patient.birth_year, placeholder="year")
            sex = st.selectbox("Sex", list(SEXES), list(SEXES).index(patient.sex), format_func=SEXES.__getitem__)
        site = st.text_input("Body site", lesion.body_site)
        remark = st.text_input("Which one", lesion.remark)
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


def _this_year() -> int:
    return date.today().year  # noqa: DTZ011  the clinic's own calendar


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
            "is at least, %", 0.0, 100.0, 0.0, 1.0, format="%.1f",
            disabled=query["prob_of"] is None, key="find_least", persist_state="session",
        )  # fmt: skip
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
