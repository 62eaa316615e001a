"""Subgroup performance: by sex, age, site, confirmation of the diagnosis, and camera."""

from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from skinlens import metrics
from skinlens.evaluation.bootstrap import RESAMPLES, Estimate, with_ci
from skinlens.evaluation.ground_truth import METADATA_FIELDS
from skinlens.evaluation.predictions import Predictions
from skinlens.labels import INDEX, MELANOMA
from skinlens.records import Array

FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "melanoma_auc",
    "ece",
    "melanoma_sensitivity",
    "melanoma_specificity",
    "rejection_rate",
)


def subgroups(predictions: Predictions, threshold: float, limit: float, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Trait → one entry for each of its values: ``group``, ``n``, ``lesions``, ``melanomas`` and the figures.

    Sensitivity and specificity are those of melanoma's ``threshold``; ``rejection_rate`` is the share whose distance
    from the training photos is above ``limit``, which for a camera tells how foreign its photos look to the network.
    Balanced accuracy and macro F1 are means over the classes that occur in the group, so compare them between groups
    with care.
    """
    by_trait = {}
    for trait, order in METADATA_FIELDS.items():
        values = [row.traits.get(trait) for row in predictions.rows]
        present = [value for value in order if value in values]
        if present:
            by_trait[trait] = [
                _entry(
                    value,
                    predictions,
                    np.asarray([recorded == value for recorded in values]),
                    threshold,
                    limit,
                    resamples,
                )
                for value in present
            ]
    return by_trait


def _entry(
    value: str, predictions: Predictions, chosen: Array, threshold: float, limit: float, resamples: int
) -> dict[str, Any]:
    truth, probs = predictions.truth[chosen], predictions.probs[chosen]
    distances, groups = predictions.distances[chosen], predictions.groups[chosen]
    figures = with_ci(
        lambda rows: _figures(truth[rows], probs[rows], distances[rows], threshold, limit), groups, resamples
    )
    named: dict[str, Estimate] = dict(zip(FIGURES, figures, strict=True))
    return {
        "group": value,
        "n": len(truth),
        "lesions": len(np.unique(groups)),
        "melanomas": int((truth == INDEX[MELANOMA]).sum()),
        **named,
    }


def _figures(
    truth: Int64[Array, " n"],
    probs: Float64[Array, "n 7"],
    distances: Float64[Array, " n"],
    threshold: float,
    limit: float,
) -> Float64[Array, " k"]:
    matrix = metrics.confusion(truth, probs.argmax(axis=1))
    melanoma, flagged = truth == INDEX[MELANOMA], probs[:, INDEX[MELANOMA]] >= threshold
    return np.asarray(
        [
            metrics.accuracy(matrix),
            metrics.balanced_accuracy(matrix),
            metrics.macro_f1(matrix),
            metrics.melanoma_auc(truth, probs),
            metrics.calibration_error(truth, probs),
            flagged[melanoma].mean() if melanoma.any() else np.nan,
            (~flagged[~melanoma]).mean() if not melanoma.all() else np.nan,
            (distances > limit).mean(),
        ]
    )
