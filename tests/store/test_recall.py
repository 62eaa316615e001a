"""The recall of a visit: set by the plan or by hand, due, dealt with."""

import pytest

from skinlens.clinical import ClinicalRecord, Plan, Recall, months_after
from skinlens.clock import today
from skinlens.errors import Conflict, InvalidEntry
from tests.store.edits import edit
from tests.store.samples import TO_COME


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2024-05-31", 1, "2024-06-30"),
        ("2024-08-31", 6, "2025-02-28"),
        ("2023-08-31", 6, "2024-02-29"),
        ("2024-12-15", 1, "2025-01-15"),
        ("2024-01-15", 60, "2029-01-15"),
    ],
)
def test_a_recheck_is_so_many_months_later(day, months, expected):
    assert months_after(day, months) == expected


def test_a_recheck_sets_the_recall_and_another_plan_drops_it(store, save):
    number = save(clinical=ClinicalRecord(plan=Plan("recheck", 3))).visit.id
    assert store.case(number).visit.clinical.recall == Recall("2024-08-31")
    moved = edit(store, number, recall=Recall("2024-09-15"), expected_version=1)
    assert moved.visit.clinical.recall == Recall("2024-09-15")
    said = edit(store, number, plan=Plan("recheck", 3, "with photos"), expected_version=2)
    assert said.visit.clinical.recall == Recall("2024-09-15")  # the words alone changed
    later = edit(store, number, plan=Plan("recheck", 6), expected_version=3)
    assert later.visit.clinical.recall == Recall("2024-11-30")
    given = edit(store, number, plan=Plan("recheck", 6), recall=Recall("2024-12-02"), expected_version=4)
    assert given.visit.clinical.recall == Recall("2024-12-02")
    assert edit(store, number, plan=Plan("excise"), expected_version=5).visit.clinical.recall is None
    called = edit(store, number, recall=Recall("2024-12-24"), expected_version=6)
    assert called.visit.clinical.recall == Recall("2024-12-24")


def test_a_recall_that_was_dealt_with_leaves_the_signature_alone(store, save):
    number = save(clinical=ClinicalRecord(plan=Plan("recheck", 3)), status="signed").visit.id
    done = store.close_recall(number, "2024-09-01", expected_version=1)
    assert (done.visit.clinical.recall, done.visit.status) == (Recall("2024-08-31", "2024-09-01"), "signed")
    assert store.revisions(number)[-1].action == "recall done"
    assert store.revisions(number)[-1].changes == {"recall_done_on": (None, "2024-09-01")}
    with pytest.raises(Conflict):
        store.close_recall(number, None, expected_version=1)
    opened = store.close_recall(number, None, expected_version=2)
    assert (opened.visit.clinical.recall, opened.visit.status) == (Recall("2024-08-31"), "signed")
    assert store.revisions(number)[-1].action == "recall open"
    store.close_recall(number, "2024-09-01", expected_version=3)
    kept = edit(store, number, plan=Plan("discharge"), expected_version=4)
    assert (kept.visit.clinical.recall, kept.visit.status) == (Recall("2024-08-31", "2024-09-01"), "amended")
    anew = edit(store, number, recall=Recall("2025-01-07"), expected_version=5)
    assert anew.visit.clinical.recall == Recall("2025-01-07")


def test_a_recall_is_due_from_its_day_until_it_is_dealt_with():
    assert [Recall("2024-08-31").is_due(day) for day in ("2024-08-30", "2024-08-31", "2025-01-01")] == [
        False,
        True,
        True,
    ]
    assert not Recall("2024-08-31", "2024-09-02").is_due("2025-01-01")


def test_a_recall_is_dealt_with_between_the_visit_and_today(store, save):
    case = save(clinical=ClinicalRecord(recall=Recall("2024-08-31")))
    for day in (TO_COME, "2024-05-30"):
        with pytest.raises(InvalidEntry, match=f"The recall cannot have been dealt with on {day}"):
            store.close_recall(case.visit.id, day, expected_version=1)
        with pytest.raises(InvalidEntry, match=f"The recall cannot have been dealt with on {day}"):
            save(2, clinical=ClinicalRecord(recall=Recall("2024-08-31", day)))
    assert store.case(case.visit.id) == case
    assert store.close_recall(case.visit.id, today(), expected_version=1).visit.clinical.recall.done_on


def test_a_recall_that_is_not_there_cannot_be_dealt_with(store, save):
    with pytest.raises(InvalidEntry, match="This case has no recall"):
        store.close_recall(save().visit.id, today(), expected_version=1)
