"""The course of a lesion: dates in order, and only what one model read stands in one line."""

from dataclasses import replace

import pytest

from skinlens.followup.trend import MelanomaTrend, melanoma_trend
from skinlens.followup.wording import trend_words
from skinlens.records import LIKENESS, ModelRef, Prediction, QualityCheck, QualityReport, Threshold, Visit

OLD, NEW = ModelRef("hsb", "1.0", "aa" * 32), ModelRef("hsb", "2.0", "bb" * 32)
GOOD = QualityReport(())
STRANGE = QualityReport((QualityCheck(LIKENESS, "Distance", 2.0, 1.0, "at most", "", False, "Take it again."),))


def visit(number: int, day: str, melanoma: float, model: ModelRef = NEW, quality: QualityReport = GOOD) -> Visit:
    rest = (1 - melanoma) / 6
    prediction = Prediction(
        (rest,) * 4 + (melanoma,) + (rest,) * 2, (0.0,) * 7, Threshold(0.1, 0.9, 0.7, "val"), model, 1
    )
    return Visit(number, 5, day, f"{number:064x}", quality, prediction, None, "", "", "draft", day, day)


def test_visits_stand_by_date_with_what_can_be_compared() -> None:
    trend = melanoma_trend([
        visit(4, "2026-03-01", 0.3),
        visit(1, "2025-01-01", 0.05, OLD),
        visit(3, "2026-01-01", 0.9, quality=STRANGE),
        visit(2, "2025-06-01", 0.1),
    ])  # fmt: skip
    assert [(one.visit_id, one.comparable, one.reliable) for one in trend.points] == [
        (1, False, True), (2, True, True), (3, False, False), (4, True, True),
    ]  # fmt: skip
    assert [(one.visit_id, one.prob, one.threshold) for one in trend.line] == [(2, 0.1, 0.1), (4, 0.3, 0.1)]
    assert trend.model == NEW
    assert trend_words(trend).replace("\u00a0", " ") == (
        "Melanoma probability: 10.0 % on 2025-06-01, now 30.0 % on 2026-03-01 (2 visits read by the same model). Not "
        "comparable (read by another model): 2025-01-01. Unfamiliar image, result unreliable: 2026-01-01."
    )


def test_a_release_of_the_same_name_with_another_file_is_another_model() -> None:
    other = replace(NEW, sha256="cc" * 32)
    trend = melanoma_trend([visit(1, "2026-01-01", 0.2, other), visit(2, "2026-02-01", 0.2, NEW)])
    assert [one.comparable for one in trend.points] == [False, True]


def test_one_visit_is_no_course() -> None:
    said = trend_words(melanoma_trend([visit(1, "2026-01-01", 0.0821)])).replace("\u00a0", " ")
    assert said == "Melanoma probability: 8.2 % on 2026-01-01; no other visit to compare it with."


def test_two_photos_of_one_day_are_no_course() -> None:
    visits = [visit(1, "2026-01-01", 0.1, OLD), visit(2, "2026-01-01", 0.2), visit(3, "2026-01-01", 0.3)]
    assert trend_words(melanoma_trend(visits)).replace("\u00a0", " ") == (
        "Melanoma probability on 2026-01-01: 20.0 % (case 2), 30.0 % (case 3). Photos of the same day cannot "
        "show a change over time. Not comparable (read by another model): 2026-01-01 (case 1)."
    )


def test_what_did_not_change_is_said_to_be_unchanged() -> None:
    said = trend_words(melanoma_trend([visit(1, "2026-01-01", 0.08211), visit(2, "2026-02-01", 0.08213)]))
    assert "unchanged 8.2" in said


def test_without_a_reliable_photo_there_is_no_line() -> None:
    trend = melanoma_trend([visit(1, "2026-01-01", 0.5, quality=STRANGE)])
    assert (trend.line, trend.model) == ((), None)
    assert trend_words(trend) == "Melanoma probability: no visit with a reliable photo."
    assert trend_words(MelanomaTrend(())) == "Melanoma probability: no visit with a reliable photo."


def test_two_lesions_have_no_trend_in_common() -> None:
    with pytest.raises(ValueError, match="of several"):
        melanoma_trend([visit(1, "2026-01-01", 0.5), replace(visit(2, "2026-01-01", 0.5), lesion_id=6)])
