"""The impact calculator: a year worked out by hand, intervals by their ends, and nothing that cannot be."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skinlens import published_figures
from skinlens.errors import ParameterError
from skinlens.impact import (
    PARAMETERS,
    Estimate,
    ImpactInputs,
    OperatingPoint,
    at_operating_point,
    impact,
    impact_words,
    operating_curve,
    operating_points,
)

YEAR = {
    "lesions_per_week": 50,
    "minutes_before": 6,
    "minutes_with": 4.5,
    "cost_per_hour": 120,
    "cost_per_excision": 200,
    "prevalence": 0.1,
    "sensitivity_before": 0.9,
    "specificity_before": 0.6,
    "sensitivity": 0.95,
    "specificity": 0.7,
}
"""46 weeks: 2,300 lesions, 230 melanomas, 2,070 others."""


def test_a_year_by_hand() -> None:
    found = impact(ImpactInputs(YEAR))
    assert (found.lesions, found.melanomas) == (2300, pytest.approx(230))
    assert found.hours_saved.value == pytest.approx(2300 * 1.5 / 60)
    assert found.time_value.value == pytest.approx(57.5 * 120)
    assert found.excisions_before == pytest.approx(828)
    assert found.excisions_avoided.value == pytest.approx(207)
    assert found.excision_value.value == pytest.approx(207 * 200)
    assert found.melanomas_missed_before == pytest.approx(23)
    assert found.melanomas_missed.value == pytest.approx(11.5)
    assert found.hours_saved.low == found.hours_saved.value == found.hours_saved.high


def test_intervals_are_carried_through_by_their_ends() -> None:
    measured = {"specificity": (0.55, 0.75), "sensitivity": (0.9, 0.98), "minutes_with": (3.0, 7.5)}
    found = impact(ImpactInputs(YEAR, measured))
    assert (found.excisions_avoided.low, found.excisions_avoided.high) == pytest.approx((2070 * -0.05, 2070 * 0.15))
    assert (found.melanomas_missed.low, found.melanomas_missed.high) == pytest.approx((230 * 0.02, 230 * 0.1))
    assert (found.hours_saved.low, found.hours_saved.high) == pytest.approx((2300 * -1.5 / 60, 2300 * 3 / 60))


def test_the_words_promise_nothing_and_name_what_is_lost() -> None:
    said = impact_words(impact(ImpactInputs(YEAR, {"specificity": (0.65, 0.75)})))
    assert said == (
        "Time, under these inputs: 58 hours a year less for 2,300 lesions, worth 6,900 in your currency.",
        "Excisions of lesions that are no melanoma, if the cut-off alone decided: 207 (104–311) fewer a year (828 "
        "today), worth 41,400 (20,700–62,100) in your currency.",
        "Melanomas below the cut-off: 12 of 230 a year (23 missed today). No sum of money stands for them.",
        "This is arithmetic on the inputs, no forecast: the cut-off must never decide alone.",
    )
    slower = impact_words(
        impact(ImpactInputs(YEAR | {"minutes_with": 8, "specificity": 0.5}, {"minutes_with": (5, 9)}))
    )
    assert slower[0] == (
        "Time, under these inputs: 77 (-38 to 115) hours a year more for 2,300 lesions, "
        "at a cost of 9,200 (-4,600 to 13,800) in your currency."
    )
    assert "207 more a year" in slower[1]


def test_no_change_is_not_said_to_be_less() -> None:
    even = YEAR | {"minutes_with": YEAR["minutes_before"]}
    assert impact_words(impact(ImpactInputs(even)))[0] == "Time, under these inputs: no change for 2,300 lesions."
    spread = impact_words(impact(ImpactInputs(even, {"minutes_with": (3.0, 7.0)})))
    assert spread[0] == (
        "Time, under these inputs: no change on average (from 38 hours a year more to 115 less) for 2,300 lesions."
    )


def test_defaults_have_a_source_and_are_in_range() -> None:
    assert impact(ImpactInputs()).hours_saved.value == 0  # no gain is assumed
    for name, parameter in PARAMETERS.items():
        assert parameter.low <= parameter.default <= parameter.high, name
        assert parameter.source, name


@pytest.mark.parametrize(
    ("values", "intervals", "message"),
    [
        ({"weeks": 3}, {}, "The calculator knows lesions_per_week, .*; found 'weeks'"),
        ({"prevalence": 1.2}, {}, "Melanomas among the lesions .*expected 0 to 1, found 1.2"),
        ({"minutes_with": math.nan}, {}, "expected 0 to 240, found nan"),
        ({"specificity": 0.7}, {"specificity": (0.8, 0.9)}, "from 0.8 to 0.9 does not hold 0.7"),
        ({}, {"sensitivity": (0.8, 1.1)}, "expected 0 to 1, found 1.1"),
    ],
)
def test_what_cannot_be_is_refused(values: dict, intervals: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        ImpactInputs(values, intervals)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 60))
def test_the_interval_holds_the_value(one: float, other: float, prevalence: float, minutes: float) -> None:
    low, high = sorted((one, other))
    middle = min(high, max(low, (low + high) / 2))
    found = impact(
        ImpactInputs(
            {"specificity": middle, "prevalence": prevalence, "minutes_with": minutes}, {"specificity": (low, high)}
        )
    )
    for figure in (found.excisions_avoided, found.hours_saved):
        assert figure.low - 1e-6 <= figure.value <= figure.high + 1e-6


def test_one_input_after_another() -> None:
    for minutes, hours in ((3, 115), (6, 0), (9, -115)):
        assert impact(ImpactInputs({**YEAR, "minutes_with": minutes})).hours_saved == Estimate(hours, hours, hours)


def test_fewer_excisions_are_bought_with_missed_melanomas() -> None:
    measured = published_figures.read(Path(__file__).resolve().parents[1] / "weights/evaluation-test.json")
    table = measured["thresholds"]["melanoma"]
    known = operating_points(table)
    assert len(known) == len(table["rows"])
    curve = operating_curve(ImpactInputs(YEAR), known)
    avoided = [found.excisions_avoided.value for _, found in curve]
    missed = [found.melanomas_missed.value for _, found in curve]
    assert avoided == sorted(avoided)
    assert missed == sorted(missed)
    first, (point, found) = table["rows"][0], curve[0]
    assert point.threshold == first["threshold"]
    assert found.melanomas_missed.value == pytest.approx(230 * (1 - first["sensitivity"]["value"]))
    assert found.melanomas_missed.high == pytest.approx(230 * (1 - first["sensitivity"]["low"]))


def test_an_operating_point_that_was_not_measured_is_left_out() -> None:
    none = {"value": None, "low": None, "high": None}
    rate = {"value": 0.5, "low": 0.4, "high": 0.6}
    rows = [
        {"threshold": 0.1, "sensitivity": rate, "specificity": none},
        {"threshold": 0.2, "sensitivity": rate, "specificity": rate},
    ]
    (only,) = operating_points({"rows": rows})
    assert only == OperatingPoint(0.2, Estimate(0.5, 0.4, 0.6), Estimate(0.5, 0.4, 0.6))
    assert at_operating_point(ImpactInputs(YEAR), only).estimate("specificity") == Estimate(0.5, 0.4, 0.6)
