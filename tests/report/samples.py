"""A case made by hand, with a drawn photo and three smooth maps."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skinlens.case_record import CaseRecord
from skinlens.records import (
    Case,
    CheckResult,
    Explanation,
    Lesion,
    ModelRef,
    Outline,
    Patient,
    Photo,
    Prediction,
    QualityCheck,
    QualityReport,
    Threshold,
    Visit,
)
from skinlens.report.annex import Annex
from skinlens.report.change import SinceLastVisit
from skinlens.report.content import Printing, ReportContent, compose
from skinlens.report.signing import UNSIGNED, Signing

MODEL = ModelRef("hsb", "1.0.0", "5e" * 32)
THRESHOLD = Threshold(0.0812, 0.913, 0.702, "val")
PROBS = (0.012, 0.02, 0.141, 0.0008, 0.2312, 0.5931, 0.0019)
QUALITY = QualityReport(
    (
        QualityCheck("short_side", "Short side", 450.0, 150.0, "at least", "px", True, ""),
        QualityCheck(
            "sharpness", "Sharpness", 31.24, 40.0, "at least", "", False, "Hold still, refocus, take it again."
        ),
        QualityCheck("familiarity", "Distance from the training photos", 12.8, 30.4, "at most", "", True, ""),
    )
)
PATIENT = Patient(3, "SL-0042", 1964, "female")
DAY = "2025-06-04"


def photo(height: int = 90, width: int = 120) -> Photo:
    down, right = np.mgrid[0:height, 0:width]
    dark = np.exp(-(((down / height - 0.5) * 3) ** 2) - ((right / width - 0.5) * 3) ** 2)
    pixels = (np.array([224, 178, 158]) - dark[..., np.newaxis] * [120, 110, 100]).astype(np.uint8)
    return Photo(pixels, hashlib.sha256(f"{width}x{height}:".encode() + pixels.tobytes()).hexdigest(), "JPEG")


def case(of: Photo, *, patient: Patient | None = PATIENT, **visit: Any) -> Case:
    prediction = Prediction(PROBS, (0.0,) * 7, THRESHOLD, MODEL, 11.3)
    usual = Visit(
        17, 9, "2025-06-03", of.sha256, QUALITY, prediction, "mel", "suspected, in situ", "No bleeding.", "draft",
        "2025-06-03T09:12:44Z", "2025-06-03T09:20:01Z",
    )  # fmt: skip
    return Case(replace(usual, **visit), Lesion(9, patient and patient.id, "back"), patient)


def explanations(of: Photo, label: str = "mel", side: int = 24) -> list[Explanation]:
    down, right = np.mgrid[0:side, 0:side] / side
    heatmap = np.exp(-(((down - 0.5) ** 2 + (right - 0.4) ** 2) / 0.05)).astype(np.float32)
    made = "2025-06-03T09:13:00Z"
    return [
        Explanation("grad_cam", label, heatmap, {"layer": "fused map"}, None, of.sha256, MODEL, 7.2, made),
        Explanation("score_cam", label, heatmap**2, {"channels": 64}, None, of.sha256, MODEL, 371.0, made),
        Explanation(
            "lime", label, 1 - heatmap, {"samples": 512}, 2891336453, of.sha256, MODEL, 3104.0, made, {"r2": 0.8123}
        ),
    ]


def checks(of: Photo) -> list[CheckResult]:
    """One, of the prediction itself."""
    said = [{"stage": stage, "top": "mel", "probs": {"mel": 0.4}} for stage in ("exit_1", "exit_2", "final")]
    found = {"verdict": "Both branches say melanoma.", "answers": said}
    return [CheckResult("depth", "", "", of.sha256, MODEL, None, {}, found, 2340.0, "2025-06-03T09:14:00+00:00")]


def composed(
    of: Case,
    pictured: Photo,
    maps: Sequence[Explanation] = (),
    checks: Sequence[CheckResult] = (),
    outlines: Sequence[Outline] = (),
    *,
    change: SinceLastVisit | None = None,
    signing: Signing = UNSIGNED,
    **printing: Any,
) -> ReportContent:
    """The report of a record of these parts; ``printing`` as in ``Printing``."""
    record = CaseRecord(of, pictured, tuple(maps), tuple(checks), tuple(outlines))
    return compose(record, Printing(**printing), change=change, signing=signing)


def content(**changes: object) -> ReportContent:
    of = photo()
    return composed(case(of, **changes), of, generated_on=DAY)


def annex(of: Case, pictured: Photo, maps: Sequence[Explanation] = ()) -> Annex:
    made = composed(of, pictured, maps, annex=True).annex
    assert made is not None
    return made


def fields(of: ReportContent) -> dict[str, str]:
    technical = of.annex.technical if of.annex else ()
    return {field.caption: field.text for field in (*of.case, *of.codes, *technical)}
