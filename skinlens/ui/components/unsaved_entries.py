"""Notice that entries of the open case are not saved yet, where what is stored of it is printed or handed out."""

import streamlit as st

from skinlens.formatting import counted
from skinlens.ui.components.text import plain
from skinlens.ui.state import drafts, session
from skinlens.ui.state.open_case import OpenCase

_TITLES = {
    "diagnosis": ("label",),
    "diagnosis in words": ("words",),
    "notes": ("notes",),
    "ABCD rule": ("a", "b", "c", "d", "from_outline", "accepted"),
    "7-point checklist": ("version", "present", "none"),
    "pattern": ("pattern",),
    "symptoms": ("symptoms",),
    "change over time": ("evolution",),
    "skin phototype": ("phototype",),
    "size": ("field_width", "field_width_inch"),
    "plan and recall": ("plan", "plan_text", "months", *drafts.RECALLS),
    "histology": ("histology", "histology_text", "histology_on", "histology_number"),
}
"""Entries in words, the diagnosis first, and the fields that each is made of."""
_CRITERIA = frozenset({"ABCD rule", "7-point checklist", "pattern", "symptoms", "change over time", "skin phototype"})


def entries(opened: OpenCase) -> tuple[str, ...]:
    """Entries that were changed and not saved, in words."""
    changed = {name.removeprefix("clinical_") for name in drafts.note(opened)}
    return tuple(title for title, names in _TITLES.items() if changed & set(names))


def of_criteria(opened: OpenCase) -> bool:
    """Whether an entry under Criteria was changed and not saved."""
    return not _CRITERIA.isdisjoint(entries(opened))


def notice(opened: OpenCase, what: str) -> None:
    """Warning of what is missing in it, with the way to where it is saved; nothing where all is saved.

    Args:
        opened: The stored case that was opened last.
        what: Is printed or handed out without the entries, as "report".
    """
    missing = entries(opened)
    if not missing:
        return
    with st.container(border=True):
        st.warning(plain(f"Not in this {what}, for you have entered it and not saved it: {', '.join(missing)}."))
        if st.button("Go back and save it", key=opened.key("unsaved")):
            session.turn_to(session.RESULT)
            session.to_visit()


def of_tab() -> tuple[str, ...]:
    """Unsaved work of this tab, in words: entries of stored cases, new photos, photos on the worklist."""
    opened, tab_tray = session.current(), session.open_tray()
    if opened is not None:
        drafts.note(opened)
    mine = drafts.here()
    new_photos = len(mine.photos) + (opened is not None and opened.case is None and not opened.synthetic)
    to_file = len([item for item in tab_tray.items if item.state not in {"filed", "refused"}]) if tab_tray else 0
    return (
        *(f"entries of case {number}" for number in sorted(mine.cases)),
        *([counted(new_photos, "new photo")] if new_photos else ()),
        *([f"{counted(to_file, 'photo')} on the worklist"] if to_file else ()),
    )
