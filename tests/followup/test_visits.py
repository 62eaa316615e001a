"""Two stored visits compared: by the clinician's outline where there is one, with a sentence where there is none."""

from dataclasses import replace
from pathlib import Path

import pytest

from skinlens import pipeline
from skinlens.errors import InvalidEntry
from skinlens.records import Outline, Photo
from skinlens.store import CaseStore, NewLesion, NewPatient
from tests.followup.samples import Retaken, drawn, ellipse
from tests.store.samples import QUALITY, prediction

pytestmark = pytest.mark.slow


def save(
    store: CaseStore, photo: Photo, outlines: list[Outline], lesion: int | None = None, day: str = "2026-01-02"
) -> int:
    case = store.save_case(
        photo, QUALITY, prediction("mel", 0.3), (), (), outlines,
        patient=None if lesion else NewPatient("P-1"), lesion=lesion or NewLesion("back"), taken_on=day,
    )  # fmt: skip
    return case.visit.id


def test_stored_visits_are_aligned_and_compared(tmp_path: Path) -> None:
    store = CaseStore(tmp_path / "home")
    first = drawn()
    second = Retaken(degrees=10, scale=0.8).photo(first)
    before = save(store, first, [ellipse(first, 80, 64)])
    by_model = replace(ellipse(second, 30, 30), made_by="model")
    lesion = store.case(before).lesion.id
    after = save(store, second, [by_model, ellipse(second, 76.8, 61.4)], lesion, "2026-03-04")
    registration = pipeline.register_visits(store, before, after)
    assert registration.scale == pytest.approx(1.25, rel=0.02)
    shown_mm = 0.05 * first.width_px  # across the photo
    store.record_scale(before, shown_mm, expected_version=store.case(before).visit.version)
    change = pipeline.compare_visits(store, before, after, registration)
    area = change.difference("area")
    assert area is not None
    assert (area.change, area.unit) == (pytest.approx(44, abs=3), "mm²")
    assert not change.outlined_by_model
    course = pipeline.melanoma_course(store, lesion)
    assert [(point.visit_id, point.prob, point.comparable) for point in course.points] == [
        (before, 0.3, True), (after, 0.3, True),
    ]  # fmt: skip


def test_a_visit_without_an_outline_is_aligned_but_not_measured(tmp_path: Path) -> None:
    store = CaseStore(tmp_path / "home")
    first = drawn()
    before, after = save(store, first, []), save(store, Retaken(degrees=10).photo(first), [], 1, "2026-03-04")
    assert pipeline.register_visits(store, before, after).aligned
    with pytest.raises(InvalidEntry, match=f"Case {before} has no outline of the lesion"):
        pipeline.compare_visits(store, before, after)


def test_a_lost_photo_is_not_aligned(tmp_path: Path) -> None:
    store = CaseStore(tmp_path / "home")
    first = drawn()
    before, after = save(store, first, []), save(store, Retaken(degrees=10).photo(first), [], 1, "2026-03-04")
    for path in store.home.glob("files/*/*.png"):
        path.unlink()
    assert pipeline.register_visits(store, before, after).problem == (
        "The photos could not be aligned: one of the photos is missing; shown side by side."
    )
