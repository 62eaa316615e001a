"""Distance from the training photos: by hand, against scikit-learn, and what its limit lets pass."""

import numpy as np
import pytest

from skinlens.inference.ood import MahalanobisOOD, fit_ood, shrunk_covariance


def test_distance_in_a_spread_worked_by_hand() -> None:
    ood = MahalanobisOOD(
        np.array([1, 2], np.float32), np.array([[0.5, 0], [0, 2]], np.float32), 3.0
    )  # deviations 2 and ½
    assert ood.distance(np.array([1, 2], np.float32)) == 0
    assert ood.distance(np.array([3, 2.5], np.float32)) == pytest.approx(1)
    assert ood.distance(np.array([7, 2], np.float32)) == pytest.approx(3 / np.sqrt(2))


def features(count: int, seed: int) -> np.ndarray:
    """Correlated features of very different scales, of which one never moves."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(12, 12)) * np.logspace(-2, 1, 12)
    drawn = rng.normal(size=(count, 12)) @ mixing + 3
    drawn[:, 5] = 0
    return drawn.astype(np.float32)


def test_the_covariance_is_shrunk_as_in_scikit_learn() -> None:
    from sklearn.covariance import ledoit_wolf

    centered = features(40, seed=0).astype(np.float64)
    centered -= centered.mean(axis=0)
    expected, _ = ledoit_wolf(centered, assume_centered=True)
    np.testing.assert_allclose(shrunk_covariance(centered), expected, rtol=1e-9, atol=1e-12)


def test_the_limit_lets_the_asked_share_pass_and_one_is_typical() -> None:
    held_out = features(500, seed=2)
    fitted = fit_ood(features(2000, seed=1), held_out, pass_share=0.98)
    distances = np.array([fitted.distance(row) for row in held_out])
    assert (distances <= fitted.limit).mean() == pytest.approx(0.98, abs=0.003)
    assert np.sqrt((distances**2).mean()) == pytest.approx(1, abs=0.1)


def test_distance_does_not_depend_on_the_units_of_a_feature() -> None:
    units = np.logspace(-0.5, 0.5, 12).astype(np.float32)
    train, held_out = features(800, seed=1), features(50, seed=2)
    train, held_out = np.delete(train, 5, axis=1), np.delete(held_out, 5, axis=1)
    units = np.delete(units, 5)
    plain, scaled = fit_ood(train, held_out), fit_ood(train * units, held_out * units)
    for row in held_out:
        assert scaled.distance(row * units) == pytest.approx(plain.distance(row), rel=1e-2)


def test_what_never_happened_in_training_is_strange() -> None:
    fitted = fit_ood(features(2000, seed=1), features(500, seed=2))
    unusual = fitted.mean.copy()
    assert fitted.distance(unusual) == 0
    unusual[5] = 1
    assert fitted.distance(unusual) > fitted.limit
