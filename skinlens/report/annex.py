"""Annex of a report: maps, tests, quality figures, technical data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from skinlens import __version__
from skinlens.case_record import CaseRecord
from skinlens.checks.agreement import agree
from skinlens.explain import CONTRAST_WITH, METHODS, overlay
from skinlens.formatting import number, percent
from skinlens.imaging.preprocess import InputSpec, crop_box, heatmap_to_photo
from skinlens.records import (
    Array,
    Explanation,
    Method,
    Pixels,
    Prediction,
    QualityCheck,
    Target,
)
from skinlens.report.checks import NOTE, NOTHING, CheckRow, check_rows
from skinlens.report.clinical import Entry
from skinlens.wording.maps import CAVEAT, LEGEND, over_photo
from skinlens.wording.naming import in_sentence
from skinlens.wording.quality import UNRELIABLE_MAPS, check_words
from skinlens.wording.records import target_words
from skinlens.wording.verdict import statements

OVERLAY_LONGEST_PX = 600
"""Long side of an overlay, whatever the photo's: 280 dots per inch in print, and smooth over a small photo."""
DIAGNOSTIC_NAMES = {
    "r2": "fit to the samples (R², 1 = perfect)",
    "stability": "reproducibility with other samples (1 = the same)",
    "samples": "samples made",
    "segments": "superpixels",
    "negative_share": "share of superpixels that counted against it",
}
"""Diagnostics of each method that help a reader to judge its map."""
NO_EXPLANATIONS = "No map was saved with this case."


@dataclass(frozen=True, eq=False)
class Panel:
    """One overlay with its caption."""

    title: str
    picture: Pixels
    alt: str
    """Alternative text of the picture."""
    lines: tuple[str, ...]


@dataclass(frozen=True)
class FindingRow:
    """One quality check in words."""

    title: str
    measured: str
    limit: str
    verdict: str
    passed: bool


@dataclass(frozen=True, eq=False)
class Annex:
    """Content of the annex: all of a case beyond the first page."""

    statements: tuple[str, ...]
    """What the cut-off and the set of classes are worth; none for an unreliable photo."""
    explanations_note: str
    panels: tuple[Panel, ...]
    legend: Pixels
    legend_alt: str
    legend_ends: tuple[str, str]
    checks_note: str
    checks: tuple[CheckRow, ...]
    quality: tuple[FindingRow, ...]
    technical: tuple[Entry, ...]


def compose_annex(record: CaseRecord, printed: Pixels, spec: InputSpec) -> Annex:
    """Annex of a record; ``printed``: pixels of the photo as on the first page."""
    visit = record.visit
    prediction, reliable = visit.prediction, visit.quality.reliable
    ordered = sorted(record.explanations, key=lambda explanation: _place(explanation, prediction))
    rows = check_rows(record.checks, prediction)
    none, _, most = LEGEND.partition(", ")
    return Annex(
        statements=tuple(filter(None, statements(prediction))) if reliable else (),
        explanations_note=_explanations_note(ordered, reliable=reliable),
        panels=tuple(_panel(explanation, printed, prediction, spec) for explanation in ordered),
        legend=overlay.legend_bar(8, 256),
        legend_alt=f"Color scale: {LEGEND}.",
        legend_ends=(none, most),
        checks_note=NOTE if rows else NOTHING,
        checks=rows,
        quality=tuple(_finding(check) for check in visit.quality.checks),
        technical=(
            Entry("Model", f"{prediction.model.name}, version {prediction.model.version}"),
            Entry("Software", f"SkinLens {__version__}"),
            Entry("SHA-256 of the model file", prediction.model.sha256),
            Entry("SHA-256 of the photo (size and pixels)", record.photo.sha256),
        ),
    )


def _place(explanation: Explanation, prediction: Prediction) -> tuple[float, str, int]:
    """The maps of the most probable class first, those of one class side by side, always in the same order."""
    return -prediction.prob(explanation.label), explanation.target.code, list(METHODS).index(explanation.method)


def _panel(explanation: Explanation, printed: Pixels, prediction: Prediction, spec: InputSpec) -> Panel:
    target = explanation.target
    elsewhere = {"seed", CONTRAST_WITH}
    title = METHODS[explanation.method].title
    top, left, height, width = crop_box(printed.shape[0], printed.shape[1], spec)
    seen = scaled(printed[top : top + height, left : left + width], OVERLAY_LONGEST_PX / max(height, width))
    picture = overlay.blend(seen, heatmap_to_photo(explanation.heatmap, seen.shape[0], seen.shape[1], spec))
    lines = [
        f"Supports {target_words(target)} ({_probabilities(explanation, prediction)})",
    ]
    if settings := {key: value for key, value in explanation.params.items() if key not in elsewhere}:
        titles = {parameter.name: in_sentence(parameter.title) for parameter in METHODS[explanation.method].parameters}
        lines.append(f"Settings: {_listed({titles.get(key, key): value for key, value in settings.items()})}")
    if explanation.seed is not None:
        lines.append(f"Seed of the random samples: {explanation.seed}")
    known = explanation.diagnostics
    measured = {name: known[key] for key, name in DIAGNOSTIC_NAMES.items() if key in known}
    if measured:
        lines.append(f"Measured: {_listed(measured)}")
    if known.get("empty"):
        lines.append(f"The map is empty: nothing in the photo supported {target_words(target)}.")
    if explanation.model != prediction.model:
        lines.append(f"Made with another model: version {explanation.model.version}, {explanation.model.sha256[:12]}…")
    return Panel(title, picture, over_photo(title, target_words(target)), tuple(lines))


def _probabilities(explanation: Explanation, prediction: Prediction) -> str:
    return " against ".join(percent(prediction.prob(code)) for code in explanation.target.codes)


def _explanations_note(explanations: Sequence[Explanation], *, reliable: bool) -> str:
    if not explanations:
        return NO_EXPLANATIONS
    if not reliable:
        return UNRELIABLE_MAPS
    shows = f"Bright areas counted most for the class that is named below the map. {CAVEAT}"
    return " ".join([shows, *_agreements(explanations)])


def _agreements(explanations: Sequence[Explanation]) -> Iterator[str]:
    """How far the maps of each class agree, where one model made two or more; the latest of a method counts."""
    groups: dict[tuple[Target, str], dict[Method, Explanation]] = {}
    for explanation in explanations:
        groups.setdefault((explanation.target, explanation.model.sha256), {})[explanation.method] = explanation
    for (target, _), maps in groups.items():
        if len(maps) > 1:
            yield f"Agreement of the maps for {target_words(target)}: {agree(list(maps.values())).verdict}"


def _finding(check: QualityCheck) -> FindingRow:
    verdict = "met" if check.passed else f"not met. {check.advice}".strip()
    return FindingRow(*check_words(check), verdict, check.passed)


def _listed(values: Mapping[str, int | float | str] | Mapping[str, float]) -> str:
    if not values:
        return "none"
    shown = (
        f"{key.replace('_', ' ')}: {number(value) if isinstance(value, float) else value}"
        for key, value in values.items()
    )
    return "; ".join(shown)


def scaled(pixels: Pixels, scale: float) -> UInt8[Array, "height width 3"]:
    if scale == 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=1.5))
