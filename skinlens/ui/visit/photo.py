"""The visit's photo, large: zoom and pan, and over it, by choice or by key, one of the maps."""

from dataclasses import replace
from functools import partial
from typing import cast

import streamlit as st

from skinlens.explain import METHODS
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.classifier import Classifier
from skinlens.records import Method
from skinlens.ui.components import live, viewer
from skinlens.ui.components.choice import chosen
from skinlens.ui.components.viewer import Look, Panel
from skinlens.ui.state import cache, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import maps
from skinlens.wording.maps import PHOTO, SYNTHETIC, nothing_for, over_photo
from skinlens.wording.records import target_words

NO_MAP = "none"
OVERLAY = "overlay"
"""Key of the choice of an overlay; for each opened visit it begins with the overlay of the settings."""
OUTLINE = "visit_outline"
"""Key of the switch; it stays as it is from visit to visit."""
_CHOSEN_FOR = "overlay_of"


def large(opened: OpenCase, classifier: Classifier | None, *, overlays: bool = False) -> None:
    """The photo with its size and what was changed while it was read; ``overlays``: with the choice of a map."""
    draw = partial(_draw, opened, classifier, overlays=overlays)
    if overlays:
        live.draw(opened, draw, partial(waits, opened))
    else:
        draw()
    viewer.load(opened.analysis.photo, key="visit-photo")
    for note in opened.analysis.photo.notes:
        st.caption(note)


def _draw(opened: OpenCase, classifier: Classifier | None, *, overlays: bool) -> None:
    picture = opened.analysis.photo
    what = SYNTHETIC.removesuffix(".") if opened.synthetic else PHOTO
    size = f"{picture.width_px} × {picture.height_px} px, {picture.source_format}"
    panel = Panel("photo", "", "", (f"{what} · {size}",), f"{what}, {size}")
    if overlays:
        panel = _overlaid(opened, classifier, panel)
    spec = classifier.engine.spec if classifier else InputSpec()
    viewer.show(
        viewer.Row(picture, (panel,), spec, mm_per_px=opened.mm_per_px),
        viewer.Layout(columns=1, single=overlays),
        key="visit-photo",
        on_make=lambda _: _make(),
        on_cancel=lambda _: _cancel(),
        on_look=_asked if overlays else None,
    )


def _overlaid(opened: OpenCase, classifier: Classifier | None, bare: Panel) -> Panel:
    _begin_with_default(opened)
    line = opened.outline
    with st.container(horizontal=True, vertical_alignment="center"):
        overlay = st.segmented_control(
            "Map over the photo, keys 0 to 3",
            [NO_MAP, *METHODS],
            required=True,
            format_func=lambda choice: "No map" if choice == NO_MAP else METHODS[cast(Method, choice)].title,
            key=OVERLAY,
            label_visibility="collapsed",
            persist_state="session",
            on_change=_make,
        )
        drawn = st.toggle(
            "Outline",
            key=OUTLINE,
            persist_state="session",
            disabled=line is None,
            help="Edge of the lesion over the photo, key o. It is drawn and corrected under “Why?”, technical details.",
        )
    if drawn and line is not None:
        bare = replace(bare, outline=line, alt=f"{bare.alt}, with the outline of the lesion")
    if (over := chosen(overlay, NO_MAP)) == NO_MAP:
        return bare
    method = cast(Method, over)
    info = METHODS[method]
    of = target_words(opened.target)
    made = opened.map_of(method, session.map_params(method))
    if made is None:
        lacking = maps.lacking(opened, method, able=classifier is not None)
        return replace(lacking, key=bare.key, lines=bare.lines, shows="", outline=bare.outline)
    nothing = nothing_for(of) if made.diagnostics.get("empty") else ""
    alt = over_photo(info.title, of)
    return replace(bare, title=f"{info.title}: {of}", alt=alt, map=made, note=nothing)


def _begin_with_default(opened: OpenCase) -> None:
    if st.session_state.get(_CHOSEN_FOR) != opened.token:
        st.session_state[_CHOSEN_FOR] = opened.token
        st.session_state[OVERLAY] = cache.settings().overlay


def waits(opened: OpenCase) -> bool:
    """Whether the map that is to lie over the photo is being made."""
    _begin_with_default(opened)
    over = chosen(st.session_state.get(OVERLAY), NO_MAP)
    job = session.queue().job((over, opened.target.code)) if over != NO_MAP else None
    return job is not None and job.active


# Called later, by a press. None gets the case as an argument: the session keeps them, and would hold an erased case.


def _make() -> None:
    """Have the map made that was chosen to lie over the photo, where there is none yet. One that lies there by the
    settings is not made by itself: looking at a stored case must not change it.
    """
    opened, over = session.current(), chosen(st.session_state.get(OVERLAY), NO_MAP)
    classifier = None if opened is None else session.classifier_of(opened)
    if opened is not None and classifier is not None and over != NO_MAP:
        session.request_maps(opened, classifier, (cast(Method, over),))


def _cancel() -> None:
    opened, over = session.current(), chosen(st.session_state.get(OVERLAY), NO_MAP)
    if opened is not None and (job := session.queue().job((over, opened.target.code))):
        job.cancel()


def _asked(asked: Look) -> None:
    """A key: 0 for the bare photo, 1 to 3 for the maps, o for the outline."""
    order = [NO_MAP, *METHODS]
    if asked == "outline":
        st.session_state[OUTLINE] = not st.session_state.get(OUTLINE, False)
    if asked.startswith("map-") and int(asked[4:]) < len(order):
        st.session_state[OVERLAY] = order[int(asked[4:])]
        _make()
