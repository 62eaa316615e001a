"""Estimate of the scores of masks that were not tried, from those of the masks that were.

Masks that cover much the same of a photo leave much the same score, so the scores are a smooth function of the mask,
and a Gaussian process gives what is known of it (Rasmussen and Williams, "Gaussian Processes for Machine Learning",
2006, eq. 2.23 and 2.24). The process is given the scores one by one, which needs no system of equations: each takes
its column from the covariance that is left, as in a Cholesky factorization that is ended early.
"""

import math

import numpy as np
from jaxtyping import Float32, Float64

from skinlens.records import Array

NOISE = 0.1
"""Variance of what two equal masks would differ by, as a share of the scores' own; .01 to .3 came to the same."""
BLOCK = 4
"""Places of a mask that are averaged in each direction before masks are compared: their likeness is a coarse thing."""


class ScoreEstimate:
    """Scores of all masks, as far as those that were added tell them."""

    def __init__(self, masks: Float32[Array, "m g g"], prior: float) -> None:
        """``masks``: each from 0 to 1. ``prior``: the score of a mask of which nothing is known."""
        count = len(masks)
        self._likeness = _likeness(masks)
        self._columns = np.empty((count, count))
        self._added = 0
        self.mean: Float64[Array, " m"] = np.full(count, prior, dtype=np.float64)
        self.variance: Float64[Array, " m"] = np.ones(count)
        """Share of what is not known yet, 0 to 1."""

    def add(self, place: int, score: float) -> None:
        """Give it the score of the mask at ``place``."""
        before = self._columns[:, : self._added]
        # No `@` while the engine runs: see Head.logits_of_pooled.
        covariance = self._likeness[:, place] - np.einsum("mj,j->m", before, before[place])
        deviation = math.sqrt(self.variance[place] + NOISE)
        column = covariance / deviation
        self.mean = self.mean + column * ((score - self.mean[place]) / deviation)
        self.variance = np.maximum(self.variance - column**2, 0)
        self._columns[:, self._added] = column
        self._added += 1


def _likeness(masks: Float32[Array, "m g g"]) -> Float64[Array, "m m"]:
    """exp(-d²/m), d the distance of two masks and m the median of d²: 1 for equal ones."""
    count, side = len(masks), masks.shape[1]
    block = math.gcd(side, BLOCK)
    coarse = masks.reshape(count, side // block, block, side // block, block).mean(axis=(2, 4)).reshape(count, -1)
    flat = coarse.astype(np.float64)
    square = np.einsum("mk,mk->m", flat, flat)
    distance = np.maximum(square[:, np.newaxis] + square - 2 * np.einsum("mk,nk->mn", flat, flat), 0)
    return np.asarray(np.exp(-distance / (np.median(distance) or 1.0)))
