"""Deleting leaves nothing behind, and takes nothing that somebody else still needs."""

import json
import os
import threading
import time
import zipfile
from contextlib import closing
from io import BytesIO
from sqlite3 import connect

import numpy as np
import pytest

from skinlens.errors import CaseNotFound, StoreError
from skinlens.labels import CODES, DISCLAIMER
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, Tidied, database, erasure
from skinlens.store.migrations import STEP_NAMES
from tests.store import samples

SECRETS = {
    "pseudonym": "Xanthippe-77",
    "site": "left-popliteal-fossa",
    "remark": "beside-the-tattooing",
    "diagnosis": "sebaceous-puzzlement",
    "notes": "whispered-confidence " * 400,
    "later notes": "second-whisper",
}


def files(store: CaseStore) -> set[str]:
    return {path.name for path in store.home.glob("files/*/*")}


def traces(store: CaseStore) -> list[str]:
    """Rare words of the secrets in any byte of any file; the search index holds them in small letters."""
    every = {word for secret in SECRETS.values() for word in secret.lower().replace("-", " ").split()}
    words = {word for word in every if len(word) > 6}
    contents = {path.name: path.read_bytes().lower() for path in store.home.rglob("*") if path.is_file()}
    return [f"{word} in {name}" for name, content in contents.items() for word in words if word.encode() in content]


def save_secret(store: CaseStore, save, seed: int = 1, **given):
    case = save(
        seed,
        maps=True,
        patient=NewPatient(SECRETS["pseudonym"]),
        lesion=NewLesion(SECRETS["site"], SECRETS["remark"]),
        clinician_diagnosis=SECRETS["diagnosis"],
        notes=SECRETS["notes"],
        **given,
    )
    return store.annotate(
        case.visit.id,
        ClinicianReading("mel", SECRETS["diagnosis"], SECRETS["later notes"]),
        status="signed",
        expected_version=case.visit.version,
    )


@pytest.mark.slow
def test_an_erased_patient_leaves_no_byte_behind(store, save):
    for seed in range(2, 12):
        save(seed, notes=f"other case {seed}", patient=NewPatient(f"P-{seed}"))
    kept = files(store)
    case = save_secret(store, save)
    save(1, patient=NewPatient(SECRETS["pseudonym"]), lesion=case.lesion.id, notes=SECRETS["notes"])
    assert len(traces(store)) >= 8
    store.delete_patient(case.patient.id)
    assert traces(store) == []
    assert files(store) == kept
    assert store.search().total == 10
    assert SECRETS["pseudonym"] not in {patient.pseudonym for patient in store.patients()}
    for door in (store.patient, store.lesions):
        with pytest.raises(CaseNotFound):
            door(case.patient.id)


def test_an_erased_visit_leaves_no_word_in_the_search_index(store, save):
    save(9, notes="other case", patient=NewPatient("P-9"))
    case = save_secret(store, save)
    store.delete_visit(case.visit.id)
    whispered = [trace for trace in traces(store) if "whisper" in trace or "puzzlement" in trace]
    assert whispered == []
    assert store.lesions(case.patient.id)
    assert len(files(store)) == 2


def test_traces_go_even_while_other_windows_come_and_go(store, save):
    case = save_secret(store, save)
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            store.search()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        store.delete_patient(case.patient.id)
    finally:
        stop.set()
        reader.join()
    assert traces(store) == []


def test_a_window_that_keeps_reading_is_named_and_the_erasure_finishes_later(store, save, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.2)
    monkeypatch.setattr(erasure, "PATIENCE_S", 0.2)
    case = save_secret(store, save)
    with store._reading() as window:
        window.execute("SELECT * FROM visit").fetchall()
        with pytest.raises(StoreError, match="Another window is still reading and holds traces of what was deleted"):
            store.delete_patient(case.patient.id)
    assert store.search().total == 0
    store.tidy()
    assert traces(store) == []


def test_an_interrupted_erasure_is_finished_by_the_next_start(store, save):
    """A kill after the rows were deleted. The photos are young: by their age a save may be about to name them."""
    kept = save(9, patient=NewPatient("P-9"))
    before = files(store)
    case = save_secret(store, save)
    with store._writing() as db:
        erasure.erase_rows(db, "patient", case.patient.id)
    assert store.unfinished_erasure()
    assert len(files(store)) == len(before) + 5
    store.acknowledge_disclaimer()
    save(2, patient=NewPatient("P-2"))  # other work in between does not lose the mark
    assert store.unfinished_erasure()
    assert store.tidy() == Tidied(0, 0, ())
    assert not store.unfinished_erasure()
    assert len(files(store)) == len(before) + 2
    assert traces(store) == []
    np.testing.assert_array_equal(store.photo(kept.visit.id).pixels, samples.photo(9).pixels)


def test_an_erasure_that_ends_between_files_and_traces_is_finished_as_well(store, save):
    case = save_secret(store, save)
    with store._writing() as db:
        erasure.erase_rows(db, "patient", case.patient.id)
    with store._writing() as db:
        erasure.remove_listed_files(db, store.files)
    assert store.unfinished_erasure()
    store.tidy()
    assert (traces(store), files(store), store.unfinished_erasure()) == ([], set(), False)


def test_a_photo_of_an_erased_patient_in_the_quarantine_goes_too(store, save):
    case = save_secret(store, save)
    for path in list(store.files.present().values()):
        store.files.set_aside(path)
    store.delete_patient(case.patient.id)
    assert [path for path in store.home.rglob("*") if path.suffix in {".png", ".jpg", ".npz"}] == []


def test_erasures_are_counted(store, save):
    first, second = save(1), save(2)
    assert store.setting(erasure.COUNTED) is None
    store.delete_visit(first.visit.id)
    store.delete_patient(second.patient.id)
    assert store.setting(erasure.COUNTED).value == "2"


def test_a_shared_picture_goes_with_its_last_case(store, save):
    first, second = save(1, maps=True), save(1, maps=True, patient=NewPatient("P-2"))
    assert len(files(store)) == 5
    store.delete_visit(first.visit.id)
    np.testing.assert_array_equal(store.photo(second.visit.id).pixels, samples.photo(1).pixels)
    assert len(store.load(second.visit.id).explanations) == 3
    store.delete_patient(second.patient.id)
    assert files(store) == set()


def test_a_lesion_without_a_patient_goes_with_its_last_visit(store, save):
    first = save(1, patient=None)
    second = save(2, patient=None, lesion=first.lesion.id)
    store.delete_visit(first.visit.id)
    assert [visit.id for visit in store.visits_of_lesion(first.lesion.id)] == [second.visit.id]
    store.delete_visit(second.visit.id)
    with pytest.raises(CaseNotFound):
        store.visits_of_lesion(first.lesion.id)


def test_the_number_of_a_deleted_case_is_never_given_again(store, save):
    deleted = save(1)
    store.delete_patient(deleted.patient.id)
    again = save(1)
    assert again.visit.id > deleted.visit.id
    assert again.lesion.id > deleted.lesion.id
    assert again.patient.id > deleted.patient.id


def test_a_deletion_between_file_and_row_takes_nothing_from_a_save(store, save):
    """Two savers of the same photo and a deleter: whatever the order, a row's files are there."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def save_and_delete() -> None:
        try:
            while not stop.is_set():
                case = save(1, patient=None)
                store.photo(case.visit.id)
                store.delete_visit(case.visit.id)
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=save_and_delete) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert files(store) == set()
    assert store.search().total == 0


# ---------------------------------------------------------------------------------------------------------- export


def test_the_export_holds_everything_of_one_patient(store, save):
    photo = samples.photo(1, notes=("Transparency was removed.",))
    case = save(photo=photo, maps=True, patient=NewPatient("P-1", 1950, "male"), notes="größer", clinician_label="mel")
    save(2, patient=NewPatient("P-2"), notes="somebody else")
    with zipfile.ZipFile(BytesIO(store.export_patient(case.patient.id))) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        document = json.loads(archive.read("patient.json"))
        assert DISCLAIMER in archive.read("README.txt").decode()
        assert archive.read("pictures/visit-000001.png").startswith(b"\x89PNG")
        maps = {}
        for one in document["lesions"][0]["visits"][0]["explanations"]:
            with np.load(BytesIO(archive.read(one["file"])), allow_pickle=False) as arrays:
                maps[one["method"]] = arrays["heat"]
    assert document["disclaimer"] == DISCLAIMER
    assert document["problems"] == []
    assert document["patient"] == {
        "id": 1,
        "pseudonym": "P-1",
        "birth_year": 1950,
        "sex": "male",
        "birth_year_is_upper_bound": False,
        "version": 1,
        "phototype": None,
    }
    visit = document["lesions"][0]["visits"][0]
    assert (visit["notes"], visit["clinician_label"], visit["status"]) == ("größer", "mel", "draft")
    assert visit["prediction"]["probs"] == dict(zip(CODES, samples.prediction().probs, strict=True))
    assert visit["prediction"]["model"] == vars(samples.MODEL)
    assert visit["photo"]["notes"] == ["Transparency was removed."]
    assert [revision["action"] for revision in document["revisions"]] == ["created"]
    for explanation in samples.three_explanations(photo):
        np.testing.assert_array_equal(maps[explanation.method], explanation.heatmap)
    assert len(names) == 2 + 1 + 3
    assert "somebody else" not in json.dumps(document)


def test_the_export_names_what_is_lost_and_holds_the_rest(store, save):
    case = save(maps=True)
    (picture,) = store.home.glob("files/*/*.png")
    picture.unlink()
    with zipfile.ZipFile(BytesIO(store.export_patient(case.patient.id))) as archive:
        (problem,) = json.loads(archive.read("patient.json"))["problems"]
        assert len([name for name in archive.namelist() if name.startswith("maps/")]) == 3
    assert problem.startswith(f"The file with the picture of case 1 is missing: {picture}.")


def test_the_database_keeps_its_promises_about_safety(store, save):
    save()
    with closing(connect(store.database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        steps = [name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert steps == list(STEP_NAMES)
    with store._reading() as db:
        assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)
        assert db.execute("PRAGMA secure_delete").fetchone() == (1,)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    if os.name == "posix":
        assert store.home.stat().st_mode & 0o077 == 0
