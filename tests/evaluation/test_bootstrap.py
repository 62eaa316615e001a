"""Intervals: the width that theory gives, lesions drawn whole, and figures that do not exist."""

import numpy as np
import pytest

from skinlens.evaluation.bootstrap import bootstrap, finite, with_ci


def test_the_bootstrap_of_a_mean_has_the_width_that_theory_gives() -> None:
    values = np.random.default_rng(0).normal(0, 1, 400)
    samples = bootstrap(lambda rows: np.array([values[rows].mean()]), np.arange(400), resamples=2000)
    assert samples.std() == pytest.approx(values.std() / 20, rel=0.07)


@pytest.mark.parametrize("names", [(0, 1), (7, 3)])
def test_photos_of_one_lesion_stay_together(names: tuple[int, int]) -> None:
    """Whatever numbers the lesions have: a part of the data keeps those of the whole."""
    groups = np.repeat(names, 3)
    samples = bootstrap(lambda rows: np.bincount(rows, minlength=6).astype(float), groups, resamples=50)
    assert (samples[:, :3] == samples[:, :1]).all()
    assert (samples[:, 3:] == samples[:, 3:4]).all()
    assert (samples.sum(axis=1) == 6).all()


def test_a_figure_that_does_not_exist_is_none_and_the_others_stand() -> None:
    values = np.arange(20.0)
    missing, mean = with_ci(lambda rows: np.array([np.nan, values[rows].mean()]), np.arange(20), resamples=200)
    assert missing == {"value": None, "low": None, "high": None}
    assert mean["value"] == 9.5
    assert mean["low"] is not None
    assert mean["high"] is not None
    assert 5 < mean["low"] < 9.5 < mean["high"] < 14


def test_samples_without_the_figure_are_left_out() -> None:
    """A share among the first photo's copies: one sample in three has none of it."""

    def share(rows: np.ndarray) -> np.ndarray:
        return np.array([1.0 if (rows == 0).any() else np.nan])

    assert with_ci(share, np.arange(10), resamples=100) == [{"value": 1.0, "low": 1.0, "high": 1.0}]


def test_finite() -> None:
    assert finite(0.25) == 0.25
    assert finite(float("nan")) is None
