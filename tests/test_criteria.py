"""The ABCD rule over all its 810 quartets, and the 7-point checklist over all its 128 answers, in both versions."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, product

import pytest

from skinlens.criteria import (
    CHECKLIST,
    MAJOR,
    Abcd,
    Criteria,
    PartialAbcd,
    SevenPoint,
    abcd_of,
    only_suggested,
    rule_words,
)
from skinlens.errors import InvalidEntry
from skinlens.records import ModelRef, Prediction, QualityCheck, QualityReport, Threshold
from skinlens.wording.verdict import criteria_statement

QUARTETS = list(product(range(3), range(9), range(1, 7), range(1, 6)))


def test_all_810_quartets_have_the_score_and_the_reading_of_the_rule() -> None:
    assert len(QUARTETS) == 810
    scores, readings = set(), Counter[str]()
    for a, b, c, d in QUARTETS:
        rule = Abcd(a, b, c, d)
        exact = Fraction(13, 10) * a + Fraction(1, 10) * b + Fraction(1, 2) * c + Fraction(1, 2) * d
        assert Fraction(rule.total_score) == exact
        if exact < Fraction(475, 100):
            expected = "benign"
        elif exact <= Fraction(545, 100):
            expected = "suspicious"
        else:
            expected = "highly suspicious"
        assert rule.reading == expected, rule
        scores.add(rule.total_score)
        readings[rule.reading] += 1
    assert scores == {Decimal(tenths) / 10 for tenths in range(10, 90)}  # each tenth from 1.0 to 8.9
    assert readings == {"benign": 365, "suspicious": 136, "highly suspicious": 309}


def test_the_score_beside_a_limit_is_on_its_side() -> None:
    below, above = Abcd(1, 4, 3, 3), Abcd(1, 5, 3, 3)
    assert (below.total_score, below.reading) == (Decimal("4.7"), "benign")
    assert (above.total_score, above.reading) == (Decimal("4.8"), "suspicious")
    below, above = Abcd(2, 8, 2, 2), Abcd(2, 4, 3, 2)
    assert (below.total_score, below.reading) == (Decimal("5.4"), "suspicious")
    assert (above.total_score, above.reading) == (Decimal("5.5"), "highly suspicious")
    assert above.summary == "ABCD rule: TDS 5.5, highly suspicious"


@pytest.mark.parametrize(
    ("counts", "named"),
    [
        ((3, 0, 1, 1), "asymmetry is a whole number from 0 to 2, found 3"),
        ((-1, 0, 1, 1), "asymmetry is a whole number from 0 to 2, found -1"),
        ((0, 9, 1, 1), "border is a whole number from 0 to 8, found 9"),
        ((0, 0, 0, 1), "colors is a whole number from 1 to 6, found 0"),
        ((0, 0, 7, 1), "colors is a whole number from 1 to 6, found 7"),
        ((0, 0, 1, 0), "structures is a whole number from 1 to 5, found 0"),
        ((0, 0, 1, 6), "structures is a whole number from 1 to 5, found 6"),
        ((True, 0, 1, 1), "asymmetry is a whole number from 0 to 2, found True"),
    ],
)
def test_a_count_that_the_rule_does_not_know_is_refused(counts: tuple[int, int, int, int], named: str) -> None:
    with pytest.raises(InvalidEntry) as refused:
        Abcd(*counts)
    assert str(refused.value) == f"ABCD rule: {named}. Correct it."


def test_counts_make_the_rule_once_all_four_are_given() -> None:
    assert abcd_of((2, 3, 4, 3)) == Abcd(2, 3, 4, 3)
    assert abcd_of((None,) * 4) is None
    part = abcd_of((0, None, 4, None))
    assert part == PartialAbcd(0, colors=4)
    assert part.open == ("border", "structures")
    assert Criteria(part).rules == ()
    with pytest.raises(InvalidEntry, match="colors is a whole number from 1 to 6, found 7"):
        PartialAbcd(colors=7)


def test_all_128_answers_to_the_checklist_in_both_versions() -> None:
    suspicious = Counter[str]()
    for count in range(8):
        for present in combinations(CHECKLIST, count):
            major = sum(item in ("atypical_network", "blue_whitish_veil", "atypical_vessels") for item in present)
            first, revised = SevenPoint(present), SevenPoint(present, "2011")
            assert (first.version, first.limit, first.score) == ("1998", 3, count + major)
            assert (revised.limit, revised.score) == (1, count)
            assert first.suspicious == (count + major >= 3)
            assert revised.suspicious == (count >= 1)
            suspicious.update({"1998": first.suspicious, "2011": revised.suspicious})
    # Not suspicious in 1998: nothing, one of four minor ones, two of them, one of three major ones alone.
    assert suspicious == {"1998": 128 - (1 + 4 + 6 + 3), "2011": 127}


def test_the_items_have_one_order_and_no_other_is_known() -> None:
    one = SevenPoint(("regression", "atypical_network"))
    assert one == SevenPoint(("atypical_network", "regression"))
    assert one.present == ("atypical_network", "regression")
    assert one.summary == "7-point checklist (1998, limit 3): 3 points, suspicious"
    assert SevenPoint(("regression",)).summary == "7-point checklist (1998, limit 3): 1 point, not suspicious"
    assert set(MAJOR) < set(CHECKLIST)
    for present, version, words in (
        (("veil",), "1998", "found 'veil'"),
        (("regression", "regression"), "1998", "one item is given twice"),
        (("regression",), "2005", "there is no version '2005'"),
    ):
        with pytest.raises(InvalidEntry, match=words):
            _unchecked(SevenPoint, present, version)


def _unchecked(kind: type, *given: object) -> object:
    """As a caller without a type checker makes it: the class's own check has to hold, not the one of the tests."""
    made = object.__new__(kind)
    for name, value in zip(kind.__dataclass_fields__, given, strict=True):  # type: ignore[attr-defined]
        object.__setattr__(made, name, value)
    made.__post_init__()  # type: ignore[attr-defined]
    return made


# ------------------------------------------------------------------------------------------ beside the model's result

FAMILIAR = QualityReport((QualityCheck("familiarity", "Distance", 1.0, 1.6, "at most", "", True, ""),))
STRANGE = QualityReport((QualityCheck("familiarity", "Distance", 3.1, 1.6, "at most", "", False, "Fur."),))
HIGH, LOW = Abcd(2, 4, 3, 2), Abcd(0, 1, 1, 1)


def prediction(melanoma: float) -> Prediction:
    probs = (0.0, 0.0, 0.0, 0.0, melanoma, 1 - melanoma, 0.0)
    return Prediction(probs, (0.0,) * 7, Threshold(0.1, 0.9, 0.7, "val"), ModelRef("hsb", "1.0.0", "5e" * 32), 9.0)


@pytest.mark.parametrize(
    ("criteria", "melanoma", "words"),
    [
        (Criteria(), 0.3, ""),
        (Criteria(pattern="reticular"), 0.3, ""),
        (
            Criteria(HIGH),
            0.3,
            "Your criteria (ABCD rule: TDS 5.5, highly suspicious) and the model's melanoma cut-off agree: suspicious "
            "for melanoma (model: 30.0\u00a0%; cut-off 10.0\u00a0%).",
        ),
        (
            Criteria(LOW, SevenPoint()),
            0.02,
            "Your criteria (ABCD rule: TDS 1.1, benign; 7-point checklist (1998, limit 3): 0 points, not suspicious) "
            "and the model's melanoma cut-off agree: not suspicious for melanoma "
            "(model: 2.0\u00a0%; cut-off 10.0\u00a0%).",
        ),
        (
            Criteria(HIGH),
            0.02,
            "Your criteria suggest melanoma (ABCD rule: TDS 5.5, highly suspicious), but the model does not flag "
            "melanoma (2.0\u00a0%; cut-off 10.0\u00a0%). Look again.",
        ),
        (
            Criteria(seven_point=SevenPoint(("regression",))),
            0.1,
            "Your criteria do not suggest melanoma (7-point checklist (1998, limit 3): 1 point, not suspicious), but "
            "the model flags melanoma (10.0\u00a0%; cut-off 10.0\u00a0%). Look again.",
        ),
        (
            Criteria(LOW, SevenPoint(("regression",), "2011")),
            0.02,
            "Your two rules disagree (ABCD rule: TDS 1.1, benign; 7-point checklist (2011, limit 1): 1 point, "
            "suspicious); the model does not flag melanoma (2.0\u00a0%; cut-off 10.0\u00a0%). Look again.",
        ),
    ],
)
def test_agreement_and_disagreement_are_said(criteria: Criteria, melanoma: float, words: str) -> None:
    assert criteria_statement(criteria, FAMILIAR, prediction(melanoma)) == words


def test_beside_an_unreliable_result_the_criteria_stand_alone() -> None:
    assert criteria_statement(Criteria(HIGH), STRANGE, prediction(0.9)) == (
        "Your criteria stand alone, as the model's result is unreliable: ABCD rule: TDS 5.5, highly suspicious."
    )


def test_scores_that_stand_beside_it_are_not_said_again() -> None:
    for criteria in (Criteria(HIGH), Criteria(LOW), Criteria(LOW, SevenPoint(("regression",), "2011"))):
        for quality in (FAMILIAR, STRANGE):
            words = criteria_statement(criteria, quality, prediction(0.02), scores=False)
            assert "TDS" not in words
            assert "checklist" not in words
    assert criteria_statement(Criteria(LOW), FAMILIAR, prediction(0.02), scores=False) == (
        "Your criteria and the model's melanoma cut-off agree: not suspicious for melanoma (model: 2.0\u00a0%; cut-off "
        "10.0\u00a0%)."
    )


def test_for_another_reader_the_criteria_are_the_clinicians() -> None:
    for quality in (FAMILIAR, STRANGE):
        for criteria in (Criteria(HIGH), Criteria(LOW), Criteria(LOW, SevenPoint(("regression",), "2011"))):
            words = criteria_statement(criteria, quality, prediction(0.02), whose="The clinician's")
            assert words == criteria_statement(criteria, quality, prediction(0.02)).replace("Your", "The clinician's")
            assert words.startswith("The clinician's ")


SUGGESTED = abcd_of((2, 4, 3, 2), ("colors", "asymmetry", "border"))


def test_a_suggested_count_is_no_count_until_it_is_accepted() -> None:
    assert SUGGESTED is not None
    assert SUGGESTED.from_outline == ("asymmetry", "border", "colors")
    assert only_suggested(SUGGESTED) == "A, B and C"
    assert (Criteria(SUGGESTED).rules, Criteria(SUGGESTED).suspicious) == ((), None)
    accepted = replace(SUGGESTED, accepted=True)
    assert only_suggested(accepted) == ""
    assert Criteria(accepted).suspicious is True
    assert rule_words(accepted) == (
        "A 2, B 4, C 3, D 2 (A, B and C suggested from the outline and accepted by the clinician)"
    )
    assert rule_words(Abcd(2, 4, 3, 2)) == "A 2, B 4, C 3, D 2"


def test_what_is_not_suggested_is_not_accepted_and_only_counts_are_suggested() -> None:
    assert Abcd(2, 4, 3, 2, accepted=True) == Abcd(2, 4, 3, 2)
    with pytest.raises(InvalidEntry, match="'pattern' is no count that can come from the outline"):
        Abcd(2, 4, 3, 2, ("pattern",))
