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

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int

from skinlens import clock
from skinlens.checks.guards import require_checkable
from skinlens.explain import seed_of
from skinlens.formatting import percent
from skinlens.imaging.preprocess import to_batch
from skinlens.inference.classifier import Classifier
from skinlens.labels import INDEX
from skinlens.records import Array, Batch, CheckResult, Explanation, Heatmap, Photo, Progress, Target

KIND = "faithfulness"
FIGURES = (
    *("deletion", "insertion", "random_deletion_mean", "random_insertion_mean"),
    *("better_than_chance", "average_drop"),
)
"""The fields of ``Faithfulness`` that are a check's figures."""
STEPS = 17
"""The 16 pictures between the whole and the blurred photo fill one batch of the engine."""
RANDOM_MAPS = 8
CLEARLY = 2.0
"""Standard deviations of the random maps by which a map must do better than their mean. With eight of them, a ninth
random map is beyond it about once in twenty times (Student's t with 7 degrees of freedom, 1.89 · sqrt(1 + 1/8))."""
CLEARLY_WORDS = f"by more than {CLEARLY:g} times the standard deviation of the {RANDOM_MAPS} random maps"
"""When a map counts as better than chance; the screen takes its words from here."""
BLUR = 1 / 8
"""Standard deviation of the blur, as a share of the picture's side."""

Score = Callable[[Batch], Float64[Array, " n"]]
"""The probability of the explained class for each photo of a batch."""
Order = Int[Array, "s s"]
"""The place of each pixel when they are sorted from hot to cold: 0 the hottest, s² - 1 the coldest."""


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """One map's figures beside those of random maps of the same case."""

    explained: Explanation
    """The map that was put to the test."""
    seed: int
    """Of the random maps."""
    duration_ms: float
    created_at: str
    """UTC, ISO 8601."""
    deletion: float
    """Mean probability while the hottest parts are blurred first, 0 to 1: lower is better."""
    insertion: float
    """Mean probability while the hottest parts become sharp first, 0 to 1: higher is better."""
    random_deletion_mean: float
    random_insertion_mean: float
    better_than_chance: bool
    """Whether ``insertion - deletion`` exceeds the mean of the random maps by more than ``CLEARLY`` times their
    standard deviation. A low bar: it says that the place matters, not that the map is the best there could be."""
    average_drop: float
    """Share of the probability that is lost when only what is hot stays sharp, 0 to 1: lower is better."""

    def to_check(self) -> CheckResult:
        return CheckResult(
            kind=KIND,
            label=self.explained.label,
            method=self.explained.method,
            photo_sha256=self.explained.photo_sha256,
            model=self.explained.model,
            seed=self.seed,
            settings={"map": dict(self.explained.params), "steps": STEPS, "random_maps": RANDOM_MAPS, "blur": BLUR},
            figures={name: getattr(self, name) for name in FIGURES},
            duration_ms=self.duration_ms,
            created_at=self.created_at,
        )


@dataclass(frozen=True)
class Areas:
    """Areas under the two curves of one map; both are mean scores along the way."""

    deletion: float
    insertion: float

    @property
    def gain(self) -> float:
        """-1 to 1 for probabilities: higher is better, 0 if the order of the pixels makes no difference."""
        return self.insertion - self.deletion


def in_words(check: CheckResult) -> str:
    """One sentence for the report."""
    found = check.figures
    result = "Better than chance" if found["better_than_chance"] else "Not clearly better than chance"
    return (
        f"{result}: the mean probability is {percent(found['deletion'])} while the hottest parts are blurred first "
        f"(random maps {percent(found['random_deletion_mean'])}; lower is better), and {percent(found['insertion'])} "
        f"while they become sharp first (random maps {percent(found['random_insertion_mean'])}; higher is better)."
    )


def faithfulness(
    classifier: Classifier, photo: Photo, explanation: Explanation, *, progress: Progress | None = None
) -> Faithfulness:
    """Put one map to the test on the model that it explains. The same photo and map always give the same figures.

    ``progress`` is told the fraction done at the start and after each batch of 16 pictures.

    Raises:
        SkinLensError: the map is of another photo or another model, or is the same everywhere.
        Cancelled: ``progress`` raised it.
    """
    require_checkable(classifier, photo, explanation)
    started = time.perf_counter()
    seed = seed_of(photo)
    sharp = to_batch([photo], classifier.engine.spec)[0]
    blurred = blur(sharp, BLUR * sharp.shape[-1])

    def score(batch: Batch) -> Float64[Array, " n"]:
        return score_of(classifier, explanation.target, batch)

    told = progress or (lambda _: None)
    told(0.0)
    ends = score(np.stack([sharp, blurred, sharp * explanation.heat + blurred * (1 - explanation.heat)]))
    orders = [order_of(explanation.heat)]
    orders += [order_of(one) for one in random_maps(explanation.heat, seed, RANDOM_MAPS)]
    areas = []
    for done, order in enumerate(orders, start=1):
        areas.append(walk(sharp, blurred, order, (float(ends[0]), float(ends[1])), score))
        told(done / len(orders))
    own, random = areas[0], areas[1:]
    return Faithfulness(
        explained=explanation,
        seed=seed,
        duration_ms=(time.perf_counter() - started) * 1000,
        created_at=clock.utc_now(),
        deletion=own.deletion,
        insertion=own.insertion,
        random_deletion_mean=float(np.mean([one.deletion for one in random])),
        random_insertion_mean=float(np.mean([one.insertion for one in random])),
        better_than_chance=clearly_better(own.gain, [one.gain for one in random]),
        average_drop=average_drop(float(ends[0]), float(ends[2])),
    )


def score_of(classifier: Classifier, target: Target, batch: Batch) -> Float64[Array, " n"]:
    """The calibrated probability of the target's class; for a class against another, its share of what the two have."""
    if not target.against:
        return classifier.probs(batch)[:, INDEX[target.label]].astype(np.float64)
    lead = target.score(classifier.engine.logits(batch)).astype(np.float64) / classifier.temperature
    return np.asarray(1 / (1 + np.exp(-lead)))


def walk(
    sharp: Float32[Array, "3 s s"],
    blurred: Float32[Array, "3 s s"],
    order: Order,
    ends: tuple[float, float],
    score: Score,
) -> Areas:
    """Both areas of one order of the pixels, the hottest first. ``ends``: the scores of ``sharp`` and ``blurred``."""
    hot = np.stack(list(_hottest_parts(order)))[:, np.newaxis]
    deleted = score(np.where(hot, blurred, sharp))
    inserted = score(np.where(hot, sharp, blurred))
    return Areas(area(ends[0], deleted, ends[1]), area(ends[1], inserted, ends[0]))


def _hottest_parts(order: Order) -> Iterator[Bool[Array, "s s"]]:
    """The hottest 1/STEPS of the pixels, the hottest 2/STEPS, and so on; neither none nor all."""
    for step in range(1, STEPS):
        yield order < round(step * order.size / STEPS)


def area(first: float, between: Float64[Array, " n"], last: float) -> float:
    """Area under a curve of equal steps from 0 to 1, by the trapezoidal rule: the mean score along the way."""
    return float((first / 2 + between.sum() + last / 2) / (len(between) + 1))


def order_of(heat: Heatmap) -> Order:
    """From hot to cold. Equal pixels: first those with the hotter surroundings, so that no order runs from the top."""
    around = blur(heat, BLUR * len(heat))
    order = np.empty(heat.size, dtype=np.int64)
    order[np.lexsort((-around.ravel(), -heat.ravel()))] = np.arange(heat.size)
    return order.reshape(heat.shape)


def random_maps(heat: Heatmap, seed: int, count: int) -> Iterator[Heatmap]:
    """Maps that are as rough as ``heat`` and have their heat in random places.

    The strength of each spatial frequency is kept and its phase drawn anew: the surrogates of Theiler et al., "Testing
    for Nonlinearity in Time Series: the Method of Surrogate Data", 1992. The map is mirrored to twice its side before,
    so that its opposite edges meet; a quarter is handed out. Only the order of the pixels has a meaning.
    """
    side = len(heat)
    strength = np.abs(np.fft.fft2(np.pad(heat - heat.mean(), (0, side), mode="symmetric")))
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
