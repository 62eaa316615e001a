"""Clinical record of a stored visit on its page: criteria, size, plan, histology, then the diagnosis; saved as one."""

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skinlens.criteria import NO_CRITERIA, Abcd, PartialAbcd, source_words
from skinlens.errors import Conflict, SkinLensError
from skinlens.labels import DIAGNOSES
from skinlens.records import Case, Status, Visit
from skinlens.store import CaseStore
from skinlens.store.signatures import NO_DIAGNOSIS
from skinlens.ui.components import allowed, confirmation, unsaved_entries, widgets
from skinlens.ui.components.shortcuts import SAVE
from skinlens.ui.components.text import plain
from skinlens.ui.forms import conflicts, refusal, signing
from skinlens.ui.forms.conflicts import Pending
from skinlens.ui.state import drafts, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import clinical_fields, clinical_form, entry, size_form
from skinlens.ui.visit.entry import Entry
from skinlens.wording.naming import diagnosis_name
from skinlens.wording.records import signature_words

_READ = "record_read"
"""Key of the visit as this window read it."""
_HELD, _SAVED = "record_held", "record_saved"
ELSEWHERE = "This was changed in another window after it was opened here."


@st.fragment
def form(store: CaseStore, opened: OpenCase) -> None:
    """All fields and one place to save them. What was typed stays when the page, or a part of it, is changed."""
    session.leave_if_gone(opened)
    assert opened.case is not None
    with st.container():  # also where nothing is said: what was unfolded below stays so
        confirmation.show(opened.key("case_saved"))
    if held := st.session_state.get(opened.key(_HELD)):
        _resolve(store, opened, held)
        return
    if allowed.fields("file" if opened.case.visit.status == "draft" else "amend"):
        _shown(store, opened, opened.case)
        return
    read = _read(opened, opened.case.visit)
    record = read.clinical
    with st.expander("Criteria", expanded=record.criteria != NO_CRITERIA or unsaved_entries.of_criteria(opened)):
        seen = clinical_form.criteria(opened, record)
    with st.expander("Size", expanded=record.field_width_mm is not None):
        width, no_width = size_form.fields(opened, record)
    with st.expander("Plan and recall", expanded=True):
        planned, no_plan = clinical_form.plan(store, opened, record)
    with st.expander("Histology", expanded=record.histology is not None):
        histology, no_histology = clinical_form.histology(opened, record)
    st.header("Diagnosis")
    label = _diagnosis(opened, read)
    at_label = st.container()
    words = " ".join(
        clinical_fields.text(opened, "words", "In your own words", read.clinician_diagnosis, max_chars=500).splitlines()
    )
    notes = clinical_fields.text(opened, "notes", "Notes", read.notes)
    widgets.unprintable({"diagnosis": words, "notes": notes})
    mine = Entry(
        label, words, notes, seen.abcd, seen.seven_point, seen.pattern, seen.symptoms, seen.evolution, width, planned,
        histology,
    )  # fmt: skip
    signer, trouble, pressed = _buttons(store, opened, read, mine.abcd)
    drafts.note(opened)
    confirmation.show(opened.key(_SAVED))
    unreadable = (no_width, no_plan, no_histology)

    def missing(wanted: str) -> str:
        problems = (seen.problem, *unreadable) if wanted != "draft" else unreadable
        if words := " ".join(filter(None, problems)):
            return f"Nothing is saved yet. {words}"
        return _missing(store, opened, mine, signer, wanted, amended=mine != entry.of(read))

    if not refusal.mended(trouble, key=opened.key("record"), pressed=pressed, problem=missing):
        if mine.clinician_label is None and refusal.stands(opened.key("record")) == "signed":
            at_label.error(plain(NO_DIAGNOSIS))
        return
    assert pressed is not None
    try:
        _save(store, opened, read, mine, seen.phototype, pressed, signer)
    except SkinLensError as error:  # also a full disk: what was typed stays, to be saved again
        trouble.error(plain(error))


def _missing(store: CaseStore, opened: OpenCase, mine: Entry, signer: str, wanted: str, *, amended: bool) -> str:
    """Diagnosis or name that is missing for what is wanted, as a sentence; empty where neither is."""
    assert opened.case is not None
    draft = opened.case.visit.status == "draft"
    if wanted == "signed" and mine.clinician_label is None:
        return "Not signed yet: choose your diagnosis above."
    if wanted != "draft" and (draft or amended):
        return signing.missing(store, signer, draft=draft)
    return ""


def _shown(store: CaseStore, opened: OpenCase, case: Case) -> None:
    """All that was entered, for who may not change it."""
    st.header("Record")
    widgets.fields(entry.written(entry.of(case.visit)) or {"Entered": "nothing yet"})
    clinical_form.recall(store, opened, case)


def _read(opened: OpenCase, stored: Visit) -> Visit:
    """The visit that the fields began with; where another window has changed it since, that is said."""
    read: Visit = st.session_state.setdefault(opened.key(_READ), stored)
    if entry.of(read) == entry.of(stored) and (read.status == stored.status or read.status != "draft"):
        st.session_state[opened.key(_READ)] = stored  # moved, or its recall was dealt with
        return stored
    rest = entry.changed(entry.of(read), entry.of(stored))
    if not rest:  # only signed, which is said beside the button
        return read
    st.info(f"{ELSEWHERE} What you entered below is still here; when you save it, both are shown and you choose.")
    with st.container(border=True):
        st.caption("What is stored now")
        for title, words in rest:
            st.text(f"{title}: {words}")
    if st.button("Take what is stored now", key=opened.key("record_take")):
        _begin_again(opened, stored)
        st.rerun()
    return read


def _signed_elsewhere(read: Visit, stored: Visit) -> str:
    """A sentence where another window signed the case since it was read here; else empty."""
    if read.status != "draft" or stored.status == "draft":
        return ""
    by = signature_words(stored.signed_by, stored.signed_at)
    return f"This case was signed{by} in another window: it is not signed twice. What you save now amends it."


def _begin_again(opened: OpenCase, stored: Visit) -> None:
    """Have the fields show what is stored."""
    clinical_fields.forget(opened)
    drafts.saved(opened)
    st.session_state.pop(opened.key(_HELD), None)
    st.session_state[opened.key(_READ)] = stored


# -------------------------------------------------------------------------------------------------------- the fields


def _diagnosis(opened: OpenCase, read: Visit) -> str | None:
    key = clinical_fields.key(opened, "label")
    st.session_state.setdefault(key, read.clinician_label)
    return st.selectbox(
        "Your diagnosis",
        list(DIAGNOSES),
        index=None,
        format_func=diagnosis_name,
        placeholder="None yet",
        key=key,
        persist_state="session",
    )


def _buttons(
    store: CaseStore, opened: OpenCase, read: Visit, abcd: Abcd | PartialAbcd | None
) -> tuple[str, DeltaGenerator, Status | None]:
    """Who signs or amends, the place beside the buttons, and the status asked for once a button was pressed."""
    assert opened.case is not None
    visit = opened.case.visit
    draft = visit.status == "draft"
    if elsewhere := _signed_elsewhere(read, visit):
        st.warning(plain(elsewhere))
    elif not draft:
        by = signature_words(visit.signed_by, visit.signed_at)
        st.markdown(
            plain(
                f"This case is signed{by}. Saving amends it: your name and what you change go into the audit log, and "
                "what was signed stays there."
            )
        )
    signer = signing.choose(store, draft=draft, key=opened.key("signer" if draft else "amender"))
    if suggested := source_words(abcd):
        st.caption(plain(f"ABCD rule: {suggested}. The report and the audit log will say so too."))
    with refusal.beside("record") as trouble, st.container(horizontal=True):
        if not draft:
            amended = st.button("Save as amendment", type="primary", key=SAVE, **allowed.button("amend"))
            return signer, trouble, ("amended" if amended else None)
        saved = st.button("Save draft", key=SAVE, **allowed.button("file"))
        signed = st.button("Save and sign", type="primary", key=opened.key("sign"), **allowed.button("sign"))
    st.caption("Both save all of this page. Signing marks your diagnosis as final; a later change is an amendment.")
    return signer, trouble, ("signed" if signed else "draft" if saved else None)


# ------------------------------------------------------------------------------------------------------------ saving


def _save(
    store: CaseStore, opened: OpenCase, read: Visit, mine: Entry, phototype: int | None, wanted: Status, signer: str
) -> None:
    """Write the page as one; what another window was faster with is held until it is settled."""
    assert opened.case is not None
    shown, now = opened.case.visit.status, store.case(opened.case.visit.id)
    session.refresh(now)
    if differences := entry.differences(entry.of(read), entry.of(now.visit), mine):
        st.session_state[opened.key(_HELD)] = Pending(
            "visit", now.visit.version, vars(mine), differences, sign=wanted == "signed", signer=signer
        )
        st.rerun()
    if shown == "draft" and now.visit.status != "draft":
        st.rerun()  # signed elsewhere a moment ago: the page says by whom, and what was typed stays
    changed = _write(store, opened, mine, wanted, signer)
    if clinical_form.save_phototype(store, opened, phototype):
        changed = store.case(changed.visit.id)
    _done(opened, now.visit, changed, wanted)


def _write(store: CaseStore, opened: OpenCase, mine: Entry, wanted: Status, signer: str) -> Case:
    assert opened.case is not None
    visit = opened.case.visit
    try:
        changed = store.annotate(
            visit.id,
            mine.reading,
            clinical=mine.clinical,
            status=wanted,
            expected_version=visit.version,
            signer=signer,
        )
    except Conflict:  # within the same moment
        session.refresh(store.case(visit.id))
        st.rerun()
    signing.remember(signer)
    session.refresh(changed)
    st.session_state[opened.key(_READ)] = changed.visit
    return changed


def _done(opened: OpenCase, before: Visit, now: Case, wanted: Status) -> None:
    session.refresh(now)
    _begin_again(opened, now.visit)
    became = {"draft": "saved as a draft", "signed": "signed and saved", "amended": "amended and saved"}[wanted]
    if wanted == "amended" and now.visit.version == before.version:
        became = "is not changed: there was nothing to amend"
    confirmation.give(opened.key(_SAVED), f"Case {before.id} {became}.")
    st.rerun()


def _resolve(store: CaseStore, opened: OpenCase, held: Pending) -> None:
    """Both sides of each field that two windows changed; what is chosen is saved as the one press was meant."""
    assert opened.case is not None
    visit = opened.case.visit
    read: Visit = st.session_state[opened.key(_READ)]
    draft = visit.status == "draft"
    name = held.signer

    def ask() -> None:
        nonlocal name
        if not draft or held.sign:
            name = signing.choose(store, draft=draft, key=opened.key("signer" if draft else "amender"))

    chosen = conflicts.resolve(
        held, opened.key, _signed_elsewhere(read, visit), title=entry.title, show=entry.shown, above_button=ask
    )
    if chosen is None:
        return
    settled = Entry(**chosen)  # type: ignore[arg-type]
    signs = held.sign and draft
    if signs and settled.clinician_label is None:
        st.error(plain(NO_DIAGNOSIS))
    elif (signs or not draft) and (problem := signing.missing(store, name, draft=draft)):
        st.error(plain(problem))
    else:
        try:
            _save_settled(store, opened, held, settled, signer=name, signs=signs)
        except SkinLensError as error:
            st.error(plain(error))


def _save_settled(
    store: CaseStore, opened: OpenCase, held: Pending, settled: Entry, *, signer: str, signs: bool
) -> None:
    assert opened.case is not None
    number = opened.case.visit.id
    now = store.case(number)
    session.refresh(now)
    if now.visit.version != held.version:  # a third change in between
        read: Visit = st.session_state[opened.key(_READ)]
        differences = entry.differences(entry.of(read), entry.of(now.visit), settled)
        held = replace(held, version=now.visit.version, mine=vars(settled), differences=differences, signer=signer)
        st.session_state[opened.key(_HELD)] = held
        if differences:
            st.rerun()
    wanted: Status = "signed" if signs else "draft" if now.visit.status == "draft" else "amended"
    _done(opened, now.visit, _write(store, opened, settled, wanted, signer), wanted)
