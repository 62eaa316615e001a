"""Criteria, plan and outcome of a stored case: the fields of each part, and what stands in them."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple, cast, get_args

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
    PartialAbcd,
    SevenPoint,
    abcd_of,
    only_suggested,
)
from skinlens.errors import InvalidEntry
from skinlens.records import Case
from skinlens.store import CaseStore
from skinlens.ui.components import allowed, confirmation, widgets
from skinlens.ui.components.choice import chosen
from skinlens.ui.components.text import plain
from skinlens.ui.forms.numbers import Expected
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import clinical_fields
from skinlens.ui.visit.entry import Planned
from skinlens.wording.verdict import criteria_statement

COUNTS = {
    "a": (
        "Asymmetry (axes)",
        ASYMMETRY,
        "A of the ABCD rule: in how many of two perpendicular axes contour, colors or structures differ.",
    ),
    "b": (
        "Border (abrupt segments)",
        BORDER,
        "B of the ABCD rule: in how many of eight segments the pigment ends abruptly.",
    ),
    "c": ("Colors", COLORS, "C of the ABCD rule: white, red, light brown, dark brown, blue-gray, black."),
    "d": (
        "Dermoscopic structures",
        STRUCTURES,
        "D of the ABCD rule: network, structureless areas, branched streaks, dots, globules.",
    ),
}
"""Field of the ABCD rule: its label, least and most, and what is counted."""
PARTS = {"a": "asymmetry", "b": "border", "c": "colors", "d": "structures"}
"""Field of the ABCD rule: its name in ``Abcd``."""
SUGGESTED = "Suggested from the outline, not accepted yet."
ACCEPTED = "From the outline, accepted."
_FROM_OUTLINE, _ACCEPTED = "from_outline", "accepted"
"""Keys of the suggested counts that were not changed, by field, and of whether they were accepted."""
NONE_PRESENT = "None of the seven is present"
_PHOTOTYPE_READ = "phototype_read"
DEFAULT_MONTHS = 3


class Entered(NamedTuple):
    """Values in the fields of the criteria."""

    abcd: Abcd | PartialAbcd | None
    seven_point: SevenPoint | None
    pattern: str
    symptoms: str
    evolution: str
    phototype: int | None
    """Of the patient."""
    problem: str
    """Why it cannot be signed like this; empty where it can."""


# ---------------------------------------------------------------------------------------------------------- criteria


def criteria(opened: OpenCase, read: ClinicalRecord) -> Entered:
    """The fields; ``read`` is what they begin with."""
    case = opened.case
    assert case is not None
    _suggest(opened)
    counts = _counts(opened, read.criteria.abcd)
    abcd = _rule(opened, counts)
    problem = _to_accept(opened, abcd)
    if isinstance(abcd, PartialAbcd):
        missing = ", ".join(COUNTS[sign][0] for sign, count in counts.items() if count is None)
        st.caption(f"The ABCD rule has a score once all four are given. Still open: {missing}.")
        incomplete = f"Complete the ABCD rule ({missing}), or clear it; a draft can be saved without."
        problem = f"{problem} {incomplete}".strip()
    seven_point = _checklist(opened, read.criteria.seven_point)
    pattern = clinical_fields.text(opened, "pattern", "Pattern and other findings (optional)", read.criteria.pattern)
    if statement := criteria_statement(Criteria(abcd, seven_point, pattern), case.visit.quality, case.visit.prediction):
        st.info(plain(statement))
    symptoms = clinical_fields.text(opened, "symptoms", "Symptoms (optional)", read.symptoms)
    evolution = clinical_fields.text(opened, "evolution", "Change over time, as told (optional)", read.evolution)
    phototype = _phototype(opened, case)
    widgets.unprintable({"pattern": pattern, "symptoms": symptoms, "evolution": evolution})
    return Entered(abcd, seven_point, pattern, symptoms, evolution, phototype, problem)


def save_phototype(store: CaseStore, opened: OpenCase, phototype: int | None) -> bool:
    """Keep the patient's phototype where it was changed here: what another case of the patient changed stays.

    Returns whether it was changed.
    """
    case, read = opened.case, clinical_fields.key(opened, _PHOTOTYPE_READ)
    assert case is not None
    if case.patient is None or phototype == st.session_state.get(read):
        return False
    store.set_phototype(case.patient.id, phototype, expected_version=case.patient.version)
    return True


def _suggest(opened: OpenCase) -> None:
    line = opened.outline
    if line is None or opened.analysis.photo.placeholder:
        return
    if st.button("Suggest asymmetry, border and colors from the outline", key=clinical_fields.key(opened, "suggest")):
        try:
            suggested = lesion_features.suggest(opened.analysis.photo, line)
        except InvalidEntry as error:
            st.error(plain(error))
            return
        signs = dict(zip("abc", (suggested.asymmetry, suggested.border, suggested.color_count), strict=True))
        for sign, count in signs.items():
            st.session_state[clinical_fields.key(opened, sign)] = count
        st.session_state[clinical_fields.key(opened, _FROM_OUTLINE)] = signs
        st.session_state[clinical_fields.key(opened, _ACCEPTED)] = False
        st.session_state[clinical_fields.key(opened, "suggested")] = suggested.summary
    if said := st.session_state.get(clinical_fields.key(opened, "suggested")):
        st.caption(plain(lesion_features.SUGGESTION_NOTE))
        st.caption(plain("\n\n".join(said)))


def _counts(opened: OpenCase, stored: Abcd | PartialAbcd | None) -> dict[str, int | None]:
    before: dict[str, int | None] = dict(zip(COUNTS, stored.counts, strict=True)) if stored else {}
    came = {sign: before[sign] for sign, name in PARTS.items() if stored and name in stored.from_outline}
    suggested = st.session_state.setdefault(clinical_fields.key(opened, _FROM_OUTLINE), came)
    accepted = st.session_state.setdefault(clinical_fields.key(opened, _ACCEPTED), bool(stored and stored.accepted))
    counts: dict[str, int | None] = {}
    for sign, (label, (least, most), what) in COUNTS.items():
        key = clinical_fields.key(opened, sign)
        st.session_state.setdefault(key, before.get(sign))
        counts[sign] = st.segmented_control(
            label, list(range(least, most + 1)), key=key, persist_state="session", help=what
        )
        if sign in suggested and suggested[sign] == counts[sign]:
            st.caption(ACCEPTED if accepted else SUGGESTED)
    return counts


def _rule(opened: OpenCase, counts: Mapping[str, int | None]) -> Abcd | PartialAbcd | None:
    """The rule as it stands; a suggested count that was changed is the clinician's own from then on."""
    key = clinical_fields.key(opened, _FROM_OUTLINE)
    st.session_state[key] = {sign: count for sign, count in st.session_state[key].items() if counts[sign] == count}
    from_outline = [PARTS[sign] for sign in st.session_state[key]]
    accepted: bool = st.session_state[clinical_fields.key(opened, _ACCEPTED)]
    return abcd_of(list(counts.values()), from_outline, accepted=accepted)


def _to_accept(opened: OpenCase, rule: Abcd | PartialAbcd | None) -> str:
    """The button that accepts what is suggested; why the case cannot be signed before, empty where nothing is."""
    suggested = only_suggested(rule)
    if not suggested:
        return ""
    st.button(
        f"Accept {suggested} as suggested",
        key=clinical_fields.key(opened, "accept"),
        on_click=st.session_state.__setitem__,
        args=(clinical_fields.key(opened, _ACCEPTED), True),
    )
    return f"Accept {suggested} as the outline suggests, or change them, or clear the ABCD rule."


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
        format_func=lambda choice: f"{choice} (suspicious from {CHECKLIST_LIMITS[choice]})",
        key=version_key,
        persist_state="session",
        required=True,
        help="1998: major items count 2 points, minor ones 1. 2011: each counts 1.",
    )
    if not present and not none:
        return None
    return SevenPoint(
        cast(tuple[ChecklistItem, ...], tuple(present)), cast(ChecklistVersion, chosen(version, CHECKLIST_USED))
    )


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
    "excise": "Excise", "recheck": "Follow-up", "discharge": "Discharge", "other": "Other"
}  # fmt: skip


def plan(store: CaseStore, opened: OpenCase, read: ClinicalRecord) -> tuple[Planned | None, str]:
    """The plan with the date of its recall, and why it cannot be saved like this (empty where it can)."""
    case = opened.case
    assert case is not None
    recall(store, opened, case)
    stored = read.plan
    st.session_state.setdefault(clinical_fields.key(opened, "plan"), stored.action if stored else None)
    action = st.segmented_control(
        "Plan",
        list(_ACTIONS),
        format_func=_ACTIONS.__getitem__,
        key=clinical_fields.key(opened, "plan"),
        persist_state="session",
    )
    months, recall_on, no_months = None, None, ""
    if action == "recheck":
        months, recall_on = _follow_up(opened, read, case.visit.taken_on)
        no_months = "" if months else "Give in how many months the lesion is to be seen again."
    words = clinical_fields.text(opened, "plan_text", "Plan in words (optional)", stored.text if stored else "")
    widgets.unprintable({"plan": words})
    if action is None:
        problem = "Choose what is planned; “Other” goes with words of your own." if words.strip() else ""
        return None, problem
    if no_months:
        return None, no_months
    return Planned(Plan(action, months, words), recall_on.isoformat() if recall_on else None), ""


def _follow_up(opened: OpenCase, read: ClinicalRecord, taken_on: str) -> tuple[int | None, date | None]:
    """In how many months (None: not given), and the day if it is another than those months after the photo."""
    stored = read.plan
    left, right = st.columns(2)
    with left:
        months = widgets.number(
            "In how many months",
            Expected(1, MOST_MONTHS, whole=True),
            stored.months if stored and stored.months else DEFAULT_MONTHS,
            key=clinical_fields.key(opened, "months"),
        ).whole
    if months is None:
        return None, None
    counted = date.fromisoformat(months_after(taken_on, months))
    before = date.fromisoformat(read.recall.due_on) if read.recall and stored and stored.months == months else counted
    day_key = clinical_fields.key(opened, f"recall_on_{months}")
    st.session_state.setdefault(day_key, before)
    day = right.date_input(
        "Recall on",
        format="YYYY-MM-DD",
        key=day_key,
        persist_state="session",
        help="Counted from the day of the photo; choose another day if another suits.",
    )
    return months, day


def recall(store: CaseStore, opened: OpenCase, case: Case) -> None:
    """The recall of the visit, where there is one, and the button that marks it as done."""
    planned_recall = case.visit.clinical.recall
    if planned_recall is None:
        return
    if planned_recall.done_on is None:
        due = " It is due." if planned_recall.is_due(today().isoformat()) else ""
        st.markdown(f"**Recall on {planned_recall.due_on}.**{due}")
        label, done, said = "Recall is done", today().isoformat(), "The recall is marked as done."
    else:
        st.markdown(f"Recall of {planned_recall.due_on}: done on {planned_recall.done_on}.")
        label, done, said = "Open the recall again", None, "The recall is open again."
    if st.button(label, key=clinical_fields.key(opened, "recall_done"), **allowed.button("file")):
        clinical_fields.save(
            opened,
            "recall",
            lambda version: store.close_recall(case.visit.id, done, expected_version=version),
            said,
        )
    confirmation.show(clinical_fields.key(opened, "recall"))


# --------------------------------------------------------------------------------------------------------- histology


def histology(opened: OpenCase, read: ClinicalRecord) -> tuple[Histology | None, str]:
    """Histology fields, and why it cannot be saved like this (empty where it can)."""
    stored = read.histology
    st.session_state.setdefault(clinical_fields.key(opened, "histology"), stored.label if stored else None)
    label = widgets.choose_diagnosis(
        "Diagnosis of the pathologist", clinical_fields.key(opened, "histology"), "Not there yet"
    )
    words = clinical_fields.text(
        opened, "histology_text", "In the pathologist's words (optional)", stored.text if stored else ""
    )
    left, right = st.columns(2)
    day_key = clinical_fields.key(opened, "histology_on")
    st.session_state.setdefault(
        day_key, date.fromisoformat(stored.reported_on) if stored and stored.reported_on else None
    )
    reported_on = left.date_input(
        "Date of the pathologist's report",
        None,
        min_value=widgets.FIRST_DAY,
        max_value=widgets.LAST_DAY,
        format="YYYY-MM-DD",
        key=day_key,
        persist_state="session",
    )
    number_key = clinical_fields.key(opened, "histology_number")
    st.session_state.setdefault(number_key, stored.report_number if stored else "")
    number = right.text_input("Number of that report (optional)", key=number_key, persist_state="session")
    widgets.unprintable({"histology": words, "report number": number})
    day = reported_on.isoformat() if reported_on else None
    if label or words.strip():
        return Histology(label, words, day, number.strip()), ""
    return None, "Give the pathologist's diagnosis, chosen or in words." if number.strip() or day else ""
