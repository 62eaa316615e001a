"""Faithfulness of a map: deletion and insertion curves of the model score (RISE; Petsiuk et al., 2018).

Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", 2018, section 4.1: the hottest
parts of the photo are taken away first (deletion) or brought in first (insertion), in ``STEPS`` equal steps, and the
area under the curve of the class's probability is the figure. It depends on the photo and the model as much as on the
map, so it is set beside that of random maps of the same roughness on the same photo.

What is taken away becomes a blurred copy of the photo, in both curves. RISE blurs for insertion alone and deletes to
gray; but gray holes are unlike any photo that this network was trained on, and it answers to their edges. A network
tends to give a blurred photo to the commonest class (the first release: all of 35, to the nevus). For that class both
curves begin and end high, so its figures move little and are told from chance less often.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int

from skinlens.checks.contract import Found, MapCheck, Row, Subject, target_of
from skinlens.explain import seed_of
from skinlens.formatting import percent, rounded_percent
from skinlens.imaging.preprocess import to_batch
from skinlens.inference.classifier import Classifier
from skinlens.labels import INDEX
from skinlens.records import Array, Batch, CheckResult, Explanation, Heatmap, Progress, Target
from skinlens.wording.records import target_words

STEPS = 17
"""The 16 pictures between the whole and the blurred photo fill one batch of the engine."""
RANDOM_MAPS = 8
CLEARLY = 2.0
"""Standard deviations of the random maps by which a map must do better than their mean. With eight of them, a ninth
random map is beyond it about once in twenty times (Student's t with 7 degrees of freedom, 1.89 · sqrt(1 + 1/8))."""
CLEARLY_WORDS = f"by more than {CLEARLY:g} times the standard deviation of the {RANDOM_MAPS} random maps"
"""Words on when a map counts as better than chance."""
BLUR = 1 / 8
"""Standard deviation of the blur, as a share of the picture's side."""

Score = Callable[[Batch], Float64[Array, " n"]]
"""The probability of the explained class for each photo of a batch."""
Order = Int[Array, "s s"]
"""The place of each pixel when they are sorted from hot to cold: 0 the hottest, s² - 1 the coldest."""


class FaithfulnessCheck(MapCheck):
    kind = "faithfulness"
    title = "Faithfulness"
    question = "Does the result depend on what a map calls hot?"
    help = f"""
The hottest parts of a map are blurred first, or become sharp first, step by step, and the model is asked at each step.
If the map shows what moves the model, the probability falls early in the one case and rises early in the other.

The same is done with {RANDOM_MAPS} random maps that are as rough, on the same photo. **Better than chance** is a map
that does better than their mean {CLEARLY_WORDS}. It is a low bar: the place matters to the model; whether it matters to
the diagnosis is another question.

**Loss without surroundings**: the share of the probability that is lost when only what is hot stays sharp.

A blurred photo is mostly read as a melanocytic nevus, the commonest class. For that class the probability moves little,
and the check tells less.
"""
    button = "Check the maps against the model"
    hint = "Does the model's answer change with what a map calls hot? It takes some seconds."
    columns = ("Map", "Deletion test", "Insertion test", "Loss without surroundings", "Result")

    def measure(self, subject: Subject, explanation: Explanation, progress: Progress) -> Found:
        """The figures beside those of random maps; the same photo and map always give the same.

        ``deletion``, ``insertion``: mean probability while the hottest parts are blurred first (lower is better), or
        become sharp first (higher is better), 0 to 1. ``better_than_chance``: whether their difference exceeds the mean
        of the random maps clearly, a low bar: it says that the place matters, not that the map is the best there could
        be. ``average_drop``: share of the probability that is lost when only what is hot stays sharp, 0 to 1.
        """
        classifier, seed = subject.classifier, seed_of(subject.photo)
        sharp = to_batch([subject.photo], classifier.engine.spec)[0]
        blurred = blur(sharp, BLUR * sharp.shape[-1])

        def score(batch: Batch) -> Float64[Array, " n"]:
            return score_of(classifier, explanation.target, batch)

        ends = score(np.stack([sharp, blurred, sharp * explanation.heatmap + blurred * (1 - explanation.heatmap)]))
        orders = [order_of(explanation.heatmap)]
        orders += [order_of(heatmap) for heatmap in random_maps(explanation.heatmap, seed, RANDOM_MAPS)]
        curves = []
        for done, order in enumerate(orders, start=1):
            curves.append(deletion_insertion(sharp, blurred, order, (float(ends[0]), float(ends[1])), score))
            progress(done / len(orders))
        own, random = curves[0], curves[1:]
        figures = {
            "deletion": own.deletion,
            "insertion": own.insertion,
            "random_deletion_mean": float(np.mean([curve.deletion for curve in random])),
            "random_insertion_mean": float(np.mean([curve.insertion for curve in random])),
            "better_than_chance": clearly_better(own.auc_gain, [curve.auc_gain for curve in random]),
            "average_drop": average_drop(float(ends[0]), float(ends[2])),
        }
        return Found(figures, {"steps": STEPS, "random_maps": RANDOM_MAPS, "blur": BLUR}, seed)

    def row(self, result: CheckResult) -> Row:
        figures = result.figures
        return (
            f"{percent(figures['deletion'])} (chance {percent(figures['random_deletion_mean'])})",
            f"{percent(figures['insertion'])} (chance {percent(figures['random_insertion_mean'])})",
            rounded_percent(figures["average_drop"]),
            "better than chance" if figures["better_than_chance"] else "not clearly better than chance",
        )

    def note(self, results: Sequence[CheckResult]) -> str:
        return (
            f"Mean probability of {target_words(target_of(results[0]))} along the way. Blurred first: lower is better. "
            f"Sharp first: higher is better. Clearly better: {CLEARLY_WORDS}."
        )

    def summary(self, result: CheckResult) -> str:
        figures = result.figures
        said = "Better than chance" if figures["better_than_chance"] else "Not clearly better than chance"
        return (
            f"{said}: the mean probability is {percent(figures['deletion'])} while the hottest parts are blurred first "
            f"(random maps {percent(figures['random_deletion_mean'])}; lower is better), and "
            f"{percent(figures['insertion'])} while they become sharp first (random maps "
            f"{percent(figures['random_insertion_mean'])}; higher is better)."
        )


@dataclass(frozen=True)
class CurveAUC:
    """Areas under the two curves of one map; both are mean scores along the way."""

    deletion: float
    insertion: float

    @property
    def auc_gain(self) -> float:
        """-1 to 1 for probabilities: higher is better, 0 if the order of the pixels makes no difference."""
        return self.insertion - self.deletion


def score_of(classifier: Classifier, target: Target, batch: Batch) -> Float64[Array, " n"]:
    """The calibrated probability of the target's class; for a class against another, its share of what the two have."""
    if not target.contrast_with:
        return classifier.probs(batch)[:, INDEX[target.label]].astype(np.float64)
    lead = target.score(classifier.engine.logits(batch)).astype(np.float64) / classifier.temperature
    return np.asarray(1 / (1 + np.exp(-lead)))


def deletion_insertion(
    sharp: Float32[Array, "3 s s"],
    blurred: Float32[Array, "3 s s"],
    order: Order,
    ends: tuple[float, float],
    score: Score,
) -> CurveAUC:
    """Both areas of one order of the pixels, the hottest first. ``ends``: the scores of ``sharp`` and ``blurred``."""
    hot = np.stack(list(_hottest_parts(order)))[:, np.newaxis]
    deleted = score(np.where(hot, blurred, sharp))
    inserted = score(np.where(hot, sharp, blurred))
    return CurveAUC(area(ends[0], deleted, ends[1]), area(ends[1], inserted, ends[0]))


def _hottest_parts(order: Order) -> Iterator[Bool[Array, "s s"]]:
    """The hottest 1/STEPS of the pixels, the hottest 2/STEPS, and so on; neither none nor all."""
    for step in range(1, STEPS):
        yield order < round(step * order.size / STEPS)


def area(first: float, between: Float64[Array, " n"], last: float) -> float:
    """Area under a curve of equal steps from 0 to 1, by the trapezoidal rule: the mean score along the way."""
    return float((first / 2 + between.sum() + last / 2) / (len(between) + 1))


def order_of(heatmap: Heatmap) -> Order:
    """Order from hot to cold. Equal pixels: those with hotter surroundings first, so no order runs from the top."""
    around = blur(heatmap, BLUR * len(heatmap))
    order = np.empty(heatmap.size, dtype=np.int64)
    order[np.lexsort((-around.ravel(), -heatmap.ravel()))] = np.arange(heatmap.size)
    return order.reshape(heatmap.shape)


def random_maps(heatmap: Heatmap, seed: int, count: int) -> Iterator[Heatmap]:
    """Maps that are as rough as ``heatmap`` and have their heat in random places.

    The strength of each spatial frequency is kept and its phase drawn anew: the surrogates of Theiler et al., "Testing
    for Nonlinearity in Time Series: the Method of Surrogate Data", 1992. The map is mirrored to twice its side before,
    so that its opposite edges meet; a quarter is handed out. Only the order of the pixels has a meaning.
    """
    side = len(heatmap)
    strength = np.abs(np.fft.fft2(np.pad(heatmap - heatmap.mean(), (0, side), mode="symmetric")))
    random = np.random.default_rng(seed)
    for _ in range(count):
        noise = np.fft.fft2(random.normal(size=strength.shape))  # of real numbers, so the result is real again
        drawn = np.fft.ifft2(strength * noise / np.abs(noise)).real
        yield drawn[:side, :side].astype(np.float32)


def blur(picture: Float32[Array, "... s s"], sigma_px: float) -> Float32[Array, "... s s"]:
    """Gaussian blur along both sides; at the edges the mean is over what lies inside the picture."""
    place = np.arange(picture.shape[-1])
    weights = np.exp(-(((place[:, np.newaxis] - place) / sigma_px) ** 2) / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights @ picture @ weights.T, dtype=np.float32)


def clearly_better(gain: float, random_gains: list[float]) -> bool:
    """Whether ``gain`` lies more than ``CLEARLY`` standard deviations above the mean of the random ones."""
    return gain > float(np.mean(random_gains)) + CLEARLY * float(np.std(random_gains, ddof=1))


def average_drop(whole: float, hot_only: float) -> float:
    """The share of the probability that is lost, max(0, whole - hot_only) / whole; 0 for a gain. 0 to 1.

    Chattopadhay et al., "Grad-CAM++", 2018, section 4.1, for one photo; the rest of it is blurred here, not black.
    """
    return max(0.0, whole - hot_only) / whole if whole > 0 else 0.0
