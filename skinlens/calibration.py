"""From scores to probabilities that can be read as such, and from a probability to a stated cut-off. Numpy only."""

import numpy as np
from jaxtyping import Bool, Float, Int

from skinlens.records import Array, Threshold


def softmax(logits: Float[Array, "n k"], temperature: float = 1.0) -> Float[Array, "n k"]:
    """Rows that sum to 1, in double precision."""
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def fit_temperature(logits: Float[Array, "n k"], truth: Int[Array, " n"]) -> float:
    """The temperature of least negative log-likelihood, between .1 and 10.

    Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2. The likelihood has a single minimum in
    1/T (a log-sum-exp is convex), so a golden-section search finds it.
    """
    rows = np.arange(len(truth))

    def loss(inverse: float) -> float:
        scaled = logits.astype(np.float64) * inverse
        peak = scaled.max(axis=1)
        total = peak + np.log(np.exp(scaled - peak[:, None]).sum(axis=1))
        return float((total - scaled[rows, truth]).mean())

    low, high, golden = 0.1, 10.0, (5**0.5 - 1) / 2
    while high - low > 1e-6:
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return 2 / (low + high)


def choose_threshold(
    positive: Bool[Array, " n"], prob: Float[Array, " n"], sensitivity: float, chosen_on: str
) -> Threshold:
    """The highest cut-off that still finds at least ``sensitivity`` of the positives, and what it does.

    The cut-off lies half-way to the next lower probability, so that rounding does not move a photo across it.
    """
    found = np.sort(prob[positive])[::-1]
    needed = found[int(np.ceil(sensitivity * len(found))) - 1]
    below = prob[prob < needed]
    value = float((needed + below.max()) / 2) if len(below) else float(needed)
    flagged = prob >= value
    return Threshold(value, float(flagged[positive].mean()), float((~flagged[~positive]).mean()), chosen_on)
