"""Records made by hand, as the stages before the store make them."""

import hashlib
from datetime import timedelta
from typing import Any, Literal

import numpy as np

from skinlens.case_record import Analysis
from skinlens.clock import today
from skinlens.labels import CODES
from skinlens.records import (
    CheckResult,
    Explanation,
    Method,
    ModelRef,
    Outline,
    OutlineMaker,
    Photo,
    Prediction,
    PredictionSet,
    QualityCheck,
    QualityReport,
    Threshold,
    Visit,
)
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit

MODEL = ModelRef("hsb", "1.0.0", "5e" * 32)
THRESHOLD = Threshold(value=0.1731, sensitivity=0.9012, specificity=0.7345, chosen_on="val")
TO_COME = (today() + timedelta(days=3)).isoformat()
"""A day that no visit can have had."""
QUALITY = QualityReport(
    (
        QualityCheck("short_side", "Short side", 450.0, 150.0, "at least", "px", True, ""),
        QualityCheck("sharpness", "Sharpness", 0.1 + 0.2, 0.5, "at least", "", False, "Hold still, refocus, again."),
        QualityCheck("familiarity", "Familiarity", 31.25, 48.5, "at most", "", True, ""),
    )
)


def photo(seed: int = 0, height_px: int = 45, width_px: int = 60, notes: tuple[str, ...] = ()) -> Photo:
    pixels = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    digest = hashlib.sha256(f"{width_px}x{height_px}:".encode() + pixels.tobytes()).hexdigest()
    return Photo(pixels, digest, "JPEG", notes)


def prediction(top: str = "nv", prob: float = 0.7, model: ModelRef = MODEL, **others: float) -> Prediction:
    """``prob`` for ``top``, the given probabilities for others, and the rest shared evenly."""
    given = {top: prob, **others}
    rest = (1 - sum(given.values())) / (len(CODES) - len(given))
    probs = tuple(given.get(code, rest) for code in CODES)
    logits = tuple(float(np.log(value)) * 1.3 for value in probs)
    turned = tuple(tuple(np.roll(probs, quarters).tolist()) for quarters in range(4))
    return Prediction(probs, logits, THRESHOLD, model, 8.125, PredictionSet((top,), 0.9, "756 photos of val"), turned)


def explanation(
    of: Photo, method: Method = "grad_cam", label: str = "mel", seed: int | None = None, **params: int | float | str
) -> Explanation:
    stream = [int(of.sha256[:8], 16), seed or 0, *method.encode()]
    heatmap = np.random.default_rng(stream).random((24, 24), dtype=np.float32)
    heatmap[0, :3] = [0.0, 1.0, np.nextafter(np.float32(0), np.float32(1))]
    created = "2024-05-31T09:30:00.125+00:00"
    return Explanation(method, label, heatmap, params, seed, of.sha256, MODEL, 7.25, created, {"r2": 1 / 3})


def check(of: Photo, method: Method | Literal[""] = "", **given: Any) -> CheckResult:
    """A check with figures of no meaning; any field can be given."""
    fields: dict[str, Any] = {
        "kind": "faithfulness",
        "label": "mel",
        "settings": {"steps": 17},
        "figures": {"gain": 0.1 + 0.2, "clear": True},
        "seed": None,
    }
    made = {"model": MODEL, "duration_ms": 7.25, "created_at": "2024-05-31T09:30:00+00:00"}
    return CheckResult(method=method, photo_sha256=of.sha256, **(fields | made | given))


def three_explanations(of: Photo) -> tuple[Explanation, ...]:
    return (
        explanation(of, "grad_cam", "mel"),
        explanation(of, "score_cam", "mel", channels=64),
        explanation(of, "lime", "mel", seed=2**62 + 1, samples=512, segments="slic", ridge=0.1),
    )


def fields(of: Explanation) -> dict[str, Any]:
    """Everything by which two explanations are compared; the map as bytes, shape and dtype."""
    heatmap = (of.heatmap.tobytes(), of.heatmap.shape, of.heatmap.dtype.str)
    return {**vars(of), "heatmap": heatmap, "params": dict(of.params), "diagnostics": dict(of.diagnostics)}


def analysis(of: Photo) -> Analysis:
    return Analysis(of, QUALITY, prediction())


def reading(given: dict[str, Any], label: str | None = None, diagnosis: str = "", notes: str = "") -> ClinicianReading:
    """Of these parts, those in ``given`` by the names of a visit's fields before the others; they are taken out."""
    return ClinicianReading(
        given.pop("clinician_label", label), given.pop("clinician_diagnosis", diagnosis), given.pop("notes", notes)
    )


def reading_of(visit: Visit, given: dict[str, Any]) -> ClinicianReading:
    """What is stored of a visit, with what is in ``given`` in its place."""
    return reading(given, visit.clinician_label, visit.clinician_diagnosis, visit.notes)


def outline(of: Photo, made_by: OutlineMaker = "model", reach: float = 0.3) -> Outline:
    """A ring of eight points."""
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    points = tuple((float(0.5 + reach * np.cos(angle)), float(0.5 + reach * np.sin(angle))) for angle in angles)
    return Outline(points, made_by, of.sha256, MODEL, "2024-05-31T09:30:00+00:00")


def save_cases(store: CaseStore, count: int) -> None:
    """Cases of as many patients, P-0 on, with three maps each."""
    for seed in range(count):
        pixels = photo(seed)
        store.save_case(
            analysis(pixels),
            NewVisit(NewPatient(f"P-{seed}"), NewLesion("back"), "2024-05-31"),
            three_explanations(pixels),
        )
