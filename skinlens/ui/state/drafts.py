"""Drafts of stored cases, entered and not saved yet: held while the tab is open, so that neither a reload nor opening
another case loses one.

The address of the page names those of a tab by a random token; nothing of them is ever on the disk. The worklist has
drafts of its own.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from skinlens.clinical import MOST_MONTHS
from skinlens.ui.state import access, address, cache, tabs
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


_OWN = "tab_drafts"


@dataclass(frozen=True)
class Draft:
    """Draft of the fields of a case that were changed, and what all were filled from."""

    typed: Mapping[str, Any]
    filled: Mapping[str, Any]


@dataclass
class Drafts:
    """Drafts of one tab."""

    cases: dict[int, Draft] = field(default_factory=dict)
    """By the number of the case."""
    photos: list[str] = field(default_factory=list)
    """Tokens of new photos that were not saved before a stored case was opened, see ``UNSAVED``."""
    tab: str = ""


UNSAVED: TTLStore[OpenCase] = TTLStore(size=lambda opened: opened.bytes, owner=access.owner)
"""New photos that are open, or were left, and are not saved."""
HELD: TTLStore[Drafts] = TTLStore(most=64, owner=access.owner)


def here() -> Drafts:
    """Drafts of this tab; in its first run after a reload, those that the address names."""
    token = st.session_state.get(_OWN)
    named = HELD.find(token or st.query_params.get(ADDRESS, ""))
    if token and named:
        return named
    st.session_state[_OWN] = token or new_token()  # two tabs at one address go their own ways
    mine = Drafts(dict(named.cases), list(named.photos)) if named else Drafts()
    HELD.hold(st.session_state[_OWN], mine)
    return mine


def are_gone() -> bool:
    """Whether the address names drafts of another run of the tab that are not held any more; asked before ``hold``."""
    named = st.query_params.get(ADDRESS, "")
    return bool(named) and st.session_state.get(_OWN) is None and HELD.find(named) is None


def hold() -> bool:
    """Keep the drafts, at each run, for as long as the tab is in use, and have the address name them.

    Returns:
        Whether a photo that was left is not held any more.
    """
    mine = here()
    mine.tab = tabs.here()
    left = {token: UNSAVED.find(token) for token in mine.photos}
    waiting_photos = {token: photo for token, photo in left.items() if photo is not None and photo.case is None}
    mine.photos[:] = waiting_photos
    for token, photo in waiting_photos.items():
        photo.tab = mine.tab
        UNSAVED.hold(token, photo)
    HELD.hold(st.session_state[_OWN], mine)
    address.put(ADDRESS, named_as())
    return None in left.values()


def waiting(opened: OpenCase | None) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Cases other than the open one with entries that are not saved, and photos that were left, by their tokens."""
    shown = opened.case.visit.id if opened and opened.case else None
    store, mine = cache.store(), here()
    cases = tuple(number for number in sorted(mine.cases) if number != shown and store.exists(number))
    return cases, tuple(mine.photos)


def named_as() -> str | None:
    """The token of the drafts for a page's address; None where there are none."""
    mine = here()
    return st.session_state[_OWN] if mine.cases or mine.photos else None


def put_back(opened: OpenCase) -> None:
    """Fill in what was entered for an opened case and not saved."""
    draft = here().cases.get(opened.case.visit.id) if opened.case is not None else None
    if draft is None:
        return
    for name, value in draft.typed.items():
        st.session_state[opened.key(name)] = value
    opened.filled = dict(draft.filled)


def note(opened: OpenCase) -> Mapping[str, Any]:
    """Hold what differs, in the drawn fields, from what they were filled with, or let go where nothing does.

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
    here().cases[opened.case.visit.id] = Draft({**beside, **typed}, dict(opened.filled))
    hold()
    return typed


def saved(opened: OpenCase) -> None:
    """The fields are stored, or begin again with what is stored: they hold no draft."""
    opened.filled.clear()


def forget(opened: OpenCase) -> None:
    """Let go of the draft."""
    if opened.case is not None and here().cases.pop(opened.case.visit.id, None) is not None:
        hold()


def erase(visit_ids: Collection[int]) -> None:
    """Let go of what any tab holds for these cases: they were erased for good."""
    for drafts in HELD.every():
        for visit_id in visit_ids:
            drafts.cases.pop(visit_id, None)
