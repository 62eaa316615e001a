"""Report content: texts, numbers and pictures of a case, before anything is laid out.

What was found stands in it, never how long it took: the same findings give the same bytes. Durations are in the JSON
of the commands and in the case.
"""

from dataclasses import dataclass, field

import numpy as np

from skinlens import __version__
from skinlens.case_record import CaseRecord
from skinlens.clock import local_minute
from skinlens.followup import measures
from skinlens.formatting import Unit, counted, length, percent
from skinlens.imaging.preprocess import InputSpec, crop_box
from skinlens.labels import BY_CODE, DIAGNOSES, DISCLAIMER, IMPRESSIONS, LABELS, Label, Risk
from skinlens.records import LIKENESS, Case, OutlineMaker, Pixels, QualityReport, Status, Visit
from skinlens.report.annex import Annex, compose_annex, scaled
from skinlens.report.change import SinceLastVisit
from skinlens.report.clinical import Entry, finding_entries, phototype, plan_entries
from skinlens.report.signing import UNSIGNED, Signing, shortened, signed_words, status_note
from skinlens.report.text import PLACEHOLDER, unprintable
from skinlens.segmentation.contour import as_points, catmull_rom
from skinlens.wording.maps import PHOTO
from skinlens.wording.naming import NO_PATIENT, NOT_RECORDED, capital, site
from skinlens.wording.quality import GRAY_BARS, NOT_CHECKED, UNRELIABLE, cause
from skinlens.wording.records import age_words
from skinlens.wording.verdict import cutoff_promise, set_remark, set_words, verdict_line

PHOTO_LONGEST_PX = 1600
"""Long side of the photo in the report: over 400 dots per inch at the size at which it is printed."""
OUTLINED: dict[OutlineMaker, str] = {
    "model": "The line is the lesion's edge as the model proposed it.",
    "clinician": "The line is the lesion's edge as the clinician drew it.",
}
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
NO_DIAGNOSIS = "No diagnosis recorded."
CALIBRATED = "Calibrated probability of each class"
UNCALIBRATED = "Raw model output; not calibrated for such a photo."


@dataclass(frozen=True)
class ClassRow:
    """One class of the distribution."""

    code: str
    name: str
    risk: Risk
    prob: float
    percent: str


@dataclass(frozen=True)
class ModelResult:
    """Model result as it is printed, as far as the photo allows it."""

    reliable: bool
    """False: the bars are grey, and the verdict says only that it is not reliable."""
    suspicious: bool
    verdict: str
    """On which side of its threshold melanoma lies; of an unreliable photo, that nothing holds."""
    verdict_remark: str
    """What the cut-off does; of an unreliable photo, its likely cause."""
    classes: tuple[ClassRow, ...]
    """By falling probability."""
    classes_caption: str
    melanoma_threshold: float
    set_statement: str
    """Empty where the model gave no set of classes, and for an unreliable photo."""
    first_impression: str
    """What the clinician said before the model's result was shown, or that it was shown first; empty where neither was
    recorded.
    """
    quality_summary: str
    quality_advice: tuple[str, ...]
    """What to do about each check that is not met; that for likeness stands beside the verdict."""


@dataclass(frozen=True, eq=False)
class ReportContent:
    """Content of a report. Texts are plain: nothing in them is markup."""

    title: str
    clinic: str
    """Name of the clinic, and below it address and phone, line by line; empty: none is printed."""
    running_title: str
    """At the top of each page."""
    status: Status
    status_note: str
    """Likewise: whether it is signed, when, and which version of the case it is."""
    signer: str
    signed: str
    """Text beside the line for the signature."""
    case: tuple[Entry, ...]
    diagnosis: str
    plan: tuple[Entry, ...]
    """Plan, recall and histology, as far as they were recorded."""
    codes_of: str
    codes: tuple[Entry, ...]
    """Empty without a diagnosis of the clinician's."""
    codes_remark: str
    photo: Pixels
    """At most ``PHOTO_LONGEST_PX`` long."""
    photo_alt: str
    photo_caption: str
    outline: tuple[tuple[float, float], ...]
    """Corners of the lesion's edge in order, as shares of the photo's width and height; empty where none is kept."""
    result: ModelResult
    change: SinceLastVisit | None
    """None for the first visit of a lesion."""
    findings: tuple[Entry, ...]
    """Symptoms, evolution, criteria and notes, as far as they were recorded."""
    not_printed: str
    """How many characters no font has; empty where all can be printed."""
    limits: str
    provenance: str
    disclaimer: str
    dated: str
    """ISO date or time (UTC) of the report; the only one that the file carries."""
    annex: Annex | None


@dataclass(frozen=True)
class Printing:
    """Print options of a report, whatever the case."""

    annex: bool = False
    """Whether maps, checks and measurements follow on further pages."""
    clinic: str = ""
    """As in ``ReportContent``."""
    unit: Unit = "mm"
    """Of lengths."""
    spec: InputSpec = field(default_factory=InputSpec)
    """Of the model that made the explanations."""
    generated_on: str | None = None
    """ISO date that is printed; None: the time of the case's last change, so that an unchanged case gives an unchanged
    report. Times are printed in the local time of this computer."""


FIRST_PAGE = Printing()
"""Without an annex and a clinic."""


def compose(
    record: CaseRecord,
    printing: Printing,
    *,
    change: SinceLastVisit | None = None,
    signing: Signing = UNSIGNED,
) -> ReportContent:
    """The report of a case. A visit without a number (0) is that of a photo that is not saved."""
    case, visit, photo = record.case, record.visit, record.photo
    number_of_case = (f"Case {visit.id}",) if visit.id else ()
    pseudonym = (shortened(case.patient.pseudonym),) if case.patient else ()
    printed = scaled(photo.pixels, min(1.0, PHOTO_LONGEST_PX / max(photo.width_px, photo.height_px)))
    said, outline = BY_CODE.get(visit.clinician_label or ""), record.outline
    fields, diagnosis, plan = _case_fields(record, printing.unit), _diagnosis(visit), plan_entries(case)
    notes = (Entry("Notes", visit.notes.strip()),) if visit.notes.strip() else ()
    findings = (*finding_entries(case, printing.unit), *notes)
    typed = (
        diagnosis,
        printing.clinic,
        signing.signer,
        *(amendment.by for amendment in signing.amendments),
        *(entry.text for entry in (*fields, *plan, *findings)),
    )
    return ReportContent(
        title="Dermoscopy report",
        clinic=printing.clinic.strip(),
        running_title=" · ".join(("SkinLens report", *number_of_case, *pseudonym)),
        status=visit.status,
        status_note=status_note(visit, signing),
        signer=signing.signer.strip(),
        signed=signed_words(visit, signing),
        case=fields,
        diagnosis=diagnosis,
        plan=plan,
        codes_of=f"Codes of {said.name}, {SUGGESTED}" if said else "",
        codes=_codes(said) if said else (),
        codes_remark=said.remark if said else "",
        photo=printed,
        photo_alt=f"{PHOTO}, {photo.width_px} by {photo.height_px} pixels.",
        photo_caption=_photo_caption(record, printing.spec),
        outline=as_points(catmull_rom(np.asarray(outline.points))) if outline else (),
        result=_model_result(visit),
        change=change,
        findings=findings,
        not_printed=_not_printed(sum(map(unprintable, typed))),
        limits=f"{USE} {NOT_EVALUATED}",
        provenance=_provenance(case, printing.generated_on),
        disclaimer=DISCLAIMER,
        dated=printing.generated_on or visit.updated_at,
        annex=compose_annex(record, printed, printing.spec) if printing.annex else None,
    )


def _model_result(visit: Visit) -> ModelResult:
    quality, prediction, reliable = visit.quality, visit.prediction, visit.quality.reliable
    prediction_set = prediction.prediction_set if reliable else None
    return ModelResult(
        reliable=reliable,
        suspicious=reliable and prediction.above_melanoma_threshold,
        verdict=verdict_line(prediction) if reliable else UNRELIABLE,
        verdict_remark=cutoff_promise(prediction.melanoma_threshold) if reliable else cause(quality),
        classes=tuple(
            ClassRow(label.code, label.name, label.risk, prob, percent(prob))
            for label, prob in sorted(zip(LABELS, prediction.probs, strict=True), key=lambda pair: -pair[1])
        ),
        classes_caption=CALIBRATED if reliable else f"{UNCALIBRATED} {GRAY_BARS}",
        melanoma_threshold=prediction.melanoma_threshold.value,
        set_statement=" ".join(filter(None, (set_words(prediction, prediction_set), set_remark(prediction))))
        if prediction_set
        else "",
        first_impression=_first_impression(visit),
        quality_summary=_quality_summary(quality),
        quality_advice=tuple(
            f"{check.title}: {check.advice}"
            for check in quality.failed
            if check.advice and (reliable or check.name != LIKENESS)
        ),
    )


def _first_impression(visit: Visit) -> str:
    if visit.first_impression:
        return f"First impression, recorded before the result was shown: {IMPRESSIONS[visit.first_impression]}."
    return "The result was shown before an impression was recorded." if visit.result_first else ""


def _codes(said: Label) -> tuple[Entry, ...]:
    """Of the clinician's diagnosis alone: what the model says is never coded."""
    return (
        Entry("ICD-10-CM", said.icd10cm or NOT_VERIFIED),
        Entry("ICD-O-3", said.icdo3 or NOT_VERIFIED),
        Entry("SNOMED CT", said.snomed_ct or NOT_VERIFIED),
    )


def _case_fields(record: CaseRecord, unit: Unit) -> tuple[Entry, ...]:
    case, visit, patient, lesion = record.case, record.visit, record.case.patient, record.case.lesion
    age = age_words(patient, visit.taken_on) if patient else None
    if patient and age and not patient.birth_year_is_upper_bound and not age.endswith("+"):
        age = f"{age} (born {patient.birth_year})"
    diameter = _diameter(record, unit)
    return (
        Entry("Patient ID", patient.pseudonym if patient else NO_PATIENT),
        Entry("Sex", patient.sex if patient and patient.sex != "unknown" else NOT_RECORDED),
        Entry("Age at the photo", age or NOT_RECORDED),
        Entry("Skin phototype (Fitzpatrick)", phototype(case) or NOT_RECORDED),
        Entry("Site", capital(site(lesion.body_site, lesion.remark)) or NOT_RECORDED),
        *((Entry("Largest diameter", diameter),) if diameter else ()),
        Entry("Photo taken on", visit.taken_on or NOT_RECORDED),
        Entry("Case", str(visit.id) if visit.id else "not saved"),
    )


def _diameter(record: CaseRecord, unit: Unit) -> str:
    """Of the lesion by its outline; empty where there is none, or the scale of the photo is not known."""
    photo, outline, mm_per_px = record.photo, record.outline, record.mm_per_px
    if outline is None or mm_per_px is None or photo.placeholder:
        return ""
    size = length(measures.largest_diameter_px(outline, photo) * mm_per_px, unit)
    return f"{size} (by the model's outline)" if outline.made_by == "model" else size


def _photo_caption(record: CaseRecord, spec: InputSpec) -> str:
    photo, outline = record.photo, record.outline
    said = [f"{photo.width_px} × {photo.height_px} px, {photo.source_format}."]
    _, _, height, width = crop_box(photo.height_px, photo.width_px, spec)
    if (height, width) != (photo.height_px, photo.width_px):
        said.append(f"The model sees only the central {width} × {height} px.")
    if outline is not None:
        said.append(OUTLINED[outline.made_by])
    return " ".join((*said, *photo.notes))


def _quality_summary(quality: QualityReport) -> str:
    checks, failed = quality.checks, quality.failed
    if not checks:
        return NOT_CHECKED
    if not failed:
        return f"All {len(checks)} checks of the photo are met."
    verb = "is" if len(failed) == 1 else "are"
    so = "read the result with caution" if quality.reliable else "the result is not reliable"
    return f"{len(failed)} of {len(checks)} checks of the photo {verb} not met: {so}."


def _diagnosis(visit: Visit) -> str:
    said = DIAGNOSES[visit.clinician_label] if visit.clinician_label else ""
    parts = [part for part in (said, visit.clinician_diagnosis.strip()) if part]
    words = ": ".join(parts)
    return capital(words) or NO_DIAGNOSIS


def _not_printed(count: int) -> str:
    if not count:
        return ""
    characters = counted(count, "character")
    return f"{characters} of this case could not be printed and stand as {PLACEHOLDER}."


def _provenance(case: Case, generated_on: str | None) -> str:
    """Footer: date of the report, versions of SkinLens and of the model; the annex has the full hashes."""
    model, changed = case.visit.prediction.model, local_minute(case.visit.updated_at)
    dated = f"Report made on {generated_on}" if generated_on else f"Case last changed {changed}, local time"
    return f"{dated} · SkinLens {__version__} · model {model.name} {model.version} (SHA-256 {model.sha256[:12]}…)"
