"""Sentences that screen, report and command line share, word by word."""

from dataclasses import replace

import pytest

from skinlens.labels import CODES
from skinlens.records import ModelRef, Prediction, PredictionSet, QualityCheck, QualityReport, Threshold
from skinlens.wording.evaluation import middle_of_melanoma
from skinlens.wording.quality import UNRELIABLE, check_words, photo_quality
from skinlens.wording.verdict import (
    agreement,
    cutoff_promise,
    set_remark,
    set_statement,
    threshold_statement,
    turns_statement,
    verdict,
    verdict_line,
)

GOOD = QualityReport((QualityCheck("familiarity", "Distance", 1.0, 1.6, "at most", "", True, ""),))
STRANGE = QualityReport((QualityCheck("familiarity", "Distance", 3.1, 1.6, "at most", "", False, "Fur."),))
BLURRED = QualityReport((QualityCheck("sharpness", "Sharpness", 3.0, 12.0, "at least", "", False, "Hold still."),))


def prediction(
    melanoma: float, threshold: float, sensitivity: float = 0.913, chosen_on: str = "val", top: str = ""
) -> Prediction:
    """``top`` has nearly all that melanoma leaves; without it all others have as much."""
    rest = {code: (0.95 if code == top else 0.01) if top else 1 / 6 for code in CODES if code != "mel"}
    probs = tuple(melanoma if code == "mel" else (1 - melanoma) * rest[code] for code in CODES)
    model = ModelRef("hsb", "1.0.0", "5e" * 32)
    return Prediction(probs, (0.0,) * 7, Threshold(threshold, sensitivity, 0.702, chosen_on), model, 9.0)


def test_the_threshold_and_what_it_is_worth_where_it_was_chosen() -> None:
    assert threshold_statement(prediction(0.23, 0.08)) == (
        "Suspicious for melanoma (23.0\u00a0%; cut-off 8.0\u00a0%). The cut-off was chosen on the validation "
        "set for a sensitivity of at least 90\u00a0%; there it caught 91.3\u00a0% of the melanomas (sensitivity), and "
        "70.2\u00a0% of the other lesions stayed below it (specificity)."
    )


@pytest.mark.parametrize(
    ("melanoma", "threshold", "beginning"),
    [
        (0.07, 0.08, "Below the melanoma cut-off (7.0\u00a0%; cut-off 8.0\u00a0%)."),
        (0.08, 0.08, "Suspicious for melanoma (8.0\u00a0%; cut-off 8.0\u00a0%)."),
        (0.0002, 0.08, "Below the melanoma cut-off (<\u00a00.1\u00a0%; cut-off 8.0\u00a0%)."),
        (0.0796, 0.0804, "Below the melanoma cut-off (7.96\u00a0%; cut-off 8.04\u00a0%)."),
    ],
)
def test_a_photo_near_the_threshold_gets_as_many_digits_as_it_takes(
    melanoma: float, threshold: float, beginning: str
) -> None:
    assert threshold_statement(prediction(melanoma, threshold)).startswith(beginning)


def test_a_threshold_that_misses_the_aim_does_not_claim_it() -> None:
    words = threshold_statement(prediction(0.2, 0.1, sensitivity=0.85, chosen_on="200 photos of clinic A"))
    assert "at least" not in words
    assert "chosen on 200 photos of clinic A; there it caught 85.0\u00a0% of the melanomas" in words


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (("mel", "nv", "df", "bkl", "bcc", "akiec"), "Cannot be ruled out (90\u00a0% confidence): melanoma, "),
        (("mel",), "Cannot be ruled out (90\u00a0% confidence): melanoma alone."),
        (CODES, "None of the seven classes can be ruled out (90\u00a0% confidence)."),
    ],
)
def test_the_set_and_what_it_promises(codes: tuple[str, ...], words: str) -> None:
    one = replace(prediction(0.2, 0.1), prediction_set=PredictionSet(codes, 0.9, "756 photos of val"))
    said = set_statement(one)
    assert said.startswith(words)
    assert said.endswith(
        "In 9 of 10 comparable photos the true diagnosis is on this list, whichever class it is. Calibrated on 756 "
        "photos of the validation set; for other photos this may not hold."
    )


def test_a_set_of_an_earlier_version_names_what_it_leaves_out() -> None:
    """Melanoma, at 20 %, is left out; a dermatofibroma, at 13.3 %, is not."""
    one = replace(prediction(0.2, 0.1), prediction_set=PredictionSet(("df",), 0.9, "756 photos of val"))
    assert set_remark(one) == (
        "This list was made by an earlier version, which had a separate limit for each class. It leaves out melanoma "
        "(20.0\u00a0%), although dermatofibroma (13.3\u00a0%) is on it and less probable."
    )
    assert set_remark(replace(one, prediction_set=None)) == ""


def test_a_probable_class_that_is_not_on_the_list_is_explained() -> None:
    one = replace(prediction(0.6, 0.1, top="nv"), prediction_set=PredictionSet(("mel",), 0.9, ""))
    assert set_remark(one) == (
        "Melanocytic nevus (38.0\u00a0%) is not on this list, as 9 of 10 photos that do show this class get a higher "
        "probability of it. This photo may be an exception."
    )
    assert "remains" not in set_statement(one)
    assert set_remark(replace(one, probs=prediction(0.95, 0.1, top="nv").probs)) == ""  # the nevus at 4.8 %
    both = replace(
        prediction(0.7, 0.1), probs=(0.12, 0.14, 0.01, 0.01, 0.7, 0.01, 0.01), prediction_set=one.prediction_set
    )
    assert set_remark(both).startswith("Basal cell carcinoma (14.0\u00a0%) and actinic keratosis")
    assert "are not on this list, as 9 of 10 photos that do show one of these classes" in set_remark(both)


def test_an_unreliable_photo_has_one_sentence() -> None:
    one = replace(prediction(0.6, 0.08), prediction_set=PredictionSet(("mel",), 0.9, "756 photos of val"))
    assert verdict(STRANGE, one) == (UNRELIABLE,)
    for quality in (GOOD, BLURRED, QualityReport(())):
        assert verdict(quality, one) == (threshold_statement(one), set_statement(one))
    assert verdict(GOOD, prediction(0.6, 0.08)) == (threshold_statement(one),)


def test_the_cutoff_is_said_in_tenths_and_never_better_than_it_is() -> None:
    assert cutoff_promise(Threshold(0.1, 0.96, 0.702, "val")) == (
        "The cut-off catches 9 of 10 melanomas; fewer than 3 of 10 other lesions are flagged too."
    )
    assert cutoff_promise(Threshold(0.1, 0.9, 0.97, "val")).endswith(
        "fewer than 1 of 10 other lesions are flagged too."
    )
    assert cutoff_promise(Threshold(0.1, 0.901, 0.766, "val")).endswith(
        "; fewer than 3 of 10 other lesions are flagged too."
    )
    assert cutoff_promise(Threshold(0.1, 0.9, 0.9, "val")).endswith("; 1 of 10 other lesions are flagged too.")


def test_a_row_names_what_a_photo_lacks() -> None:
    assert photo_quality(BLURRED) == "Photo quality: sharpness not met"
    assert photo_quality(GOOD) == "Photo quality: good"


@pytest.mark.parametrize(
    ("impression", "melanoma", "said"),
    [
        ("mel", 0.9, "You and the model agree: melanoma."),
        ("nv", 0.9, "But its melanoma probability is above the cut-off, and you did not say melanoma. Look again."),
        ("mel", 0.05, "You suspected melanoma; the model does not flag it. Your suspicion takes precedence."),
        ("df", 0.05, "Look again."),
    ],
)
def test_agreement_with_the_impression_is_said_in_a_sentence(impression: str, melanoma: float, said: str) -> None:
    words = agreement(impression, GOOD, prediction(melanoma, 0.08))
    assert words.endswith(said)
    assert words.startswith(
        "You and the model agree" if impression == "mel" and melanoma > 0.5 else "You and the model"
    )


@pytest.mark.parametrize("impression", [None, "unsure", "other"])
def test_nothing_is_compared_with_no_impression_or_an_unreliable_result(impression: str | None) -> None:
    assert agreement(impression, GOOD, prediction(0.9, 0.08)) == ""
    assert agreement("mel", STRANGE, prediction(0.9, 0.08)) == ""


def test_the_similarity_to_the_training_images_is_in_words_also_of_an_old_case() -> None:
    old = QualityCheck(
        "familiarity", "Distance from the training photos", 1.17, 1.6, "at most", "times typical", True, ""
    )
    assert check_words(old) == (
        "Similarity to training images",
        "normal; distance 1.17 times typical",
        "distance at most 1.6 times typical",
    )
    assert check_words(replace(old, value=3.1, passed=False)).measured == "low; distance 3.1 times typical"
    sharp = QualityCheck("sharpness", "Sharpness", 0.7, 0.5, "at least", "", True, "")
    assert check_words(sharp) == ("Sharpness", "0.7", "at least 0.5")


@pytest.mark.parametrize(
    ("melanoma", "words"), [(0.23, "Suspicious for melanoma."), (0.02, "Below the melanoma cut-off.")]
)
def test_the_verdict_without_figures_is_words_alone(melanoma: float, words: str) -> None:
    assert verdict_line(prediction(melanoma, 0.08, top="nv"), figures=False) == words
    assert "cut-off 8.0" in verdict_line(prediction(melanoma, 0.08))


def test_a_suspected_melanoma_that_is_flagged_is_no_disagreement_whatever_is_more_probable() -> None:
    flagged = prediction(0.1, 0.08)  # the other six have .15 each
    assert flagged.top.code != "mel"
    words = agreement("mel", GOOD, flagged)
    assert words.startswith("You suspected melanoma, and the model flags it (10.0\u00a0%).")
    assert "Look again" not in words


def test_below_the_cut_off_of_melanoma_a_carcinoma_is_named_in_the_same_line() -> None:
    carcinoma = prediction(0.02, 0.08, top="bcc")
    assert verdict_line(carcinoma) == (
        "Below the melanoma cut-off (2.0\u00a0%; cut-off 8.0\u00a0%). Most probable: basal cell carcinoma, malignant "
        "(93.1\u00a0%)."
    )
    assert verdict_line(carcinoma, figures=False) == (
        "Below the melanoma cut-off. Most probable: basal cell carcinoma, malignant."
    )
    assert "pre-malignant" in verdict_line(prediction(0.02, 0.08, top="akiec"))
    for other in (prediction(0.3, 0.08, top="bcc"), prediction(0.02, 0.08, top="bkl")):
        assert "Most probable" not in verdict_line(other)


def test_the_middle_of_melanomas_probability_is_weighed_by_photos_and_leaves_out_both_ends() -> None:
    bins = [
        {"n": n, "stated": stated, "happened": {"value": value, "low": 0.0, "high": 1.0}}
        for n, stated, value in ((900, 0.01, 0.01), (30, 0.25, 0.1), (10, 0.55, 0.5), (20, 0.62, 0.9))
    ]
    said = middle_of_melanoma(bins).replace("\u00a0", " ")
    assert said.startswith("In 40 photos, melanoma's probability lies between 20 and 60 %, and averages 32 %; ")
    assert said.endswith("; 8 of them are melanomas (20 %).")
    assert middle_of_melanoma([bins[0], bins[3]]) == ""


def in_turns(*melanoma: float) -> Prediction:
    """The nevus has 95 % of what melanoma leaves; melanoma has the given probability in each orientation."""
    each = [prediction(value, 0.1, top="nv").probs for value in melanoma]
    return replace(prediction(0.08, 0.1, top="nv"), turned_probs=tuple(each))


def test_orientations_are_said_for_the_most_probable_class_and_for_melanoma() -> None:
    said = turns_statement(in_turns(0.02, 0.04, 0.06, 0.08)).replace("\u00a0", " ")
    assert said == (
        "The result is the mean over quarter turns of the photo; each orientation alone gives melanocytic nevus "
        "between 87.4 % and 93.1 % and melanoma between 2.0 % and 8.0 %."
    )
    assert "gives melanocytic nevus 87.4\u00a0% and melanoma 8.0\u00a0%." in turns_statement(in_turns(*[0.08] * 4))
    assert turns_statement(in_turns()) == ""


def test_orientations_on_both_sides_of_the_cut_off_are_said_to_be() -> None:
    both = "Some lie above the melanoma cut-off and some below."
    assert turns_statement(in_turns(0.02, 0.1)).endswith(f". {both}")
    for alike in ((0.02, 0.08), (0.1, 0.2)):
        assert both not in turns_statement(in_turns(*alike))
    melanoma = prediction(0.6, 0.1)
    alone = replace(melanoma, turned_probs=(melanoma.probs, prediction(0.9, 0.1).probs))
    assert turns_statement(alone).replace("\u00a0", " ").endswith("alone gives melanoma between 60.0 % and 90.0 %.")


def test_a_verdict_ends_with_the_orientations() -> None:
    turned = in_turns(0.02, 0.04)
    assert verdict(GOOD, turned)[-1] == turns_statement(turned)
    assert verdict(STRANGE, turned) == (UNRELIABLE,)
