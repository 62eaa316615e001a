"""Similar cases: by the angle of their features, one model's alone, with what was confirmed, and none that is gone."""

import io
import json
import zipfile
from sqlite3 import connect

import numpy as np
import pytest

from skinlens.clinical import Histology
from skinlens.errors import CaseNotFound
from skinlens.records import LIKENESS, QualityCheck, QualityReport
from skinlens.store import CaseStore, NewPatient, SimilarQuery, features
from tests.store.edits import edit

MODEL, OTHER_MODEL = "aa" * 32, "bb" * 32
WANTED = np.array([1, 0, 0, 0], dtype=np.float32)


def at(degrees: float, length: float = 3.0) -> np.ndarray:
    """At that angle from what is searched for."""
    turn = np.radians(degrees)
    return (length * np.array([np.cos(turn), np.sin(turn), 0, 0])).astype(np.float32)


@pytest.fixture
def add(store, save):
    """A signed visit of a patient and lesion of its own with features at an angle; everything can be given."""

    def add(number: int, degrees: float, model: str = MODEL, **given):
        usual = {"patient": NewPatient(f"P-{number}"), "clinician_label": "nv", "status": "signed"}
        case = save(number, **(usual | given))
        store.keep_features(case.visit.id, model, at(degrees))
        return case

    return add


def search(store: CaseStore, **given):
    return store.similar_cases(SimilarQuery(WANTED, given.pop("model", MODEL), **given))


def ids(found) -> list[int]:
    return [case.visit_id for case in found]


def test_the_most_similar_come_first_with_their_cosine(store, add):
    far, near, middle = add(1, 60), add(2, 5), add(3, 30)
    found = search(store)
    assert ids(found) == [near.visit.id, middle.visit.id, far.visit.id]
    assert [case.similarity for case in found] == pytest.approx(np.cos(np.radians([5, 30, 60])), abs=1e-3)
    assert ids(search(store, count=1)) == [near.visit.id]


def test_features_of_another_model_are_never_compared(store, add):
    add(1, 0, OTHER_MODEL)
    own = add(2, 40)
    assert ids(search(store)) == [own.visit.id]
    store.keep_features(own.visit.id, OTHER_MODEL, at(10))  # by a new release
    assert search(store) == ()
    assert len(search(store, model=OTHER_MODEL)) == 2


def test_each_case_says_whose_it_is(store, save, add):
    mine = add(1, 10)
    store_less = add(2, 20, patient=None)
    other = add(3, 30)
    relations = {case.visit_id: (case.relation, case.pseudonym) for case in search(store, patient_id=mine.patient.id)}
    assert relations == {
        mine.visit.id: ("same patient", "P-1"),
        store_less.visit.id: ("patient not recorded", ""),
        other.visit.id: ("another patient", "P-3"),
    }
    assert {case.relation for case in search(store)} == {"patient not recorded"}


def test_the_lesion_itself_is_left_out_and_each_other_one_comes_once(store, save, add):
    first = add(1, 50)
    second = add(2, 10, patient=first.patient.id, lesion=first.lesion.id)
    other = add(3, 20)
    assert ids(search(store)) == [second.visit.id, other.visit.id]
    assert ids(search(store, lesion_id=first.lesion.id)) == [other.visit.id]


def test_what_confirms_the_diagnosis_is_said(store, add):
    histology = add(1, 10, status="draft", clinician_label="nv")
    edit(store, histology.visit.id, histology=Histology("mel", "SSM 0.4 mm"), expected_version=histology.visit.version)
    signed = add(2, 20, clinician_label="bkl", clinician_diagnosis="seborrheic")
    draft = add(3, 30, status="draft")
    silent = add(4, 40, clinician_label=None, status="draft")
    assert [(case.visit_id, case.source, case.diagnosis, case.diagnosis_text) for case in search(store)] == [
        (histology.visit.id, "histology", "mel", "SSM 0.4 mm"),
        (signed.visit.id, "clinician", "bkl", "seborrheic"),
    ]
    found = search(store, confirmed_only=False)
    assert [(case.visit_id, case.source) for case in found[2:]] == [
        (draft.visit.id, "not signed"), (silent.visit.id, "none"),
    ]  # fmt: skip
    assert [case.confirmed for case in found] == [True, True, False, False]


def test_unreliable_photos_are_not_offered(store, add):
    strange = QualityReport((QualityCheck(LIKENESS, "Distance", 9.0, 1.0, "at most", "", False, "Again."),))
    add(1, 0, quality=strange)
    assert search(store) == ()


def test_a_damaged_case_is_not_offered(store, add):
    case = add(1, 0)
    with connect(store.database) as db:
        db.execute("UPDATE lesion SET seal = 'damaged' WHERE id = ?", [case.lesion.id])
        assert db.total_changes == 1
    db.close()
    assert search(store) == ()


@pytest.mark.parametrize("subject", ["visit", "patient"])
def test_what_is_erased_is_found_no_more_and_leaves_no_vector(store, add, subject):
    kept, gone = add(1, 40), add(2, 10)
    assert len(search(store)) == 2
    erase = {"visit": store.delete_visit, "patient": store.delete_patient}[subject]
    erase({"visit": gone.visit.id, "patient": gone.patient.id}[subject])
    assert not any(key[0] == str(store.database) for key in features._MATRICES)
    assert ids(search(store)) == [kept.visit.id]
    with connect(store.database) as db:
        assert db.execute("SELECT visit_id FROM visit_features").fetchall() == [(kept.visit.id,)]
    db.close()
    vector = at(10).astype("<f2").tobytes()
    assert not [path for path in store.home.rglob("*") if path.is_file() and vector in path.read_bytes()]


def test_another_process_erasing_is_noticed(store, add):
    """As many rows as before, but not the same ones."""
    gone = add(1, 10)
    assert ids(search(store)) == [gone.visit.id]
    known = dict(features._MATRICES)
    store.delete_visit(gone.visit.id)
    features._MATRICES.update(known)  # this process was not the one that erased
    later = add(2, 20)
    assert ids(search(store)) == [later.visit.id]


def test_what_is_added_is_found_without_reading_all_again(store, add):
    first = add(1, 20)
    assert ids(search(store)) == [first.visit.id]
    second = add(2, 10)
    assert ids(search(store)) == [second.visit.id, first.visit.id]
    (matrix,) = (one for key, one in features._MATRICES.items() if key[0] == str(store.database))
    assert matrix.visits.tolist() == [first.visit.id, second.visit.id]
    assert np.einsum("nk,nk->n", matrix.vectors, matrix.vectors) == pytest.approx([1, 1], abs=1e-6)


def test_a_vector_of_another_length_is_left_out(store, add):
    case = add(1, 20)
    odd = add(2, 10)
    store.keep_features(odd.visit.id, MODEL, np.ones(7, dtype=np.float32))
    assert ids(search(store)) == [case.visit.id]
    store.keep_features(odd.visit.id, MODEL, np.zeros(4, dtype=np.float32))  # no angle at all
    assert [round(case.similarity, 2) for case in search(store)] == [0.94, 0.0]


def test_an_archive_without_features_has_no_similar_cases(store, save):
    save(1)
    assert search(store) == ()


def test_visits_that_lack_features_are_named(store, save, add):
    first, second, third = save(1), add(2, 0), add(3, 0, OTHER_MODEL)
    assert store.visits_without_features(MODEL) == (first.visit.id, third.visit.id)
    assert store.visits_without_features(MODEL, after=first.visit.id) == (third.visit.id,)
    assert store.visits_without_features(MODEL, most=1) == (first.visit.id,)
    assert store.visits_without_features(OTHER_MODEL) == (first.visit.id, second.visit.id)


def test_features_belong_to_a_case(store, save):
    save(1)
    with pytest.raises(CaseNotFound):
        store.keep_features(99, MODEL, at(0))


def test_the_export_holds_the_features(store, add):
    case = add(1, 0)
    with zipfile.ZipFile(io.BytesIO(store.export_patient(case.patient.id))) as archive:
        document = json.loads(archive.read("patient.json"))
    assert document["lesions"][0]["visits"][0]["features"] == {"model_sha256": MODEL, "values": [3, 0, 0, 0]}
