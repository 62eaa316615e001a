"""Confirmation of a save, beside the button that was pressed."""

import time

import streamlit as st

from skinlens.errors import SkinLensError
from skinlens.ui.components.text import plain

_KEY = "confirmation"
SHOWN_S = 10.0
"""A page that is drawn again within this time, for work in the background, shows it still."""


def give(place: str, words: str) -> None:
    """Have the next run show the words at that place; they take the place of those before."""
    st.session_state[_KEY] = place, words, "done", time.monotonic()


def problem(place: str, error: SkinLensError) -> None:
    """Show, at the next run, what was not saved and why, at that place."""
    st.session_state[_KEY] = place, str(error), "problem", time.monotonic()


def show(place: str) -> None:
    """Draw what was given for this place a moment ago, if anything was."""
    match st.session_state.get(_KEY):
        case (str(given), str(words), kind, float(since)) if given == place and time.monotonic() - since < SHOWN_S:
            if kind == "done":
                st.success(plain(words), icon=":material/check:")
            else:
                st.error(plain(words))
