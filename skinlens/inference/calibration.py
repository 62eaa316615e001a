"""Calibration: temperature, threshold, and conformal prediction sets."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from skinlens.labels import CODES
from skinlens.records import Array, PredictionSet, Threshold

SET_LEVEL = 0.9
"""Share of the photos of each class whose set holds the diagnosis. A higher one would need more photos of the rarest
class than there are: with n of them, a level above n / (n + 1) puts that class into every set."""
SET_SEED = 20180814
FEW = 30
"""Photos of a class below which its floor is that of all such classes together: by itself, one or two photos that the
model gets wrong would set it, and with it nearly every set."""


def softmax(logits: Float[Array, "n k"], temperature: float = 1.0) -> Float[Array, "n k"]:
    """Rows that sum to 1, in double precision."""
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def fit_temperature(logits: Float[Array, "n k"], labels: Int[Array, " n"]) -> float:
    """The temperature of least negative log-likelihood, between .1 and 10.

    Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2. The likelihood has a single minimum in
    1/T (a log-sum-exp is convex), so a golden-section search finds it.
    """
    rows = np.arange(len(labels))

    def loss(inverse: float) -> float:
        scaled = logits.astype(np.float64) * inverse
        peak = scaled.max(axis=1)
        total = peak + np.log(np.exp(scaled - peak[:, None]).sum(axis=1))
        return float((total - scaled[rows, labels]).mean())

    low, high, golden = 0.1, 10.0, (5**0.5 - 1) / 2
    while high - low > 1e-6:
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return 2 / (low + high)


def choose_threshold(
    positive: Bool[Array, " n"], prob: Float[Array, " n"], sensitivity: float, chosen_on: str
) -> Threshold:
    """The highest cut-off that still finds at least ``sensitivity`` of the positives, and its rates.

    The cut-off lies half-way to the next lower probability, so that rounding does not move a photo across it.
    """
    probabilities = np.sort(prob[positive])[::-1]
    needed = probabilities[int(np.ceil(sensitivity * len(probabilities))) - 1]
    below = prob[prob < needed]
    value = float((needed + below.max()) / 2) if len(below) else float(needed)
    flagged = prob >= value
    return Threshold(value, float(flagged[positive].mean()), float((~flagged[~positive]).mean()), chosen_on)


@dataclass(frozen=True)
class ConformalSets:
    """Conformal prediction sets: a photo's set holds the classes whose probability reaches their own floor, the most
    probable one, and every class that is more probable than one of these. So no set leaves out a class that is more
    probable than one it holds; what the floors promise stays, as classes are only added.
    """

    level: float
    class_thresholds: tuple[float, ...]
    """In the order of ``labels.CODES``; 0 puts a class into every set."""
    calibrated_on: str
    half_sha256: str = ""
    """Fingerprint of the lesions that calibrated it: a measurement on the same photos leaves them out."""

    def members(self, probs: Float[Array, "n 7"]) -> Bool[Array, "n 7"]:
        """Row by row, at least one class: all whose probability is not below that of the least probable one held."""
        members: Array = probs >= np.asarray(self.class_thresholds)
        members[np.arange(len(probs)), probs.argmax(axis=1)] = True
        least = np.where(members, probs, np.inf).min(axis=1, keepdims=True)
        ordered: Array = probs >= least
        return ordered

    def predict_set(self, probs: Float[Array, " 7"]) -> PredictionSet:
        """The set of one photo, its classes by falling probability."""
        members = self.members(probs[None])[0]
        order = [position for position in np.argsort(-probs, kind="stable") if members[position]]
        return PredictionSet(tuple(CODES[position] for position in order), self.level, self.calibrated_on)


def fit_conformal_sets(
    labels: Int[Array, " n"],
    probs: Float[Array, "n 7"],
    calibrated_on: str,
    level: float = SET_LEVEL,
    few: int = FEW,
) -> ConformalSets:
    """Class-conditional split conformal prediction with the score 1 − probability of the class; the classes of which
    there are fewer than ``few`` photos have one floor, and the promise is to their photos as a whole.

    Of the n photos of a class, the floor is the k-th smallest probability of that class, k = ⌊(n + 1)(1 − level)⌋, so a
    further photo of the class, exchangeable with these, has it in its set with a chance of at least ``level``. Vovk,
    "Conditional validity of inductive conformal predictors", 2012, section 4; Sadinle, Lei and Wasserman, "Least
    ambiguous set-valued classifiers with bounded error levels", 2019, section 3. Rare classes together: Ding et al.,
    "Class-conditional conformal prediction with many classes", 2023, section 2.
    """
    rare = np.flatnonzero(np.bincount(labels, minlength=len(CODES)) < few)
    class_thresholds = []
    for position in range(len(CODES)):
        together = np.isin(labels, rare) if position in rare else labels == position
        own = np.sort(probs[together, labels[together]])
        place = int(np.floor((len(own) + 1) * (1 - level) + 1e-9))  # 10 × (1 − .9) is a hair below 1
        class_thresholds.append(float(own[place - 1]) if place else 0.0)
    return ConformalSets(level, tuple(class_thresholds), calibrated_on)


def split_calibration_test(
    lesions: Sequence[str], labels: Int[Array, " n"], seed: int = SET_SEED
) -> tuple[Bool[Array, " n"], str]:
    """Mask of the photos that calibrate the sets, the others being left to measure them, and a fingerprint of the
    choice.

    Of each class, lesions are taken in an order that the seed gives until they hold half of its photos or more. A
    lesion goes as a whole. The choice does not depend on the order of the photos; the SHA-256 of the lesions taken
    tells whether another list of photos gave the same one.
    """

    def drawn(lesion: str) -> str:
        return hashlib.sha256(f"{seed}:{lesion}".encode()).hexdigest()

    names = np.asarray(lesions, dtype=object)
    chosen = np.zeros(len(names), dtype=bool)
    for position in np.unique(labels):
        own = (labels == position) & ~chosen
        for lesion in sorted(set(names[own]), key=drawn):
            if 2 * chosen[labels == position].sum() >= (labels == position).sum():
                break
            chosen |= names == lesion
    taken = "\n".join(sorted(set(names[chosen])))
    return chosen, hashlib.sha256(taken.encode()).hexdigest()
