"""The outline of the lesion over the photo, corrected by dragging its points or by keyboard: a Streamlit component.

Changes stay in the browser until they are kept, so nothing is stored and nothing is drawn anew while a point moves.
"""

import base64
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from skinlens.records import Outline, Photo
from skinlens.ui.cache import display_jpeg

HERE = Path(__file__).parent
PROPOSAL = "proposal"
"""What is sent in the place of points when the model's own outline is kept."""


def show(
    photo: Photo,
    outline: Outline | None,
    proposal: Outline | None,
    *,
    alt: str,
    editable: bool,
    key: str,
    on_keep: Callable[[str], None],
) -> None:
    """Draw it; ``on_keep`` gets the points as JSON, or ``PROPOSAL``."""
    state_key = f"outliner-{key}"

    def kept() -> None:
        if sent := getattr(st.session_state[state_key], "keep", None):
            on_keep(str(sent))

    _outliner()(
        key=state_key,
        data={
            "photo": {
                "sha256": photo.sha256,
                "width": photo.width_px,
                "height": photo.height_px,
                "source": "data:image/jpeg;base64," + base64.b64encode(display_jpeg(photo)).decode(),
            },
            "points": outline and outline.points,
            "proposal": proposal and proposal.points,
            "editable": editable,
            "alt": alt,
        },
        on_keep_change=kept,
    )


@cache
def _outliner() -> Callable[..., Any]:
    return st.components.v2.component(
        "skinlens_outliner",
        html=(HERE / "outliner.html").read_text(encoding="utf-8"),
        css=(HERE / "outliner.css").read_text(encoding="utf-8"),
        js=(HERE / "outliner.js").read_text(encoding="utf-8"),
        isolate_styles=False,
    )
