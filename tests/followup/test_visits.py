"""Two stored visits compared: by the clinician's outline where there is one, with a sentence where there is none."""

from dataclasses import replace
from pathlib import Path

import pytest

from skinlens.case_record import Analysis
from skinlens.errors import InvalidEntry
from skinlens.followup.change import SeenLesion, compare
from skinlens.followup.registration import Registration, register
from skinlens.followup.trend import melanoma_trend
from skinlens.records import Outline, Photo
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.followup.samples import Retaken, drawn, ellipse
from tests.new_store import new_store
from tests.store.edits import edit
from tests.store.samples import QUALITY, prediction

pytestmark = pytest.mark.slow


def save(
    store: CaseStore, photo: Photo, outlines: list[Outline], lesion: int | None = None, day: str = "2026-01-02"
) -> int:
    visit = NewVisit(None if lesion else NewPatient("P-1"), lesion or NewLesion("back"), day)
    case = store.save_case(Analysis(photo, QUALITY, prediction("mel", 0.3)), visit, outlines=outlines)
    return case.visit.id


def aligned(store: CaseStore, before: int, after: int) -> Registration:
    first, second = store.load(before), store.load(after)
    return register(first.photo, second.photo, first.outline, second.outline)


def test_stored_visits_are_aligned_and_compared(tmp_path: Path) -> None:
    store = new_store(tmp_path / "home")
    first = drawn()
    second = Retaken(degrees=10, scale=0.8).photo(first)
    before = save(store, first, [ellipse(first, 80, 64)])
    by_model = replace(ellipse(second, 30, 30), made_by="model")
    lesion = store.case(before).lesion.id
    after = save(store, second, [by_model, ellipse(second, 76.8, 61.4)], lesion, "2026-03-04")
    registration = aligned(store, before, after)
    assert registration.scale == pytest.approx(1.25, rel=0.02)
    shown_mm = 0.05 * first.width_px  # across the photo
    edit(store, before, field_width_mm=shown_mm, expected_version=store.case(before).visit.version)
    change = compare(*(SeenLesion.of(store.load(one)) for one in (before, after)), registration)
    area = change.difference("area")
    assert area is not None
    assert (area.change, area.unit) == (pytest.approx(44, abs=3), "mm²")
    assert not change.outlined_by_model
    course = melanoma_trend(store.visits_of_lesion(lesion))
    assert [(point.visit_id, point.prob, point.comparable) for point in course.points] == [
        (before, 0.3, True), (after, 0.3, True),
    ]  # fmt: skip


def test_a_visit_without_an_outline_is_aligned_but_not_measured(tmp_path: Path) -> None:
    store = new_store(tmp_path / "home")
    first = drawn()
    before, after = save(store, first, []), save(store, Retaken(degrees=10).photo(first), [], 1, "2026-03-04")
    assert aligned(store, before, after).aligned
    with pytest.raises(InvalidEntry, match=f"Case {before} has no outline of the lesion"):
        SeenLesion.of(store.load(before))


def test_a_lost_photo_is_not_aligned(tmp_path: Path) -> None:
    store = new_store(tmp_path / "home")
    first = drawn()
    before, after = save(store, first, []), save(store, Retaken(degrees=10).photo(first), [], 1, "2026-03-04")
    for path in store.home.glob("files/*/*.png"):
        path.unlink()
    assert aligned(store, before, after).problem == (
        "The photos could not be aligned: one of the photos is missing; shown side by side."
    )
