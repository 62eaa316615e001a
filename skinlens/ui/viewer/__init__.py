"""Photos and maps side by side, with one zoom and pan for all: a Streamlit component around Plotly.

``st.plotly_chart`` makes a new chart, and so forgets the zoom, whenever its data change; this component keeps it. The
plots lie in a grid that stacks on a narrow window. Any two of them can be laid over each other, with a line to move
between them or in turn; and of each map the hottest region is shown in the original photo's own pixels. Plotly's script
is the one in the installed plotly package: the browser gets it from this app, never from elsewhere.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import streamlit as st

from skinlens import pipeline
from skinlens.explain.overlay import ANCHORS, COLORSCALE, Style
from skinlens.explain.region import Region
from skinlens.preprocess import InputSpec, crop_box
from skinlens.records import Explanation, Heat, Photo
from skinlens.ui.cache import display_jpeg, jpeg

HERE = Path(__file__).parent
Look = Literal["more", "less", "style", "map-0", "map-1", "map-2", "map-3"]
"""What a key asks for: more or less opacity, the other style, or which map lies over the photo (0: none)."""


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
    photo: Photo | None = None
    """Where it is not the row's own: that of another visit. Both are drawn with their short sides equally long, which
    is how the network is shown them, and with their centres on each other."""
    gain: float = 1.0
    """The map is drawn times this, so that maps with different peaks can share one scale; at most 1."""


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
    on_make: Callable[[str], None] | None = None,
    on_cancel: Callable[[str], None] | None = None,
    on_look: Callable[[Look], None] | None = None,
    columns: int = 4,
    overlay: bool = False,
) -> None:
    """Draw the row, ``columns`` in a line where there is room.

    ``on_make`` and ``on_cancel`` get the key of the panel whose button was pressed. A viewer with ``on_look`` is the
    one of its page that listens to the keyboard: see ``skinlens.ui.shortcuts``. ``overlay``: there is a single picture,
    over which the keys of the maps lay another map, by ``on_look``.
    """
    state_key = f"viewer-{key}"
    asked_key, done_key = f"case_{state_key}-region", f"{state_key}-look"  # the first is forgotten with the case

    def pressed(action: str, then: Callable[[Any], None]) -> Callable[[], None]:
        def call() -> None:
            if given := getattr(st.session_state[state_key], action, None):
                then(given)

        return call

    def look(given: Mapping[str, Any]) -> None:
        if on_look is not None and st.session_state.get(done_key) != given["number"]:
            st.session_state[done_key] = given["number"]  # a press comes again where the page is drawn twice for it
            on_look(given["asked"])

    def ask(given: Mapping[str, Any]) -> None:
        st.session_state[asked_key] = dict(given)

    photos = {one.sha256: one for one in (photo, *(panel.photo for panel in panels if panel.photo))}
    frame = _frame(tuple(photos.values()))
    _viewer()(
        key=state_key,
        data={
            "photos": {sha256: {**_placed(one, frame), "source": _uri(one)} for sha256, one in photos.items()},
            "frame": frame,
            "panels": [_panel(panel, panel.photo or photo, spec, frame) for panel in panels],
            "region": _region(st.session_state.get(asked_key), photo, panels, spec),
            "style": style,
            "opacity": opacity,
            "scale": COLORSCALE,
            "columns": columns,
            "keys": on_look is not None,
            "overlay": overlay,
        },
        on_make_change=pressed("make", on_make or _nothing),
        on_cancel_change=pressed("cancel", on_cancel or _nothing),
        on_look_change=pressed("look", look),
        on_region_change=pressed("region", ask),
    )


def _nothing(_: Any) -> None:
    pass


Frame = tuple[float, float]
"""Width and height of the common ground of all pictures, in pixels of the photo with the longest short side."""


def _frame(photos: Sequence[Photo]) -> Frame:
    short = max(min(photo.width_px, photo.height_px) for photo in photos)
    scales = [short / min(photo.width_px, photo.height_px) for photo in photos]
    pairs = list(zip(photos, scales, strict=True))
    return max(one.width_px * scale for one, scale in pairs), max(one.height_px * scale for one, scale in pairs)


def _scale(photo: Photo, frame: Frame) -> float:
    return min(frame) / min(photo.width_px, photo.height_px)


def _placed(photo: Photo, frame: Frame) -> dict[str, float]:
    scale = _scale(photo, frame)
    width, height = photo.width_px * scale, photo.height_px * scale
    return {"x": (frame[0] - width) / 2, "y": (frame[1] - height) / 2, "width": width, "height": height}


def _panel(panel: Panel, photo: Photo, spec: InputSpec, frame: Frame) -> dict[str, Any]:
    fields = {key: value for key, value in vars(panel).items() if key not in {"map", "photo", "gain"}}
    fields["photo"] = photo.sha256
    if panel.map is None:
        return {**fields, "heat": None, "made": None, "empty": True}
    top, left, height, width = crop_box(photo.height_px, photo.width_px, spec)
    scale, placed = _scale(photo, frame), _placed(photo, frame)
    settings = json.dumps(dict(panel.map.params), sort_keys=True)
    return {
        **fields,
        "heat": _encoded(panel.map.heat * np.float32(panel.gain)),
        "side": panel.map.heat.shape[0],
        "box": (placed["y"] + top * scale, placed["x"] + left * scale, height * scale, width * scale),
        "made": f"{panel.map.label} {panel.map.created_at} {settings} {panel.gain}",
        "empty": not panel.map.heat.any(),
    }


def _region(
    asked: Mapping[str, Any] | None, photo: Photo, panels: Sequence[Panel], spec: InputSpec
) -> dict[str, Any] | None:
    """The hottest region that a reader asked for; ``number`` is the browser's, by which it knows its own question."""
    panel = next((one for one in panels if asked and one.key == asked["key"]), None)
    if asked is None or panel is None or panel.map is None:
        return None
    of = panel.photo or photo
    found = pipeline.hottest_region(panel.map.heat, of.height_px, of.width_px, spec)
    if found is None:
        return None
    return {
        "number": asked["number"],
        "title": f"{panel.title}: the hottest region",
        "alt": f"Part of the photo where the {panel.title} map is hottest",
        "words": f"{found.width_px} × {found.height_px} px of the original photo of {of.width_px} × {of.height_px} px, "
        f"at its full resolution and without the map. It begins {found.left_px} px from the left and {found.top_px} px "
        "from the top.",
        "photo": of.sha256,
        "place": [
            found.left_px / of.width_px,
            found.top_px / of.height_px,
            found.width_px / of.width_px,
            found.height_px / of.height_px,
        ],
        "source": _data_uri(_region_jpeg(f"{of.sha256} {of.placeholder}", astuple(found), of)),
    }


@st.cache_data(show_spinner=False, max_entries=16)
def _region_jpeg(key: str, place: tuple[int, ...], _photo: Photo) -> bytes:  # noqa: ARG001  the hash is a key
    return jpeg(Region(*place).of(_photo))


def _encoded(heat: Heat) -> str:
    """Row by row, one byte for each place: steps of 1/255, finer than the eye tells apart."""
    return base64.b64encode(np.rint(np.clip(heat, 0, 1) * 255).astype(np.uint8).tobytes()).decode()


def _uri(photo: Photo) -> str:
    return _data_uri(display_jpeg(photo))


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


@cache
def _viewer() -> Callable[..., Any]:
    stops = ", ".join(f"rgb{anchor}" for anchor in ANCHORS)
    return st.components.v2.component(
        "skinlens_viewer",
        html=_text("viewer.html"),
        css=_text("viewer.css").replace("SCALE", stops),
        js=_text("compare.js") + _text("region.js") + _text("viewer.js"),  # one module: a component has one script
        isolate_styles=False,  # Plotly puts its styles into the page's head
    )


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


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
