"""Agreement of the maps of one class of one photo: three figures for each pair, and one verdict.

Agreement says that methods with different assumptions found the same place; it does not say that the place is right.
Grad-CAM and Score-CAM read the same inner maps of the network and so agree more easily with each other than with LIME.
All three figures are taken in the square frame of the network's input, where each pixel counts alike.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from skinlens.checks.contract import Comparison, Found, Row
from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.formatting import decimal, part, rounded_percent
from skinlens.records import Array, CheckResult, Explanation, Heatmap, Mask, Method

HOTTEST = 0.2
"""Share of the picture that counts as the hottest area."""
SAME_AREA = 1 / 2
"""IoU from which two maps point to the same area: areas of one size then share two thirds of it, so the words are true
as a reader takes them. Half of each (an IoU of 1/3) is as much beside each other as upon each other.

What it is worth was looked at on 42 photos of ``val``, six of each class, explained for their most probable class by
release 0.1.0 (Score-CAM with 64 channels, LIME with 300 samples). Median IoU of maps of one photo, and of maps of two
*different* photos, for lesions lie in the middle of their photos:

- Grad-CAM and Score-CAM: .91, and .61; at 1/2 all pass, and 72 % of the mismatched. At no cut-off below .8 do fewer
  than 5 % of the mismatched pass, so the agreement of these two alone is said with that caution.
- LIME and either: .23, and .19; at 1/2 none of 84 passes, and 1.4 % of the mismatched; at 1/3 it was 8 %, and 10 %,
  so that those words would be earned by chance. Where LIME does agree, it says something.
"""
OVERLAP = 1 / 4
"""IoU from which two maps overlap in part, two fifths of each. LIME's map and another method's map of another photo do
so in 23 %; two areas placed anywhere by chance, a fifth of the picture each, have .11."""

STUDIED_PHOTOS, MISMATCHED_AGREE = 42, 0.72
"""Photos of the study above, and the share of Grad-CAM's and Score-CAM's maps of two different ones that agree."""
CHANCE = HOTTEST / (2 - HOTTEST)
"""IoU of two areas of that size that lie anywhere: they share HOTTEST of each other."""
HOTTEST_PART = f"hottest {part(HOTTEST)}"
SHARED_HELP = (
    f"of the area that either map has in its {HOTTEST_PART}, how much both have. 100 % is the same area, about "
    f"{rounded_percent(CHANCE)} is chance, 0 % is apart."
)
SAME_AREA_HELP = (
    f"From {rounded_percent(SAME_AREA)} on they count as the same area: each then shares "
    f"{rounded_percent(2 * SAME_AREA / (1 + SAME_AREA))} of its own."
)
"""What ``hottest_iou`` and its limit mean, for the reader of a table."""


@dataclass(frozen=True)
class PairAgreement:
    """Two maps against each other. Each figure is the same in either order."""

    first: Method
    second: Method
    spearman: float
    """-1 to 1: 1 the same order of the pixels from cold to hot, 0 unrelated, -1 the reverse order."""
    hottest_iou: float
    """0 to 1: what the two hottest areas share, over what they cover together; 1 the same area, 0 apart."""
    center_distance_percent: float
    """0 to 100, % of the picture's diagonal: 0 the same center of the hottest area; larger is further apart."""

    @property
    def same_area(self) -> bool:
        return self.hottest_iou >= SAME_AREA

    @property
    def overlaps(self) -> bool:
        return self.hottest_iou >= OVERLAP

    @property
    def akin(self) -> bool:
        """Whether both read the same inner maps of the network, so that they agree on any photo."""
        return {self.first, self.second} == {"grad_cam", "score_cam"}


@dataclass(frozen=True)
class Agreement:
    """All pairs of maps that point somewhere, and the conclusion."""

    photo_sha256: str
    label: str
    """Class code that all the maps explain."""
    pairs: tuple[PairAgreement, ...]
    left_out: tuple[Method, ...]
    """Maps that are the same everywhere, so that they point nowhere; mostly as they found no evidence."""
    verdict: str
    """Verdict in plain words, for the reader of the maps."""


class AgreementCheck(Comparison):
    kind = "agreement"
    title = "Agreement"
    question = "Do the maps agree?"
    help = f"""
**Same order of heat**: rank correlation of all pixels. 1 is the same order from cold to hot, 0 unrelated, -1 reversed.

**{HOTTEST_PART.capitalize()} shared**: {SHARED_HELP} {SAME_AREA_HELP} From {rounded_percent(OVERLAP)} on they overlap
in part.

**Centers apart**: between the centers of the hottest areas, in % of the picture's diagonal. 0 % is the same center.

Agreement does not make a map right. Grad-CAM and Score-CAM read the same inner patterns of the network: on
{STUDIED_PHOTOS} photos of the validation set they always pointed to the same area, and so did, in
{rounded_percent(MISMATCHED_AGREE)} of the pairs, their maps of two *different* photos, because lesions lie in the
middle. That LIME points to the same area is rare, and says more.
"""
    columns = ("Maps", "Same order of heat", f"{HOTTEST_PART.capitalize()} shared", "Centers apart, of the diagonal")
    in_line = True

    def compare(self, maps: Sequence[Explanation]) -> Found:
        agreement = agree(maps)
        return Found({"pairs": [asdict(pair) for pair in agreement.pairs], "verdict": agreement.verdict})

    def summary(self, result: CheckResult) -> str:
        return str(result.figures["verdict"])

    def rows(self, results: Sequence[CheckResult]) -> list[Row]:
        return [
            (
                f"{METHODS[pair.first].title} and {METHODS[pair.second].title}",
                decimal(pair.spearman, 2),
                rounded_percent(pair.hottest_iou),
                rounded_percent(pair.center_distance_percent / 100),
            )
            for pair in _pairs(results)
        ]

    def claim(self, results: Sequence[CheckResult]) -> str:
        pairs = _pairs(results)
        if not pairs:
            return f"{self.title}: there is nothing to compare"
        if all(pair.same_area for pair in pairs):
            return "The maps agree"
        return "The maps agree in part" if any(pair.overlaps for pair in pairs) else "The maps disagree"


def _pairs(results: Sequence[CheckResult]) -> list[PairAgreement]:
    return [PairAgreement(**pair) for pair in results[-1].figures["pairs"]]


def agree(explanations: Sequence[Explanation]) -> Agreement:
    """Compare two or more maps, one of each method.

    A map without evidence (0 everywhere), or with the same heat everywhere, has neither an order nor a hottest place:
    it is named in the verdict and left out of the pairs.

    Raises:
        SkinLensError: fewer than two maps, two of one method, or maps of different photos, classes or models.
    """
    _require_comparable(explanations)
    telling = [explanation for explanation in explanations if np.ptp(explanation.heatmap) > 0]
    pairs = tuple(_pair(explanation, other) for explanation, other in combinations(telling, 2))
    silent = [explanation for explanation in explanations if np.ptp(explanation.heatmap) == 0]
    verdict = " ".join(
        [
            *(_silence(explanation) for explanation in silent),
            _verdict([explanation.method for explanation in telling], pairs),
        ]
    )
    first = explanations[0]
    return Agreement(
        first.photo_sha256, first.label, pairs, tuple(explanation.method for explanation in silent), verdict
    )


def spearman(heatmap: Heatmap, other: Heatmap) -> float:
    """Correlation of the ranks, -1 to 1, ties at their mean rank. Neither map may be the same everywhere.

    Spearman, "The Proof and Measurement of Association between Two Things", 1904. Only the order of the pixels counts,
    so methods with different scales can be compared. Neighbouring pixels depend on each other: it describes two maps
    and tests no hypothesis.
    """
    return float(np.corrcoef(mean_ranks(heatmap), mean_ranks(other))[0, 1])


def mean_ranks(heatmap: Heatmap) -> Float64[Array, " n"]:
    """Rank of each pixel from 1, coldest first; equal pixels share the mean of the ranks that they take up."""
    _, which, counts = np.unique(heatmap.ravel(), return_inverse=True, return_counts=True)
    ranks: Float64[Array, " n"] = (np.cumsum(counts) - (counts - 1) / 2)[which]
    return ranks


def hottest(heatmap: Heatmap) -> Mask:
    """The hottest ``HOTTEST`` of the pixels, of those with any heat.

    What ties with the last of them is in as well, so that no place is preferred and the area can be larger than a fifth
    (LIME's patches are equal inside). Zero is "none" and never hot, so the area can be smaller, and that of a map
    without evidence is nothing.
    """
    count = int(np.ceil(HOTTEST * heatmap.size))
    least = np.partition(heatmap.ravel(), -count)[-count]
    return np.asarray((heatmap >= least) & (heatmap > 0))


def hottest_iou(heatmap: Heatmap, other: Heatmap) -> float:
    """Intersection over union of the two hottest areas, 0 apart to 1 the same; 0 if neither map has any heat.

    Jaccard, "The Distribution of the Flora in the Alpine Zone", 1912.
    """
    first, second = hottest(heatmap), hottest(other)
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else 0.0


def center_distance_percent(heatmap: Heatmap, other: Heatmap) -> float:
    """Distance between the centers of both hottest areas, each pixel weighed by its heat; % of the diagonal, 0 to 100.

    Of the hottest areas and not of the whole maps: faint heat all over draws every center towards the middle.
    Neither map may be without heat.
    """
    apart = np.subtract(heatmap_center(heatmap), heatmap_center(other))
    return float(100 * np.hypot(*apart) / np.hypot(*heatmap.shape))


def heatmap_center(heatmap: Heatmap) -> tuple[float, float]:
    """Center of mass of the hottest area, in pixels down and to the right of the first pixel's center."""
    weights = np.where(hottest(heatmap), heatmap, 0).astype(np.float64)
    down, right = np.indices(heatmap.shape)
    return float((weights * down).sum() / weights.sum()), float((weights * right).sum() / weights.sum())


def _require_comparable(explanations: Sequence[Explanation]) -> None:
    if len(explanations) < 2:
        raise SkinLensError(f"Agreement needs at least two maps, found {len(explanations)}. Make another map first.")
    for what, values in (
        ("photo", {explanation.photo_sha256 for explanation in explanations}),
        ("class", {explanation.target for explanation in explanations}),
        ("model", {explanation.model.sha256 for explanation in explanations}),
        ("size", {explanation.heatmap.shape for explanation in explanations}),
    ):
        if len(values) > 1:
            raise SkinLensError(
                f"These maps cannot be compared: expected all of one {what}, found {len(values)}. Make them anew for "
                "one photo and one class, with the same model."
            )
    if len({explanation.method for explanation in explanations}) < len(explanations):
        raise SkinLensError("These maps cannot be compared: found two of one method. Give one map of each method.")


def _pair(explanation: Explanation, other: Explanation) -> PairAgreement:
    return PairAgreement(
        explanation.method,
        other.method,
        spearman(explanation.heatmap, other.heatmap),
        hottest_iou(explanation.heatmap, other.heatmap),
        center_distance_percent(explanation.heatmap, other.heatmap),
    )


def _silence(explanation: Explanation) -> str:
    title = METHODS[explanation.method].title
    if explanation.heatmap.any():
        return f"{title} is the same everywhere and points to no place."
    return f"{title} found no evidence for this class."


def _verdict(methods: Sequence[Method], pairs: Sequence[PairAgreement]) -> str:
    """Conclusion from the maps that point somewhere."""
    titles = [METHODS[method].title for method in methods]
    if not titles:
        return "There is nothing to read from these maps."
    if len(titles) == 1:
        return f"{titles[0]} stands alone: nothing confirms it."
    same = [pair for pair in pairs if pair.same_area]
    caution = f" {AKIN}" if [pair.akin for pair in same] == [True] else ""
    if len(same) == len(pairs):
        return f"The {_COUNTS[len(titles)]} maps point to the same area.{caution}"
    if not same:
        if any(pair.overlaps for pair in pairs):
            return "The maps overlap only in part: read none of them alone."
        return "The maps disagree: read none of them alone."
    agreeing = {METHODS[method].title for pair in same for method in (pair.first, pair.second)}
    if len(same) == 1:
        apart = " and ".join(title for title in titles if title not in agreeing)
        together = " and ".join(title for title in titles if title in agreeing)
        way = "overlaps it in part" if sum(pair.overlaps for pair in pairs) > 1 else "points elsewhere"
        return f"Two of three maps point to the same area: {together}. {apart} {way}.{caution}"
    # Two of the three pairs: the map that both have in common lies between the other two.
    between = next(METHODS[m].title for m in methods if all(m in (pair.first, pair.second) for pair in same))
    others = " and ".join(title for title in titles if title != between)
    return f"The three maps overlap in part: {between} shares its area with each of {others}, which differ."


_COUNTS = {2: "two", 3: "three"}
AKIN = "Grad-CAM and Score-CAM read the same inner patterns of the network, so that these two agree says little."
