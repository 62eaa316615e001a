"""Robustness of a map: similarity under small changes of the photo, and for LIME under other seeds.

Two maps are compared by the rank correlation of all pixels and by what their hottest fifths share, the two measures of
Ghorbani, Abid and Zou, "Interpretation of Neural Networks Is Fragile", 2019 (Spearman's rank order correlation, top-k
intersection; here as intersection over union). They changed photos in the worst possible way; here the change is what
happens at any examination: the camera is held ``TURN_DEGREES`` askew, the light is ``BRIGHTNESS`` brighter or darker.
A map that moves under that would also have moved had the photo been taken again. For LIME over seeds see Visani et
al., "Statistical stability indices for LIME: obtaining reliable explanations for Machine Learning models", 2020.

The prediction may change with the photo, and then its map should change too; so each probability is stored.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from skinlens.checks.agreement import HOTTEST_PART, OVERLAP, SHARED_HELP, hottest_iou, spearman
from skinlens.checks.contract import Found, MapCheck, Row, Subject
from skinlens.explain import METHODS, explain_again
from skinlens.formatting import decimal, percent, rounded_percent
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import InputSpec, crop_box
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Explanation, Heatmap, Photo, Pixels, Progress, Target
from skinlens.wording.naming import capital
from skinlens.wording.records import target_words

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


class RobustnessCheck(MapCheck):
    kind = "stability"
    title = "Robustness"
    question = "Do the maps stay in place?"
    help = f"""
Each map is made again from the photo turned by {TURN_DEGREES:.0f}° to either side, and from the photo made
{rounded_percent(BRIGHTNESS)} brighter and darker: less than the difference between two photos of one lesion. Turned
maps are turned back before they are compared. LIME, in which chance has a part, is made again with {SEEDS} other seeds
too.

**Shared**: {SHARED_HELP} **Order**: rank correlation of all pixels; 1 is the same order from cold to hot, 0
unrelated. The worst of each kind of change is shown. A map is called steady if it shares {rounded_percent(STEADY)} or
more each time, and said to move in part from {rounded_percent(OVERLAP)} on.

The prediction may change with the photo, and then its map should change too; so the probabilities are shown as well.
"""
    button = "Check how robust the maps are"
    hint = (
        "Would the maps be the same had the photo been taken a little askew or in other light? The slower methods are "
        "made several times for this: it takes some time, and the page can be used meanwhile."
    )
    columns = ("Map", "Photo turned", "Other light", "Other seeds", "Result")
    in_line = True

    def measure(self, subject: Subject, explanation: Explanation, progress: Progress) -> Found:
        """The map made again under each change, and for LIME with ``SEEDS`` other seeds, and compared.

        ``least_shared``: the smallest IoU of all, 1 is best.
        """
        classifier, photo = subject.classifier, subject.photo
        spec, seeds = classifier.engine.spec, other_seeds(explanation)
        comparisons = len(_CHANGES) + len(seeds)
        changes = []
        for place, (words, degrees, change) in enumerate(_CHANGES):
            changed = photo_from_pixels(change(photo.pixels), photo.source_format)
            again = explain_again(explanation, classifier, changed, progress=_part(progress, place, comparisons))
            back = turned_back(again.heatmap, degrees, photo, spec)
            changes.append(
                map_similarity(words, explanation.heatmap, back, _prob(classifier, changed, explanation), degrees, spec)
            )
        prob = _prob(classifier, photo, explanation)
        others = []
        for place, seed in enumerate(seeds, start=len(_CHANGES)):
            part = _part(progress, place, comparisons)
            again = explain_again(explanation, classifier, photo, changed={"seed": seed}, progress=part)
            others.append(map_similarity(f"seed {seed}", explanation.heatmap, again.heatmap, prob, 0.0, spec))
        figures = {
            "changes": [vars(similarity) for similarity in changes],
            "seeds": [vars(similarity) for similarity in others],
            "prob": prob,
            "least_shared": min(similarity.hottest_iou for similarity in (*changes, *others)),
        }
        settings = {"turn_degrees": TURN_DEGREES, "brightness": BRIGHTNESS, "seeds": len(seeds)}
        return Found(figures, settings, explanation.seed)

    def row(self, result: CheckResult) -> Row:
        figures = result.figures
        again = _worst(figures["seeds"]) if figures["seeds"] else "nothing is random"
        return _worst(figures["changes"][:2]), _worst(figures["changes"][2:]), again, verdict(figures["least_shared"])

    def note(self, results: Sequence[CheckResult]) -> str:
        probs = [change["prob"] for result in results for change in result.figures["changes"]]
        of_class = target_words(Target(results[0].label))
        return (
            f"Meanwhile the model's probability of {of_class} was {percent(min(probs))} to {percent(max(probs))}; on "
            f"the photo as it is, {percent(results[0].figures['prob'])}."
        )

    def summary(self, result: CheckResult) -> str:
        figures, said = result.figures, verdict(result.figures["least_shared"])
        brightness = rounded_percent(result.settings["brightness"])
        comparisons = [
            f"{rounded_percent(min(trial['hottest_iou'] for trial in made))} {when}"
            for made, when in (
                (figures["changes"][:2], f"with the photo turned by {result.settings['turn_degrees']:.0f}°"),
                (figures["changes"][2:], f"with it {brightness} brighter or darker"),
                (figures["seeds"], "with another seed"),
            )
            if made
        ]
        return f"{capital(said)}: its {HOTTEST_PART} shares at least {', '.join(comparisons)}."

    def claim(self, results: Sequence[CheckResult]) -> str:
        """Claim about the maps that were checked, by name where these are not all."""
        named = [method.title for name, method in METHODS.items() if name in {result.method for result in results}]
        who = "The maps" if len(named) == len(METHODS) else " and ".join(named)
        holds, moves = ("holds", "moves") if len(named) == 1 else ("hold", "move")
        how = {"steady": f"{holds} still", "moves in part": f"{moves} in part"}
        said = how.get(verdict(min(result.figures["least_shared"] for result in results)), f"{moves} elsewhere")
        return f"{who} {said} when the photo is turned or brightened a little"


def verdict(least_shared: float) -> str:
    """The smallest IoU in plain words."""
    if least_shared >= STEADY:
        return "steady"
    return "moves in part" if least_shared >= OVERLAP else "moves to another area"


def _worst(comparisons: Sequence[Mapping[str, Any]]) -> str:
    """The least likeness of some trials in words."""
    shared = min(trial["hottest_iou"] for trial in comparisons)
    orders = [trial["spearman"] for trial in comparisons]
    order = "no order left" if None in orders else f"order {decimal(min(orders), 2)}"
    return f"shared {rounded_percent(shared)}, {order}"


def other_seeds(explanation: Explanation) -> tuple[int, ...]:
    """The seeds that follow the map's own; none where nothing is random."""
    if explanation.seed is None:
        return ()
    return tuple((explanation.seed + step) % 2**32 for step in range(1, SEEDS + 1))


def map_similarity(
    words: str, heatmap: Heatmap, back: Heatmap, prob: float, degrees: float, spec: InputSpec
) -> MapSimilarity:
    """Compare two maps in one frame, without the rim that turning by ``degrees`` brings in from outside."""
    rim = rim_px(degrees, spec)
    interior = slice(rim, len(heatmap) - rim)
    own_map, other_map = heatmap[interior, interior], back[interior, interior]
    ordered = np.ptp(own_map) > 0 and np.ptp(other_map) > 0
    return MapSimilarity(
        words, spearman(own_map, other_map) if ordered else None, hottest_iou(own_map, other_map), prob
    )


def rim_px(degrees: float, spec: InputSpec) -> int:
    """Width of the rim, in the square frame, that something from outside of the photo can reach by turning it."""
    return math.ceil(math.tan(math.radians(abs(degrees))) * spec.max_aspect * spec.size_px / 2)


def turned(pixels: Pixels, degrees: float) -> Pixels:
    """The picture turned about its center, counter-clockwise; what comes in at the edges is its mirror image."""
    height, width = pixels.shape[:2]
    rim = math.ceil(math.sin(math.radians(abs(degrees))) * max(height, width)) + 2
    mirrored = Image.fromarray(np.pad(pixels, ((rim, rim), (rim, rim), (0, 0)), mode="symmetric"))
    whole = mirrored.rotate(degrees, Image.Resampling.BICUBIC)
    return np.asarray(whole.crop((rim, rim, rim + width, rim + height)))


def turned_back(heatmap: Heatmap, degrees: float, photo: Photo, spec: InputSpec) -> Heatmap:
    """Heatmap of a rotated photo, rotated back into the original frame; 0 where it covers nothing of it.

    The network's square is the photo's region pressed into a square, so the turn is undone in the photo's proportions.
    """
    if degrees == 0:
        return heatmap
    _, _, height, width = crop_box(photo.height_px, photo.width_px, spec)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    tall = height / width
    # A point of the photo as it was, from the center, and where the turn by `degrees` had put it (y points down).
    matrix = np.array([[cos, sin * tall], [-sin / tall, cos]])
    center = len(heatmap) / 2
    shift = center - matrix @ (center, center)
    data = (matrix[0, 0], matrix[0, 1], shift[0], matrix[1, 0], matrix[1, 1], shift[1])
    placed = Image.fromarray(heatmap).transform(
        heatmap.shape[::-1], Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=0
    )
    return np.clip(np.asarray(placed, dtype=np.float32), 0, 1)


def brightened(pixels: Pixels, factor: float) -> Pixels:
    """Each value times ``factor``, rounded, at most 255."""
    levels = np.minimum(np.round(np.arange(256) * factor), 255).astype(np.uint8)
    return np.asarray(levels[pixels])


_CHANGES: tuple[tuple[str, float, Callable[[Pixels], Pixels]], ...] = (
    (f"turned by {TURN_DEGREES:.0f}° to the left", TURN_DEGREES, lambda pixels: turned(pixels, TURN_DEGREES)),
    (f"turned by {TURN_DEGREES:.0f}° to the right", -TURN_DEGREES, lambda pixels: turned(pixels, -TURN_DEGREES)),
    (f"{rounded_percent(BRIGHTNESS)} brighter", 0.0, lambda pixels: brightened(pixels, 1 + BRIGHTNESS)),
    (f"{rounded_percent(BRIGHTNESS)} darker", 0.0, lambda pixels: brightened(pixels, 1 - BRIGHTNESS)),
)
"""In words, by how many degrees the photo is turned, and the change itself."""


def _prob(classifier: Classifier, photo: Photo, explanation: Explanation) -> float:
    return classifier.predict(photo).prob(explanation.label)


def _part(report_progress: Progress, place: int, count: int) -> Progress:
    return lambda fraction: report_progress((place + fraction) / count)
