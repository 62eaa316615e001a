"""The first page of the report of a photo that is unlike the training photos."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pypdf
import pytest
from PIL import Image

from skinlens.records import PredictionSet, QualityCheck, QualityReport
from skinlens.report.content import CALIBRATED, UNCALIBRATED, ReportContent
from skinlens.report.pdf import preview, render
from skinlens.wording.quality import GRAY_BARS, UNLIKE, UNRELIABLE
from tests.report import samples

RISK_COLORS = {"malignant": (0xD5, 0x5E, 0x00), "benign": (0x00, 0x72, 0xB2)}


def report(distance: float, *, annex: bool = False) -> ReportContent:
    near = distance <= 1.6
    advice = "" if near else f"{UNLIKE} Fur."
    check = QualityCheck("familiarity", "Distance from the training photos", distance, 1.6, "at most", "", near, advice)
    photo = samples.photo()
    case = samples.case(photo, quality=QualityReport((check,)))
    found = replace(case.visit.prediction, prediction_set=PredictionSet(("nv", "mel"), 0.9, "756 photos of val"))
    case = replace(case, visit=replace(case.visit, prediction=found))
    return samples.composed(case, photo, generated_on=samples.DAY, annex=annex)


def words(of: ReportContent) -> str:
    (page,) = pypdf.PdfReader(BytesIO(render(of))).pages
    return " ".join(page.extract_text().split())


def drawn(of: ReportContent, risk: str) -> bool:
    """Whether a bar has the color of a risk group."""
    pixels = np.asarray(Image.open(BytesIO(preview(of)[0])).convert("RGB"))
    return bool((pixels == RISK_COLORS[risk]).all(axis=-1).sum() > 100)


def test_an_unreliable_photo_has_gray_bars_one_statement_and_no_threshold() -> None:
    said = words(report(3.1))
    assert f"{UNRELIABLE} Fur." in said
    assert GRAY_BARS in said
    assert UNCALIBRATED in said
    for absent in ("threshold", "cut-off", "confidence", "calibrated on", "ruled out", "Suspicious"):
        assert absent not in said, absent


def test_its_annex_says_beside_the_seven_classes_that_they_mean_nothing() -> None:
    pages = [page.extract_text() for page in pypdf.PdfReader(BytesIO(render(report(3.1, annex=True)))).pages]
    (of_classes,) = [" ".join(page.split()) for page in pages if "Annex: all seven classes" in page]
    assert UNCALIBRATED in of_classes
    assert GRAY_BARS in of_classes


def test_a_familiar_photo_keeps_all_of_them() -> None:
    said = words(report(1.0))
    assert UNRELIABLE not in said
    assert CALIBRATED in said
    assert "Cannot be ruled out (90 % confidence): melanocytic nevus, melanoma." in said.replace("\u00a0", " ")
    assert "the black tick is the cut-off for melanoma" in said


def test_the_tick_is_explained_where_the_bar_of_melanoma_is_shown() -> None:
    composed = report(1.0)
    last = replace(composed.result, classes=tuple(sorted(composed.result.classes, key=lambda row: row.code == "mel")))
    said = words(replace(composed, result=last))
    assert "tick" not in said
    assert f"{CALIBRATED}." in said


@pytest.mark.parametrize("risk", RISK_COLORS)
def test_only_a_familiar_photo_has_bars_in_the_colors_of_the_risk_groups(risk: str) -> None:
    assert drawn(report(1.0), risk)
    assert not drawn(report(3.1), risk)
