"""Localization of a map: relevance mass inside the lesion, and pointing game.

Zhang et al., "Top-Down Neural Attention by Excitation Backprop", International Journal of Computer Vision 126, 2018,
section 4.2: the *pointing game*, in which a map scores a hit if its hottest point lies on the object. The paper allows
a miss by 15 pixels; here the outline is the border. The share of heat inside is the same question asked of the whole
map. Both are set beside the share of the picture that the lesion takes up, which is what a map without any focus gets.

Neither says that a map is right: a model may look at the lesion and read it wrongly, and the skin around a lesion
belongs to what a dermatologist looks at.
"""

from dataclasses import dataclass

import numpy as np

from skinlens.checks.contract import Found, MapCheck, Row, Subject
from skinlens.errors import SkinLensError
from skinlens.formatting import rounded_percent
from skinlens.records import CheckResult, Explanation, Heatmap, Mask, Progress
from skinlens.segmentation.contour import mask_in_view


@dataclass(frozen=True)
class Localization:
    """One map against one outline."""

    relevance_mass: float
    """Share of the heat inside the outline, 0 to 1: 1 all of it."""
    area: float
    """Share of the seen picture inside the outline, 0 to 1: ``relevance_mass`` of heat that is spread evenly."""
    pointing_game: float
    """1 if the hottest point lies inside, 0 if not; between them the share inside, where several are hottest."""

    @property
    def verdict(self) -> str:
        """Verdict in plain words, for the reader of the map."""
        if self.relevance_mass <= self.area:
            return "not focused on the lesion"
        return "focused on the lesion" + ("" if self.pointing_game else ", but hottest at a point outside of it")


class LocalizationCheck(MapCheck):
    kind = "focus"
    title = "Localization"
    question = "Do the maps look at the lesion?"
    help = """
The outline is the model's, or yours once you have corrected it.

**Heat inside**: how much of a map's heat lies inside the outline. Beside it stands how much of the picture the lesion
takes up: a map that looks at nothing in particular has that much of its heat inside.

**Hottest point**: whether the brightest place of the map lies inside.

A map that looks at the lesion is not right for that alone, and what surrounds a lesion can matter too.
"""
    button = "Measure where the maps look"
    columns = ("Map", "Heat inside", "Hottest point", "Result")
    instant = True
    wide = True
    needs_outline = True

    def measure(self, subject: Subject, explanation: Explanation, progress: Progress) -> Found:  # noqa: ARG002  instant
        """Raises SkinLensError where the outline encloses nothing of what the model sees."""
        assert subject.outline is not None
        lesion = mask_in_view(subject.outline, subject.photo, subject.classifier.engine.spec)
        if not lesion.any():
            raise SkinLensError("The outline encloses nothing of what the model sees. Draw it anew.")
        localization = measure(explanation.heatmap, lesion)
        return Found(
            {
                "relevance_mass": localization.relevance_mass,
                "area": localization.area,
                "pointing_game": localization.pointing_game,
                "verdict": localization.verdict,
            }
        )

    def row(self, result: CheckResult) -> Row:
        figures = result.figures
        point = {0.0: "outside", 1.0: "inside"}.get(
            figures["pointing_game"], f"{rounded_percent(figures['pointing_game'])} of them inside"
        )
        mass = f"{rounded_percent(figures['relevance_mass'])} (lesion: {rounded_percent(figures['area'])})"
        return mass, point, figures["verdict"]

    def summary(self, result: CheckResult) -> str:
        figures, outline = result.figures, result.settings["outline"]
        where = "inside" if figures["pointing_game"] > 0.5 else "outside"
        mass, area = rounded_percent(figures["relevance_mass"]), rounded_percent(figures["area"])
        return (
            f"{mass} of the heat lies inside the {outline['made_by']}'s outline of the lesion, which takes up {area} "
            f"of the picture; the hottest point is {where}."
        )


def measure(heatmap: Heatmap, lesion: Mask) -> Localization:
    """The figures of a map with some heat, in one frame with the mask of the lesion."""
    return Localization(relevance_mass(heatmap, lesion), float(lesion.mean()), pointing_game(heatmap, lesion))


def relevance_mass(heatmap: Heatmap, lesion: Mask) -> float:
    """Share of the heat inside, 0 to 1. The map must have some."""
    weights = heatmap.astype(np.float64)
    return float(weights[lesion].sum() / weights.sum())


def pointing_game(heatmap: Heatmap, lesion: Mask) -> float:
    """Share of the hottest points that lie inside: 1 a hit, 0 a miss.

    Pixels that tie for the hottest, as all of one LIME patch do, count alike: it is the chance of a hit if one of them
    is drawn.
    """
    return float(lesion[heatmap == heatmap.max()].mean())
