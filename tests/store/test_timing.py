"""How long cases took: from the first trace of the photo to the first signature, without those that were left."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from skinlens.store import CaseStore, ClinicianReading, WorkTimes
from tests.store import samples

TEN = datetime(2026, 1, 2, 10, tzinfo=UTC)


def rewrite(store: CaseStore, *statements: tuple[str, list[object]]) -> None:
    """Past the triggers that seal rows and keep revisions as they are."""
    with closing(sqlite3.connect(store.database)) as db, db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for sql, values in statements:
            db.execute(sql, values)
        for _, made in triggers:
            db.execute(made)


@pytest.fixture
def signed(store, save):
    """A case saved at ten, whose map was made and which was signed so many minutes before and after that."""

    def signed(seed: int, mapped_before: float, signed_after: float | None) -> None:
        photo = samples.photo(seed)
        made = (TEN - timedelta(minutes=mapped_before)).isoformat()
        maps = [replace(samples.explanation(photo), created_at=made)]
        case = save(photo=photo, explanations=maps, status="draft" if signed_after is not None else "signed")
        number = case.visit.id
        statements = [("UPDATE visit SET created_at = ? WHERE id = ?", [TEN.isoformat(), number])]
        if signed_after is not None:
            store.annotate(number, ClinicianReading("nv"), status="signed", expected_version=case.visit.version)
            at = (TEN + timedelta(minutes=signed_after)).isoformat()
            statements.append(("UPDATE revision SET at = ? WHERE visit_id = ? AND action = 'signed'", [at, number]))
        rewrite(store, *statements)

    return signed


def test_from_the_first_trace_of_the_photo_to_the_signature(store, save, signed):
    signed(1, mapped_before=1.5, signed_after=2.5)
    signed(2, mapped_before=0.5, signed_after=0.5)
    signed(3, mapped_before=2, signed_after=None)  # signed when it was saved
    save(4)  # a draft
    assert store.work_times() == WorkTimes(cases=3, left_out=0, median=2.0, quartiles=None)


def test_a_map_made_later_is_no_first_trace(store, signed):
    signed(1, mapped_before=-1, signed_after=3)
    assert store.work_times().median == 3


def test_a_case_that_was_left_says_nothing(store, signed):
    signed(1, mapped_before=0, signed_after=61)
    signed(2, mapped_before=0, signed_after=-5)  # a clock that was set back
    signed(3, mapped_before=0, signed_after=60)
    assert store.work_times() == WorkTimes(cases=1, left_out=2, median=60.0, quartiles=None)


def test_quartiles_from_four_cases_on(store, signed):
    for place, minutes in enumerate((1, 2, 3, 4, 5)):
        signed(place, mapped_before=0, signed_after=minutes)
    assert store.work_times() == WorkTimes(cases=5, left_out=0, median=3.0, quartiles=(2.0, 4.0))


def test_an_empty_store_has_no_times(store):
    assert store.work_times() == WorkTimes(cases=0, left_out=0, median=None, quartiles=None)
