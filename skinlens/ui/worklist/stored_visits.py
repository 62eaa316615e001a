"""The stored visits on the worklist: found by words, filters and chips, all of which stand in the page's address."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Any

import streamlit as st

from skinlens.clock import today
from skinlens.formatting import counted, percent
from skinlens.labels import BY_CODE
from skinlens.store import CaseQuery, CaseRow, CaseStore
from skinlens.ui.components import widgets
from skinlens.ui.components.text import plain, recall_words
from skinlens.ui.forms import filters
from skinlens.ui.forms.filters import PAGE_SIZE
from skinlens.ui.state import address, cache, session
from skinlens.wording.naming import STATUSES, capital, diagnosis_name, name, site
from skinlens.wording.quality import UNRELIABLE_BRIEFLY
from skinlens.wording.verdict import side_of_cutoff

COLUMNS = 4
LOOKS = ("List", "Cards")
_LISTED = "listed"
CHIPS = ("Unsigned", "Suspicious for melanoma", "Unreliable", "This week", "Recall due")


def conditions(chips: list[str]) -> dict[str, Any]:
    """Conditions of the chips, as fields of ``CaseQuery``; every one has to hold."""
    day = today()
    meaning: Mapping[str, dict[str, Any]] = {
        "Unsigned": {"status": "draft"},
        "Suspicious for melanoma": {"above_cutoff": True, "reliable": True},
        "Unreliable": {"reliable": False},
        "This week": {"taken_from": (day - timedelta(days=day.weekday())).isoformat()},
        "Recall due": {"recall_due_on": day.isoformat()},
    }
    asked: dict[str, Any] = {}
    for chip in chips:
        asked |= meaning[chip]
    return asked


def section(store: CaseStore) -> None:
    """Search, chips and order; how many were found, and one page of them."""
    query = filters.filters(store)
    address.seed("show", [], CHIPS)
    chips = st.pills("Show only", CHIPS, selection_mode="multi", key="show")
    address.note("show", list(chips))
    if {"Suspicious for melanoma", "Unreliable"} <= set(chips):
        st.caption("No visit is both: an unreliable photo is not flagged.")
    query = CaseQuery(**{**vars(query), **conditions(list(chips))})
    address.seed("page", 1)
    number = int(st.session_state["page"])
    page = store.search(_at(query, number))
    pages = max(1, math.ceil(page.total / PAGE_SIZE))
    if number > pages:
        st.session_state["page"] = number = 1
        page = store.search(_at(query, 1))
    widgets.problems(page.problems)
    st.session_state[_LISTED] = Listed(query, number, tuple(row.visit_id for row in page.rows))
    if not page.total:
        _nothing(store)
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.markdown(f"**{counted(page.total, 'visit')}**", width="content")
        address.seed("look", "List", LOOKS)
        look = st.segmented_control("Show as", LOOKS, required=True, key="look")
        address.note("look", look)
    (_cards if look == "Cards" else _list)(store, page.rows)
    if pages > 1:
        widgets.pages("page", pages, number)
    address.note("page", number if pages > 1 else 1)


@dataclass(frozen=True)
class Listed:
    """The page of the list that was drawn last: from it the keys go on to the next visit."""

    query: CaseQuery
    page: int
    visit_ids: tuple[int, ...]


def neighbor(store: CaseStore, visit_id: int, by: int) -> int | None:
    """The visit next (1) or before (-1) in the list; None at its ends, or if this one is not on the page drawn last."""
    listed: Listed | None = st.session_state.get(_LISTED)
    if listed is None or visit_id not in listed.visit_ids:
        return None
    place = listed.visit_ids.index(visit_id) + by
    if 0 <= place < len(listed.visit_ids):
        return listed.visit_ids[place]
    if (page := listed.page + by) < 1:
        return None
    rows = store.search(_at(listed.query, page)).rows
    if not rows:
        return None
    st.session_state[_LISTED] = Listed(listed.query, page, tuple(row.visit_id for row in rows))
    return rows[0 if by > 0 else -1].visit_id


def _at(query: CaseQuery, page: int) -> CaseQuery:
    return CaseQuery(**{**vars(query), "offset": (page - 1) * PAGE_SIZE})


def _nothing(store: CaseStore) -> None:
    with st.container(border=True):
        if store.search(CaseQuery(limit=1)).total:
            st.markdown("**No visit matches.** Take out a word, a chip or a filter. The search looks at your own "
                        "diagnosis, not at the model's.")  # fmt: skip
        else:
            st.markdown("**No visit is stored yet.** Add photos above, or begin with one photo.")
            st.page_link("pages/visit.py", label="New photo")


def _cards(store: CaseStore, rows: tuple[CaseRow, ...]) -> None:
    pictures, figures = _thumbnails(store, rows), cache.settings().cutoff_shown
    for start in range(0, len(rows), COLUMNS):
        for column, row in zip(st.columns(COLUMNS), rows[start : start + COLUMNS], strict=False):
            with column, st.container(border=True):
                st.html(
                    f"{pictures[row.visit_id]}"
                    f'<div class="sl-card"><b>{escape(who(row))}</b><br>{escape(where(row))}, {row.taken_on}<br>'
                    f"{'<br>'.join(map(escape, verdict(row, figures=figures)))}<br>{STATUSES[row.status]}</div>"
                )
                _open_button(row)


def _list(store: CaseStore, rows: tuple[CaseRow, ...]) -> None:
    pictures, figures = _thumbnails(store, rows), cache.settings().cutoff_shown
    for row in rows:
        with st.container(border=True, key=f"visit_row_{row.visit_id}"):
            picture, whose, model, own, action = st.columns([2, 4, 5, 4, 3], vertical_alignment="center")
            with picture:
                st.html(pictures[row.visit_id])
            whose.markdown(f"**{plain(who(row))}**  \n{plain(where(row))}  \n{plain(row.taken_on)}")
            model.markdown("  \n".join(plain(line) for line in verdict(row, figures=figures)))
            own.markdown("  \n".join(plain(line) for line in clinical(row)))
            with action:
                _open_button(row)


def _open_button(row: CaseRow) -> None:
    if st.button(f"Open case {row.visit_id}", key=f"open-{row.visit_id}", width="stretch"):
        session.to_case(row.visit_id)


def _thumbnails(store: CaseStore, rows: tuple[CaseRow, ...]) -> dict[int, str]:
    """As markup."""
    whole = store.thumbnails([row.visit_id for row in rows])
    return {
        row.visit_id: widgets.thumbnail(whole.get(row.visit_id, b""), f"Photo of case {row.visit_id}") for row in rows
    }


def verdict(row: CaseRow, *, figures: bool = True) -> tuple[str, ...]:
    """Model result in the lines of a row; of an unreliable photo that alone."""
    if not row.reliable:
        return (f"{UNRELIABLE_BRIEFLY}: unfamiliar image",)
    risk = BY_CODE[row.top_label].risk
    return (
        side_of_cutoff(above=row.above_cutoff) + (f" ({percent(row.melanoma_prob)})" if figures else ""),
        f"{name(row.top_label)} {percent(row.top_prob)}" + (f", {risk}" if risk != "benign" else ""),
    )


def clinical(row: CaseRow) -> tuple[str, ...]:
    """The clinician's diagnosis first, then status and recall."""
    diagnosis = f"My diagnosis: {diagnosis_name(row.clinician_label)}" if row.clinician_label else "No diagnosis yet"
    recall = recall_words(row, today().isoformat())
    return tuple(filter(None, (diagnosis, STATUSES[row.status], capital(recall))))


def who(row: CaseRow) -> str:
    return row.pseudonym or "No patient"


def where(row: CaseRow) -> str:
    return site(row.body_site, row.remark)
