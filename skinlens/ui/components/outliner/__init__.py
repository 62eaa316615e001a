"""The outline of the lesion over the photo, corrected by dragging its points or by keyboard: a Streamlit component.

The photo is a picture of the viewer's, so it can be magnified, moved and seen through the loupe while the outline is
corrected. Changes stay in the browser until they are kept, so nothing is stored and nothing is drawn anew while a point
moves.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from skinlens.records import Outline, Photo
from skinlens.ui.components import viewer

HERE = Path(__file__).parent
PROPOSAL = "proposal"
"""What is sent in the place of points when the model's own outline is kept."""


def show(
    photo: Photo,
    outline: Outline | None,
    proposal: Outline | None,
    *,
    alt: str,
    key: str,
    on_keep: Callable[[str], None] | None,
    mm_per_px: float | None = None,
) -> None:
    """Draw it; ``on_keep`` gets the points as JSON, or ``PROPOSAL``; without it the outline cannot be corrected.

    ``mm_per_px``: millimeters that a pixel of the photo is long, if known.
    """
    state_key = f"outliner-{key}"

    def kept() -> None:
        if on_keep and (sent := getattr(st.session_state[state_key], "keep", None)):
            on_keep(str(sent))

    with st.container(gap=None):
        viewer.give(photo, key=state_key)
        _outliner()(
            key=state_key,
            data={
                "photo": viewer.described(photo, (photo.width_px, photo.height_px), mm_per_px),
                "points": outline and outline.points,
                "proposal": proposal and proposal.points,
                "editable": on_keep is not None,
                "alt": alt,
            },
            on_keep_change=kept,
        )
        viewer.load(photo, key=state_key)


@cache
def _outliner() -> Callable[..., Any]:
    return st.components.v2.component(
        "skinlens_outliner",
        html=(HERE / "outliner.html").read_text(encoding="utf-8"),
        css=viewer.picture_style() + (HERE / "outliner.css").read_text(encoding="utf-8"),
        js=viewer.picture_script() + (HERE / "outliner.js").read_text(encoding="utf-8"),
        isolate_styles=False,
    )
