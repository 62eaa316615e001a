"""Bootstrap confidence intervals, resampled by lesion."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int64

from skinlens.records import Array

RESAMPLES = 1000
SEED = 20180814
"""Of the bootstrap, stored beside the figures."""
Estimate = dict[str, float | None]
"""``value``, ``low`` and ``high`` (the 95 % interval), ready for JSON: None where nothing can be computed."""
Groups = Int64[Array, " n"]
"""Group of each photo, one number for each lesion: photos of a group are drawn together."""
Figures = Callable[[Int64[Array, " m"]], Float64[Array, " k"]]
"""Function from rows of the data to figures; NaN where one cannot be computed."""


def bootstrap(figures: Figures, groups: Groups, resamples: int = RESAMPLES, seed: int = SEED) -> Float64[Array, "r k"]:
    """The figures over samples drawn with replacement: whole groups, so photos of one lesion stay together."""
    generator = np.random.default_rng(seed)
    dense = np.unique(groups, return_inverse=True)[1]
    order = np.argsort(dense, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(dense))[:-1])
    drawn = (generator.integers(0, len(members), len(members)) for _ in range(resamples))
    return np.stack([figures(np.concatenate([members[group] for group in sample])) for sample in drawn])


def with_ci(figures: Figures, groups: Groups, resamples: int = RESAMPLES) -> list[Estimate]:
    """Each figure of all rows with its percentile interval; samples in which it does not exist are left out."""
    values = figures(np.arange(len(groups)))
    exists = ~np.isnan(values)
    samples = bootstrap(figures, groups, resamples)[:, exists]
    low, high = np.nanpercentile(samples, [2.5, 97.5], axis=0) if exists.any() else (values[:0], values[:0])
    estimates: list[Estimate] = [{"value": None, "low": None, "high": None} for _ in values]
    for place, position in enumerate(np.flatnonzero(exists)):
        estimates[position] = {"value": float(values[position]), "low": float(low[place]), "high": float(high[place])}
    return estimates


def finite(value: float) -> float | None:
    """A figure as JSON holds it."""
    return None if np.isnan(value) else float(value)
