"""Reliability, thresholds, risk and coverage, sets, subgroups: tables worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from skinlens.evaluation.conformal import prediction_sets
from skinlens.evaluation.ground_truth import LabeledImage, LabelFile
from skinlens.evaluation.operating_points import CUT_OFFS, thresholds
from skinlens.evaluation.predictions import Predictions
from skinlens.evaluation.reliability import diagram, reliability
from skinlens.evaluation.risk_coverage import risk_coverage, selective_risks
from skinlens.evaluation.subgroups import subgroups
from skinlens.inference.calibration import ConformalSets, split_calibration_test
from skinlens.labels import CODES, INDEX
from skinlens.metrics import calibration_error

pytestmark = pytest.mark.slow  # imports torch

MEL, NV, BCC = INDEX["mel"], INDEX["nv"], INDEX["bcc"]


def rows_of(*parts: tuple[str, float, str, float]) -> np.ndarray:
    """A row for each (class, probability, class, probability); nothing for the others."""
    probs = np.zeros((len(parts), 7))
    for row, (first, p, second, q) in enumerate(parts):
        probs[row, INDEX[first]], probs[row, INDEX[second]] = p, q
    return probs


def answers_of(truth: list[int], probs: np.ndarray, sexes: list[str] | None = None) -> Predictions:
    rows = [
        LabeledImage(f"photo_{place}", label, f"lesion_{place}", {"sex": sexes[place]} if sexes else {})
        for place, label in enumerate(truth)
    ]
    numbers = np.arange(len(truth))
    return Predictions(tuple(rows), np.array(truth), probs, numbers / len(truth), numbers, ())


# ------------------------------------------------------------------------------------------------------- reliability


def test_a_diagram_by_hand() -> None:
    stated, happened = np.array([0.01, 0.05, 0.95, 0.97, 1.0]), np.array([False, True, True, True, False])
    first, last = diagram(happened, stated, np.arange(5), resamples=50)
    assert (first["n"], last["n"]) == (2, 3)
    assert first["stated"] == pytest.approx(0.03)
    assert last["stated"] == pytest.approx((0.95 + 0.97 + 1) / 3)
    assert first["happened"]["value"] == 0.5
    assert last["happened"]["value"] == pytest.approx(2 / 3)


def test_the_bins_add_up_to_the_calibration_error() -> None:
    random = np.random.default_rng(3)
    probs = random.dirichlet(np.ones(7) * 0.5, 300)
    truth = random.integers(0, 7, 300)
    bins = reliability(truth, probs, np.arange(300), resamples=20)["top"]
    gaps = [one["n"] * abs(one["stated"] - one["happened"]["value"]) for one in bins]
    assert sum(one["n"] for one in bins) == 300
    assert sum(gaps) / 300 == pytest.approx(calibration_error(truth, probs))


# -------------------------------------------------------------------------------------------------------- thresholds


def test_thresholds_by_hand() -> None:
    probs = rows_of(
        ("mel", 0.9, "nv", 0.1), ("mel", 0.15, "nv", 0.85), ("mel", 0.3, "nv", 0.7), ("bcc", 0.5, "nv", 0.5)
    )
    truth = np.array([MEL, MEL, NV, BCC])
    found = thresholds(truth, probs, np.arange(4), 0.123, resamples=20)
    melanoma = {row["threshold"]: row for row in found["melanoma"]["rows"]}
    assert sorted(melanoma) == sorted([*CUT_OFFS, 0.123])
    assert found["melanoma"]["shipped"] == 0.123
    counts = ("true_positives", "false_negatives", "false_positives", "true_negatives")
    assert [melanoma[0.123][key] for key in counts] == [2, 0, 1, 1]
    assert [melanoma[0.4][key] for key in counts] == [1, 1, 0, 2]
    assert melanoma[0.4]["sensitivity"]["value"] == 0.5
    assert melanoma[0.15]["true_positives"] == 2, "at the cut-off counts as flagged"
    # Malignant or pre-malignant: akiec, bcc and mel together.
    assert found["malignant"]["codes"] == ["akiec", "bcc", "mel"]
    assert (found["malignant"]["positives"], found["malignant"]["negatives"]) == (3, 1)
    at = {row["threshold"]: row for row in found["malignant"]["rows"]}
    assert [at[0.4][key] for key in counts] == [2, 1, 0, 1]


def test_without_a_melanoma_there_is_no_sensitivity() -> None:
    found = thresholds(np.array([NV, NV]), rows_of(*[("nv", 1.0, "mel", 0.0)] * 2), np.arange(2), 0.1, resamples=5)
    assert {row["sensitivity"]["value"] for row in found["melanoma"]["rows"]} == {None}
    assert {row["specificity"]["value"] for row in found["melanoma"]["rows"]} == {1.0}


# --------------------------------------------------------------------------------------------------- risk, coverage


def test_selective_risks_by_hand() -> None:
    wrong, sure = np.array([True, False, False, True]), np.array([0.2, 0.9, 0.5, 0.7])
    assert selective_risks(wrong, sure).tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])


def test_risk_coverage_by_hand() -> None:
    probs = rows_of(*[("nv", p, "mel", 1 - p) for p in (0.9, 0.8, 0.7, 0.6)])
    found = risk_coverage(np.array([NV, MEL, NV, NV]), probs, np.arange(4), resamples=20)
    assert found["aurc"]["value"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert found["aurc_of_a_perfect_ranking"] == pytest.approx((0 + 0 + 0 + 1 / 4) / 4)
    risks = {round(point["coverage"], 2): point["risk"]["value"] for point in found["points"]}
    assert (risks[0.25], risks[0.5], risks[0.75], risks[1.0]) == pytest.approx((0, 1 / 2, 1 / 3, 1 / 4))
    assert risks[0.3] == 0.5, "a share between two photos counts up to the next"


# --------------------------------------------------------------------------------------------------------------- sets


def test_sets_by_hand() -> None:
    rule = ConformalSets(0.9, tuple(0.3 if code in ("mel", "nv") else 0.9 for code in CODES), "some")
    probs = rows_of(
        ("nv", 0.6, "mel", 0.4), ("nv", 0.8, "mel", 0.2), ("nv", 0.75, "mel", 0.25), ("bcc", 0.95, "mel", 0.05)
    )
    answers = answers_of([NV, NV, MEL, BCC], probs)
    found = prediction_sets(rule, answers, LabelFile(answers.rows, "lesion", 0), resamples=20)
    assert found is not None
    assert found["sizes"] == [3, 1, 0, 0, 0, 0, 0]
    assert found["coverage"]["value"] == 0.75, "the second melanoma's set is nevus alone"
    assert found["mean_size"]["value"] == 1.25
    assert found["single"]["value"] == 0.75
    assert found["melanoma_ruled_out"]["value"] == pytest.approx(2 / 3)
    assert found["per_class"]["mel"]["coverage"]["value"] == 0
    assert found["per_class"]["nv"]["mean_size"]["value"] == 1.5
    assert found["per_class"]["vasc"]["coverage"]["value"] is None
    assert (found["n"], found["left_out"]) == (4, 0)
    assert prediction_sets(None, answers, LabelFile(answers.rows, "lesion", 0), resamples=5) is None


def test_photos_that_calibrated_the_sets_do_not_measure_them() -> None:
    """Those of the rule's own half are left out; another data set is measured as a whole."""
    answers = answers_of([NV, MEL] * 10, rows_of(*[("nv", 0.6, "mel", 0.4)] * 20))
    listed = LabelFile(answers.rows, "lesion", 0)
    half, fingerprint = split_calibration_test([row.group for row in answers.rows], answers.truth)
    # Certain of every photo of the half, never right on the rest: only the rest may count.
    probs = np.where(half[:, None], np.eye(7)[answers.truth], np.eye(7)[BCC])
    rule = ConformalSets(0.9, (0.5,) * 7, "half", fingerprint)
    found = prediction_sets(rule, replace(answers, probs=probs), listed, resamples=5)
    assert found is not None
    assert (found["n"], found["left_out"]) == (10, 10)
    assert found["coverage"]["value"] == 0
    whole = prediction_sets(replace(rule, half_sha256="another"), replace(answers, probs=probs), listed, resamples=5)
    assert whole is not None
    assert (whole["n"], whole["coverage"]["value"]) == (20, 0.5)


# ---------------------------------------------------------------------------------------------------------- subgroups


def test_subgroups_by_hand() -> None:
    probs = rows_of(("nv", 0.6, "mel", 0.4), ("nv", 0.9, "mel", 0.1), ("mel", 0.7, "nv", 0.3), ("bcc", 0.9, "mel", 0.1))
    answers = answers_of([MEL, NV, MEL, NV], probs, ["male", "male", "female", "male"])
    found = subgroups(answers, 0.2, 0.3, resamples=20)
    assert list(found) == ["sex"]
    female, male = found["sex"]
    assert (female["group"], female["n"], female["melanomas"]) == ("female", 1, 1)
    assert (male["group"], male["n"], male["lesions"], male["melanomas"]) == ("male", 3, 3, 1)
    assert male["accuracy"]["value"] == pytest.approx(1 / 3)
    assert male["balanced_accuracy"]["value"] == pytest.approx((0 + 1 / 2) / 2)
    assert male["melanoma_sensitivity"]["value"] == 1
    assert male["melanoma_specificity"]["value"] == 1
    assert male["melanoma_auc"]["value"] == 1
    assert male["rejection_rate"]["value"] == pytest.approx(1 / 3)  # distances 0, .25 and .75 against a limit of .3
    assert female["melanoma_specificity"]["value"] is None
    assert female["melanoma_auc"]["value"] is None
