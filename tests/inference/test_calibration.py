"""Temperature and threshold: known answers, and the guarantee that a threshold states."""

import numpy as np
import pytest
from crepes import ConformalClassifier
from hypothesis import given
from hypothesis import strategies as st

from skinlens.inference.calibration import choose_threshold, fit_conformal_sets, fit_temperature, softmax

pytestmark = pytest.mark.slow  # imports SciPy's statistics


def test_softmax_by_hand_and_without_overflow() -> None:
    np.testing.assert_allclose(softmax(np.log(np.array([[1.0, 2, 5]]))), [[0.125, 0.25, 0.625]])
    np.testing.assert_allclose(softmax(np.array([[2.0, 0.0]]), temperature=2.0), softmax(np.array([[1.0, 0.0]])))
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0]])), [[1, 0]])


def test_the_temperature_that_was_put_in_comes_out() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20_000, 7))
    labels = np.array([random.choice(7, p=row) for row in softmax(logits)])
    assert fit_temperature(logits * 2.5, labels) == pytest.approx(2.5, rel=0.05)
    assert fit_temperature(logits * 0.5, labels) == pytest.approx(0.5, rel=0.05)


def test_threshold_by_hand() -> None:
    positive = np.array([True, True, True, True, False, False, False, False])
    prob = np.array([0.9, 0.8, 0.6, 0.1, 0.7, 0.5, 0.2, 0.05])
    threshold = choose_threshold(positive, prob, 0.75, "eight numbers")
    assert threshold.value == pytest.approx(0.55)  # half-way between .6, which is needed, and .5 below it
    assert threshold.sensitivity == 3 / 4
    assert threshold.specificity == 3 / 4
    assert threshold.chosen_on == "eight numbers"


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=50).filter(
        lambda rows: any(p for p, _ in rows) and not all(p for p, _ in rows)
    ),
    st.sampled_from([0.5, 0.9, 1.0]),
)
def test_the_sensitivity_that_was_asked_for_is_reached(rows: list[tuple[bool, float]], sensitivity: float) -> None:
    positive, prob = np.array([p for p, _ in rows]), np.array([value for _, value in rows])
    threshold = choose_threshold(positive, prob, sensitivity, "these")
    assert threshold.sensitivity >= sensitivity
    assert threshold.sensitivity == (prob >= threshold.value)[positive].mean()
    assert threshold.specificity == (prob < threshold.value)[~positive].mean()


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_a_class_passes_its_floor_where_crepes_says_that_it_cannot_be_ruled_out(level: float) -> None:
    """Class by class, the p-value of crepes' conformal classifier with the same score, 1 minus the probability."""
    draw = np.random.default_rng(11)
    labels = np.repeat(np.arange(7), [40, 25, 60, 9, 33, 120, 12])
    probs, fresh = (draw.dirichlet(np.ones(7), count) for count in (len(labels), 200))
    class_thresholds = np.array(fit_conformal_sets(labels, probs, "drawn", level, few=0).class_thresholds)
    for position in range(7):
        oracle = ConformalClassifier()
        oracle.fit(1 - probs[labels == position, position])
        p_values = oracle.predict_p(1 - fresh[:, [position]], smoothing=False)[:, 0]
        np.testing.assert_array_equal(fresh[:, position] >= class_thresholds[position], p_values > 1 - level + 1e-12)
