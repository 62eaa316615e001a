"""Buttons by role: disabled where the signed-in person's role lacks the right, with the reason as help."""

from typing import TypedDict

import streamlit as st

from skinlens.roles import Right
from skinlens.ui.components.text import plain
from skinlens.ui.state import access


class Allowed(TypedDict):
    """Arguments of a button."""

    disabled: bool
    help: str | None


def button(right: Right, help_text: str | None = None) -> Allowed:
    """Arguments for ``st.button(…, **button("erase"))``; ``help_text`` where it is allowed."""
    why = access.here().refusal(right)
    return {"disabled": bool(why), "help": why or help_text}


def fields(right: Right) -> bool:
    """Whether the fields of a form are to be disabled; the page then says why, above them."""
    return not or_why(right)


def or_why(right: Right) -> bool:
    """Whether it is allowed; where it is not, the page says so here."""
    if why := access.here().refusal(right):
        st.info(plain(why))
    return not why
