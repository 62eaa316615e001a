"""Sentence that the next drawing of the page shows once: what was done, or what went wrong."""

from typing import Literal

import streamlit as st

_KEY = "message"
Kind = Literal["done", "problem"]


def say(sentence: str) -> None:
    """Show what was done, once, after the page is drawn anew."""
    st.session_state[_KEY] = ("done", sentence)


def say_problem(problem: Exception | str, *, first: bool = False) -> None:
    """Show what went wrong; ``first``: unless there is something to show already."""
    if not (first and _KEY in st.session_state):
        st.session_state[_KEY] = ("problem", str(problem))


def said() -> tuple[Kind, str] | None:
    """Take the sentence, if there is one."""
    notice: tuple[Kind, str] | None = st.session_state.pop(_KEY, None)
    return notice
