"""Photos and maps side by side, with one zoom and pan for all: a Streamlit component around OpenSeadragon.

The pictures lie in a grid that stacks on a narrow window; a change of map, class or style moves none of them. Any two
of them can be laid over each other, with a line to move between them, one shining through the other, or in turn. A
loupe shows the photo's full detail below the pointer, a bar its scale where that is known, and of each map the hottest
region is shown in the original photo's own pixels. OpenSeadragon lies in ``vendor/``: the browser gets it from this
app, never from elsewhere. The script and each photo are messages of their own, which Streamlit sends a browser once and
then refers to; a change of the map over a photo sends the map alone.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cache as cache_once
from pathlib import Path
from typing import Any, Literal

import numpy as np
import simplejpeg
import streamlit as st

from skinlens.explain.hot_region import Region, peak_region
from skinlens.explain.overlay import ANCHORS, LEVELS, OPACITY, Style, color, level_lines
from skinlens.imaging.preprocess import InputSpec, crop_box
from skinlens.records import Explanation, Heatmap, Outline, Photo
from skinlens.segmentation.contour import catmull_rom
from skinlens.ui.state import cache
from skinlens.ui.state.cache import display_jpeg, jpeg

HERE = Path(__file__).parent
MOST_PX = 4096
"""Long side of the largest picture that a browser is given: every phone's browser can hold it."""
JPEG_QUALITY = 92
Look = Literal["more", "less", "style", "outline", "map-0", "map-1", "map-2", "map-3"]
"""What a key asks for: more or less opacity, the other style, the outline or not, or which map (0: none) lies over the
photo.
"""


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
    is how the network is shown them, and with their centers on each other."""
    gain: float = 1.0
    """The map is drawn times this, so that maps with different peaks can share one scale; at most 1."""
    mm_per_px: float | None = None
    """Millimeters that a pixel of ``photo`` is long, where it is not the row's own; None: unknown."""
    outline: Outline | None = None
    """Drawn over the photo; None: nothing is."""


@dataclass(frozen=True)
class Row:
    """Pictures on one ground, and what all of them share."""

    photo: Photo
    """What a panel without a photo of its own shows."""
    panels: Sequence[Panel]
    spec: InputSpec
    """Input specification: it says which part of a photo the maps are of."""
    style: Style = "heat"
    opacity: float = OPACITY
    """Of the maps, 0 to 1."""
    mm_per_px: float | None = None
    """Millimeters that a pixel of ``photo`` is long; None: unknown."""


@dataclass(frozen=True)
class Layout:
    """Layout of a row on the page: side by side, where nothing else is said."""

    columns: int = 4
    """In a line, where there is room."""
    single: bool = False
    """There is one picture, over which the keys of the maps lay another map, and key o the outline, by ``on_look``."""
    overlaid: bool = False
    """The first two panels lie over each other, and the row itself is not drawn; where there is such a viewer, the keys
    of the comparison are its own."""
    opener: str = "Compare two pictures"
    """What the button says that lays two pictures over each other."""


def load(*photos: Photo, key: str) -> None:
    """Give the browser OpenSeadragon's script, and these photos in full detail, up to ``MOST_PX``.

    Once for each ``show``, with its key, after it and outside of what is drawn anew often: it is large. The pictures
    wait for the script, not for the detail.
    """
    with st.container(gap=None):
        _openseadragon()(key=f"viewer-{key}-script", height=1)
        for number, photo in enumerate(photos):
            if max(photo.width_px, photo.height_px) > cache.DISPLAY_PX:
                source = {_id(photo): base64.b64encode(_full_jpeg(_id(photo), photo)).decode()}
                _photos()(key=f"viewer-{key}-detail-{number}", data={"detail": "full", "photos": source}, height=1)


def show(
    row: Row,
    layout: Layout,
    *,
    key: str,
    on_make: Callable[[str], None] | None = None,
    on_cancel: Callable[[str], None] | None = None,
    on_look: Callable[[Look], None] | None = None,
) -> None:
    """Draw the row. ``load`` has to follow it.

    ``on_make`` and ``on_cancel`` get the key of the panel whose button was pressed. A viewer with ``on_look`` is the
    one of its page that listens to the keyboard: see ``skinlens.ui.components.shortcuts``.
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

    photos = {_id(photo): photo for photo in (row.photo, *(panel.photo for panel in row.panels if panel.photo))}
    with st.container(gap=None):
        give(*photos.values(), key=state_key)
        _viewer()(
            key=state_key,
            data={
                **_drawn(row, photos, st.session_state.get(asked_key)),
                **vars(layout),
                "keys": on_look is not None,
            },
            on_make_change=pressed("make", on_make or _nothing),
            on_cancel_change=pressed("cancel", on_cancel or _nothing),
            on_look_change=pressed("look", look),
            on_region_change=pressed("region", ask),
        )


def _drawn(row: Row, photos: Mapping[str, Photo], asked: Mapping[str, Any] | None) -> dict[str, Any]:
    """The row's photos by their names, its panels, and the region that a reader asked for, as the script takes them."""
    scales = {_id(row.photo): row.mm_per_px} | {
        _id(panel.photo): panel.mm_per_px for panel in row.panels if panel.photo
    }
    frame = _frame(tuple(photos.values()))
    return {
        "photos": {name: described(photo, frame, scales[name]) for name, photo in photos.items()},
        "frame": frame,
        "panels": [_panel(panel, row, frame) for panel in row.panels],
        "region": _region(asked, row),
        "style": row.style,
        "opacity": row.opacity,
        "scale": ANCHORS,
    }


def _nothing(_: Any) -> None:
    pass


Frame = tuple[float, float]
"""Width and height of the common ground of all pictures, in pixels of the photo with the longest short side."""


def _frame(photos: Sequence[Photo]) -> Frame:
    short = max(min(photo.width_px, photo.height_px) for photo in photos)
    scales = [short / min(photo.width_px, photo.height_px) for photo in photos]
    pairs = list(zip(photos, scales, strict=True))
    return max(photo.width_px * scale for photo, scale in pairs), max(photo.height_px * scale for photo, scale in pairs)


def _scale(photo: Photo, frame: Frame) -> float:
    return min(frame) / min(photo.width_px, photo.height_px)


def _placed(photo: Photo, frame: Frame) -> dict[str, float]:
    scale = _scale(photo, frame)
    width, height = photo.width_px * scale, photo.height_px * scale
    return {"x": (frame[0] - width) / 2, "y": (frame[1] - height) / 2, "width": width, "height": height}


def give(*photos: Photo, key: str) -> None:
    """Give the browser a small copy of each photo, for what draws them."""
    small = {_id(photo): base64.b64encode(display_jpeg(photo)).decode() for photo in photos}
    _photos()(key=f"{key}-photos", data={"detail": "small", "photos": small}, height=1)


def described(photo: Photo, frame: Frame, mm_per_px: float | None) -> dict[str, Any]:
    """Description of one of the photos that were given, for ``picture.js``: its identifier, its place on the common
    ground, and its scale with the unit of the settings.
    """
    own = {"id": _id(photo), "width_px": photo.width_px, "mm_per_px": mm_per_px}
    return {**_placed(photo, frame), **own, "unit": cache.settings().unit if mm_per_px else "mm"}


def _id(photo: Photo) -> str:
    return f"{photo.sha256}{'-lost' if photo.placeholder else ''}"


def _panel(panel: Panel, row: Row, frame: Frame) -> dict[str, Any]:
    photo = panel.photo or row.photo
    fields = {key: value for key, value in vars(panel).items() if key not in {"map", "photo", "gain", "mm_per_px"}}
    fields["photo"] = _id(photo)
    fields["outline"] = None if panel.outline is None else _closed(panel.outline)
    if panel.map is None:
        return {**fields, "heat": None, "made": None, "empty": True}
    heatmap = panel.map.heatmap * np.float32(panel.gain)
    top, left, height, width = crop_box(photo.height_px, photo.width_px, row.spec)
    scale, placed = _scale(photo, frame), _placed(photo, frame)
    settings = json.dumps(dict(panel.map.params), sort_keys=True)
    return {
        **fields,
        "heat": _encoded(heatmap),
        "contours": _contours(heatmap) if row.style == "contour" else None,
        "side": panel.map.heatmap.shape[0],
        "box": (placed["y"] + top * scale, placed["x"] + left * scale, height * scale, width * scale),
        "made": f"{panel.map.label} {panel.map.created_at} {settings} {panel.gain}",
        "empty": not panel.map.heatmap.any(),
    }


def _closed(outline: Outline) -> str:
    """Its smooth curve as a path, in shares of the photo's width and height."""
    points = catmull_rom(np.asarray(outline.points, dtype=np.float64))
    return "M" + "L".join(f"{across:.4f} {down:.4f}" for across, down in points) + "Z"


def _region(asked: Mapping[str, Any] | None, row: Row) -> dict[str, Any] | None:
    """The hottest region that a reader asked for; ``number`` is the browser's, by which it knows its own question."""
    panel = next((candidate for candidate in row.panels if asked and candidate.key == asked["key"]), None)
    if asked is None or panel is None or panel.map is None:
        return None
    of = panel.photo or row.photo
    region = peak_region(panel.map.heatmap, of.height_px, of.width_px, row.spec)
    if region is None:
        return None
    return {
        "number": asked["number"],
        "title": f"{panel.title}: the hottest region",
        "alt": f"Part of the photo where the {panel.title} map is hottest",
        "words": f"{region.width_px} × {region.height_px} px of the original photo of {of.width_px} × "
        f"{of.height_px} px, at its full resolution and without the map. It begins {region.left_px} px from the left "
        f"and {region.top_px} px from the top.",
        "photo": _id(of),
        "place": [
            region.left_px / of.width_px,
            region.top_px / of.height_px,
            region.width_px / of.width_px,
            region.height_px / of.height_px,
        ],
        "source": _data_uri(_region_jpeg(f"{of.sha256} {of.placeholder}", astuple(region), of)),
    }


@st.cache_data(show_spinner=False, max_entries=16)
def _region_jpeg(key: str, place: tuple[int, ...], _photo: Photo) -> bytes:  # noqa: ARG001  the hash is a key
    return jpeg(Region(*place).of(_photo))


def _encoded(heatmap: Heatmap) -> str:
    """Row by row, one byte for each place: steps of 1/255, finer than the eye tells apart."""
    return base64.b64encode(np.rint(np.clip(heatmap, 0, 1) * 255).astype(np.uint8).tobytes()).decode()


def _contours(heatmap: Heatmap) -> list[dict[str, str]]:
    """A line for each level: its path in shares of the map's width and height, and the color of the level."""
    drawn = []
    for level in LEVELS:
        lines = (
            "M" + "L".join(f"{across:.4f} {down:.4f}" for across, down in line) for line in level_lines(heatmap, level)
        )
        red, green, blue = color(np.array([[level]], dtype=np.float32))[0, 0].tolist()
        drawn.append({"path": "".join(lines), "color": f"rgb({red}, {green}, {blue})"})
    return drawn


@st.cache_data(show_spinner=False, max_entries=4)
def _full_jpeg(key: str, _photo: Photo) -> bytes:  # noqa: ARG001  the key is of the photo
    pixels = np.ascontiguousarray(cache.reduced(_photo, MOST_PX))
    return bytes(simplejpeg.encode_jpeg(pixels, quality=JPEG_QUALITY, colorspace="RGB", colorsubsampling="444"))


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


@cache_once
def _viewer() -> Callable[..., Any]:
    stops = ", ".join(f"rgb{anchor}" for anchor in ANCHORS)
    return st.components.v2.component(
        "skinlens_viewer",
        html=_text("viewer.html"),
        css=picture_style() + _text("viewer.css").replace("SCALE", stops),
        js=picture_script() + "".join(map(_text, ("compare.js", "region.js", "viewer.js"))),
        isolate_styles=False,  # OpenSeadragon styles its parts by itself
    )


def picture_script() -> str:
    """Script of one picture and the loupe over it, to be put before the script of a component that shows one."""
    return _text("picture.js") + _text("loupe.js")


def picture_style() -> str:
    """The style that goes with ``picture_script``."""
    return _text("picture.css")


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


@cache_once
def _photos() -> Callable[..., Any]:
    """Photos by themselves: they never change, so the browser is sent each once and then finds it in its cache."""
    return st.components.v2.component("skinlens_photos", js=_text("photos.js"), isolate_styles=False)


@cache_once
def _openseadragon() -> Callable[..., Any]:
    """OpenSeadragon's script by itself, for the same reason."""
    source, _, _ = _text("vendor/openseadragon.min.js").partition("//# sourceMappingURL")  # the map is not served
    # As a script element, not as a module: modules are strict, and it was not written for that.
    quoted = json.dumps(source).replace("</", "<\\/")
    return st.components.v2.component(
        "skinlens_openseadragon",
        js=f"""export default function () {{
  if (window.OpenSeadragon) return;
  document.head.append(Object.assign(document.createElement("script"), {{ textContent: {quoted} }}));
  document.dispatchEvent(new CustomEvent("skinlens-given"));
}}""",
        isolate_styles=False,
    )
