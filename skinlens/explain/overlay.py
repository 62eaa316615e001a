"""Overlay: a heat map as a picture, in one fixed color scale for every method, page and report.

The scale is viridis (S. van der Walt and N. Smith, matplotlib 2.0, CC0): perceptually uniform, readable with any of
the common color vision deficiencies, and in gray. It is laid down as ten anchors, linear in sRGB between them, which
is how Plotly ships and interpolates it, and how the browser's pictures are painted from ``ANCHORS``.

Direction everywhere: 0 none, 1 most. No function here rescales a map, so two maps side by side can be compared.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from PIL import Image, ImageDraw, ImageFont

from skinlens.imaging.preprocess import InputSpec, heatmap_to_photo
from skinlens.records import Array, Heatmap, Photo, Pixels
from skinlens.wording.maps import LEGEND

ANCHORS: tuple[tuple[int, int, int], ...] = (
    (68, 1, 84),
    (72, 40, 120),
    (62, 73, 137),
    (49, 104, 142),
    (38, 130, 142),
    (31, 158, 137),
    (53, 183, 121),
    (110, 206, 88),
    (181, 222, 43),
    (253, 231, 37),
)
"""sRGB, equally spaced from heat 0 to heat 1."""
LEVELS: tuple[float, ...] = (0.25, 0.5, 0.75)
OPACITY = 0.4
"""More photo than color: the structures of the lesion stay recognisable under the map."""
HALO = np.array([16, 16, 24], dtype=np.float32)
"""Contours get a dark edge, so that they show on pale skin and on dark lesions alike."""

HOTTER = np.array([230, 97, 1], dtype=np.float32)
COLDER = np.array([94, 60, 153], dtype=np.float32)
"""Orange and purple: the ends of ColorBrewer's PuOr, told apart with any of the common color vision deficiencies."""
GRAY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Luma of RGB (ITU-R BT.601)."""

FLAT = 1e-6
"""Heat per pixel below which a slope counts as none: such a map would take a million pixels from 0 to 1."""

SquareHeatmap = Float32[Array, "g g"]
Style = Literal["heat", "contour"]


def color(heatmap: Heatmap) -> Pixels:
    """The color of each heat value, RGB 0–255. Values outside [0, 1] get the color of the nearer end."""
    values = np.clip(heatmap, 0, 1)
    positions = np.linspace(0, 1, len(ANCHORS))
    channels = [np.interp(values, positions, channel) for channel in np.array(ANCHORS).T]
    colored: Pixels = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return colored


def blend(pixels: Pixels, heatmap: Heatmap, opacity: float = OPACITY) -> Pixels:
    """The photo under the colored map: ``(1 - opacity) · photo + opacity · color(heat)``, rounded.

    Opacity 0 is the photo, 1 the map alone. It is the same at every heat, as it is on the screen, so a color in the
    overlay means one heat, whatever the photo shows there. ``heatmap`` is in the photo's frame.
    """
    mixed = (1 - opacity) * pixels.astype(np.float32) + opacity * color(heatmap).astype(np.float32)
    return np.rint(mixed).astype(np.uint8)


def difference(pixels: Pixels, change: Heatmap) -> Pixels:
    """The photo in gray under the difference of two maps: ``HOTTER`` where it is 1, ``COLDER`` where it is -1, in
    between the more of the color, the larger it is; the photo alone where it is 0. ``change`` is in the photo's frame.
    """
    gray = np.repeat(pixels.astype(np.float32) @ GRAY[:, np.newaxis], 3, axis=2)
    ink = np.where(change[..., np.newaxis] > 0, HOTTER, COLDER)
    cover = np.clip(np.abs(change), 0, 1)[..., np.newaxis]
    return np.asarray(np.rint((1 - cover) * gray + cover * ink), dtype=np.uint8)


def contour(pixels: Pixels, heatmap: Heatmap, opacity: float = 1.0, levels: tuple[float, ...] = LEVELS) -> Pixels:
    """The photo with one line per level, in the color of that level. ``heatmap`` is in the photo's frame.

    Anti-aliased: a pixel's distance from a line is ``|heat - level| / |gradient of heat|``, the first-order estimate
    that implicit curves are drawn with, so a line is equally wide on steep and on gentle slopes. Where the map is
    flat there is no line.
    """
    width_px = max(1.5, min(heatmap.shape) / 150)
    slope = np.hypot(*_gradient(heatmap))
    drawn = pixels.astype(np.float32)
    for level in levels:
        distance_px = np.full(heatmap.shape, np.inf, dtype=np.float32)
        np.divide(np.abs(heatmap - level), slope, out=distance_px, where=slope > FLAT)
        line = np.rint(color(np.array([[level]], dtype=np.float32))[0, 0]).astype(np.float32)
        for ink, half_px in ((HALO, width_px), (line, width_px / 2)):
            cover = opacity * np.clip(half_px + 0.5 - distance_px, 0, 1)[..., np.newaxis]
            drawn += cover * (ink - drawn)
    return np.rint(drawn).astype(np.uint8)


def overlay(
    photo: Photo, heatmap: SquareHeatmap, spec: InputSpec, style: Style = "heat", opacity: float = OPACITY
) -> Pixels:
    """A map in the network's square frame over its photo, at the photo's size; 0 where the network did not look."""
    placed = heatmap_to_photo(heatmap, photo.height_px, photo.width_px, spec)
    return blend(photo.pixels, placed, opacity) if style == "heat" else contour(photo.pixels, placed, opacity)


def level_lines(heatmap: Heatmap, level: float) -> list[Float64[Array, "n 2"]]:
    """Contour lines at a level, 0 to 1, by linear interpolation (marching squares): a line for each stretch.

    Points are (across, down) in shares of the map's width and height; what is cut off at the map's edge stays open.
    """
    from skimage.measure import find_contours  # only where lines are drawn: it loads scipy

    height, width = heatmap.shape
    lines = find_contours(heatmap, level)  # type: ignore[no-untyped-call]
    return [(line[:, ::-1] + 0.5) / (width, height) for line in lines]


def legend_bar(height_px: int, width_px: int) -> Pixels:
    """The scale as a picture, 0 on the left and 1 on the right."""
    ramp = np.linspace(0, 1, width_px, dtype=np.float32)
    return color(np.broadcast_to(ramp, (height_px, width_px)))


def captioned(picture: Pixels, lines: Sequence[str]) -> UInt8[Array, "taller w 3"]:
    """The picture with the color scale and these lines on white below it: for a file that goes out on its own.

    As wide as the picture, which itself is unchanged; long lines are wrapped.
    """
    width = picture.shape[1]
    size = max(9, round(width / 40))
    font, pad, step = ImageFont.load_default(size), size // 2, round(1.4 * size)
    none, most = LEGEND.split(", ")
    start, end = pad + font.getlength(f"{none} "), width - pad - font.getlength(f" {most}")
    wrapped = [row for line in lines for row in _wrapped(line, font, width - 2 * pad)]
    strip = Image.new("RGB", (width, (1 + len(wrapped)) * step + 2 * pad), "white")
    draw = ImageDraw.Draw(strip)
    draw.text((pad, pad), none, "black", font)
    draw.text((width - pad, pad), most, "black", font, anchor="ra")
    bar = legend_bar(size, max(1, round(end - start)))
    strip.paste(Image.fromarray(bar), (round(start), pad + (step - size) // 2))
    for number, row in enumerate(wrapped, start=1):
        draw.text((pad, pad + number * step), row, "black", font)
    return np.concatenate([picture, np.asarray(strip)])


def _wrapped(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: float) -> Iterator[str]:
    row = ""
    for word in line.split():
        if row and font.getlength(f"{row} {word}") > width_px:
            yield row
            row = word
        else:
            row = f"{row} {word}".strip()
    yield row


def _gradient(heatmap: Heatmap) -> tuple[Heatmap, Heatmap]:
    """Change of heat per pixel, down and to the right; 0 along an axis that is one pixel long."""
    down, right = (
        np.gradient(heatmap, axis=axis) if heatmap.shape[axis] > 1 else np.zeros_like(heatmap) for axis in (0, 1)
    )
    return down, right
