"""Estimate of scores against the Gaussian process of scikit-learn."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from skinlens.explain.score_estimate import NOISE, ScoreEstimate


def drawn_masks(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(3).random((count, side, side), dtype=np.float32)


def test_mean_and_variance_are_those_of_a_gaussian_process_whatever_the_order() -> None:
    masks, prior = drawn_masks(30, 8), 0.7
    scores = masks[:, :4].mean(axis=(1, 2)) * 3 + masks[:, 4:, 4:].mean(axis=(1, 2))
    tried = [4, 17, 0, 29, 8, 21, 3]
    estimate = ScoreEstimate(masks, prior)
    for place in tried:
        estimate.add(place, float(scores[place]))
    coarse = masks.reshape(30, 2, 4, 2, 4).mean(axis=(2, 4)).reshape(30, -1).astype(np.float64)
    square = ((coarse[:, np.newaxis] - coarse) ** 2).sum(axis=2)
    kernel = RBF(np.sqrt(np.median(square) / 2), "fixed")
    process = GaussianProcessRegressor(kernel, alpha=NOISE, optimizer=None).fit(coarse[tried], scores[tried] - prior)
    mean, deviation = process.predict(coarse, return_std=True)
    np.testing.assert_allclose(estimate.mean, mean + prior, atol=1e-6)
    np.testing.assert_allclose(estimate.variance, deviation**2, atol=1e-6)


def test_nothing_is_known_before_the_first_score() -> None:
    estimate = ScoreEstimate(drawn_masks(5, 4), 2.5)
    np.testing.assert_array_equal(estimate.mean, np.full(5, 2.5))
    np.testing.assert_array_equal(estimate.variance, np.ones(5))


@pytest.mark.parametrize("side", [1, 2, 6])
def test_equal_masks_share_what_is_known(side: int) -> None:
    estimate = ScoreEstimate(np.ones((3, side, side), dtype=np.float32), 0.0)
    estimate.add(0, 1.0)
    np.testing.assert_allclose(estimate.mean, np.full(3, 1 / (1 + NOISE)))
    np.testing.assert_allclose(estimate.variance, np.full(3, 1 - 1 / (1 + NOISE)))
