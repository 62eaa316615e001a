"""Contrast class: which one the explained class is contrasted with, and what its maps then show."""

import streamlit as st

from skinlens.formatting import percent
from skinlens.labels import CODES
from skinlens.ui.components.text import plain
from skinlens.ui.state.open_case import OpenCase
from skinlens.wording.naming import name
from skinlens.wording.records import target_words

ALONE = "none"
WIDTH_PX = 270
"""Of a list of classes."""
HELP = (
    "With none, the maps show what supports the class, even where it supports others just as much. With another "
    "class, they show only what distinguishes the two."
)


def choose(opened: OpenCase) -> None:
    """The class that the explained one is contrasted with, the most probable first; usually none."""
    prob = opened.analysis.prediction.prob
    others = sorted((code for code in CODES if code != opened.label), key=prob, reverse=True)
    options = [ALONE, *others]
    chosen = st.selectbox(
        "Compare with",
        options,
        index=options.index(opened.contrast_with) if opened.contrast_with in others else 0,
        format_func=lambda code: code.capitalize() if code == ALONE else f"{name(code)}, {percent(prob(code))}",
        help=HELP,
        key=f"case_against_{opened.label}",
        persist_state="session",
        width=WIDTH_PX,
    )
    opened.contrast_with = "" if chosen == ALONE else chosen


def describe(opened: OpenCase) -> None:
    """Draw in numbers how the two classes stand to each other."""
    if not opened.contrast_with:
        return
    own, other = (opened.analysis.prediction.prob(code) for code in (opened.label, opened.contrast_with))
    st.markdown(
        plain(
            f"The maps show what supports {target_words(opened.target)}. Between these two: "
            f"{percent(own / (own + other))} {name(opened.label).lower()}."
        )
    )
