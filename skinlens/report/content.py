"""A case put into the words, numbers and pictures of its report, before anything is laid out.

What was found stands in it, never how long it took: the same findings give the same bytes. Durations are in the JSON
of the commands and in the case.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from skinlens import __version__
from skinlens.clock import local_minute
from skinlens.errors import SkinLensError
from skinlens.explain import AGAINST, METHODS, overlay
from skinlens.explain.agreement import agree
from skinlens.labels import BY_CODE, DIAGNOSES, DISCLAIMER, IMPRESSIONS, LABELS, Label, Risk
from skinlens.models.outline import as_points, curve
from skinlens.preprocess import InputSpec, crop_box, heat_to_photo
from skinlens.quantities import number, percent
from skinlens.records import (
    Array,
    Case,
    Check,
    Explanation,
    Method,
    Outline,
    OutlineMaker,
    Photo,
    Pixels,
    Prediction,
    QualityCheck,
    QualityReport,
    Status,
    Target,
    Visit,
)
from skinlens.report.checks import NOTE, NOTHING, CheckRow, check_rows
from skinlens.report.clinical import Entry, clinical_entries
from skinlens.wording import (
    NO_CODES,
    UNRELIABLE,
    UNRELIABLE_MAPS,
    cause,
    check_words,
    set_statement,
    threshold_statement,
)

PHOTO_LONGEST_PX = 1600
"""Long side of the photo in the report: over 400 dots per inch at the size at which it is printed."""
OVERLAY_LONGEST_PX = 600
"""Long side of an overlay, whatever the photo's: 280 dots per inch in print, and smooth over a small photo."""
DIAGNOSTIC_NAMES = {
    "r2": "fit to the trials (R²)",
    "stability": "reproducibility with another seed (1 = the same)",
    "samples": "trials made",
    "segments": "patches",
    "negative_share": "share that spoke against the class",
}
"""Of what a method knows about itself, that which helps a reader to judge its map."""
OUTLINED: dict[OutlineMaker, str] = {
    "model": "The line is the lesion's edge as the model proposed it.",
    "clinician": "The line is the lesion's edge as the clinician drew it.",
}
NO_EXPLANATIONS = "No explanation was made for this photo."
NOT_EVALUATED = (
    "Skin tone: not evaluated. Nearly all photos that the model was trained and measured on show light skin; "
    "how well it does on dark skin is not known."
)
USE = (
    "Not a screening tool and never the sole criterion: to be read only together with all clinical information. "
    "The model knows seven classes; a lesion of any other kind is forced into one of them."
)
SUGGESTED = "suggested, to be confirmed"
NOT_VERIFIED = "not verified"


@dataclass(frozen=True)
class Field:
    """A caption and what stands under it."""

    caption: str
    text: str


@dataclass(frozen=True, eq=False)
class Panel:
    """One overlay with what is said under it."""

    title: str
    picture: Pixels
    alt: str
    """In place of the picture for those who cannot see it."""
    lines: tuple[str, ...]


@dataclass(frozen=True)
class ClassRow:
    """One class of the distribution."""

    code: str
    name: str
    risk: Risk
    prob: float


@dataclass(frozen=True)
class FindingRow:
    """One quality check in words."""

    title: str
    measured: str
    limit: str
    verdict: str
    passed: bool


@dataclass(frozen=True, eq=False)
class ReportContent:
    """All that a report says. Texts are plain: nothing in them is markup."""

    title: str
    running_title: str
    """At the top of each page but the first."""
    status: Status
    status_note: str
    case: tuple[Field, ...]
    photo: Pixels
    """At most ``PHOTO_LONGEST_PX`` long."""
    photo_alt: str
    photo_caption: tuple[str, ...]
    outline: tuple[tuple[float, float], ...]
    """Corners of the lesion's edge in order, as shares of the photo's width and height; empty where none is kept."""
    classes: tuple[ClassRow, ...]
    """By falling probability."""
    melanoma_threshold: float
    reliable: bool
    """False: the bars are grey, and the verdict says only that it is not reliable."""
    verdict: str
    """On which side of its threshold melanoma lies; of an unreliable photo, that nothing holds, and why."""
    set_statement: str
    """Empty where the model gave no set of classes, and for an unreliable photo."""
    panels: tuple[Panel, ...]
    explanations_note: str
    checks_note: str
    checks: tuple[CheckRow, ...]
    quality_summary: str
    quality: tuple[FindingRow, ...]
    first_impression: str
    """What the clinician said before the model's reading was shown."""
    diagnosis: str
    notes: str
    clinical: tuple[Entry, ...]
    """Criteria, plan, recall, histology and the like, as far as they were recorded."""
    codes_of: str
    codes: tuple[Field, ...]
    """Empty without a diagnosis of the clinician's."""
    codes_remark: str
    model: tuple[Field, ...]
    limits: tuple[str, ...]
    disclaimer: str
    dated: str
    """ISO date or time (UTC) of the report; the only one that the file carries."""


def compose(
    case: Case,
    photo: Photo,
    explanations: Sequence[Explanation],
    checks: Sequence[Check] = (),
    outlines: Sequence[Outline] = (),
    *,
    generated_on: str | None = None,
    spec: InputSpec | None = None,
) -> ReportContent:
    """The report of a case.

    ``generated_on`` is the ISO date that is printed; without one it is the time of the case's last change, so that an
    unchanged case gives an unchanged report. Times are printed in the local time of this computer. ``spec`` is that of
    the model that made the explanations, None for the usual one. Of two ``outlines`` the clinician's is drawn. A visit
    without a number (0) is that of a photo that is not kept. Raises ``SkinLensError`` if the photo, an explanation, a
    check or an outline belongs to another visit.
    """
    visit = case.visit
    _refuse_mix_ups(visit, photo, *explanations, *checks, *outlines)
    outline = min(outlines, key=lambda one: one.made_by == "model", default=None)
    explanations = sorted(explanations, key=lambda one: _place(one, visit.prediction))
    prediction = visit.prediction
    rows = check_rows(checks, prediction)
    spec = spec or InputSpec()
    said = BY_CODE.get(visit.clinician_label or "")
    reliable = visit.quality.reliable
    number_of_case = (f"Case {visit.id}",) if visit.id else ()
    pseudonym = (case.patient.pseudonym,) if case.patient else ()
    printed = _scaled(photo.pixels, min(1.0, PHOTO_LONGEST_PX / max(photo.width_px, photo.height_px)))
    return ReportContent(
        title="SkinLens report",
        running_title=" · ".join(("SkinLens report", *number_of_case, *pseudonym)),
        status=visit.status,
        status_note=STATUS_NOTES[visit.status],
        case=_case_fields(case, generated_on),
        photo=printed,
        photo_alt=f"Photo of the lesion, {photo.width_px} by {photo.height_px} pixels.",
        photo_caption=_photo_caption(photo, spec, outline),
        outline=as_points(curve(np.asarray(outline.points))) if outline else (),
        classes=tuple(
            ClassRow(label.code, label.name, label.risk, prob)
            for label, prob in sorted(zip(LABELS, prediction.probs, strict=True), key=lambda pair: -pair[1])
        ),
        melanoma_threshold=prediction.melanoma_threshold.value,
        reliable=reliable,
        verdict=threshold_statement(prediction) if reliable else _unreliable(visit.quality),
        set_statement=set_statement(prediction) if reliable else "",
        panels=tuple(_panel(explanation, printed, prediction, spec) for explanation in explanations),
        explanations_note=_explanations_note(explanations, reliable=reliable),
        checks_note=NOTE if rows else NOTHING,
        checks=rows,
        quality_summary=_quality_summary(visit),
        quality=tuple(_finding(check) for check in visit.quality.checks),
        first_impression=IMPRESSIONS[visit.first_impression] if visit.first_impression else "None given.",
        diagnosis=_diagnosis(visit),
        notes=visit.notes.strip() or "None.",
        clinical=clinical_entries(case),
        codes_of=f"Of the clinician's diagnosis ({said.name}): {SUGGESTED}." if said else NO_CODES,
        codes=_codes(said) if said else (),
        codes_remark=said.remark if said else "",
        model=(
            Field("Model", f"{prediction.model.name}, version {prediction.model.version}"),
            Field("Software", f"SkinLens {__version__}"),
            Field("SHA-256 of the model file", prediction.model.sha256),
            Field("SHA-256 of the photo (size and pixels)", photo.sha256),
        ),
        limits=(NOT_EVALUATED, USE),
        disclaimer=DISCLAIMER,
        dated=generated_on or visit.updated_at,
    )


STATUS_NOTES: dict[Status, str] = {
    "draft": "Draft: not signed",
    "signed": "Signed",
    "amended": "Amended after signing",
}


def _unreliable(quality: QualityReport) -> str:
    return f"{UNRELIABLE} {cause(quality)}".strip()


def _codes(said: Label) -> tuple[Field, ...]:
    """Of the clinician's diagnosis alone: what the model says is never coded."""
    return (
        Field("ICD-10-CM", said.icd10cm or NOT_VERIFIED),
        Field("ICD-O-3", said.icdo3 or NOT_VERIFIED),
        Field("SNOMED CT", said.snomed_ct or NOT_VERIFIED),
    )


def _refuse_mix_ups(visit: Visit, photo: Photo, *parts: Explanation | Check | Outline) -> None:
    """Another patient's picture in a report is the worst that it could hold."""
    found = [("photo", photo.sha256), *((type(part).__name__.lower(), part.photo_sha256) for part in parts)]
    for what, sha256 in found:
        if sha256 != visit.photo_sha256:
            raise SkinLensError(
                f"The {what} belongs to another visit: expected the photo {visit.photo_sha256[:12]}…, found "
                f"{sha256[:12]}…. No report was made. Open the case again."
            )


def _case_fields(case: Case, generated_on: str | None) -> tuple[Field, ...]:
    visit, patient = case.visit, case.patient
    age = patient.age_on(visit.taken_on) if patient else None
    if patient and age and not patient.born_earlier and not age.endswith("+"):
        age = f"{age} (born in {patient.birth_year})"
    return (
        Field("Case", str(visit.id) if visit.id else "not kept"),
        Field("Patient ID", patient.pseudonym if patient else "no patient"),
        Field("Sex", patient.sex if patient and patient.sex != "unknown" else "not recorded"),
        Field("Age at the photo, years", age or "not recorded"),
        Field("Body site", case.lesion.body_site or "not recorded"),
        Field("Photo taken on", visit.taken_on or "not recorded"),
        Field("Report made on", generated_on)
        if generated_on
        else Field("Case last changed", local_minute(visit.updated_at)),
        Field("Lesion", case.lesion.remark or (f"number {case.lesion.id}" if case.lesion.id else "not recorded")),
    )


def _photo_caption(photo: Photo, spec: InputSpec, outline: Outline | None) -> tuple[str, ...]:
    said = [f"{photo.width_px} × {photo.height_px} px, {photo.source_format}."]
    _, _, height, width = crop_box(photo.height_px, photo.width_px, spec)
    if (height, width) != (photo.height_px, photo.width_px):
        said.append(f"The model sees only the central {width} × {height} px, which the overlays show.")
    if outline is not None:
        said.append(OUTLINED[outline.made_by])
    return (*said, *photo.notes)


def _place(explanation: Explanation, prediction: Prediction) -> tuple[float, str, int]:
    """The maps of the most probable class first, those of one class side by side, always in the same order."""
    return -prediction.prob(explanation.label), explanation.target.code, list(METHODS).index(explanation.method)


def _panel(explanation: Explanation, printed: Pixels, prediction: Prediction, spec: InputSpec) -> Panel:
    target = explanation.target
    elsewhere = {"seed", AGAINST}
    title = METHODS[explanation.method].title
    top, left, height, width = crop_box(printed.shape[0], printed.shape[1], spec)
    seen = _scaled(printed[top : top + height, left : left + width], OVERLAY_LONGEST_PX / max(height, width))
    picture = overlay.blend(seen, heat_to_photo(explanation.heat, seen.shape[0], seen.shape[1], spec))
    lines = [
        f"Explains: {target.words} ({_probabilities(explanation, prediction)})",
        f"Parameters: {_listed({key: value for key, value in explanation.params.items() if key not in elsewhere})}",
        "Seed: none, nothing is random" if explanation.seed is None else f"Seed: {explanation.seed}",
    ]
    known = explanation.diagnostics
    measured = {name: known[key] for key, name in DIAGNOSTIC_NAMES.items() if key in known}
    if measured:
        lines.append(f"Measured: {_listed(measured)}")
    if known.get("empty"):
        lines.append(f"The map is empty: nothing in the photo spoke for {target.words}.")
    if explanation.model != prediction.model:
        lines.append(f"Made with another model: version {explanation.model.version}, {explanation.model.sha256[:12]}…")
    return Panel(title, picture, f"{title} heat map for {target.words} over the photo. {overlay.LEGEND}.", tuple(lines))


def _probabilities(explanation: Explanation, prediction: Prediction) -> str:
    return " against ".join(percent(prediction.prob(code)) for code in explanation.target.codes)


def _explanations_note(explanations: Sequence[Explanation], *, reliable: bool) -> str:
    if not explanations:
        return NO_EXPLANATIONS
    if not reliable:
        return UNRELIABLE_MAPS
    shows = (
        "How much each region spoke for what is named below it. The maps show what moved the model, "
        "not where the disease is."
    )
    return " ".join([shows, *_agreements(explanations)])


def _agreements(explanations: Sequence[Explanation]) -> Iterator[str]:
    """How far the maps of each class agree, where one model made two or more; the latest of a method counts."""
    groups: dict[tuple[Target, str], dict[Method, Explanation]] = {}
    for explanation in explanations:
        groups.setdefault((explanation.target, explanation.model.sha256), {})[explanation.method] = explanation
    for (target, _), maps in groups.items():
        if len(maps) > 1:
            yield f"Agreement of the maps for {target.words}: {agree(list(maps.values())).verdict}"


def _quality_summary(visit: Visit) -> str:
    checks, failed = visit.quality.checks, visit.quality.failed
    if not checks:
        return "The quality of this photo was not checked."
    if not failed:
        return f"All {len(checks)} checks of the photo are met."
    verb = "is" if len(failed) == 1 else "are"
    so = "read the prediction with caution" if visit.quality.reliable else "the prediction is not reliable"
    return f"{len(failed)} of {len(checks)} checks of the photo {verb} not met: {so}."


def _finding(check: QualityCheck) -> FindingRow:
    verdict = "met" if check.passed else f"not met. {check.advice}".strip()
    return FindingRow(*check_words(check), verdict, check.passed)


def _diagnosis(visit: Visit) -> str:
    said = DIAGNOSES[visit.clinician_label] if visit.clinician_label else ""
    parts = [part for part in (said, visit.clinician_diagnosis.strip()) if part]
    return ": ".join(parts) or "None entered."


def _listed(values: Mapping[str, int | float | str] | Mapping[str, float]) -> str:
    if not values:
        return "none"
    shown = (
        f"{key.replace('_', ' ')} {number(value) if isinstance(value, float) else value}"
        for key, value in values.items()
    )
    return ", ".join(shown)


def _scaled(pixels: Pixels, scale: float) -> UInt8[Array, "height width 3"]:
    if scale == 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=1.5))
