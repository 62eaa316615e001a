"""The fields for where a new lesion is: body site with its side, the exact location, and a place on the body map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skinlens.records import BodyPosition
from skinlens.store import NewLesion
from skinlens.ui.components import bodymap, widgets
from skinlens.ui.components.bodymap import Spot
from skinlens.ui.components.bodymap.regions import region_of
from skinlens.ui.components.text import plain
from skinlens.ui.forms import sites

SITE = "Body site and side"
SHORT_SITE = "Body site"
"""Within a small field, where the name above it is read aloud alone."""
EXACT = "Exact location (optional)"


@dataclass(frozen=True)
class Where:
    """Site given so far."""

    lesion: NewLesion
    position: BodyPosition | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        return sites.missing(self.lesion)


def fields(
    key: Callable[[str], str],
    columns: Sequence[DeltaGenerator],
    *,
    compact: bool = False,
    for_all: str | None = None,
) -> Where:
    """The two fields, in two columns; ``compact``: named inside. ``for_all``: the site that holds without an own."""
    name = key("site")
    if st.session_state.get(name) not in {None, *sites.CHOICES}:
        del st.session_state[name]
    choice = columns[0].selectbox(
        SITE,
        sites.CHOICES,
        index=None,
        placeholder=f"{for_all} (as all)" if for_all else SHORT_SITE if compact else "Choose, or type its beginning",
        key=name,
        persist_state="session",
        label_visibility="collapsed" if compact else "visible",
        on_change=st.session_state.pop,
        args=(key("pin"), None),
    )
    exact = columns[1].text_input(
        EXACT,
        key=key("remark"),
        persist_state="session",
        placeholder=EXACT if compact else "e.g. below the scapula",
        label_visibility="collapsed" if compact else "visible",
    )
    lesion = sites.chosen(choice or for_all, exact)
    widgets.unprintable({}, lesion)
    return Where(lesion, st.session_state.get(key("pin")))


def put(key: Callable[[str], str], position: BodyPosition, choice: str | None) -> None:
    """Fill the fields with a place on the map and what it stands for."""
    st.session_state[key("pin")] = position
    if choice is not None:
        st.session_state[key("site")] = choice


def edited(body_site: str, remark: str) -> NewLesion:
    """Draw the fields for a stored lesion, inside of a form; a site of no list is offered as it was typed."""
    before, exact = sites.stored(body_site, remark)
    options = sites.CHOICES if before in sites.CHOICES else (before, *sites.CHOICES)
    choice = st.selectbox(SITE, options, options.index(before))
    return sites.chosen(choice, st.text_input(EXACT, exact))


def on_map(key: Callable[[str], str]) -> None:
    """The body map, folded: a click on it fills in site and side, and places the lesion there when it is saved."""
    position: BodyPosition | None = st.session_state.get(key("pin"))
    lesion = sites.chosen(st.session_state.get(key("site")), st.session_state.get(key("remark")) or "")
    name = key("map")
    if st.toggle("Show it on the body map", key=name, persist_state="session"):
        st.caption("Choose the place on the figure: it gives body site and side.")
        shown = bodymap.Shown(spot=position, region=region_of(lesion.body_site, lesion.remark))
        bodymap.show(shown, key=name, on_spot=lambda spot: _spotted(key, spot))
    if position is not None:
        st.caption(plain(f"{bodymap.place_words(position)}."))


def _spotted(key: Callable[[str], str], spot: Spot) -> None:
    put(key, spot.position, sites.on_map(spot.position, spot.region))
