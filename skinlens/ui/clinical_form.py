"""Criteria, plan and outcome of a stored case: typed beside the photo, saved part by part."""

from datetime import date
from typing import cast, get_args

import streamlit as st

from skinlens import lesion_features
from skinlens.clinical import MOST_MONTHS, PHOTOTYPES, ClinicalRecord, Histology, Plan, PlanAction, months_after
from skinlens.clock import today
from skinlens.criteria import (
    ASYMMETRY,
    BORDER,
    CHECKLIST,
    CHECKLIST_LIMITS,
    CHECKLIST_USED,
    COLORS,
    MAJOR,
    STRUCTURES,
    Abcd,
    ChecklistItem,
    ChecklistVersion,
    Criteria,
    SevenPoint,
)
from skinlens.errors import InvalidEntry
from skinlens.records import Case
from skinlens.report.clinical import clinical_entries
from skinlens.store import CaseStore
from skinlens.ui import clinical_fields, confirmation, drafts, outline, session, size_form, widgets
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import plain
from skinlens.wording import criteria_statement

COUNTS = {
    "a": (
        "A: asymmetric axes",
        ASYMMETRY,
        "In how many of two perpendicular axes contour, colors or structures differ.",
    ),
    "b": ("B: abrupt segments of the border", BORDER, "In how many of eight segments the pigment ends abruptly."),
    "c": ("C: colors", COLORS, "White, red, light brown, dark brown, blue-gray, black."),
    "d": ("D: structures", STRUCTURES, "Network, structureless areas, branched streaks, dots, globules."),
}
"""Field of the ABCD rule: its label, least and most, and what is counted."""
NONE_PRESENT = "None of the seven is present"
_PHOTOTYPE_READ = "phototype_read"
DEFAULT_MONTHS = 3


@st.fragment
def section(store: CaseStore, opened: OpenCase) -> None:
    """The three parts, each with a button of its own. What was typed stays when the page is changed."""
    session.leave_if_gone(opened)
    assert opened.case is not None
    read: ClinicalRecord = st.session_state.setdefault(opened.key(clinical_fields.READ), opened.case.visit.clinical)
    if read != opened.case.visit.clinical:
        _changed_elsewhere(opened)
        read = st.session_state[opened.key(clinical_fields.READ)]
    if opened.case.visit.status != "draft":
        st.caption("This case is signed. A change amends it; what was signed before stays in the trail.")
    with st.expander("Criteria", expanded=bool(read.criteria.rules or read.criteria.pattern)):
        _criteria(store, opened, read)
    with st.expander("Size", expanded=read.field_width_mm is not None):
        size_form.fields(store, opened, read)
    with st.expander("Plan and recall", expanded=True):
        _plan(store, opened, read)
    with st.expander("Histology", expanded=read.histology is not None):
        _histology(store, opened, read)
    drafts.note(opened)


def _changed_elsewhere(opened: OpenCase) -> None:
    """Say so, and show what is stored: what was entered here stays, and holds once it is saved."""
    assert opened.case is not None
    st.info(
        "This was changed in another window after it was opened here. What you entered below is still here; "
        "saving it puts it in the place of what is stored."
    )
    entries = clinical_entries(opened.case)
    with st.container(border=True):
        st.caption("What is stored now")
        for entry in entries:
            st.text(f"{entry.caption}: {entry.text}")
        if not entries:
            st.text("nothing")
    if st.button("Take what is stored now", key=opened.key("clinical_take")):
        _begin_again(opened)
        st.rerun()


def _begin_again(opened: OpenCase) -> None:
    """Have the fields show what is stored."""
    assert opened.case is not None
    for name in [name for name in st.session_state if str(name).startswith("case_clinical_")]:
        del st.session_state[name]
    for part in drafts.PARTS:
        if part != "reading":
            drafts.saved(opened, part)
    st.session_state[opened.key(clinical_fields.READ)] = opened.case.visit.clinical


# ---------------------------------------------------------------------------------------------------------- criteria


def _criteria(store: CaseStore, opened: OpenCase, read: ClinicalRecord) -> None:
    case = opened.case
    assert case is not None
    _suggest(opened)
    counts = _counts(opened, read.criteria.abcd)
    seven_point = _checklist(opened, read.criteria.seven_point)
    pattern = clinical_fields.text(
        opened, "pattern", "Pattern and whatever else you see (optional)", read.criteria.pattern
    )
    missing = [sign.upper() for sign, count in counts.items() if count is None]
    whole = not missing
    abcd = Abcd(*(cast(int, count) for count in counts.values())) if whole else None
    if missing and len(missing) < len(counts):
        st.caption(f"The ABCD rule has a score once all four are given. Still open: {', '.join(missing)}.")
    criteria = Criteria(abcd, seven_point, pattern)
    if statement := criteria_statement(criteria, case.visit.quality, case.visit.prediction):
        st.info(plain(statement))
    symptoms = clinical_fields.text(opened, "symptoms", "Symptoms (optional)", read.symptoms)
    evolution = clinical_fields.text(opened, "evolution", "Change over time, as told (optional)", read.evolution)
    phototype = _phototype(opened, case)
    widgets.unprintable({"pattern": pattern, "symptoms": symptoms, "evolution": evolution})
    if clinical_fields.save_button(opened, "criteria"):
        if missing and len(missing) < len(counts):
            st.error(plain(f"Nothing is saved yet. Give {', '.join(missing)} too, or clear A to D."))
            return

        def write(version: int) -> Case:
            changed = store.record_criteria(case.visit.id, criteria, expected_version=version)
            changed = store.record_history(
                case.visit.id, symptoms=symptoms, evolution=evolution, expected_version=changed.visit.version
            )
            shown = st.session_state.get(clinical_fields.key(opened, _PHOTOTYPE_READ))
            if case.patient is not None and phototype != shown:  # what another case of the patient changed stays
                store.set_phototype(case.patient.id, phototype, expected_version=case.patient.version)
                st.session_state[clinical_fields.key(opened, _PHOTOTYPE_READ)] = phototype
            return store.case(case.visit.id)

        clinical_fields.save(opened, "criteria", write, "Criteria saved.")


def _suggest(opened: OpenCase) -> None:
    line = outline.current(opened)
    if line is None or opened.analysis.photo.placeholder:
        return
    if st.button("Suggest A, B and C from the outline", key=clinical_fields.key(opened, "suggest")):
        try:
            suggested = lesion_features.suggest(opened.analysis.photo, line)
        except InvalidEntry as error:
            st.error(plain(error))
            return
        for sign, count in zip("abc", (suggested.asymmetry, suggested.border, suggested.color_count), strict=True):
            st.session_state[clinical_fields.key(opened, sign)] = count
        st.session_state[clinical_fields.key(opened, "suggested")] = suggested.summary
    if said := st.session_state.get(clinical_fields.key(opened, "suggested")):
        st.caption(plain(lesion_features.SUGGESTION_NOTE))
        st.caption(plain("\n\n".join(said)))


def _counts(opened: OpenCase, stored: Abcd | None) -> dict[str, int | None]:
    before = dict(zip(COUNTS, stored.counts, strict=True)) if stored else {}
    counts: dict[str, int | None] = {}
    for sign, (label, (least, most), what) in COUNTS.items():
        key = clinical_fields.key(opened, sign)
        st.session_state.setdefault(key, before.get(sign))
        counts[sign] = st.segmented_control(
            label, list(range(least, most + 1)), key=key, persist_state="session", help=what
        )
    return counts


def _checklist(opened: OpenCase, stored: SevenPoint | None) -> SevenPoint | None:
    """The checklist as it was filled in; None where nothing of it was."""
    version_key, present_key, none_key = (clinical_fields.key(opened, name) for name in ("version", "present", "none"))
    st.session_state.setdefault(present_key, list(stored.present) if stored else [])
    st.session_state.setdefault(none_key, stored is not None and not stored.present)
    st.session_state.setdefault(version_key, stored.version if stored else CHECKLIST_USED)
    present = st.pills(
        "7-point checklist: what is present",
        list(CHECKLIST),
        selection_mode="multi",
        format_func=lambda item: CHECKLIST[item] + (" (major)" if item in MAJOR else ""),
        key=present_key,
        persist_state="session",
    )
    none = st.checkbox(NONE_PRESENT, key=none_key, persist_state="session", disabled=bool(present))
    version = st.segmented_control(
        "Version of the checklist",
        list(get_args(ChecklistVersion)),
        format_func=lambda one: f"{one} (suspicious from {CHECKLIST_LIMITS[one]})",
        key=version_key,
        persist_state="session",
        required=True,
        help="1998: major items count 2 points, minor ones 1. 2011: each counts 1.",
    )
    if not present and not none:
        return None
    return SevenPoint(cast(tuple[ChecklistItem, ...], tuple(present)), cast(ChecklistVersion, version))


def _phototype(opened: OpenCase, case: Case) -> int | None:
    if case.patient is None:
        return None
    key, read = clinical_fields.key(opened, "phototype"), clinical_fields.key(opened, _PHOTOTYPE_READ)
    if key not in st.session_state or st.session_state[key] == st.session_state.get(read):
        st.session_state[key] = case.patient.phototype  # not touched here: as it is stored now
        st.session_state[read] = case.patient.phototype
    return st.segmented_control(
        "Skin phototype of the patient (Fitzpatrick)",
        list(PHOTOTYPES),
        format_func=PHOTOTYPES.__getitem__,
        key=key,
        persist_state="session",
        help="It holds for all cases of the patient.",
    )


# -------------------------------------------------------------------------------------------------------------- plan

_ACTIONS: dict[PlanAction, str] = {
    "excise": "Excise", "recheck": "Recheck", "discharge": "Discharge", "other": "Other"
}  # fmt: skip


def _plan(store: CaseStore, opened: OpenCase, read: ClinicalRecord) -> None:
    case = opened.case
    assert case is not None
    _recall(store, opened, case)
    stored = read.plan
    st.session_state.setdefault(clinical_fields.key(opened, "plan"), stored.action if stored else None)
    action = st.segmented_control(
        "Plan",
        list(_ACTIONS),
        format_func=_ACTIONS.__getitem__,
        key=clinical_fields.key(opened, "plan"),
        persist_state="session",
    )
    months, recall_on = None, None
    if action == "recheck":
        months, recall_on = _recheck(opened, read, case.visit.taken_on)
    words = clinical_fields.text(opened, "plan_text", "Plan in words (optional)", stored.text if stored else "")
    widgets.unprintable({"plan": words})
    if clinical_fields.save_button(opened, "plan"):
        if action is None and words.strip():
            st.error(plain("Nothing is saved yet. Choose what is planned; “Other” goes with words of your own."))
            return
        if action == "recheck" and months is None:
            st.error("Nothing is saved yet. Give in how many months the lesion is to be seen again.")
            return
        plan = Plan(action, months, words) if action else None
        clinical_fields.save(
            opened,
            "plan",
            lambda version: store.record_plan(case.visit.id, plan, recall_on=recall_on, expected_version=version),
            "Plan saved." if plan else "The plan is empty now.",
        )


def _recheck(opened: OpenCase, read: ClinicalRecord, taken_on: str) -> tuple[int | None, date | None]:
    """In how many months (None: not given), and the day if it is another than those months after the photo."""
    stored = read.plan
    left, right = st.columns(2)
    with left:
        months = widgets.number(
            "In how many months",
            1,
            MOST_MONTHS,
            stored.months if stored and stored.months else DEFAULT_MONTHS,
            whole=True,
            key=clinical_fields.key(opened, "months"),
        ).whole
    if months is None:
        return None, None
    counted = date.fromisoformat(months_after(taken_on, months))
    before = date.fromisoformat(read.recall.due_on) if read.recall and stored and stored.months == months else counted
    day = right.date_input(
        "Recall on",
        before,
        format="YYYY-MM-DD",
        key=clinical_fields.key(opened, f"recall_on_{months}"),
        persist_state="session",
        help="Counted from the day of the photo; choose another day if another suits.",
    )
    return months, day


def _recall(store: CaseStore, opened: OpenCase, case: Case) -> None:
    recall = case.visit.clinical.recall
    if recall is None:
        return
    if recall.done_on is None:
        due = " It is due." if recall.is_due(today().isoformat()) else ""
        st.markdown(f"**Recall on {recall.due_on}.**{due}")
        label, done, said = "Recall is done", today().isoformat(), "The recall is marked as done."
    else:
        st.markdown(f"Recall of {recall.due_on}: done on {recall.done_on}.")
        label, done, said = "Open the recall again", None, "The recall is open again."
    if st.button(label, key=clinical_fields.key(opened, "recall_done")):
        clinical_fields.save(
            opened,
            "recall",
            lambda version: store.close_recall(case.visit.id, done, expected_version=version),
            said,
        )
    confirmation.show(clinical_fields.key(opened, "recall"))


# --------------------------------------------------------------------------------------------------------- histology


def _histology(store: CaseStore, opened: OpenCase, read: ClinicalRecord) -> None:
    case = opened.case
    assert case is not None
    stored = read.histology
    st.session_state.setdefault(clinical_fields.key(opened, "histology"), stored.label if stored else None)
    label = widgets.choose_diagnosis(
        "Diagnosis of the pathologist", clinical_fields.key(opened, "histology"), "Not there yet"
    )
    words = clinical_fields.text(
        opened, "histology_text", "In the pathologist's words (optional)", stored.text if stored else ""
    )
    left, right = st.columns(2)
    reported_on = left.date_input(
        "Date of the pathologist's report",
        date.fromisoformat(stored.reported_on) if stored and stored.reported_on else None,
        max_value="today",
        format="YYYY-MM-DD",
        key=clinical_fields.key(opened, "histology_on"),
        persist_state="session",
    )
    number_key = clinical_fields.key(opened, "histology_number")
    st.session_state.setdefault(number_key, stored.report_number if stored else "")
    number = right.text_input("Number of that report (optional)", key=number_key, persist_state="session")
    widgets.unprintable({"histology": words, "report number": number})
    if clinical_fields.save_button(opened, "histology"):
        if label is None and not words.strip() and (number.strip() or reported_on):
            st.error(plain("Nothing is saved yet. Give the pathologist's diagnosis, chosen or in words."))
            return
        day = reported_on.isoformat() if reported_on else None
        histology = Histology(label, words, day, number) if label or words.strip() else None
        clinical_fields.save(
            opened,
            "histology",
            lambda version: store.record_histology(case.visit.id, histology, expected_version=version),
            "Histology saved." if histology else "The histology is empty now.",
        )
