"""Artifact sensitivity: change of the melanoma probability under drawn ink, ruler, hair, dark corners, gel bubbles.

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

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from skinlens import clock
from skinlens.explain import seed_of
from skinlens.formatting import percent
from skinlens.imaging.artifacts import RENDERER_VERSION, TITLES, Artifact, with_artifact
from skinlens.imaging.preprocess import model_view, normalize
from skinlens.inference.classifier import Classifier
from skinlens.labels import INDEX, MELANOMA
from skinlens.records import CheckResult, ModelRef, Photo, Progress

KIND = "artefacts"
REPEATS = 3
"""How much the place matters shows in three; each costs as much as a prediction."""
SLIGHT = 0.01
"""Mean change of the probability below which nothing is made of it."""


@dataclass(frozen=True)
class Effect:
    """What one artefact did to the probability of melanoma."""

    artefact: Artifact
    probs: tuple[float, ...]
    """Calibrated, 0 to 1, of the photo with each of the drawings, in the order of their numbers."""

    def change(self, prob: float) -> float:
        """Mean change from the photo as it is, -1 to 1: above 0 towards melanoma; near 0 is best."""
        return float(np.mean(self.probs)) - prob


@dataclass(frozen=True)
class ArtifactStressTest:
    """All artefacts on one photo."""

    photo_sha256: str
    model: ModelRef
    prob: float
    """Calibrated probability of melanoma of the photo as it is."""
    threshold: float
    """From which on a photo counts as suspicious."""
    effects: tuple[Effect, ...]
    seed: int
    duration_ms: float
    created_at: str
    """UTC, ISO 8601."""

    def to_check(self) -> CheckResult:
        return CheckResult(
            kind=KIND,
            label=MELANOMA,
            method="",
            photo_sha256=self.photo_sha256,
            model=self.model,
            seed=self.seed,
            settings={"draws": REPEATS, "drawing": RENDERER_VERSION},
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


def artifact_stress_test(
    classifier: Classifier, photo: Photo, *, progress: Progress | None = None
) -> ArtifactStressTest:
    """Draw each artifact over the photo and predict again. The same photo always gets the same drawings.

    ``progress`` is told the fraction done at the start and after each drawing. Raises Cancelled if ``progress`` does.
    """
    started = time.perf_counter()
    told = progress or (lambda _: None)
    spec, seed = classifier.engine.spec, seed_of(photo)
    names = get_args(Artifact)
    wanted = [(artefact, number) for artefact in names for number in range(REPEATS)]
    views = [model_view(photo, spec)]
    for done, (artefact, number) in enumerate(wanted):
        told(done / len(wanted))
        views.append(model_view(with_artifact(photo, artefact, number, seed, spec), spec))
    found = classifier.probs(normalize(np.stack(views), spec))
    melanoma = [float(prob) for prob in found[:, INDEX[MELANOMA]]]
    told(1.0)
    return ArtifactStressTest(
        photo_sha256=photo.sha256,
        model=classifier.engine.stamp,
        prob=melanoma[0],
        threshold=classifier.melanoma_threshold.value,
        effects=tuple(
            Effect(artefact, tuple(melanoma[1 + place * REPEATS : 1 + (place + 1) * REPEATS]))
            for place, artefact in enumerate(names)
        ),
        seed=seed,
        duration_ms=(time.perf_counter() - started) * 1000,
        created_at=clock.utc_now(),
    )


def over_the_cutoff(check: CheckResult) -> list[str]:
    """What moved the probability of melanoma across its cut-off in at least one drawing, in words."""
    before, threshold = check.figures["prob"], check.figures["threshold"]
    return [
        TITLES[one["artefact"]].lower()
        for one in check.figures["effects"]
        if any((prob >= threshold) != (before >= threshold) for prob in one["probs"])
    ]


def in_words(check: CheckResult) -> str:
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
