"""What the worklist asks of the store: its chips, its order, and going on where one was although rows have left."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from skinlens.case_record import Analysis
from skinlens.clinical import ClinicalRecord, Plan, Recall
from skinlens.records import QualityCheck, QualityReport
from skinlens.store import CaseQuery, CaseStore, ClinicianReading, NewLesion, NewVisit, search
from tests.store import samples
from tests.store.edits import of_patient

STRANGE = QualityReport((QualityCheck("familiarity", "Familiarity", 60.0, 48.5, "at most", "", False, "Fur."),))
DRAFT, SIGNED = "draft", "signed"


@pytest.fixture(scope="module")
def worklist(tmp_path_factory):
    """Seven visits; melanoma is flagged from .1731 on. Numbers 1 and 7 are of one lesion, 2 and 3 of one patient."""
    store = CaseStore(tmp_path_factory.mktemp("worklist"))
    recheck = ClinicalRecord(plan=Plan("recheck", 3))
    cases = [
        # patient, lesion, day, melanoma, quality, status, clinical
        ("anna", "back", "2024-01-10", 0.05, samples.QUALITY, SIGNED, recheck),  # due on 2024-04-10
        ("bert", "face", "2024-02-10", 0.60, samples.QUALITY, DRAFT, ClinicalRecord(plan=Plan("excise"))),
        ("bert", "hand", "2024-02-12", 0.30, STRANGE, DRAFT, ClinicalRecord()),
        (None, "face", "2024-02-12", 0.1731, samples.QUALITY, SIGNED, recheck),  # due on 2024-05-12
        ("cleo", "back", "2024-02-13", 0.1730, samples.QUALITY, DRAFT, ClinicalRecord()),
        (
            "cleo",
            "foot",
            "2023-01-01",
            0.05,
            STRANGE,
            SIGNED,
            ClinicalRecord(recall=Recall("2024-01-01", "2024-01-09")),
        ),
        ("anna", 1, "2024-05-01", 0.05, samples.QUALITY, DRAFT, recheck),  # due on 2024-08-01
    ]
    for seed, (name, lesion, day, melanoma, quality, status, clinical) in enumerate(cases):
        store.save_case(
            Analysis(samples.photo(seed, 4, 5), quality, samples.prediction("mel", melanoma)),
            NewVisit(
                None if name is None else of_patient(store, name),
                lesion if isinstance(lesion, int) else NewLesion(lesion),
                day,
                ClinicianReading("nv" if status == SIGNED else None),
                status=status,
                clinical=clinical,
            ),
        )
    return store


def found(store: CaseStore, **query) -> list[int]:
    page = store.search(CaseQuery(**query))
    assert page.total == len(page.rows)
    return [row.visit_id for row in page.rows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "draft"}, [7, 5, 3, 2]),
        ({"status": "draft", "sort": "melanoma"}, [2, 3, 5, 7]),
        ({"above_cutoff": True}, [4, 3, 2]),
        ({"above_cutoff": True, "sort": "melanoma"}, [2, 3, 4]),
        ({"above_cutoff": False}, [7, 5, 1, 6]),
        ({"reliable": False}, [3, 6]),
        ({"reliable": True, "above_cutoff": True, "status": "draft"}, [2]),
        ({"taken_from": "2024-02-10", "taken_until": "2024-02-12"}, [4, 3, 2]),
        ({"recall_due_on": "2024-04-09"}, []),
        ({"recall_due_on": "2024-04-10"}, [1]),
        ({"recall_due_on": "2024-12-31", "sort": "recall", "descending": False}, [1, 4, 7]),
        ({"recall_due_on": "2024-12-31", "sort": "recall"}, [7, 4, 1]),
        ({"sort": "recall", "descending": False}, [6, 1, 4, 7, 5, 3, 2]),
        ({"patient_id": 2}, [3, 2]),
        ({"patient_id": 2, "body_site": "face"}, [2]),
        ({"lesion_id": 1}, [7, 1]),
        ({"lesion_id": 10**30}, []),
        ({"patient_id": 99}, []),
        ({"sort": "patient", "descending": False, "patient_id": 1}, [7, 1]),
    ],
)
def test_chips_and_orders(worklist, query, expected):
    assert found(worklist, **query) == expected


def test_a_row_says_what_is_due_and_what_is_flagged(worklist):
    rows = {row.visit_id: row for row in worklist.search().rows}
    one = rows[1]
    assert (one.above_cutoff, one.reliable, one.plan, one.recall_on, one.recall_done_on, one.histology) == (
        *(False, True, "recheck", "2024-04-10", None, None),
    )
    assert (rows[2].above_cutoff, rows[3].reliable, rows[6].recall_done_on) == (True, False, "2024-01-09")


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", ["date", "melanoma", "patient", "top", "recall"])
def test_going_on_after_each_row_gives_the_rest_of_the_list(worklist, sort, descending):
    query = CaseQuery(sort=sort, descending=descending)
    whole = [row.visit_id for row in worklist.search(query).rows]
    assert sorted(whole) == [1, 2, 3, 4, 5, 6, 7]
    for place, number in enumerate(whole):
        page = worklist.search(replace(query, after=number))
        assert [row.visit_id for row in page.rows] == whole[place + 1 :]
        assert page.total == 7


def test_after_a_case_that_left_the_list_it_goes_on_where_that_stood(worklist):
    unsigned = CaseQuery(status="draft")  # 7, 5, 3, 2
    assert [row.visit_id for row in worklist.search(replace(unsigned, after=4)).rows] == [3, 2]  # signed
    for gone in (99, 10**30):
        assert len(worklist.search(replace(unsigned, after=gone)).rows) == 4


def test_a_page_goes_on_where_it_was_while_rows_leave_the_list(store, save):
    numbers = [save(seed, taken_on=f"2024-05-{10 + seed}").visit.id for seed in range(6)]
    first = store.search(CaseQuery(status="draft", limit=2))
    assert [row.visit_id for row in first.rows] == [numbers[5], numbers[4]]
    for number in numbers[4:]:  # both are signed before the next page is asked for
        store.annotate(number, ClinicianReading("nv"), status="signed", expected_version=1)
    again = store.search(CaseQuery(status="draft", limit=2, after=numbers[4]))
    assert [row.visit_id for row in again.rows] == [numbers[3], numbers[2]]
    assert (again.total, again.offset) == (4, 0)


def test_a_recall_that_was_dealt_with_leaves_the_list(store, save):
    number = save(clinical=ClinicalRecord(plan=Plan("recheck", 3))).visit.id
    assert found(store, recall_due_on="2024-08-31") == [number]
    store.close_recall(number, "2024-09-01", expected_version=1)
    assert found(store, recall_due_on="2024-08-31") == []


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "visit_by_date"),
        ({"sort": "melanoma"}, "visit_by_melanoma"),
        ({"status": "draft"}, "visit_worklist"),
        ({"status": "draft", "above_cutoff": True, "sort": "melanoma"}, "visit_worklist"),
        ({"reliable": False}, "visit_unreliable"),
        ({"recall_due_on": "2024-05-31", "sort": "recall", "descending": False}, "visit_by_recall"),
        ({"lesion_id": 1}, "visit_of_lesion"),
        ({"patient_id": 1}, "visit_of_lesion"),
        ({"taken_from": "2024-05-31"}, "visit_by_date"),
    ],
)
def test_no_chip_reads_the_whole_table(worklist, query, index):
    """As far as SQLite's plan tells it: with 100,000 visits a scan of the rows themselves takes seconds."""
    with closing(sqlite3.connect(worklist.database)) as connection:
        for sql, parameters in (search.ids_sql(CaseQuery(**query)), search.total_sql(CaseQuery(**query))):
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
            assert all("INDEX" in step or "SUBQUERY" in step or "B-TREE" in step for step in plan), plan
        ids, parameters = search.ids_sql(CaseQuery(**query))
        assert index in str([row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {ids}", parameters)])
