"""Fields of the clinical record as the page shows them, and how the recall, which has a button of its own, is saved."""

from collections.abc import Callable

import streamlit as st

from skinlens.errors import SkinLensError
from skinlens.records import Case
from skinlens.ui.components import confirmation
from skinlens.ui.components.text import plain
from skinlens.ui.state import session
from skinlens.ui.state.open_case import OpenCase


def key(opened: OpenCase, name: str) -> str:
    """Key of a field of the open case."""
    return opened.key(f"clinical_{name}")


def text(opened: OpenCase, name: str, label: str, stored: str, *, max_chars: int = 5000) -> str:
    """A field as high as its text; what was typed stays when the page is changed."""
    st.session_state.setdefault(key(opened, name), stored)
    return st.text_area(label, key=key(opened, name), persist_state="session", height="content", max_chars=max_chars)


def forget(opened: OpenCase) -> None:
    """Have the fields begin again with what is stored."""
    for name in [str(name) for name in st.session_state]:
        if name.startswith("case_clinical_") and name.endswith(f"-{opened.token}"):
            del st.session_state[name]


def save(opened: OpenCase, part: str, write: Callable[[int], Case], said: str) -> None:
    """Write on the version that is shown, and say so at ``part``; what is entered in the fields stays."""
    assert opened.case is not None
    try:
        changed = write(opened.case.visit.version)
    except SkinLensError as error:  # also a full disk, and another window's change: to be pressed again
        st.error(plain(error))
        return
    session.refresh(changed)
    confirmation.give(key(opened, part), said)
    st.rerun()
