"""Drafts of stored cases, entered and not saved yet: held for a while, so that a reload does not lose it.

The address of the page names it by a random token; nothing of it is ever on the disk. Photos that are not saved, and
the worklist, have drafts of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from skinlens.clinical import MOST_MONTHS
from skinlens.ui.state import access, address, tabs
from skinlens.ui.state.draft_cache import TTLStore, new_token
from skinlens.ui.state.open_case import OpenCase

ADDRESS = "draft"
RECALLS = tuple(f"recall_on_{months}" for months in range(1, MOST_MONTHS + 1))
"""Fields of the day of a recall, one for each number of months."""
_FIELDS = (
    *("clinical_a", "clinical_b", "clinical_c", "clinical_d", "clinical_from_outline", "clinical_accepted"),
    *("clinical_version", "clinical_present", "clinical_none", "clinical_pattern", "clinical_symptoms"),
    *("clinical_evolution", "clinical_phototype"),
    *("clinical_field_width", "clinical_field_width_inch"),
    *("clinical_plan", "clinical_plan_text", "clinical_months", *(f"clinical_{name}" for name in RECALLS)),
    *("clinical_histology", "clinical_histology_text", "clinical_histology_on", "clinical_histology_number"),
    *("clinical_label", "clinical_words", "clinical_notes"),
)
_BESIDE = ("record_read", "clinical_phototype_read")
"""What the fields were filled from: without it, what another window saved meanwhile would be overwritten."""


@dataclass(frozen=True)
class Draft:
    """Draft of the fields of a case that were changed, and what all were filled from."""

    visit_id: int
    typed: Mapping[str, Any]
    filled: Mapping[str, Any]
    tab: str


HELD: TTLStore[Draft] = TTLStore(most=64, owner=access.owner)


def put_back(opened: OpenCase) -> None:
    """After a reload: what was entered and not saved, if the address names it and it is of this case."""
    draft = HELD.find(st.query_params.get(ADDRESS, ""))
    if draft is None or opened.case is None or draft.visit_id != opened.case.visit.id:
        return
    for name, value in draft.typed.items():
        st.session_state[opened.key(name)] = value
    opened.filled = dict(draft.filled)


def note(opened: OpenCase) -> Mapping[str, Any]:
    """After the fields were drawn: hold what differs from what they were filled with, or let go where nothing does.

    Returns:
        What differs, by the names of the fields; also of those that were left by a click on another part.
    """
    if opened.case is None:
        return {}
    now = {name: st.session_state[opened.key(name)] for name in _FIELDS if opened.key(name) in st.session_state}
    for name, value in now.items():
        opened.filled.setdefault(name, value)
    typed = {name: value for name, value in now.items() if value != opened.filled[name]}
    if not typed:
        forget(opened)
        return {}
    beside = {name: st.session_state[opened.key(name)] for name in _BESIDE if opened.key(name) in st.session_state}
    opened.draft = opened.draft or new_token()
    HELD.hold(opened.draft, Draft(opened.case.visit.id, {**beside, **typed}, dict(opened.filled), tabs.here()))
    address.put(ADDRESS, opened.draft)
    return typed


def saved(opened: OpenCase) -> None:
    """The fields are stored, or begin again with what is stored: they hold no draft."""
    opened.filled.clear()


def forget(opened: OpenCase) -> None:
    """Let go of the draft."""
    if opened.draft:
        HELD.drop(opened.draft)
        opened.draft = ""
    address.put(ADDRESS, None)
