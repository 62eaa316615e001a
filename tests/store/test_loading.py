"""A whole case is of one moment, whatever another window or a background worker writes while it is read."""

from dataclasses import replace

import numpy as np
import pytest

from skinlens.case_record import CaseRecord
from skinlens.errors import CaseNotFound, SkinLensError
from skinlens.store import CaseStore, ClinicianReading, visits
from tests.report import samples as report_samples
from tests.store import samples
from tests.store.edits import edit


def parts(record: CaseRecord) -> tuple[object, ...]:
    """How much of each there is, and the version of the case."""
    some = record.explanations, record.checks, record.outlines, record.revisions
    return record.visit.version, record.visit.notes, *map(len, some)


@pytest.fixture
def read_and_change(store, monkeypatch):
    """Load a case while another window changes all that belongs to case 1, just after the case itself was read."""

    def load(visit_id: int, **wanted: bool) -> CaseRecord:
        def read(db, number, case_row=visits.case_row):
            row = case_row(db, number)
            monkeypatch.undo()
            photo, other = samples.photo(), CaseStore(store.home)
            other.add_explanation(1, samples.explanation(photo))
            other.add_checks(1, [samples.check(photo)])
            other.keep_outlines(1, [samples.outline(photo)], expected=())
            other.annotate(1, ClinicianReading(notes="later"), status="draft", expected_version=1)
            return row

        monkeypatch.setattr(visits, "case_row", read)
        return store.load(visit_id, **wanted)

    return load


def test_what_is_written_between_the_reads_is_not_in_the_record(store, save, read_and_change):
    save(notes="first")
    assert parts(read_and_change(1)) == (1, "first", 0, 0, 0, 1)
    assert parts(store.load(1)) == (2, "later", 1, 1, 1, 5)


def test_the_visit_before_is_of_the_same_moment(store, save, read_and_change):
    first = save(notes="first")
    save(1, patient=None, lesion=first.lesion.id, taken_on="2024-06-30")
    record = read_and_change(2, with_previous=True)
    assert record.previous is not None
    assert parts(record.previous) == (1, "first", 0, 0, 0, 1)
    assert record.previous.previous is None


def test_maps_checks_and_the_visit_before_are_read_where_they_are_asked_for(store, save):
    photo = samples.photo()
    first = save(photo=photo, maps=True, checks=[samples.check(photo)], outlines=[samples.outline(photo)])
    whole, page = store.load(1), store.load(1, with_maps=False)
    assert [samples.fields(one) for one in whole.explanations] == [
        samples.fields(one) for one in samples.three_explanations(photo)
    ]
    assert (whole.case, whole.checks, whole.outlines) == (first, (samples.check(photo),), (samples.outline(photo),))
    assert whole.revisions == store.revisions(1)
    np.testing.assert_array_equal(whole.photo.pixels, photo.pixels)
    assert (page.explanations, page.checks, page.outlines) == ((), (), whole.outlines)
    save(1, patient=None, lesion=first.lesion.id, taken_on="2024-06-30")
    assert store.load(2).previous is None
    previous = store.load(2, with_previous=True).previous
    assert previous is not None
    assert (previous.visit.id, previous.outline, previous.explanations) == (1, samples.outline(photo), ())


@pytest.fixture
def before_the_files(store, monkeypatch):
    """Have something done once, after the rows were read and before the first file is."""

    def before(act) -> None:
        def read(name, what, read=store.files.read):
            monkeypatch.undo()
            act(CaseStore(store.home))
            return read(name, what)

        monkeypatch.setattr(store.files, "read", read)

    return before


def test_a_case_that_is_erased_while_it_is_read_is_not_found(store, save, before_the_files):
    save(maps=True)
    before_the_files(lambda other: other.delete_visit(1))
    with pytest.raises(CaseNotFound, match=r"There is no case number 1; it may have been deleted\."):
        store.load(1)


def test_a_map_that_is_made_anew_while_it_is_read_is_the_new_one(store, save, before_the_files):
    photo = samples.photo()
    save(photo=photo, explanations=[samples.explanation(photo, "lime", seed=1)])
    before_the_files(lambda other: other.add_explanation(1, samples.explanation(photo, "lime", seed=2)))
    record = store.load(1)
    assert ([one.seed for one in record.explanations], record.problems) == ([2], ())


def test_a_lost_picture_is_a_placeholder_and_said_and_the_rest_opens(store, save):
    photo = samples.photo()
    save(photo=photo, maps=True)
    (path,) = store.home.glob("files/*/*.png")
    path.unlink()
    record = store.load(1)
    assert (record.photo.placeholder, record.photo.sha256, len(record.explanations)) == (True, photo.sha256, 3)
    (problem,) = record.problems
    assert problem.startswith(f"The file with the picture of case 1 is missing: {path}.")


def test_the_clinicians_outline_holds_and_the_scale_is_that_of_the_photo(store, save):
    photo = samples.photo()
    model, clinician = samples.outline(photo), samples.outline(photo, "clinician", reach=0.2)
    save(photo=photo, outlines=[model, clinician])
    record = store.load(1)
    assert (record.outline, record.mm_per_px) == (clinician, None)
    assert replace(record, outlines=(model,)).outline == model
    assert replace(record, outlines=()).outline is None
    edit(store, 1, field_width_mm=12.0, expected_version=1)
    assert store.load(1).mm_per_px == 0.2  # 60 px across


def test_parts_of_two_photos_are_no_record():
    photo, other = report_samples.photo(), report_samples.photo(90, 121)
    case = report_samples.case(photo)
    for wrong, noun in (
        ({"explanations": tuple(report_samples.explanations(other))}, "explanation"),
        ({"checks": tuple(report_samples.checks(other))}, "check"),
        ({"outlines": (samples.outline(other),)}, "outline"),
        ({"photo": other}, "photo"),
    ):
        with pytest.raises(SkinLensError, match=f"The {noun} belongs to another visit: expected the photo"):
            CaseRecord(case, **({"photo": photo} | wrong))
