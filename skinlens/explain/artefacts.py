"""How far the probability of melanoma depends on what is not skin: ink, a ruler, hair, dark corners, gel bubbles.

Networks have learned such things in the place of the lesion: surgical ink raised the melanoma scores of benign nevi
(Winkler et al., "Association Between Surgical Skin Markings in Dermoscopic Images and Diagnostic Performance of a Deep
Learning Convolutional Neural Network for Melanoma Recognition", 2019), rulers did so too (Winkler et al., "Association
between different scale bars in dermoscopic images and diagnostic performance of a market-approved deep learning
convolutional neural network for melanoma recognition", 2021), and Bissoto et al., "Debiasing Skin Lesion Datasets and
Models? Not So Fast", 2020, list dark corners, hair, gel and ruler marks among the artefacts of the common data sets.

Each is drawn over the photo, ``DRAWS`` times in different places by the photo's own seed, and the model is asked again.
The drawings are plain: they show which way the model is pulled, not by how much a real ruler would pull it. What they
cover is gone from the picture, so part of a change may be that of the skin beneath.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from skinlens.explain import seed_of
from skinlens.intake import photo_from_pixels
from skinlens.labels import INDEX, MELANOMA
from skinlens.predict import Classifier
from skinlens.preprocess import InputSpec, crop_box, model_view, normalise
from skinlens.quantities import percent
from skinlens.records import Check, ModelStamp, Photo, Progress

KIND = "artefacts"
Artefact = Literal["ink", "ruler", "hair", "dark_corners", "gel_bubbles"]
TITLES: dict[Artefact, str] = {
    "ink": "Ink of a skin marker",
    "ruler": "Ruler at the edge",
    "hair": "Hair",
    "dark_corners": "Dark corners",
    "gel_bubbles": "Gel bubbles",
}
DRAWS = 3
"""How much the place matters shows in three; each costs as much as a prediction."""
DRAWING = 1
"""Raised with every change of a drawing: only the same drawing shows what a kept check has measured."""
SLIGHT = 0.01
"""Mean change of the probability below which nothing is made of it."""
CANVAS_PX = 900
"""Short side at which artefacts are drawn; their edges are smooth once they are reduced to the photo's size."""

Color = tuple[int, int, int]
Layer = tuple[Color, Image.Image]
"""A color, and where it covers the photo: mode L, 0 not at all, 255 wholly."""


@dataclass(frozen=True)
class Effect:
    """What one artefact did to the probability of melanoma."""

    artefact: Artefact
    probs: tuple[float, ...]
    """Calibrated, 0 to 1, of the photo with each of the drawings, in the order of their numbers."""

    def change(self, prob: float) -> float:
        """Mean change from the photo as it is, -1 to 1: above 0 towards melanoma; near 0 is best."""
        return float(np.mean(self.probs)) - prob


@dataclass(frozen=True)
class ArtefactStress:
    """All artefacts on one photo."""

    photo_sha256: str
    model: ModelStamp
    prob: float
    """Calibrated probability of melanoma of the photo as it is."""
    threshold: float
    """From which on a photo counts as suspicious."""
    effects: tuple[Effect, ...]
    seed: int
    duration_ms: float
    created_at: str
    """UTC, ISO 8601."""

    def to_check(self) -> Check:
        return Check(
            kind=KIND,
            label=MELANOMA,
            method="",
            photo_sha256=self.photo_sha256,
            model=self.model,
            seed=self.seed,
            settings={"draws": DRAWS, "drawing": DRAWING},
            figures={
                "prob": self.prob,
                "threshold": self.threshold,
                "effects": [
                    {"artefact": one.artefact, "probs": list(one.probs), "change": one.change(self.prob)}
                    for one in self.effects
                ],
            },
            duration_ms=self.duration_ms,
            created_at=self.created_at,
        )


def artefact_stress(classifier: Classifier, photo: Photo, *, progress: Progress | None = None) -> ArtefactStress:
    """Draw each artefact over the photo and predict again. The same photo always gets the same drawings.

    ``progress`` is told the fraction done at the start and after each drawing. Raises Cancelled if ``progress`` does.
    """
    started = time.perf_counter()
    told = progress or (lambda _: None)
    spec, seed = classifier.engine.spec, seed_of(photo)
    names = get_args(Artefact)
    wanted = [(artefact, number) for artefact in names for number in range(DRAWS)]
    views = [model_view(photo, spec)]
    for done, (artefact, number) in enumerate(wanted):
        told(done / len(wanted))
        views.append(model_view(stressed(photo, artefact, number, seed, spec), spec))
    found = classifier.probs(normalise(np.stack(views), spec))
    melanoma = [float(prob) for prob in found[:, INDEX[MELANOMA]]]
    told(1.0)
    return ArtefactStress(
        photo_sha256=photo.sha256,
        model=classifier.engine.stamp,
        prob=melanoma[0],
        threshold=classifier.melanoma_threshold.value,
        effects=tuple(
            Effect(artefact, tuple(melanoma[1 + place * DRAWS : 1 + (place + 1) * DRAWS]))
            for place, artefact in enumerate(names)
        ),
        seed=seed,
        duration_ms=(time.perf_counter() - started) * 1000,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def over_the_cutoff(check: Check) -> list[str]:
    """What moved the probability of melanoma across its cut-off in at least one drawing, in words."""
    before, threshold = check.figures["prob"], check.figures["threshold"]
    return [
        TITLES[one["artefact"]].lower()
        for one in check.figures["effects"]
        if any((prob >= threshold) != (before >= threshold) for prob in one["probs"])
    ]


def in_words(check: Check) -> str:
    """What a kept check found, in two sentences: the largest mean change, and what moved it over the threshold."""
    before, threshold = check.figures["prob"], check.figures["threshold"]
    effects: Sequence[Mapping[str, Any]] = check.figures["effects"]
    most = max(effects, key=lambda one: abs(one["change"]))
    if abs(most["change"]) < SLIGHT:
        first = (
            f"None of them changes the probability of melanoma ({percent(before)}) by a percentage point on average."
        )
    else:
        first = (
            f"The probability of melanoma changes most with {TITLES[most['artefact']].lower()}: from "
            f"{percent(before)} to {percent(before + most['change'])} on average."
        )
    over = over_the_cutoff(check)
    now, then = ("at or above", "below") if before >= threshold else ("below", "to or above")
    second = f"It stays {now} the cut-off of {percent(threshold)} with all."
    if over:
        second = f"It comes {then} the cut-off of {percent(threshold)} with: {', '.join(over)}."
    return f"{first} {second}"


def stressed(photo: Photo, artefact: Artefact, number: int, seed: int, spec: InputSpec) -> Photo:
    """The photo with one drawing over the part that the network sees; the same arguments give the same pixels."""
    top, left, height, width = crop_box(photo.height_px, photo.width_px, spec)
    scale = CANVAS_PX / min(height, width)
    size = round(width * scale), round(height * scale)
    random = np.random.default_rng([seed, number, *artefact.encode()])
    picture = Image.fromarray(photo.pixels)
    for color, mask in _DRAW[artefact](size, random):
        picture.paste(color, (left, top), mask.resize((width, height), Image.Resampling.LANCZOS))
    return photo_from_pixels(np.asarray(picture), photo.source_format)


def draw_layers(artifact: Artefact, number: int) -> list[Layer]:
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


_DRAW: dict[Artefact, Callable[[Size, Random], list[Layer]]] = {
    "ink": _ink,
    "ruler": _ruler,
    "hair": _hair,
    "dark_corners": _dark_corners,
    "gel_bubbles": _gel_bubbles,
}
