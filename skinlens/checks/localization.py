"""Localization of a map: relevance mass inside the lesion, and pointing game.

Zhang et al., "Top-Down Neural Attention by Excitation Backprop", International Journal of Computer Vision 126, 2018,
section 4.2: the *pointing game*, in which a map scores a hit if its hottest point lies on the object. The paper allows
a miss by 15 pixels; here the outline is the border. The share of heat inside is the same question asked of the whole
map. Both are set beside the share of the picture that the lesion takes up, which is what a map without any focus gets.

Neither says that a map is right: a model may look at the lesion and read it wrongly, and the skin around a lesion
belongs to what a dermatologist looks at.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skinlens import clock
from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.imaging.preprocess import InputSpec
from skinlens.records import CheckResult, Explanation, Heatmap, Mask, Outline, Photo
from skinlens.segmentation.contour import mask_in_view

KIND = "focus"


@dataclass(frozen=True)
class Localization:
    """One map against one outline."""

    inside: float
    """Share of the heat inside the outline, 0 to 1: 1 all of it."""
    area: float
    """Share of the seen picture inside the outline, 0 to 1: what ``inside`` is for heat that is spread evenly."""
    pointing_game: float
    """1 if the hottest point lies inside, 0 if not; between them the share inside, where several are hottest."""

    @property
    def verdict(self) -> str:
        """In plain words, for the reader of the map."""
        focused = "focused" if self.inside > self.area else "not focused"
        point = ", but hottest at a point outside of it" if self.inside > self.area and self.pointing_game == 0 else ""
        return f"{focused} on the lesion{point}"


def localization(photo: Photo, explanation: Explanation, outline: Outline, spec: InputSpec) -> CheckResult:
    """Where one map has its heat; ``spec`` is the input of the model that it explains.

    Raises:
        SkinLensError: map and outline are not both of this photo, the map has no heat, or the outline encloses nothing
            of what the model sees.
    """
    started = time.perf_counter()
    for what, its_photo in (("map", explanation.photo_sha256), ("outline", outline.photo_sha256)):
        if its_photo != photo.sha256:
            raise SkinLensError(
                f"The focus cannot be measured: expected the {what} of the photo {photo.sha256[:12]}…, found that of "
                f"{its_photo[:12]}…. Make the {what} anew."
            )
    title = METHODS[explanation.method].title
    inside = mask_in_view(outline, photo, spec)
    if not inside.any():
        raise SkinLensError(
            "The focus cannot be measured: the outline encloses nothing of what the model sees. Draw it anew."
        )
    if not explanation.heat.any():
        raise SkinLensError(f"{title} found no evidence for this class, so its map has no focus.")
    found = measure(explanation.heat, inside)
    return CheckResult(
        kind=KIND,
        label=explanation.label,
        method=explanation.method,
        photo_sha256=photo.sha256,
        model=explanation.model,
        seed=None,
        settings={"map": dict(explanation.params), "outline": outline_settings(outline)},
        figures={"inside": found.inside, "area": found.area, "pointing": found.pointing_game, "verdict": found.verdict},
        duration_ms=(time.perf_counter() - started) * 1000,
        created_at=clock.utc_now(),
    )


def outline_settings(outline: Outline) -> dict[str, Any]:
    """What tells one outline from another, ready for JSON."""
    return {"made_by": outline.made_by, "points": [list(point) for point in outline.points]}


def from_check(check: CheckResult) -> Localization:
    figures: Mapping[str, Any] = check.figures
    return Localization(figures["inside"], figures["area"], figures["pointing"])


def measure(heat: Heatmap, inside: Mask) -> Localization:
    """The figures of a map with some heat, in one frame with the mask of the lesion."""
    return Localization(relevance_mass(heat, inside), float(inside.mean()), pointing_game(heat, inside))


def relevance_mass(heat: Heatmap, inside: Mask) -> float:
    """Share of the heat inside, 0 to 1. The map must have some."""
    weights = heat.astype(np.float64)
    return float(weights[inside].sum() / weights.sum())


def pointing_game(heat: Heatmap, inside: Mask) -> float:
    """Share of the hottest points that lie inside: 1 a hit, 0 a miss.

    Pixels that tie for the hottest, as all of one LIME patch do, count alike: it is the chance of a hit if one of them
    is drawn.
    """
    return float(inside[heat == heat.max()].mean())


def in_words(check: CheckResult) -> str:
    """One sentence for the report."""
    found, outline = from_check(check), check.settings["outline"]
    where = "inside" if found.pointing_game > 0.5 else "outside"
    return (
        f"{100 * found.inside:.0f} % of the heat lies inside the {outline['made_by']}'s outline of the lesion, which "
        f"takes up {100 * found.area:.0f} % of the picture; the hottest point is {where}."
    )
