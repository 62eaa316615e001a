"""The clinician, the model and histology: tables, intervals and kappa against published figures and by hand."""

import math
from itertools import count
from typing import Any

import numpy as np
import pytest

from skinlens.outcomes import Agreement, Outcome, Rate, TwoByTwo, compare

_NUMBERS = count(1)


def outcome(**given: Any) -> Outcome:
    number = next(_NUMBERS)
    usual: dict[str, Any] = {
        "visit_id": number,
        "lesion_id": number,
        "taken_on": "2024-05-31",
        "impression": None,
        "diagnosis": None,
        "model_label": "nv",
        "flagged": False,
        "reliable": True,
        "histology": None,
    }
    return Outcome(**(usual | given))


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [  # Newcombe, "Two-sided confidence intervals for the single proportion", Stat Med 17, 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(hits: int, total: int, low: float, high: float) -> None:
    assert Rate(hits, total).interval == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    mirrored = Rate(total - hits, total).interval
    assert mirrored == (pytest.approx(1 - high, abs=5e-5), pytest.approx(1 - low, abs=5e-5))


def test_the_interval_holds_the_rate_for_every_count() -> None:
    for total in range(1, 60):
        for hits in range(total + 1):
            rate = Rate(hits, total)
            low, high = rate.interval
            assert 0 <= low <= rate.value <= high <= 1


def test_tables_of_both_readers_against_histology() -> None:
    cases = [
        outcome(diagnosis="mel", flagged=True, histology="mel"),
        outcome(diagnosis="mel", flagged=False, histology="mel"),
        outcome(diagnosis="nv", flagged=True, histology="mel"),
        outcome(diagnosis="nv", flagged=True, histology="nv"),
        outcome(diagnosis="mel", flagged=False, histology="bkl"),
        outcome(diagnosis="bcc", flagged=False, histology="bcc"),
        outcome(diagnosis="other", flagged=False, histology="other"),
        outcome(diagnosis=None, flagged=True, histology="mel"),
        outcome(diagnosis="mel", flagged=True, histology="mel", reliable=False),
        outcome(diagnosis="mel", flagged=True, histology=None),
    ]
    found = compare(cases, "melanoma")
    assert found.clinician == TwoByTwo(3, 1, 1, 3, unanswered=1)
    assert found.model == TwoByTwo(3, 1, 1, 3, unanswered=1)
    assert (found.clinician.sensitivity, found.clinician.specificity) == (Rate(3, 4), Rate(3, 4))
    assert found.agreement == Agreement(both=2, clinician_alone=2, model_alone=2, neither=2)
    assert found.agreement.observed == Rate(4, 8)
    assert found.agreement.kappa == 0


def test_malignant_counts_three_classes_and_leaves_out_what_is_unclear() -> None:
    cases = [
        outcome(diagnosis="bcc", model_label="bcc", histology="bcc"),
        outcome(diagnosis="akiec", model_label="nv", flagged=True, histology="akiec"),
        outcome(diagnosis="nv", model_label="akiec", histology="bkl"),
        outcome(diagnosis="df", model_label="nv", histology="vasc"),
        outcome(diagnosis="other", model_label="nv", histology="mel"),
        outcome(diagnosis="mel", model_label="mel", flagged=True, histology="other"),
    ]
    found = compare(cases, "malignant")
    assert found.clinician == TwoByTwo(2, 0, 0, 2, unanswered=1)
    assert found.model == TwoByTwo(2, 1, 1, 1, unanswered=0)
    assert found.agreement == Agreement(both=3, clinician_alone=0, model_alone=1, neither=1)


def test_a_lesion_counts_once_with_its_latest_visit_that_answers() -> None:
    early = outcome(lesion_id=900, taken_on="2023-01-01", diagnosis="nv", histology="nv")
    late = outcome(lesion_id=900, taken_on="2024-01-01", diagnosis="mel", flagged=True, histology="mel")
    unread = outcome(lesion_id=900, taken_on="2025-01-01")
    found = compare([late, unread, early], "melanoma")
    assert found.clinician == found.model == TwoByTwo(1, 0, 0, 0, unanswered=0)
    assert found.agreement == Agreement(1, 0, 0, 0)
    assert (found.clinician.specificity, found.agreement.kappa, found.agreement.kappa_interval) == (None, None, None)


def test_the_impression_is_another_reader_than_the_diagnosis() -> None:
    cases = [
        outcome(impression="nv", diagnosis="mel", flagged=True, histology="mel"),
        outcome(impression="unsure", diagnosis="mel", flagged=True, histology="mel"),
    ]
    found = compare(cases, "melanoma", "impression")
    assert (found.reader, found.clinician) == ("impression", TwoByTwo(0, 0, 1, 0, unanswered=1))
    assert found.agreement == Agreement(0, 0, 1, 0)
    assert compare(cases, "melanoma").clinician == TwoByTwo(2, 0, 0, 0, unanswered=0)


def test_nothing_compared_is_no_figure() -> None:
    found = compare([], "melanoma")
    assert found.clinician == TwoByTwo(0, 0, 0, 0, 0)
    assert (found.clinician.sensitivity, found.agreement.observed, found.agreement.kappa) == (None, None, None)


TABLES = [(20, 5, 10, 15), (45, 15, 25, 15), (1, 7, 3, 89), (30, 0, 0, 12), (0, 9, 8, 0)]


@pytest.mark.parametrize("cells", TABLES)
def test_kappa_is_that_of_scikit_learn(cells: tuple[int, int, int, int]) -> None:
    from sklearn.metrics import cohen_kappa_score

    clinician = np.repeat([1, 1, 0, 0], cells)
    model = np.repeat([1, 0, 1, 0], cells)
    assert Agreement(*cells).kappa == pytest.approx(cohen_kappa_score(clinician, model), abs=1e-12)


@pytest.mark.parametrize("cells", TABLES)
def test_kappas_interval_is_that_of_the_delta_method(cells: tuple[int, int, int, int]) -> None:
    """The large-sample variance of any smooth function of multinomial shares, from its slopes."""

    def kappa(shares: np.ndarray) -> float:
        both, clinician_alone, model_alone, neither = shares / shares.sum()
        yes, other = both + clinician_alone, both + model_alone
        chance = yes * other + (1 - yes) * (1 - other)
        return float((both + neither - chance) / (1 - chance))

    shares = np.array(cells) / sum(cells)
    step = 1e-6
    slopes = np.array([(kappa(shares + step * axis) - kappa(shares - step * axis)) / (2 * step) for axis in np.eye(4)])
    variance = (shares * slopes**2).sum() - (shares * slopes).sum() ** 2
    half = 1.959963985 * math.sqrt(max(variance, 0) / sum(cells))
    found = Agreement(*cells)
    assert found.kappa is not None
    expected = (max(-1.0, found.kappa - half), min(1.0, found.kappa + half))
    assert found.kappa_interval == (pytest.approx(expected[0], abs=1e-4), pytest.approx(expected[1], abs=1e-4))
