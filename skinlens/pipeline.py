"""The case pipeline: analyze a photo, report a case. The one door of the app and of the command line."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path

from skinlens.case_record import Analysis, CaseRecord, unsaved
from skinlens.clock import local_day
from skinlens.imaging import intake, quality, synthetic
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.classifier import Classifier
from skinlens.inference.classifier import load_classifier as load_released
from skinlens.inference.release import weights_directory
from skinlens.records import Explanation, Photo
from skinlens.report import content, pdf
from skinlens.report.change import since_last_visit
from skinlens.report.content import FIRST_PAGE, Printing, ReportContent
from skinlens.report.signing import Signing
from skinlens.settings import Settings
from skinlens.store import CaseStore
from skinlens.wording.maps import EXAMPLE_NOTE

DRAWN = "drawn"
"""Source format of a photo that the program drew."""


def load_classifier(directory: Path | None = None) -> Classifier:
    """The released model, verified. Raises WeightsError."""
    intake.start()  # whoever loads a model will read a photo next
    return load_released(directory or weights_directory())


def analyze(data: bytes, classifier: Classifier) -> Analysis:
    """Read, gate and classify one photo. Raises UnreadableImage; a failed gate is a verdict, not an error."""
    return analyze_photo(intake.read_photo(data), classifier)


def analyze_file(path: Path, classifier: Classifier) -> Analysis:
    """``analyze`` of a file, whose size is looked at before it is read. Raises UnreadableImage, OSError."""
    return analyze_photo(intake.read_photo_file(path), classifier)


def example(classifier: Classifier) -> Analysis:
    """The drawn lesion that needs no patient, on the same way as any photo."""
    return analyze_photo(_drawn(), classifier)


@cache
def _drawn() -> Photo:
    """Drawn once: it takes longer than its reading."""
    return intake.photo_from_pixels(synthetic.draw_synthetic_lesion(), DRAWN, (EXAMPLE_NOTE,))


def analyze_photo(photo: Photo, classifier: Classifier) -> Analysis:
    reading = classifier.read(photo)
    verdict = quality.assess(photo, distance=reading.distance, distance_limit=classifier.ood.limit)
    return Analysis(photo, verdict, reading.prediction, reading.features)


def report_content(
    store: CaseStore, visit_id: int, printing: Printing = FIRST_PAGE
) -> tuple[ReportContent, tuple[str, ...]]:
    """The report of a stored case as it stood at one moment, and a sentence for each part that could not be read and
    is not in it.

    Maps and tests are read for the annex alone. Raises CaseNotFound, StoreError.
    """
    record = store.load(visit_id, with_maps=printing.annex, with_previous=True)
    return report_of(record, printing), record.problems


def report_of(record: CaseRecord, printing: Printing = FIRST_PAGE) -> ReportContent:
    """The report of a stored case that was read with its previous visit, and for the annex with its maps."""
    return content.compose(record, printing, change=since_last_visit(record, printing.unit), signing=Signing.of(record))


def printing(settings: Settings, spec: InputSpec | None, *, annex: bool) -> Printing:
    """Print options by the settings of the clinic; ``spec`` is of the installed model, None where there is none."""
    chosen = Printing(annex, "\n".join(settings.clinic_lines), settings.unit)
    return chosen if spec is None else replace(chosen, spec=spec)


def report_unsaved(
    analysis: Analysis, explanations: Sequence[Explanation], made_at: datetime, *, annex: bool = True
) -> bytes:
    """The report of a photo that is not kept as a case; the maps are in its annex."""
    record = unsaved(analysis, explanations, made_at)
    return pdf.render(content.compose(record, Printing(annex, generated_on=local_day(record.visit.created_at))))
