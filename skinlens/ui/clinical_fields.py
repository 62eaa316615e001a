"""Fields of the clinical record as the page shows them, and how one part of the record is saved."""

from collections.abc import Callable

import streamlit as st

from skinlens.errors import Conflict, SkinLensError
from skinlens.records import Case
from skinlens.ui import confirmation, drafts, session
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import plain

READ = "clinical_read"
"""Key of the record as this window read it."""


def key(opened: OpenCase, name: str) -> str:
    """Of a field of the open case."""
    return opened.key(f"clinical_{name}")


def text(opened: OpenCase, name: str, label: str, stored: str) -> str:
    """A field of several lines; what was typed stays when the page is changed."""
    st.session_state.setdefault(key(opened, name), stored)
    return st.text_area(label, key=key(opened, name), persist_state="session", height=80, max_chars=5000)


def save_button(opened: OpenCase, part: str) -> bool:
    """Whether it was pressed; below it stands that the part was saved, once ``save`` has done so."""
    pressed = st.button(f"Save {part}", type="primary", key=key(opened, f"save_{part}"))
    confirmation.show(key(opened, part))
    return pressed


def save(opened: OpenCase, part: str, write: Callable[[int], Case], said: str) -> None:
    """Write on the version that is shown; a newer one is shown first, and what was entered stays to be saved again."""
    assert opened.case is not None
    before = opened.case
    try:
        changed = write(before.visit.version)
    except Conflict:
        session.say_problem(
            SkinLensError(
                "Not saved: this case was changed in another window a moment ago. What you entered is still here. "
                "Look at what is stored now, then save again."
            )
        )
        st.rerun()
    except SkinLensError as error:  # also a full disk: what was entered stays, to be saved again
        st.error(plain(error))
        return
    if st.session_state.get(opened.key(READ)) == before.visit.clinical:
        st.session_state[opened.key(READ)] = changed.visit.clinical
    drafts.saved(opened, part)
    session.refresh(changed)
    confirmation.give(key(opened, part), said)
    st.rerun()
