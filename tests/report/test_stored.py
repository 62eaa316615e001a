"""The report of a stored case: its status from the audit log, the change since the last visit, the annex by choice."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skinlens import pipeline
from skinlens.case_record import Analysis, CaseRecord, Changes, Revision
from skinlens.clinical import Recall
from skinlens.clock import local_day, local_minute
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.records import Case, Photo, QualityReport
from skinlens.report.content import Printing, ReportContent
from skinlens.report.signing import Amendment, Signing
from skinlens.segmentation.contour import drawn_by_clinician
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from tests.new_store import new_store
from tests.report import samples as report_samples
from tests.store import samples
from tests.store.edits import edit


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path / "home")


def drawn(turned: int = 0) -> Photo:
    picture = (
        Image.fromarray(draw_synthetic_lesion(5)).rotate(turned, Image.Resampling.BICUBIC).crop((60, 45, 540, 405))
    )
    return photo_from_pixels(np.asarray(picture), "drawn")


def saved(store: CaseStore, photo: Photo, day: str, mel: float, before: Case | None = None, **given: Any) -> Case:
    patient: Any = NewPatient("P-7", 1961, "female") if before is None or before.patient is None else before.patient.id
    lesion: Any = NewLesion("back") if before is None else before.lesion.id
    said = samples.prediction("nv", 0.6, mel=mel)
    maps = samples.three_explanations(photo)
    analysis = Analysis(photo, given.pop("quality", samples.QUALITY), said)
    return store.save_case(analysis, NewVisit(patient, lesion, day, **given), maps)


def report(store: CaseStore, case: Case, **wanted: Any) -> ReportContent:
    return pipeline.report_content(store, case.visit.id, Printing(**wanted))[0]


def annotate(store: CaseStore, case: Case, status: Any, notes: str = "") -> Case:
    now = store.case(case.visit.id).visit
    return store.annotate(
        case.visit.id, ClinicianReading("mel", notes=notes), status=status, expected_version=now.version
    )


def test_a_draft_is_signed_and_amended(store: CaseStore) -> None:
    case = saved(store, samples.photo(), "2024-05-31", 0.2)
    assert report(store, case).status_note == "DRAFT, not signed"
    annotate(store, case, "draft", "seen")
    assert report(store, case).status_note == "DRAFT, not signed"
    annotate(store, case, "signed", "seen")
    (signed,) = [one for one in store.revisions(case.visit.id) if one.action == "signed"]
    assert report(store, case).status_note == f"Signed on {local_minute(signed.at)} · version 1"
    annotate(store, case, "signed", "seen again")
    version = store.case(case.visit.id).visit.version
    edit(store, case.visit.id, recall=Recall("2024-08-31"), expected_version=version)
    amended = [one for one in store.revisions(case.visit.id) if one.action == "amended"]
    found = report(store, case)
    assert len(amended) == 2
    assert found.status_note == f"AMENDED on {local_minute(amended[-1].at)} · version 3"
    day = local_day(amended[-1].at)
    assert found.signed == f"Signed in SkinLens on {local_minute(signed.at)}.\nAmended on {day}: recall, notes."


def test_a_case_that_was_saved_signed_knows_its_day(store: CaseStore) -> None:
    case = saved(store, samples.photo(), "2024-05-31", 0.2, status="signed", reading=ClinicianReading("nv"))
    assert re.fullmatch(r"Signed on 20\d\d-.* · version 1", report(store, case).status_note)


def test_the_first_signature_and_the_last_amendment_count() -> None:
    log: list[tuple[str, str, Changes]] = [
        ("1", "created", {"status": (None, "draft")}),
        ("2", "signed", {"status": ("draft", "signed"), "notes": ("", "seen")}),
        ("3", "amended", {"status": ("signed", "amended"), "plan": (None, "excise"), "clinician_label": ("nv", "mel")}),
        ("4", "explained", {"explanation": (None, "lime mel")}),
        ("5", "amended", {"amended_by": (None, "Dr. B"), "histology": (None, "mel")}),
    ]
    amendments = Amendment("3", "", ("diagnosis", "plan")), Amendment("5", "Dr. B", ("histology",))
    photo = report_samples.photo()
    revisions = tuple(Revision(at, "visit", action, changes, "1.0.0", "0.3.0") for at, action, changes in log)
    other = Revision("1", "lesion", "edited", {"status": (None, "signed")}, "", "0.3.0")
    record = CaseRecord(report_samples.case(photo, signed_by="Dr. A"), photo, revisions=(other, *revisions))
    assert Signing.of(record) == Signing("2", amendments, "Dr. A")
    assert Signing.of(replace(record, revisions=revisions[:1])) == Signing("", (), "Dr. A")


def test_the_change_since_the_last_visit_is_that_of_the_comparison(store: CaseStore) -> None:
    before = saved(store, drawn(), "2024-01-10", 0.05)
    after = saved(store, drawn(8), "2024-05-06", 0.25, before)
    for case in (before, after):
        photo = store.photo(case.visit.id)
        store.keep_outlines(case.visit.id, [samples.outline(photo, "clinician")], expected=())
    assert report(store, before).change is None
    change = report(store, after).change
    assert change is not None
    assert change.heading == "Change since 2024-01-10 (case 1)"
    probability, *measured = change.lines
    assert probability.replace("\u00a0", " ") == (
        "Melanoma probability: 5.0 % on 2024-01-10, now 25.0 % on 2024-05-06 (2 visits read by the same model)."
    )
    assert [line.partition(":")[0] for line in measured] == [
        "Area",
        "Largest diameter",
        "Asymmetry of the outline",
        "Mean color",
    ]
    assert change.cautions.startswith("Without a scale, size is relative")


def test_without_an_outline_only_the_probability_is_compared(store: CaseStore) -> None:
    before = saved(store, samples.photo(1), "2024-01-10", 0.05)
    after = saved(store, samples.photo(2), "2024-05-06", 0.25, before)
    change = report(store, after).change
    assert change is not None
    assert change.lines[1].startswith("Size and color: not compared. Case 1 has no outline of the lesion")
    assert change.cautions == ""


def test_a_photo_of_the_same_day_or_of_another_lesion_is_no_visit_before(store: CaseStore) -> None:
    first = saved(store, samples.photo(1), "2024-01-10", 0.05)
    same_day = saved(store, samples.photo(2), "2024-01-10", 0.25, first)
    elsewhere = store.save_case(
        samples.analysis(samples.photo(3)),
        NewVisit(first.lesion.patient_id, NewLesion("leg"), "2024-05-06"),
    )
    assert report(store, same_day).change is None
    assert report(store, elsewhere).change is None
    later = saved(store, samples.photo(4), "2024-05-06", 0.25, first)
    found = store.visit_before(later.visit)
    assert found is not None
    assert found.id == same_day.visit.id


def test_an_unreliable_visit_before_gives_no_course(store: CaseStore) -> None:
    strange = replace(samples.QUALITY.checks[2], passed=False, advice="Unfamiliar image. Fur.")
    before = saved(store, samples.photo(1), "2024-01-10", 0.05, quality=QualityReport((strange,)))
    change = report(store, saved(store, samples.photo(2), "2024-05-06", 0.25, before)).change
    assert change is not None
    assert "no other visit to compare it with" in change.lines[0]
    assert "result unreliable: 2024-01-10" in change.lines[0]


def test_maps_are_printed_with_the_annex_and_a_lost_one_is_said_there_alone(store: CaseStore) -> None:
    case = saved(store, samples.photo(), "2024-05-31", 0.2)
    assert report(store, case).annex is None
    annex = report(store, case, annex=True).annex
    assert annex is not None
    assert len(annex.panels) == 3
    next(store.home.glob("files/*/*.npz")).unlink()
    assert pipeline.report_content(store, case.visit.id)[1] == ()
    assert len(pipeline.report_content(store, case.visit.id, Printing(annex=True))[1]) == 1


def test_the_clinic_is_named_in_the_header(store: CaseStore) -> None:
    case = saved(store, samples.photo(), "2024-05-31", 0.2)
    assert report(store, case).clinic == ""
    assert report(store, case, clinic=" Example Clinic ").clinic == "Example Clinic"


def test_what_was_amended_and_by_whom_is_printed(store: CaseStore) -> None:
    case = saved(store, samples.photo(), "2024-05-31", 0.2)
    annotate(store, case, "signed")
    version = store.case(case.visit.id).visit.version
    store.annotate(case.visit.id, ClinicianReading("nv"), status="signed", expected_version=version, signer="Dr. Bea")
    found, today = report(store, case), local_day(store.revisions(case.visit.id)[-1].at)
    assert found.signed.endswith(f"Amended on {today} by Dr. Bea: diagnosis.")
    assert "by Dr. Bea" in found.status_note


def test_who_signed_and_the_unit_of_the_settings_are_printed(store: CaseStore) -> None:
    first = saved(store, drawn(), "2024-01-10", 0.1)
    second = saved(store, drawn(8), "2024-05-31", 0.1, first)
    for case in (first, second):
        photo = store.photo(case.visit.id)
        points = [(0.5 + 0.3 * np.cos(turn), 0.5 + 0.3 * np.sin(turn)) for turn in np.linspace(0, 6.2, 24)]
        outline = drawn_by_clinician(points, photo, case.visit.prediction.model)
        store.keep_outlines(case.visit.id, [outline], expected=())
        edit(store, case.visit.id, field_width_mm=25.4, expected_version=store.case(case.visit.id).visit.version)
    before = store.settings()
    store.keep_settings(replace(before, unit="inch"), read=before)
    now = store.case(second.visit.id).visit
    store.annotate(now.id, ClinicianReading("nv"), status="signed", expected_version=now.version, signer="Dr. Ada")
    printed = report(store, second, unit=store.settings().unit)
    assert printed.signer == "Dr. Ada"
    assert "by Dr. Ada" in printed.status_note
    assert printed.change is not None
    assert any("in before" in line.replace("\u00a0", " ") for line in printed.change.lines)
