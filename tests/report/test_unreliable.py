"""The first page of the report of a photo that is unlike the training photos."""

from dataclasses import replace
from io import BytesIO

import pypdf

from skinlens.records import PredictionSet, QualityCheck, QualityReport
from skinlens.report.content import compose
from skinlens.report.pdf import CALIBRATED, RISK_COLOURS, UNCALIBRATED, render
from skinlens.wording import GREY_BARS, UNLIKE, UNRELIABLE
from tests.report import samples


def first_page(distance: float) -> tuple[str, bytes]:
    """Text, and the drawing operators."""
    near = distance <= 1.6
    advice = "" if near else f"{UNLIKE} Fur."
    check = QualityCheck("familiarity", "Distance from the training photos", distance, 1.6, "at most", "", near, advice)
    photo = samples.photo()
    case = samples.case(photo, quality=QualityReport((check,)))
    found = replace(case.visit.prediction, prediction_set=PredictionSet(("nv", "mel"), 0.9, "756 photos of val"))
    case = replace(case, visit=replace(case.visit, prediction=found))
    page = pypdf.PdfReader(BytesIO(render(compose(case, photo, [], generated_on=samples.DAY)))).pages[0]
    contents = page.get_contents()
    assert contents is not None
    return " ".join(page.extract_text().split()), contents.get_data()


def colour(risk: str) -> bytes:
    return " ".join(f"{part:g}".lstrip("0") or "0" for part in RISK_COLOURS[risk]).encode()  # type: ignore[index]


def test_an_unreliable_photo_has_grey_bars_one_statement_and_no_threshold() -> None:
    words, drawn = first_page(3.1)
    assert f"{UNRELIABLE} Fur." in words
    assert GREY_BARS in words
    assert UNCALIBRATED in words
    for absent in ("threshold", "cut-off", "confidence", "calibrated on", "ruled out"):
        assert absent not in words, absent
    assert colour("malignant") not in drawn
    assert colour("benign") not in drawn


def test_a_familiar_photo_keeps_all_of_them() -> None:
    words, drawn = first_page(1.0)
    assert UNRELIABLE not in words
    assert CALIBRATED in words
    assert "Cannot be ruled out (90 % confidence): melanocytic nevus, melanoma." in words.replace("\u00a0", " ")
    assert "cut-off for melanoma" in words
    assert colour("malignant") in drawn
    assert colour("benign") in drawn
