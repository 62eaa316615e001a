"""Artifact renderer: ink, a ruler, hair, dark corners or gel bubbles drawn over a photo, for training and for tests.

The drawings are plain and seeded: the same arguments always give the same pixels. What they cover is gone from the
picture.
"""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import InputSpec, crop_box
from skinlens.records import Photo

Artifact = Literal["ink", "ruler", "hair", "dark_corners", "gel_bubbles"]
TITLES: dict[Artifact, str] = {
    "ink": "Ink of a skin marker",
    "ruler": "Ruler at the edge",
    "hair": "Hair",
    "dark_corners": "Dark corners",
    "gel_bubbles": "Gel bubbles",
}
RENDERER_VERSION = 1
"""Raised with every change of a drawing: only the same drawing shows what a stored check has measured."""
CANVAS_PX = 900
"""Short side at which artefacts are drawn; their edges are smooth once they are reduced to the photo's size."""

Color = tuple[int, int, int]
Layer = tuple[Color, Image.Image]
"""A color, and where it covers the photo: mode L, 0 not at all, 255 wholly."""


def with_artifact(photo: Photo, artifact: Artifact, number: int, seed: int, spec: InputSpec) -> Photo:
    """The photo with one drawing over the part that the network sees; the same arguments give the same pixels."""
    top, left, height, width = crop_box(photo.height_px, photo.width_px, spec)
    scale = CANVAS_PX / min(height, width)
    size = round(width * scale), round(height * scale)
    random = np.random.default_rng([seed, number, *artifact.encode()])
    picture = Image.fromarray(photo.pixels)
    for color, mask in _DRAW[artifact](size, random):
        picture.paste(color, (left, top), mask.resize((width, height), Image.Resampling.LANCZOS))
    return photo_from_pixels(np.asarray(picture), photo.source_format)


def draw_layers(artifact: Artifact, number: int) -> list[Layer]:
    """The drawing of that number on a canvas of 4:3, for training on drawn artifacts: colors, and where they cover."""
    size = round(CANVAS_PX * 4 / 3), CANVAS_PX
    return _DRAW[artifact](size, np.random.default_rng([number, *artifact.encode()]))


# ------------------------------------------------------------------------------------------------------- drawings

Size = tuple[int, int]
"""Width and height of the canvas; its short side is ``CANVAS_PX``."""
Random = np.random.Generator


def _ink(size: Size, random: Random) -> list[Layer]:
    """Two or three strokes of a violet marker around the middle, as surgeons mark a margin."""
    mask, draw = _canvas(size)
    for _ in range(random.integers(2, 4)):
        angle, radius = random.uniform(0, 2 * math.pi), random.uniform(0.34, 0.44) * CANVAS_PX
        middle = _at(size, angle, radius)
        tilt, half = random.uniform(0, math.pi), random.uniform(0.05, 0.11) * CANVAS_PX
        ends = [(middle[0] + way * half * math.cos(tilt), middle[1] + way * half * math.sin(tilt)) for way in (-1, 1)]
        draw.line(ends, fill=200, width=round(random.uniform(0.022, 0.034) * CANVAS_PX))
    return [((74, 52, 140), mask.filter(ImageFilter.GaussianBlur(0.006 * CANVAS_PX)))]


def _ruler(size: Size, random: Random) -> list[Layer]:
    """The scale on a dermoscope's plate along one edge: a line, and a stroke each twentieth of the short side."""
    upright, far = bool(random.integers(2)), bool(random.integers(2))
    mask, draw = _canvas(size[::-1] if upright else size)
    length_px, inset, step = mask.width, random.uniform(0.03, 0.07) * CANVAS_PX, CANVAS_PX / 20
    draw.line([(0, inset), (length_px, inset)], fill=235, width=round(0.005 * CANVAS_PX))
    for number in range(math.ceil(length_px / step)):
        deep = inset + (0.05 if number % 5 == 0 else 0.028) * CANVAS_PX
        draw.line([(number * step, inset), (number * step, deep)], fill=235, width=round(0.005 * CANVAS_PX))
    placed = ImageOps.flip(mask) if far else mask
    return [((34, 34, 40), placed.transpose(Image.Transpose.TRANSPOSE) if upright else placed)]


def _hair(size: Size, random: Random) -> list[Layer]:
    """Some dark hairs that grow one way, more or less, each bent a little."""
    mask, draw = _canvas(size)
    growth = random.uniform(0, math.pi)
    for _ in range(random.integers(7, 12)):
        angle, long = growth + random.normal(0, 0.4), random.uniform(0.4, 1.0) * CANVAS_PX
        middle = _at(size, random.uniform(0, 2 * math.pi), random.uniform(0.05, 0.55) * CANVAS_PX)
        along = long / 2 * math.cos(angle), long / 2 * math.sin(angle)
        bend = random.normal(0, 0.2)
        part = np.linspace(-1, 1, 40)
        x = middle[0] + part * along[0] - bend * (part**2) * along[1]
        y = middle[1] + part * along[1] + bend * (part**2) * along[0]
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        draw.line(points, fill=225, width=round(random.uniform(0.004, 0.008) * CANVAS_PX), joint="curve")
    return [((48, 34, 28), mask)]


def _dark_corners(size: Size, random: Random) -> list[Layer]:
    """What lies outside of the round field of a dermoscope: black, with a soft edge."""
    down, right = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    away = np.hypot(down - size[1] / 2, right - size[0] / 2) / math.hypot(*size) * 2  # 1 in the corners
    edge = random.uniform(0.74, 0.84)
    cover = np.clip((away - edge) / 0.06, 0, 1)
    return [((8, 6, 6), Image.fromarray(np.round(255 * cover).astype(np.uint8)))]


def _gel_bubbles(size: Size, random: Random) -> list[Layer]:
    """Some air bubbles in the contact gel: a bright rim, a shade inside of it, a reflection of the lamp."""
    (rims, draw_rim), (shades, draw_shade), (lamps, draw_lamp) = (_canvas(size) for _ in range(3))
    for _ in range(random.integers(4, 8)):
        x, y = _at(size, random.uniform(0, 2 * math.pi), random.uniform(0.12, 0.45) * CANVAS_PX)
        radius = random.uniform(0.025, 0.075) * CANVAS_PX
        ring = [x - radius, y - radius, x + radius, y + radius]
        draw_shade.ellipse(ring, fill=45)
        draw_rim.ellipse(ring, outline=150, width=round(0.18 * radius))
        spot, lamp = radius / 5, (x - 0.4 * radius, y - 0.4 * radius)
        draw_lamp.ellipse([lamp[0] - spot, lamp[1] - spot, lamp[0] + spot, lamp[1] + spot], fill=240)
    soft = ImageFilter.GaussianBlur(0.003 * CANVAS_PX)
    return [((60, 45, 45), shades), ((255, 250, 245), rims.filter(soft)), ((255, 255, 255), lamps.filter(soft))]


def _canvas(size: Size) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    mask = Image.new("L", size)
    return mask, ImageDraw.Draw(mask)


def _at(size: Size, angle: float, radius: float) -> tuple[float, float]:
    """The point at that angle and distance from the middle of the canvas."""
    return size[0] / 2 + radius * math.cos(angle), size[1] / 2 + radius * math.sin(angle)


_DRAW: dict[Artifact, Callable[[Size, Random], list[Layer]]] = {
    "ink": _ink,
    "ruler": _ruler,
    "hair": _hair,
    "dark_corners": _dark_corners,
    "gel_bubbles": _gel_bubbles,
}
