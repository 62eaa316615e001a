"""Refusal of a button that cannot do yet what it says: its sentence stays in view until what it names is mended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skinlens.ui.components.text import plain


@contextmanager
def beside(name: str) -> Iterator[DeltaGenerator]:
    """Block for the buttons, with the place for the sentence above them: both are in view as long as it stands there,
    see frame.css.
    """
    with st.container(key=f"send_{name}"):
        yield st.container()


def mended(*places: DeltaGenerator, key: str, pressed: str | None, problem: Callable[[str], str]) -> bool:
    """Press of a button that nothing stands against. Otherwise the reason stands at each place, also in later runs.

    Args:
        places: Where the sentence stands.
        key: Under which the session remembers what was asked for.
        pressed: Button that was pressed in this run; None: none was.
        problem: Gives what is missing for a button, as a sentence; empty where nothing is. Asked at each run, so that
            the sentence names what is missing now.
    """
    asked = pressed or stands(key)
    words = problem(asked) if asked else ""
    if not words:
        st.session_state.pop(_remembered(key), None)
        return pressed is not None
    st.session_state[_remembered(key)] = asked
    for place in places:
        place.error(plain(words))
    return False


def stands(key: str) -> str | None:
    """Button whose press was refused, and stands refused; None where none is."""
    asked: str | None = st.session_state.get(_remembered(key))
    return asked


def _remembered(key: str) -> str:
    return f"{key}_refused"
