"""Each check is one sentence, in the order of the questions; figures, seeds and models are not lost on the way."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import pypdf
import pytest

from skinlens.errors import SkinLensError
from skinlens.records import CheckResult, ModelRef
from skinlens.report.checks import NOTE, NOTHING, check_rows
from skinlens.report.pdf import render
from tests.report import samples

PHOTO = samples.photo()


def check(kind: str, figures: dict[str, Any], **given: Any) -> CheckResult:
    usual: dict[str, Any] = {"label": "mel", "method": "", "settings": {}, "seed": None, "model": samples.MODEL}
    when = "2025-06-03T09:14:00+00:00"
    return CheckResult(
        kind=kind, figures=figures, photo_sha256=PHOTO.sha256, duration_ms=2340.0, created_at=when, **usual | given
    )


def trial(shared: float) -> dict[str, Any]:
    return {"change": "", "spearman": 0.9, "hottest_iou": shared, "prob": 0.2}


FAITHFUL = {
    "deletion": 0.31,
    "insertion": 0.52,
    "random_deletion_mean": 0.402,
    "random_insertion_mean": 0.4,
    "better_than_chance": True,
    "average_drop": 0.1,
}
STABLE = {"changes": [trial(0.9), trial(0.8), trial(0.7), trial(0.95)], "seeds": [], "prob": 0.2, "least_shared": 0.7}
TURNED = {"turn_degrees": 2.0, "brightness": 0.05}
STRESS = {
    "prob": 0.1,
    "threshold": 0.2,
    "effects": [{"artifact": "ink", "probs": [0.25, 0.3, 0.35], "change": 0.2}],
}
SAID = [
    {"stage": stage, "top": "mel", "probs": {"mel": prob}}
    for stage, prob in (("exit_1", 0.4), ("exit_2", 0.7), ("final", 0.8))
]
EVERY = [
    check("depth", {"verdict": "Both branches say melanoma.", "answers": SAID}, label=""),
    check("artefacts", STRESS, seed=7),
    check("reference", {"spearman": 0.914, "hottest_iou": 0.61, "same_area": True}, method="grad_cam"),
    check("stability", STABLE, method="grad_cam", settings=TURNED),
    check("faithfulness", FAITHFUL, method="lime", settings={"map": {"against": "nv"}}),
    check("faithfulness", FAITHFUL | {"better_than_chance": False}, method="grad_cam"),
    check("faithfulness", FAITHFUL, method="grad_cam", label="nv"),
]


def test_every_check_in_one_sentence_by_question_class_and_method() -> None:
    rows = check_rows(EVERY, samples.case(PHOTO).visit.prediction)
    assert [(row.title, row.about) for row in rows] == [
        ("Faithfulness", "Grad-CAM, melanocytic nevus"),
        ("Faithfulness", "Grad-CAM, melanoma"),
        ("Faithfulness", "LIME, melanoma rather than melanocytic nevus"),
        ("Robustness", "Grad-CAM, melanoma"),
        ("Sensitivity to artifacts", "melanoma"),
        ("Early-exit predictions", "the result"),
        ("Agreement with published libraries", "Grad-CAM, melanoma"),
    ]
    found = [row.result.replace("\u00a0", " ") for row in rows]
    assert found[0] == (
        "Better than chance: the mean probability is 31.0 % while the hottest parts are blurred first (random maps "
        "40.2 %; lower is better), and 52.0 % while they become sharp first (random maps 40.0 %; higher is better)."
    )
    assert found[1].startswith("Not clearly better than chance: ")
    assert found[3] == (
        "Steady: its hottest fifth shares at least 80 % with the photo turned by 2°, "
        "70 % with it 5 % brighter or darker."
    )
    assert found[6] == (
        "The published library points to the same area: of the hottest fifths 61 % is shared, rank correlation 0.91."
    )
    assert found[4].endswith("It comes to or above the cut-off of 20.0 % with: ink of a skin marker.")
    assert found[5] == (
        "Both branches say melanoma. Small patches: melanoma (40.0 %); Deep branch: melanoma (70.0 %); Final answer: "
        "melanoma (80.0 %)."
    )
    assert {row.made for row in rows} == {"2025-06-03", "2025-06-03, seed 7"}


def test_seeds_of_lime_have_a_part_of_the_sentence() -> None:
    one = check("stability", STABLE | {"seeds": [trial(0.4)], "least_shared": 0.4}, method="lime", settings=TURNED)
    (row,) = check_rows([one], samples.case(PHOTO).visit.prediction)
    assert row.result.startswith("Moves in part: ")
    assert row.result.replace("\u00a0", " ").endswith(", 40 % with another seed.")


def test_a_check_by_another_model_says_so_and_one_of_another_kind_is_left_out() -> None:
    other = replace(EVERY[0], model=ModelRef("hsb", "0.9.0", "ab" * 32))
    rows = check_rows([other, check("tea leaves", {})], samples.case(PHOTO).visit.prediction)
    assert [row.made for row in rows] == ["2025-06-03, with another model: version 0.9.0, abababababab…"]


@pytest.mark.slow
def test_the_report_has_a_section_of_what_was_checked() -> None:
    case = samples.case(PHOTO)
    content = samples.composed(case, PHOTO, [], EVERY, annex=True, generated_on=samples.DAY)
    reader = pypdf.PdfReader(BytesIO(data := render(content)))
    printed = " ".join(" ".join(page.extract_text().split()) for page in reader.pages)
    assert "Annex: tests" in printed
    assert NOTE in printed
    for words in ("Faithfulness", "Not clearly better than chance", "seed 7", "ink of a skin marker"):
        assert words in printed
    assert render(samples.composed(case, PHOTO, [], EVERY[::-1], annex=True, generated_on=samples.DAY)) == data
    without = samples.composed(case, PHOTO, [], annex=True, generated_on=samples.DAY).annex
    assert without is not None
    assert without.checks_note == NOTHING


def test_a_check_of_another_photo_is_refused() -> None:
    foreign = replace(EVERY[0], photo_sha256="b" * 64)
    with pytest.raises(SkinLensError, match="The check belongs to another visit"):
        samples.composed(samples.case(PHOTO), PHOTO, [], [foreign])
