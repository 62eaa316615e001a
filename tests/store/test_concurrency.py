"""Many threads, two processes, and a process that dies at the worst moment."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skinlens.case_record import Analysis
from skinlens.errors import Conflict
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit, Tidied, database
from tests.store import samples
from tests.store.edits import add_patient

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run ``work(0)`` … ``work(count - 1)`` at once; the first failure is raised here."""
    failures: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def in_process(home: Path, script: str) -> subprocess.Popen[bytes]:
    prelude = (
        "import os, sys\nfrom pathlib import Path\nfrom skinlens.store import CaseStore, NewLesion, NewPatient\n"
        "from skinlens.store import NewVisit\n"
        "from tests.store import samples\nhome = Path(sys.argv[1])\n"
    )
    return subprocess.Popen([sys.executable, "-c", prelude + script, str(home)], cwd=ROOT)


def test_threads_that_meet_in_an_empty_folder_all_open_it(tmp_path):
    for attempt in range(5):
        in_threads(8, lambda number, home=tmp_path / str(attempt): CaseStore(home).patients())


def test_threads_that_save_at_once_never_mix(store):
    shared = add_patient(store, "shared").id

    def work(number: int) -> None:
        for turn in range(4):
            photo = samples.photo(100 * number + turn)
            case = store.save_case(
                Analysis(photo, samples.QUALITY, samples.prediction("mel", 0.5 + number / 100)),
                NewVisit(
                    shared,
                    NewLesion(f"site {number}"),
                    "2024-05-31",
                    ClinicianReading(notes=f"thread {number} turn {turn}"),
                ),
                samples.three_explanations(photo),
            )
            np.testing.assert_array_equal(store.photo(case.visit.id).pixels, photo.pixels)
            assert store.case(case.visit.id) == case
            assert {one.photo_sha256 for one in store.load(case.visit.id).explanations} == {photo.sha256}
            assert store.search().total >= turn + 1

    in_threads(6, work)
    assert store.search().total == 24
    assert len(store.patients()) == 1
    assert sorted(len(store.visits_of_lesion(lesion.id)) for lesion in store.lesions(1)) == [1] * 24


def test_of_two_that_save_the_same_new_patient_one_is_asked(store):
    """Two tabs at the same moment: never one patient of two people without a question."""
    outcomes = []

    def work(number: int) -> None:
        try:
            outcomes.append(
                store.save_case(
                    samples.analysis(samples.photo(number)),
                    NewVisit(NewPatient("P-0147", 1950 + number), NewLesion("back"), "2024-05-31"),
                )
            )
        except Conflict as conflict:
            outcomes.append(conflict)

    in_threads(4, work)
    (saved,) = (one for one in outcomes if not isinstance(one, Conflict))
    asked = [one for one in outcomes if isinstance(one, Conflict)]
    assert len(asked) == 3
    assert store.search().total == len(store.patients()) == 1
    assert store.patients()[0] == saved.patient
    for conflict in asked:
        assert (conflict.subject, conflict.number) == ("patient", saved.patient.id)
        assert str(conflict) == (
            "A patient 'P-0147' was added in another window. Is it the same person? Then choose that existing "
            "patient; if not, type another patient ID. Nothing of this was saved yet."
        )
    assert len(store.files.present()) == 2  # of the saved photo alone


def test_edits_at_once_are_applied_one_after_the_other(store, save):
    visit_id = save(status="signed").visit.id

    def work(number: int) -> None:
        version = 1
        while True:
            try:
                store.annotate(
                    visit_id, ClinicianReading(notes=f"note {number}"), status="signed", expected_version=version
                )
                return
            except Conflict as conflict:
                version = conflict.version

    in_threads(8, work)
    assert store.case(visit_id).visit.version == 9
    trail = [revision for revision in store.revisions(visit_id) if revision.action == "amended"]
    assert len(trail) == 8
    notes = [revision.changes["notes"] for revision in trail]
    assert [before for before, _ in notes] == ["", *(after for _, after in notes[:-1])]
    assert store.case(visit_id).visit.notes == notes[-1][1]


def test_tables_that_another_process_makes_between_two_looks_are_ours(tmp_path, monkeypatch):
    """Seen empty, then full: no other program's database, but one that was made in that very moment."""
    look = database._applied
    looks = []

    def once_empty(db):
        found = look(db)
        looks.append(found)
        if len(looks) == 1:
            assert found == []
            add_patient(CaseStore(tmp_path), "first")
        return found

    monkeypatch.setattr(database, "_applied", once_empty)
    assert add_patient(CaseStore(tmp_path), "second").id == 2


@pytest.mark.slow
def test_two_processes_write_at_once(tmp_path):
    script = """
for turn in range(8):
    photo = samples.photo(turn)
    store = CaseStore(home)
    case = store.save_case(samples.analysis(photo),
        NewVisit(1, NewLesion("back"), "2024-05-31"),
        samples.three_explanations(photo))
    if turn % 4 == 3:
        store.delete_visit(case.visit.id)
"""
    add_patient(CaseStore(tmp_path), "shared")
    processes = [in_process(tmp_path, script) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    store = CaseStore(tmp_path)
    page = store.search()
    assert page.total == 12
    for row in page.rows:
        assert len(store.load(row.visit_id).explanations) == 3
        store.photo(row.visit_id)
    assert store.tidy(min_age_s=0.0) == Tidied(0, 0, ())


DIES_BEFORE_THE_ROW = """
class Dying(CaseStore):
    def _writing(self):
        os._exit(9)
"""
DIES_BEFORE_THE_COMMIT = """
from skinlens.store import patients
patients.record_revision = lambda *arguments: os._exit(9)
Dying = CaseStore
"""
DIES_IN_THE_FILE = """
os.fsync = lambda handle: os._exit(9)
Dying = CaseStore
"""


def test_a_log_that_goes_between_two_looks_is_no_trouble(store, save, monkeypatch):
    """Another thread closes the database just now, and SQLite takes its log away."""
    save(0)
    log, looked = database._log(store.database), Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: path == log or looked(path))
    assert not log.exists()
    assert [patient.pseudonym for patient in store.patients()] == ["P-0001"]


@pytest.mark.parametrize(
    "death",
    [DIES_BEFORE_THE_ROW, DIES_BEFORE_THE_COMMIT, DIES_IN_THE_FILE],
    ids=["before row", "before commit", "in file"],
)
def test_a_process_that_dies_in_a_save_leaves_a_consistent_store(store, save, death):
    case = save(0, maps=True)
    save(2, maps=True)
    script = f"""{death}
photo = samples.photo(1)
Dying(home).save_case(samples.analysis(photo),
    NewVisit(NewPatient("P-0002"), NewLesion("back"), "2024-05-31"), samples.three_explanations(photo))
"""
    assert in_process(store.home, script).wait(60) == 9
    assert store.search().total == 2
    assert [patient.pseudonym for patient in store.patients()] == ["P-0001"]
    assert len(store.load(case.visit.id).explanations) == 3
    left = len(list(store.home.glob("files/*/*"))) - 10
    assert left == (1 if death == DIES_IN_THE_FILE else 5)
    assert store.tidy() == Tidied(0, 0, ())
    assert store.tidy(min_age_s=0.0) == Tidied(left, 0, ())
    np.testing.assert_array_equal(store.photo(case.visit.id).pixels, samples.photo(0).pixels)
    assert save(1).visit.id > case.visit.id


@pytest.mark.parametrize("turn", range(15))
def test_many_begin_at_once(tmp_path: Path, turn: int) -> None:
    """The first operations of several sessions on a folder that is still empty: each makes the database, or waits."""
    in_threads(6, lambda number: add_patient(CaseStore(tmp_path), f"P-{number}"))
    assert [one.pseudonym for one in CaseStore(tmp_path).patients()] == [f"P-{number}" for number in range(6)]
