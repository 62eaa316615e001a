"""What a clinician types: the reading of a stored case, corrections, settings of the maps, filters of the history."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import streamlit as st

from skinlens.errors import Conflict, SkinLensError
from skinlens.explain import METHODS, Parameter
from skinlens.labels import CODES, DIAGNOSES
from skinlens.predict import Classifier
from skinlens.records import Case, Method, Sex, Visit
from skinlens.store import CaseQuery, CaseStore
from skinlens.ui import address, confirmation, conflicts, drafts, session, signing, site_form, widgets
from skinlens.ui.conflicts import Value
from skinlens.ui.open_case import OpenCase
from skinlens.ui.shortcuts import SAVE
from skinlens.ui.widgets import Entered
from skinlens.ui.words import SEXES, STATUSES, diagnosis_name, name, plain

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
        unread = any(isinstance(one, Entered) and one.problem for values in asked.values() for one in values.values())
        if st.form_submit_button("Make the maps with these settings") and not unread:
            for method, values in asked.items():
                defaults = METHODS[method].defaults
                given: dict[str, Any] = {
                    key: one.whole if isinstance(one, Entered) else one for key, one in values.items()
                }
                session.set_map_params(method, {key: one for key, one in given.items() if one != defaults[key]})
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
    return widgets.number(
        parameter.title,
        parameter.low,
        parameter.high,
        None if parameter.default is None else int(parameter.default),
        whole=True,
        placeholder="from the photo",
        help_text=parameter.help,
        key=key,
    )


# -------------------------------------------------------------------------------------------- the clinician's reading


def reading(store: CaseStore, opened: OpenCase) -> None:
    """Edit the diagnosis and the notes of a stored case; sign it. What was signed is amended, never overwritten."""
    case = opened.case
    assert case is not None
    confirmation.show(opened.key("case_saved"))
    if held := st.session_state.get(opened.key("reading_held")):
        if (settled := conflicts.settle(held, opened.key, _signed_elsewhere(opened))) is not None:
            _annotate(store, opened, held.version, settled, sign=held.sign, signer=held.signer)
        return
    read: Visit = st.session_state.setdefault(opened.key("reading"), case.visit)
    if _typed_in(read) == _typed_in(case.visit):  # moved, at most
        read = st.session_state[opened.key("reading")] = case.visit
    else:
        _changed_elsewhere(opened, "reading", _signed_elsewhere(opened))
    draft = read.status == "draft"
    # No form of Streamlit's: what is typed in one is with the browser alone until it is sent, and lost by a reload.
    with st.container(border=True):
        _begin(opened, read)
        said = widgets.choose_diagnosis("Your diagnosis", opened.key("reading_label"))
        words = st.text_input("In your own words", key=opened.key("reading_words"), persist_state="session")
        notes = st.text_area("Notes", key=opened.key("reading_notes"), height=140, persist_state="session")
        signer = signing.choose(store, draft=draft)
        with st.container(horizontal=True):
            saved = st.button("Save changes" if draft else "Save as amendment", type="primary", key=SAVE)
            signed = draft and st.button("Save and sign", key="save_and_sign")
        st.caption(
            "Signing marks your diagnosis as final. A later change is an amendment."
            if draft
            else "This case is signed. A change amends it; what was signed before stays in the trail."
        )
    confirmation.show(opened.key("reading_saved"))
    widgets.unprintable({"diagnosis": words, "notes": notes})
    if saved or signed:
        mine = {"clinician_label": said, "clinician_diagnosis": words, "notes": notes}
        if signed and (problem := signing.missing(store, signer)):
            st.error(plain(problem))
            return
        _annotate(store, opened, read.version, mine, sign=signed, signer=signer if signed or not draft else "")


def _begin(opened: OpenCase, read: Visit) -> None:
    """Fill the fields with what was read, where nothing is typed in them."""
    for name_, value in (("label", read.clinician_label), ("words", read.clinician_diagnosis), ("notes", read.notes)):
        st.session_state.setdefault(opened.key(f"reading_{name_}"), value)


def _annotate(
    store: CaseStore, opened: OpenCase, version: int, mine: Mapping[str, Value], *, sign: bool, signer: str
) -> None:
    """Write what is based on that version; where another window was faster, hold it until it is settled."""
    assert opened.case is not None
    visit = opened.case.visit
    read = st.session_state.get(opened.key("reading"), visit)
    try:
        changed = store.annotate(
            visit.id,
            **cast(Any, mine),
            status="signed" if sign else visit.status,
            expected_version=version,
            signer=signer,
        )
    except Conflict as conflict:
        held = conflicts.pending(
            conflict, {field: getattr(read, field) for field in mine}, mine, sign=sign, signer=signer
        )
        st.session_state[opened.key("reading_held")] = held
        st.rerun()
    except SkinLensError as error:  # also a full disk: what was typed stays, to be saved again
        st.error(plain(error))
        return
    let_go(opened, "reading")
    signing.remember(signer)
    session.refresh(changed)
    signed_by = changed.visit.signed_by
    if sign and signer.strip() and signed_by != " ".join(signer.split()):
        who = signed_by or "somebody without a name"
        session.say_problem(SkinLensError(f"This case was signed by {who} meanwhile. Your name was not added to it."))
        st.rerun()
    confirmation.give(
        opened.key("reading_saved"), f"Case {visit.id}: {STATUSES[changed.visit.status].lower()} and saved."
    )
    st.rerun()


def _typed_in(visit: Visit) -> tuple[str | None, ...]:
    return visit.clinician_label, visit.clinician_diagnosis, visit.notes, visit.status


def _signed_elsewhere(opened: OpenCase) -> str:
    """A sentence where another window has signed the case since it was read here; else empty."""
    read: Visit | None = st.session_state.get(opened.key("reading"))
    if read is None or opened.case is None or read.status == opened.case.visit.status:
        return ""
    return "It is signed there: what you save now amends what was signed."


def _changed_elsewhere(opened: OpenCase, form: str, remark: str = "") -> None:
    """Say that the fields below are older than what is stored: what was typed in them stays."""
    changed = "This was changed in another window after it was opened here."
    kept = "What you typed below is still here; when you save it, both are shown and you choose."
    st.info(" ".join(filter(None, (changed, remark, kept))))
    if st.button("Take what is stored now", key=f"take_stored_{form}"):
        let_go(opened, form)
        st.rerun()


def let_go(opened: OpenCase, form: str) -> None:
    """Have ``reading`` or ``correction`` begin again with what is stored."""
    for name_ in (form, f"{form}_held", *drafts.PARTS.get(form, ())):
        st.session_state.pop(opened.key(name_), None)
    drafts.saved(opened, form)


def correction(store: CaseStore, opened: OpenCase) -> None:
    """Put right what was typed of the patient and the lesion; it holds for all their cases."""
    assert opened.case is not None
    read: Case = st.session_state.setdefault(opened.key("correction"), opened.case)
    if held := st.session_state.get(opened.key("correction_held")):
        if (settled := conflicts.settle(held, opened.key)) is not None:
            # The patient is written first: where the lesion is held, the patient is done.
            based_on = _versions(read) if held.subject == "patient" else {}
            _correct(store, opened, {**based_on, held.subject: held.version}, settled)
        return
    patient, lesion = read.patient, read.lesion
    if (patient, lesion) != (opened.case.patient, opened.case.lesion):
        _changed_elsewhere(opened, "correction")
    with st.form(f"correction-{opened.token}-{hash((patient, lesion))}", border=False):
        mine: dict[str, Value] = {}
        unread = ""
        if patient is not None:
            mine["pseudonym"] = st.text_input("Patient ID", patient.pseudonym, help="Never a name.")
            year = widgets.birth_year(patient.birth_year)
            mine["birth_year"], unread = year.whole, year.problem
            sexes = list(SEXES)
            mine["sex"] = st.selectbox("Sex", sexes, sexes.index(patient.sex), format_func=SEXES.__getitem__)
        mine |= site_form.edited(lesion.body_site, lesion.remark)._asdict()
        texts = ("pseudonym", "body_site", "remark")
        widgets.unprintable({field: str(mine[field]) for field in texts if field in mine})
        corrected = st.form_submit_button("Save edit")
    if corrected and unread:
        st.error("Nothing is saved yet. Correct the birth year.")
    elif corrected:
        _correct(store, opened, _versions(read), mine)


def _versions(case: Case) -> dict[str, int]:
    of_patient = {"patient": case.patient.version} if case.patient else {}
    return {**of_patient, "lesion": case.lesion.version}


def _correct(store: CaseStore, opened: OpenCase, based_on: Mapping[str, int], mine: Mapping[str, Value]) -> None:
    """Write the patient, then the lesion, as far as a version is given; hold what another window was faster with."""
    assert opened.case is not None
    read: Case = st.session_state[opened.key("correction")]
    try:
        if read.patient is not None and "patient" in based_on:
            typed = str(mine["pseudonym"]), cast(int | None, mine["birth_year"]), cast(Sex, mine["sex"])
            patient = store.edit_patient(read.patient.id, *typed, expected_version=based_on["patient"])
            read = st.session_state[opened.key("correction")] = replace(read, patient=patient)
        site, remark = str(mine["body_site"]), str(mine["remark"])
        store.edit_lesion(read.lesion.id, site, remark, expected_version=based_on["lesion"])
    except Conflict as conflict:
        shown = read.patient if conflict.subject == "patient" else read.lesion
        before = {field: getattr(shown, field) for field in conflict.fields}
        st.session_state[opened.key("correction_held")] = conflicts.pending(conflict, before, mine)
        st.rerun()
    except SkinLensError as error:
        st.error(plain(error))
        return
    let_go(opened, "correction")
    session.refresh(store.case(opened.case.visit.id))
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
    """What the list of visits is asked for, but for the chips and the page."""
    text, order, more = st.columns([5, 3, 2], vertical_alignment="bottom")
    orders = list(_SORTS)
    address.seed("q", "")
    address.seed("order", orders[0], orders)
    words = text.text_input("Search", key="q", placeholder="Words in patient ID, site, your diagnosis, notes")
    sort = order.selectbox("Order", orders, key="order")
    address.note("q", words)
    address.note("order", sort)
    query: dict[str, Any] = {"text": words, **_SORTS[sort]}
    with more.popover("More filters", width="stretch"):
        first, second, third = st.columns(3)
        query["patient"] = first.text_input("Patient ID", key="find_patient", persist_state="session")
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
        with third:
            least = widgets.number(
                "is at least, %", 0, 100, 0, unit="%", disabled=query["prob_of"] is None, key="find_least"
            )
        query["min_prob"] = (least.value or 0.0) / 100
        query["clinician_label"] = first.selectbox(
            "Your diagnosis",
            list(DIAGNOSES),
            index=None,
            placeholder=ANY,
            format_func=diagnosis_name,
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
