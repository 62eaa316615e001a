"""The case pipeline: analyze, explain, save, report. The one door of the app and of the command line."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path

from skinlens.clinical import NOT_RECORDED, ClinicalRecord
from skinlens.clock import local_day
from skinlens.errors import CaseNotFound, InvalidEntry, StoreError
from skinlens.followup.change import Change, SeenLesion, compare
from skinlens.followup.registration import Registration, register
from skinlens.followup.trend import MelanomaTrend, melanoma_trend
from skinlens.imaging import intake, quality, synthetic
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.classifier import Classifier, Features
from skinlens.inference.classifier import load_classifier as load_released
from skinlens.inference.release import weights_directory
from skinlens.labels import INDEX, MELANOMA
from skinlens.records import (
    Case,
    CheckResult,
    Explanation,
    Lesion,
    Outline,
    Photo,
    Prediction,
    Progress,
    QualityReport,
    Sex,
    Visit,
)
from skinlens.report import content, pdf
from skinlens.report.change import SinceLastVisit, since_last_visit
from skinlens.report.content import ReportContent
from skinlens.report.signing import Signing
from skinlens.segmentation import head
from skinlens.segmentation.head import SegmentationHead
from skinlens.store import CaseStore, SimilarCase, SimilarQuery

DRAWN = "drawn"
"""Source format of a photo that the program drew."""
SYNTHETIC = "A drawing by the program: synthetic, not a patient."


@dataclass(frozen=True, eq=False)
class Analysis:
    """One photo with its verdicts."""

    photo: Photo
    quality: QualityReport
    prediction: Prediction
    features: Features | None = None
    """What similar cases are found by; None for a stored case that was opened: it was read at another time."""


def load_classifier(directory: Path | None = None) -> Classifier:
    """The released model, verified. Raises WeightsError."""
    intake.start()  # whoever loads a model will read a photo next
    return load_released(directory or weights_directory())


def load_segmentation_head(directory: Path | None = None) -> SegmentationHead:
    """What draws the lesion's outline, verified. Raises WeightsError, also where the release has none."""
    return head.load_segmentation_head(directory or weights_directory())


def analyse(data: bytes, classifier: Classifier) -> Analysis:
    """Read, gate and classify one photo. Raises UnreadableImage; a failed gate is a verdict, not an error."""
    return analyse_photo(intake.read_photo(data), classifier)


def analyse_file(path: Path, classifier: Classifier) -> Analysis:
    """``analyse`` of a file, whose size is looked at before it is read. Raises UnreadableImage, OSError."""
    return analyse_photo(intake.read_photo_file(path), classifier)


def example(classifier: Classifier) -> Analysis:
    """The drawn lesion that needs no patient, on the same way as any photo."""
    return analyse_photo(_drawn(), classifier)


@cache
def _drawn() -> Photo:
    """Drawn once: it takes longer than its reading."""
    return intake.photo_from_pixels(synthetic.draw_synthetic_lesion(), DRAWN, (SYNTHETIC,))


def analyse_photo(photo: Photo, classifier: Classifier) -> Analysis:
    reading = classifier.read(photo)
    verdict = quality.assess(photo, distance=reading.distance, distance_limit=classifier.familiarity.limit)
    return Analysis(photo, verdict, reading.prediction, reading.features)


def save(
    store: CaseStore,
    analysis: Analysis,
    explanations: Sequence[Explanation],
    checks: Sequence[CheckResult] = (),
    outlines: Sequence[Outline] = (),
    *,
    patient: tuple[str, int | None, Sex] | int | None,
    lesion: tuple[str, str] | int,
    taken_on: date | str,
    clinician_label: str | None = None,
    clinician_diagnosis: str = "",
    notes: str = "",
    first_impression: str | None = None,
    clinical: ClinicalRecord = NOT_RECORDED,
) -> Case:
    """Keep the analysis as a draft, with its features for ``similar_cases``. Raises InvalidEntry, StoreError."""
    case = store.save_case(
        analysis.photo,
        analysis.quality,
        analysis.prediction,
        explanations,
        checks,
        outlines,
        patient=patient,
        lesion=lesion,
        taken_on=taken_on,
        clinician_label=clinician_label,
        clinician_diagnosis=clinician_diagnosis,
        notes=notes,
        first_impression=first_impression,
        clinical=clinical,
    )
    if analysis.features is not None:
        with suppress(StoreError, CaseNotFound):  # the case is saved, and ``fill_features`` does it later
            store.keep_features(case.visit.id, analysis.prediction.model.sha256, analysis.features)
    return case


def similar_cases(
    store: CaseStore,
    classifier: Classifier,
    analysis: Analysis,
    *,
    patient_id: int | None = None,
    lesion_id: int | None = None,
    count: int = 6,
    confirmed_only: bool = True,
) -> tuple[SimilarCase, ...]:
    """The stored cases whose photos are most like this one to the installed model, the most similar first.

    Of other lesions than ``lesion_id``, one of each; each says whether it is of ``patient_id``. Only those are found
    whose features this model made: see ``fill_features``. None for an unreliable photo, whose features say nothing.
    Raises StoreError.
    """
    if not analysis.quality.reliable:
        return ()
    model = classifier.engine.stamp.sha256
    features = analysis.features
    if features is None or analysis.prediction.model.sha256 != model:
        features = classifier.features(analysis.photo)
    return store.similar_cases(SimilarQuery(features, model, patient_id, lesion_id, count, confirmed_only))


def register_visits(store: CaseStore, before_id: int, after_id: int) -> Registration:
    """How the later visit's photo lies over the earlier one's; the outlines help where both visits have one.

    Raises CaseNotFound, StoreError.
    """
    (before, first), (after, second) = (_photo_and_outline(store, one) for one in (before_id, after_id))
    return register(before, after, first, second)


def compare_visits(
    store: CaseStore,
    before_id: int,
    after_id: int,
    registration: Registration | None = None,
) -> Change:
    """What became of the lesion from one visit to a later one, by the clinician's outlines, else the model's; in
    millimeters where the scales of both photos are known.

    Raises CaseNotFound, StoreError, and InvalidEntry where a visit has no outline.
    """
    seen = []
    for number in (before_id, after_id):
        photo, outline = _photo_and_outline(store, number)
        if outline is None:
            raise InvalidEntry(
                f"Case {number} has no outline of the lesion, so that nothing can be measured on its photo. Open the "
                "case and outline the lesion."
            )
        visit = store.case(number).visit
        scale = visit.clinical.mm_per_px(photo.width_px)
        seen.append(SeenLesion(photo, outline, scale, visit.taken_on))
    return compare(seen[0], seen[1], registration)


def melanoma_course(store: CaseStore, lesion_id: int) -> MelanomaTrend:
    """The melanoma probability over all visits of a lesion. Raises CaseNotFound, StoreError."""
    return melanoma_trend(store.visits_of_lesion(lesion_id))


def melanoma_over_views(store: CaseStore, classifier: Classifier, visit_id: int) -> tuple[float, float]:
    """Lowest and highest melanoma probability over the eight orientations of a visit's photo: how far the answer
    depends on the way the camera was held. Raises CaseNotFound, StoreError.
    """
    probs = classifier.turned_probs(store.photo(visit_id))[:, INDEX[MELANOMA]]
    return float(probs.min()), float(probs.max())


def _photo_and_outline(store: CaseStore, visit_id: int) -> tuple[Photo, Outline | None]:
    photo, _ = store.readable_photo(visit_id)
    return photo, min(store.outlines(visit_id), key=lambda one: one.made_by == "model", default=None)


def fill_features(
    store: CaseStore, classifier: Classifier, *, most: int = 1000, progress: Progress | None = None
) -> int:
    """Compute the installed model's features of up to ``most`` stored photos that lack them; how many were kept.

    For the background, after a start and after a new model: about as long as a prediction for each. A photo that cannot
    be read is passed over. The first search after it is quick. Raises StoreError, Cancelled.
    """
    model, kept = classifier.engine.stamp.sha256, 0
    lacking = store.visits_without_features(model, most=most)
    for done, visit_id in enumerate(lacking):
        if progress is not None:
            progress(done / len(lacking))
        with suppress(StoreError, CaseNotFound):
            store.keep_features(visit_id, model, classifier.features(store.photo(visit_id)))
            kept += 1
    store.load_features(model, len(classifier.engine.head.hidden_bias))
    return kept


def add_checks(store: CaseStore, visit_id: int, checks: Sequence[CheckResult]) -> None:
    """Keep checks with a stored case. Raises CaseNotFound, InvalidEntry, StoreError."""
    store.add_checks(visit_id, checks)


def keep_outlines(store: CaseStore, visit_id: int, outlines: Sequence[Outline], *, expected: Sequence[Outline]) -> None:
    """Put these in the place of the ``expected`` ones. Raises CaseNotFound, Conflict, InvalidEntry, StoreError."""
    store.keep_outlines(visit_id, outlines, expected=expected)


def report_content(
    store: CaseStore, visit_id: int, spec: InputSpec | None = None, *, annex: bool = False, clinic: str = ""
) -> tuple[ReportContent, tuple[str, ...]]:
    """The report of a stored case, and a sentence for each map or photo that could not be read and is not in it.

    Maps and tests are read for the ``annex`` alone; ``clinic`` is named in the header. Raises CaseNotFound, StoreError.
    """
    case = store.case(visit_id)
    photo, problems = store.readable_photo(visit_id)
    maps, lost = store.readable_explanations(visit_id) if annex else ((), ())
    tests, outlines = store.checks(visit_id) if annex else (), store.outlines(visit_id)
    composed = content.compose(
        case,
        photo,
        maps,
        tests,
        outlines,
        annex=annex,
        change=_since_last_visit(store, case.visit),
        signing=_signing(store, case.visit),
        clinic=clinic,
        unit=store.settings().unit,
        spec=spec,
    )
    return composed, (*problems, *lost)


def report_pdf(
    store: CaseStore, visit_id: int, spec: InputSpec | None = None, *, annex: bool = False, clinic: str = ""
) -> tuple[bytes, tuple[str, ...]]:
    """``report_content`` as a PDF."""
    composed, problems = report_content(store, visit_id, spec, annex=annex, clinic=clinic)
    return pdf.render(composed), problems


def visit_before(store: CaseStore, visit: Visit) -> Visit | None:
    """The last visit of the same lesion on an earlier day. Raises CaseNotFound, StoreError."""
    earlier = [one for one in store.visits_of_lesion(visit.lesion_id) if one.taken_on < visit.taken_on]
    return earlier[-1] if earlier else None


def _since_last_visit(store: CaseStore, visit: Visit) -> SinceLastVisit | None:
    before = visit_before(store, visit)
    if before is None:
        return None
    try:
        change = compare_visits(store, before.id, visit.id)
    except InvalidEntry as error:
        return since_last_visit(before, visit, str(error))
    return since_last_visit(before, visit, change, store.settings().unit)


def _signing(store: CaseStore, visit: Visit) -> Signing:
    """From the audit log of the visit itself, and who signed it."""
    log = (one for one in store.revisions(visit.id) if one.subject == "visit")
    signing = Signing.from_log((one.at, one.action, one.changes) for one in log)
    return replace(signing, signer=visit.signed_by)


def report_unsaved(
    analysis: Analysis, explanations: Sequence[Explanation], made_at: datetime, *, annex: bool = True
) -> bytes:
    """The report of a photo that is not kept as a case; the maps are in its annex."""
    moment = made_at.isoformat(timespec="seconds")
    visit = Visit(
        id=0,
        lesion_id=0,
        taken_on="",
        photo_sha256=analysis.photo.sha256,
        quality=analysis.quality,
        prediction=analysis.prediction,
        clinician_label=None,
        clinician_diagnosis="",
        notes="",
        status="draft",
        created_at=moment,
        updated_at=moment,
    )
    case = Case(visit, Lesion(0, None, ""), None)
    return pdf.render(content.compose(case, analysis.photo, explanations, annex=annex, generated_on=local_day(moment)))
