"""Robustness of a map: similarity under small changes of the photo, and for LIME under other seeds.

Two maps are compared by the rank correlation of all pixels and by what their hottest fifths share, the two measures of
Ghorbani, Abid and Zou, "Interpretation of Neural Networks Is Fragile", 2019 (Spearman's rank order correlation, top-k
intersection; here as intersection over union). They changed photos in the worst possible way; here the change is what
happens at any examination: the camera is held ``TURN_DEGREES`` askew, the light is ``BRIGHTNESS`` brighter or darker.
A map that moves under that would also have moved had the photo been taken again. For LIME over seeds see Visani et
al., "Statistical stability indices for LIME: obtaining reliable explanations for Machine Learning models", 2020.

The model may itself answer otherwise to the changed photo, and then its map rightly moves; so each probability is kept.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from skinlens import clock
from skinlens.checks.agreement import HOTTEST_PART, OVERLAP, hottest_iou, spearman
from skinlens.checks.guards import require_checkable
from skinlens.explain import explain
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import InputSpec, crop_box
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Explanation, Heatmap, Photo, Pixels, Progress

KIND = "stability"
TURN_DEGREES = 2.0
BRIGHTNESS = 0.05
"""Share by which the photo is made brighter and darker: just visible side by side."""
SEEDS = 3
"""Further maps of LIME; each costs as much as the first."""
STEADY = 1 / 2
"""Least IoU of the hottest fifths of a map that is called steady: areas of one size then share two thirds."""


@dataclass(frozen=True)
class MapSimilarity:
    """One map made again, compared with the map that is tested; the same in either order."""

    change: str
    """What was changed, in words: "turned by 2°", "5 % darker", "seed 17"."""
    spearman: float | None
    """-1 to 1: 1 the same order of the pixels from cold to hot, 0 unrelated; None if the new map is the same
    everywhere, so that it has no order."""
    hottest_iou: float
    """0 to 1: 1 the same hottest fifth, about .11 by chance, 0 apart."""
    prob: float
    """Calibrated probability of the explained class on the changed photo."""


@dataclass(frozen=True, eq=False)
class Robustness:
    """How one map stood the changes."""

    explained: Explanation
    """The map that was put to the test."""
    changes: tuple[MapSimilarity, ...]
    """Under small changes of the photo, with the map's own seed."""
    seeds: tuple[MapSimilarity, ...]
    """With other seeds, on the same photo; empty for a method in which nothing is random."""
    prob: float
    """Calibrated probability of the explained class on the photo as it is."""
    duration_ms: float
    created_at: str
    """UTC, ISO 8601."""

    @property
    def least_shared(self) -> float:
        """The smallest IoU of all: 1 is best."""
        return min(one.hottest_iou for one in (*self.changes, *self.seeds))

    def to_check(self) -> CheckResult:
        return CheckResult(
            kind=KIND,
            label=self.explained.label,
            method=self.explained.method,
            photo_sha256=self.explained.photo_sha256,
            model=self.explained.model,
            seed=self.explained.seed,
            settings={
                "map": dict(self.explained.params),
                "turn_degrees": TURN_DEGREES,
                "brightness": BRIGHTNESS,
                "seeds": len(self.seeds),
            },
            figures={
                "changes": [vars(one) for one in self.changes],
                "seeds": [vars(one) for one in self.seeds],
                "prob": self.prob,
                "least_shared": self.least_shared,
            },
            duration_ms=self.duration_ms,
            created_at=self.created_at,
        )


def verdict(least_shared: float) -> str:
    """The smallest IoU in plain words."""
    if least_shared >= STEADY:
        return "steady"
    return "moves in part" if least_shared >= OVERLAP else "moves to another area"


def in_words(check: CheckResult) -> str:
    """One sentence for the report."""
    result = verdict(check.figures["least_shared"])
    trials = [
        f"{100 * min(one['hottest_iou'] for one in found):.0f}\u00a0% {when}"
        for found, when in (
            (check.figures["changes"][:2], f"with the photo turned by {check.settings['turn_degrees']:.0f}°"),
            (
                check.figures["changes"][2:],
                f"with it {100 * check.settings['brightness']:.0f}\u00a0% brighter or darker",
            ),
            (check.figures["seeds"], "with another seed"),
        )
        if found
    ]
    return f"{result[0].upper()}{result[1:]}: its {HOTTEST_PART} shares at least {', '.join(trials)}."


def robustness(
    classifier: Classifier, photo: Photo, explanation: Explanation, *, progress: Progress | None = None
) -> Robustness:
    """Make the map again under each change, and for LIME with ``SEEDS`` other seeds, and compare.

    ``progress`` is told the fraction done at the start and while each map is made.

    Raises:
        SkinLensError: the map is of another photo or another model, or is the same everywhere.
        Cancelled: ``progress`` raised it.
    """
    require_checkable(classifier, photo, explanation)
    started = time.perf_counter()
    told = progress or (lambda _: None)
    spec = classifier.engine.spec
    seeds = other_seeds(explanation)
    trials = len(_CHANGES) + len(seeds)
    changes = []
    for place, (words, degrees, change) in enumerate(_CHANGES):
        changed = photo_from_pixels(change(photo.pixels), photo.source_format)
        again = _again(classifier, changed, explanation, {}, _part(told, place, trials))
        back = turned_back(again.heat, degrees, photo, spec)
        changes.append(
            map_similarity(words, explanation.heat, back, _prob(classifier, changed, explanation), degrees, spec)
        )
    prob = _prob(classifier, photo, explanation)
    others = []
    for place, seed in enumerate(seeds, start=len(_CHANGES)):
        again = _again(classifier, photo, explanation, {"seed": seed}, _part(told, place, trials))
        others.append(map_similarity(f"seed {seed}", explanation.heat, again.heat, prob, 0.0, spec))
    return Robustness(
        explained=explanation,
        changes=tuple(changes),
        seeds=tuple(others),
        prob=prob,
        duration_ms=(time.perf_counter() - started) * 1000,
        created_at=clock.utc_now(),
    )


def other_seeds(explanation: Explanation) -> tuple[int, ...]:
    """The seeds that follow the map's own; none where nothing is random."""
    if explanation.seed is None:
        return ()
    return tuple((explanation.seed + step) % 2**32 for step in range(1, SEEDS + 1))


def map_similarity(
    words: str, heat: Heatmap, back: Heatmap, prob: float, degrees: float, spec: InputSpec
) -> MapSimilarity:
    """Compare two maps in one frame, without the rim that turning by ``degrees`` brings in from outside."""
    rim = rim_px(degrees, spec)
    inside = slice(rim, len(heat) - rim)
    one, other = heat[inside, inside], back[inside, inside]
    ordered = np.ptp(one) > 0 and np.ptp(other) > 0
    return MapSimilarity(words, spearman(one, other) if ordered else None, hottest_iou(one, other), prob)


def rim_px(degrees: float, spec: InputSpec) -> int:
    """How far into the square frame something from outside of the photo can come by turning it."""
    return math.ceil(math.tan(math.radians(abs(degrees))) * spec.max_aspect * spec.size_px / 2)


def turned(pixels: Pixels, degrees: float) -> Pixels:
    """The picture turned about its center, counter-clockwise; what comes in at the edges is its mirror image."""
    height, width = pixels.shape[:2]
    rim = math.ceil(math.sin(math.radians(abs(degrees))) * max(height, width)) + 2
    mirrored = Image.fromarray(np.pad(pixels, ((rim, rim), (rim, rim), (0, 0)), mode="symmetric"))
    whole = mirrored.rotate(degrees, Image.Resampling.BICUBIC)
    return np.asarray(whole.crop((rim, rim, rim + width, rim + height)))


def turned_back(heat: Heatmap, degrees: float, photo: Photo, spec: InputSpec) -> Heatmap:
    """A map of ``turned`` pixels in the frame of the photo as it was; 0 where nothing of it was seen.

    The network's square is the photo's region pressed into a square, so the turn is undone in the photo's proportions.
    """
    if degrees == 0:
        return heat
    _, _, height, width = crop_box(photo.height_px, photo.width_px, spec)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    tall = height / width
    # A point of the photo as it was, from the center, and where the turn by `degrees` had put it (y points down).
    matrix = np.array([[cos, sin * tall], [-sin / tall, cos]])
    center = len(heat) / 2
    shift = center - matrix @ (center, center)
    data = (matrix[0, 0], matrix[0, 1], shift[0], matrix[1, 0], matrix[1, 1], shift[1])
    placed = Image.fromarray(heat).transform(
        heat.shape[::-1], Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=0
    )
    return np.clip(np.asarray(placed, dtype=np.float32), 0, 1)


def brightened(pixels: Pixels, factor: float) -> Pixels:
    """Each value times ``factor``, rounded, at most 255."""
    levels = np.minimum(np.round(np.arange(256) * factor), 255).astype(np.uint8)
    return np.asarray(levels[pixels])


_CHANGES: tuple[tuple[str, float, Callable[[Pixels], Pixels]], ...] = (
    (f"turned by {TURN_DEGREES:.0f}° to the left", TURN_DEGREES, lambda pixels: turned(pixels, TURN_DEGREES)),
    (f"turned by {TURN_DEGREES:.0f}° to the right", -TURN_DEGREES, lambda pixels: turned(pixels, -TURN_DEGREES)),
    (f"{100 * BRIGHTNESS:.0f} % brighter", 0.0, lambda pixels: brightened(pixels, 1 + BRIGHTNESS)),
    (f"{100 * BRIGHTNESS:.0f} % darker", 0.0, lambda pixels: brightened(pixels, 1 - BRIGHTNESS)),
)
"""In words, by how many degrees the photo is turned, and the change itself."""


def _again(
    classifier: Classifier, photo: Photo, explanation: Explanation, other: dict[str, int], progress: Progress
) -> Explanation:
    params = {**explanation.params, **other}
    return explain(explanation.method, classifier, photo, explanation.label, params=params, progress=progress)


def _prob(classifier: Classifier, photo: Photo, explanation: Explanation) -> float:
    return classifier.predict(photo).prob(explanation.label)


def _part(told: Progress, place: int, count: int) -> Progress:
    return lambda fraction: told((place + fraction) / count)
