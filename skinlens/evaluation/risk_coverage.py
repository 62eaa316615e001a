"""Selective prediction: error rate among the photos that the model is surest of (risk–coverage curve)."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skinlens.evaluation.bootstrap import RESAMPLES, Groups, with_ci
from skinlens.records import Array

COVERAGES = np.arange(1, 21) / 20


def risk_coverage(
    truth: Int64[Array, " n"], probs: Float64[Array, "n 7"], groups: Groups, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """The risk–coverage curve, ranked by the largest probability, and the area below it (AURC; 0 is best).

    El-Yaniv and Wiener, "On the foundations of noise-free selective classification", 2010; AURC and the least that any
    ranking could reach as in Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation", 2019.
    """
    sure, wrong = probs.max(axis=1), probs.argmax(axis=1) != truth

    def figures(rows: Int64[Array, " m"]) -> Float64[Array, " k"]:
        risks = selective_risks(wrong[rows], sure[rows])
        return np.concatenate([[risks.mean()], risks[_places(len(rows))]])

    area, *points = with_ci(figures, groups, resamples)
    return {
        "aurc": area,
        "aurc_of_a_perfect_ranking": float(selective_risks(np.sort(wrong), -np.arange(len(wrong), dtype=float)).mean()),
        "points": [
            {"coverage": float(coverage), "risk": risk} for coverage, risk in zip(COVERAGES, points, strict=True)
        ],
    }


def selective_risks(wrong: Bool[Array, " n"], sure: Float64[Array, " n"]) -> Float64[Array, " n"]:
    """The share of errors among the 1, 2, … n surest."""
    ranked = wrong[np.argsort(-sure, kind="stable")]
    risks: Array = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return risks


def _places(count: int) -> Int64[Array, " k"]:
    return np.ceil(COVERAGES * count - 1e-9).astype(np.int64) - 1
