"""The photo and its three maps side by side, with one zoom and pan for all: a Streamlit component around Plotly.

``st.plotly_chart`` makes a new chart, and so forgets the zoom, whenever its data change; this component keeps it. The
plots lie in a grid that stacks on a narrow window. Plotly's script is the one in the installed plotly package: the
browser gets it from this app, never from elsewhere.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import streamlit as st

from skinlens.explain.overlay import ANCHORS, COLORSCALE, Style
from skinlens.preprocess import InputSpec, crop_box
from skinlens.records import Explanation, Heat, Photo
from skinlens.ui.cache import display_jpeg

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Panel:
    """One picture of the row."""

    key: str
    title: str
    shows: str
    """What the reader sees in it, in one sentence."""
    lines: tuple[str, ...]
    """Under the picture."""
    alt: str
    map: Explanation | None = None
    note: str = ""
    """Over the picture, while there is no map."""
    fraction: float | None = None
    """Done so far, 0 to 1; None: no progress is shown."""
    action: Literal["", "make", "cancel"] = ""
    button: str = ""


def load_script() -> None:
    """Give the browser Plotly's script, once for a page; the row waits for it."""
    _plotly()(key="plotly-script", height=1)


def show(
    photo: Photo,
    panels: Sequence[Panel],
    spec: InputSpec,
    *,
    style: Style,
    opacity: float,
    key: str,
    on_make: Callable[[str], None],
    on_cancel: Callable[[str], None],
) -> None:
    """Draw the row; ``on_make`` and ``on_cancel`` get the key of the panel whose button was pressed."""
    state_key = f"viewer-{key}"

    def pressed(action: str, then: Callable[[str], None]) -> Callable[[], None]:
        def call() -> None:
            if panel := getattr(st.session_state[state_key], action, None):
                then(str(panel))

        return call

    _viewer()(
        key=state_key,
        data={
            "photo": {
                "sha256": photo.sha256,
                "width": photo.width_px,
                "height": photo.height_px,
                "source": _data_uri(display_jpeg(photo)),
            },
            "panels": [_panel(panel, photo, spec) for panel in panels],
            "style": style,
            "opacity": opacity,
            "scale": COLORSCALE,
        },
        on_make_change=pressed("make", on_make),
        on_cancel_change=pressed("cancel", on_cancel),
    )


def _panel(panel: Panel, photo: Photo, spec: InputSpec) -> dict[str, Any]:
    fields = {key: value for key, value in vars(panel).items() if key != "map"}
    if panel.map is None:
        return {**fields, "heat": None, "made": None}
    return {
        **fields,
        "heat": _encoded(panel.map.heat),
        "side": panel.map.heat.shape[0],
        "box": crop_box(photo.height_px, photo.width_px, spec),
        "made": f"{panel.map.label} {panel.map.created_at} {json.dumps(dict(panel.map.params), sort_keys=True)}",
    }


def _encoded(heat: Heat) -> str:
    """Row by row, one byte for each place: steps of 1/255, finer than the eye tells apart."""
    return base64.b64encode(np.rint(np.clip(heat, 0, 1) * 255).astype(np.uint8).tobytes()).decode()


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


@cache
def _viewer() -> Callable[..., Any]:
    stops = ", ".join(f"rgb{anchor}" for anchor in ANCHORS)
    return st.components.v2.component(
        "skinlens_viewer",
        html=(HERE / "viewer.html").read_text(encoding="utf-8"),
        css=(HERE / "viewer.css").read_text(encoding="utf-8").replace("SCALE", stops),
        js=(HERE / "viewer.js").read_text(encoding="utf-8"),
        isolate_styles=False,  # Plotly puts its styles into the page's head
    )


@cache
def _plotly() -> Callable[..., Any]:
    """Plotly's script by itself: it never changes, so the browser is sent it once and then finds it in its cache."""
    from plotly.offline import get_plotlyjs

    # As a script element, not as a module: modules are strict, and Plotly was not written for that.
    source = json.dumps(get_plotlyjs()).replace("</", "<\\/")
    return st.components.v2.component(
        "skinlens_plotly",
        js=f"""export default function () {{
  if (window.Plotly) return;
  document.head.append(Object.assign(document.createElement("script"), {{ textContent: {source} }}));
}}""",
        isolate_styles=False,
    )
