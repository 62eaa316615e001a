"""Figures of merit worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skinlens import metrics

TRUTH = np.array([0, 0, 1, 1, 1, 4])
CHOSEN = np.array([0, 1, 1, 1, 0, 4])


def test_confusion_recall_precision_and_f1() -> None:
    matrix = metrics.confusion(TRUTH, CHOSEN)
    assert matrix.sum() == 6
    assert matrix[0].tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert matrix[1].tolist() == [1, 2, 0, 0, 0, 0, 0]
    recalls = metrics.recalls(matrix)
    assert recalls[[0, 1, 4]] == pytest.approx([1 / 2, 2 / 3, 1])
    assert np.isnan(recalls[[2, 3, 5, 6]]).all()
    assert metrics.precisions(matrix)[[0, 1, 4]] == pytest.approx([1 / 2, 2 / 3, 1])
    assert metrics.accuracy(matrix) == pytest.approx(4 / 6)
    assert metrics.balanced_accuracy(matrix) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert metrics.macro_f1(matrix) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)

    assert metrics.weighted_f1(matrix) == pytest.approx((2 * 1 / 2 + 3 * 2 / 3 + 1 * 1) / 6)


def test_predictive_values_by_hand() -> None:
    """Of 1,000 photos 100 are ill: 90 are found, 10 missed; of the 900 others 630 pass, 270 are flagged."""
    assert metrics.predictive_values(0.9, 0.7, 0.1) == pytest.approx((90 / 360, 630 / 640))
    assert metrics.predictive_values(0.9, 0.7, 0.0) == pytest.approx((0, 1))
    assert metrics.predictive_values(0.9, 0.7, 1.0) == pytest.approx((1, 0))
    nobody, everybody = metrics.predictive_values(0.0, 1.0, 0.1), metrics.predictive_values(1.0, 0.0, 0.1)
    assert np.isnan(nobody[0])
    assert nobody[1] == pytest.approx(0.9)
    assert everybody[0] == pytest.approx(0.1)
    assert np.isnan(everybody[1])


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_predictive_values_bring_the_prevalence_back(sensitivity: float, specificity: float, prevalence: float) -> None:
    """Total probability: those flagged and those passed together hold every ill photo."""
    ppv, npv = metrics.predictive_values(sensitivity, specificity, prevalence)
    flagged = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    assert flagged * ppv + (1 - flagged) * (1 - npv) == pytest.approx(prevalence)


def test_a_class_never_found_counts_as_zero() -> None:
    matrix = metrics.confusion(np.array([0, 1]), np.array([0, 0]))
    assert metrics.balanced_accuracy(matrix) == 0.5
    assert metrics.macro_f1(matrix) == pytest.approx((2 / 3 + 0) / 2)


def test_auc_counts_pairs() -> None:
    positive = np.array([True, False, True, False])
    assert metrics.auc(positive, np.array([0.9, 0.8, 0.7, 0.1])) == 3 / 4
    assert metrics.auc(positive, np.array([0.5, 0.5, 0.5, 0.5])) == 1 / 2
    assert np.isnan(metrics.auc(np.array([True, True]), np.array([0.1, 0.2])))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_auc_equals_the_share_of_ordered_pairs(pairs: list[tuple[bool, int]]) -> None:
    positive = np.array([one for one, _ in pairs])
    score = np.array([float(value) for _, value in pairs])
    if positive.all() or not positive.any():
        return
    wins = [(a > b) + (a == b) / 2 for a in score[positive] for b in score[~positive]]
    assert metrics.auc(positive, score) == pytest.approx(np.mean(wins))


def test_calibration_error_by_hand() -> None:
    """Two photos at .75, one of them right: off by .25. One at 1, right: off by 0."""
    probs = np.zeros((3, 7))
    probs[:2, 0], probs[:2, 1], probs[2, 2] = 0.75, 0.25, 1
    assert metrics.calibration_error(np.array([0, 1, 2]), probs) == pytest.approx(2 / 3 * 0.25)


def test_every_figure_is_scikit_learns() -> None:
    """The library as an oracle; ours serves because a bootstrap of a thousand resamples is ten times as quick."""
    from sklearn import metrics as oracle

    draw = np.random.default_rng(5)
    truth = draw.integers(0, 7, 400)
    logits = draw.normal(0, 1, (400, 7)) + 1.5 * np.eye(7)[truth]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    chosen = probs.argmax(axis=1)
    matrix = metrics.confusion(truth, chosen)
    np.testing.assert_array_equal(matrix, oracle.confusion_matrix(truth, chosen))
    assert metrics.accuracy(matrix) == pytest.approx(oracle.accuracy_score(truth, chosen))
    assert metrics.balanced_accuracy(matrix) == pytest.approx(oracle.balanced_accuracy_score(truth, chosen))
    assert metrics.macro_f1(matrix) == pytest.approx(oracle.f1_score(truth, chosen, average="macro"))
    assert metrics.weighted_f1(matrix) == pytest.approx(oracle.f1_score(truth, chosen, average="weighted"))
    assert metrics.macro_auc(truth, probs) == pytest.approx(
        oracle.roc_auc_score(truth, probs, multi_class="ovr", average="macro")
    )
    assert metrics.melanoma_auc(truth, probs) == pytest.approx(oracle.roc_auc_score(truth == 4, probs[:, 4]))
    assert metrics.log_loss(truth, probs) == pytest.approx(oracle.log_loss(truth, probs))
