"""Reliability diagram: predicted probability against observed frequency."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skinlens.evaluation.bootstrap import RESAMPLES, Groups, with_ci
from skinlens.labels import INDEX, MELANOMA
from skinlens.records import Array

BINS = 15
"""Equally wide, the same as those of the calibration error."""


def reliability(
    truth: Int64[Array, " n"], probs: Float64[Array, "n 7"], groups: Groups, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Two diagrams: of the most probable class, whatever it is, and of melanoma's own probability.

    DeGroot and Fienberg, "The comparison and evaluation of forecasters", 1983; the bins of Guo et al., 2017.
    """
    melanoma = INDEX[MELANOMA]
    return {
        "bins": BINS,
        "top": diagram(probs.argmax(axis=1) == truth, probs.max(axis=1), groups, resamples),
        "melanoma": diagram(truth == melanoma, probs[:, melanoma], groups, resamples),
    }


def diagram(
    happened: Bool[Array, " n"], stated: Float64[Array, " n"], groups: Groups, resamples: int = RESAMPLES
) -> list[dict[str, Any]]:
    """One entry for each bin that holds a photo: how many, their mean stated probability, and how often it happened."""
    place = np.minimum((stated * BINS).astype(np.int64), BINS - 1)

    def shares(rows: Int64[Array, " m"]) -> Float64[Array, " k"]:
        counts = np.bincount(place[rows], minlength=BINS)
        with np.errstate(invalid="ignore"):
            share: Array = np.bincount(place[rows], weights=happened[rows], minlength=BINS) / counts
        return share

    counts = np.bincount(place, minlength=BINS)
    totals = np.bincount(place, weights=stated, minlength=BINS)
    return [
        {"n": int(counts[number]), "stated": float(totals[number] / counts[number]), "happened": figure}
        for number, figure in enumerate(with_ci(shares, groups, resamples))
        if counts[number]
    ]
