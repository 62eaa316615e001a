"""A lesion's place on the body map: kept exactly, refused where it is none, in the trail and the export, erased."""

import io
import json
import sqlite3
import zipfile
from contextlib import closing

import pytest

from skinlens.errors import Conflict, InvalidEntry
from skinlens.records import BodyPosition
from skinlens.store import NewLesion, NewPatient
from tests.store.test_migrations import old_store

PLACE = BodyPosition("back", 0.1 + 0.2, 1 / 3)


def test_a_lesion_is_placed_moved_and_taken_off_again(store, save):
    lesion = save().lesion
    assert lesion.position is None
    placed = store.place_lesion(lesion.id, PLACE, expected_version=lesion.version)
    assert (placed.position, placed.version) == (PLACE, lesion.version + 1)
    assert store.lesions(1)[0].position == store.case(1).lesion.position == PLACE
    moved = store.place_lesion(lesion.id, BodyPosition("head-left", 0.0, 1.0), expected_version=placed.version)
    assert moved.position == BodyPosition("head-left", 0.0, 1.0)
    assert store.place_lesion(lesion.id, None, expected_version=moved.version).position is None
    trail = [(one.action, one.changes) for one in store.revisions(1) if one.subject == "lesion"]
    first, last = "back, 30.0\u00a0% across, 33.3\u00a0% down", "head-left, 0.0\u00a0% across, 100.0\u00a0% down"
    assert trail == [
        ("placed", {"position": (None, first)}),
        ("placed", {"position": (first, last)}),
        ("placed", {"position": (last, None)}),
    ]


def test_placing_where_it_is_changes_nothing(store, save):
    lesion = save().lesion
    for _ in range(2):
        placed = store.place_lesion(lesion.id, PLACE, expected_version=lesion.version)
    assert placed.version == lesion.version + 1
    assert [one.action for one in store.revisions(1)].count("placed") == 1


def test_two_windows_do_not_move_a_lesion_over_each_other(store, save):
    lesion = save().lesion
    store.place_lesion(lesion.id, PLACE, expected_version=lesion.version)
    with pytest.raises(Conflict) as conflict:
        store.place_lesion(lesion.id, BodyPosition("front", 0.5, 0.5), expected_version=lesion.version)
    assert conflict.value.fields["map_view"] == ("back", "front")
    assert store.lesions(1)[0].position == PLACE


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"view": "left"}, "'left' is no view of the body map. Expected one of: front, back,"),
        ({"x": 1.01}, "1.01 is no position on the body map: across"),
        ({"y": float("nan")}, "nan is no position on the body map: down"),
        ({"x": "0.5"}, "'0.5' is no position on the body map: across"),
        ({"drawing": 2}, "There is no drawing 2 of the body map; this version knows 1 to 1."),
    ],
)
def test_what_is_no_place_is_refused(store, save, wrong, sentence):
    save()
    position = BodyPosition("front", 0.5, 0.5)
    vars(position).update(wrong)  # past the types, as what a browser sends
    with pytest.raises(InvalidEntry, match=sentence):
        store.place_lesion(1, position, expected_version=1)
    assert store.lesions(1)[0].position is None


def test_half_a_place_cannot_be_written(store, save):
    save()
    refused = pytest.raises(sqlite3.IntegrityError, match="CHECK")
    with store._writing() as db, refused:
        db.execute("UPDATE lesion SET map_view = 'front'")


def test_the_place_is_in_the_export_and_goes_with_the_patient(store, save):
    save()
    store.place_lesion(1, PLACE, expected_version=1)
    with zipfile.ZipFile(io.BytesIO(store.export_patient(1))) as archive:
        (lesion,) = json.loads(archive.read("patient.json"))["lesions"]
    assert lesion["position"] == {"view": "back", "x": PLACE.x, "y": PLACE.y, "drawing": 1}
    store.delete_patient(1)
    with closing(sqlite3.connect(store.database)) as connection:
        assert connection.execute("SELECT count(*) FROM lesion").fetchone() == (0,)
    assert b"33.3 % down" not in store.database.read_bytes()


def test_a_lesion_keeps_its_place_when_its_site_is_corrected_and_its_visits_move(store, save):
    save()
    placed = store.place_lesion(1, PLACE, expected_version=1)
    assert store.edit_lesion(1, "chest", "", expected_version=placed.version).position == PLACE
    save(seed=1, patient=1, lesion=1)
    store.move_case(2, patient=1, lesion=NewLesion("thigh"), expected_version=1)
    assert [one.position for one in store.lesions(1)] == [PLACE, None]


def test_lesions_of_an_older_case_file_are_not_placed_and_can_be(tmp_path):
    store = old_store(tmp_path, 17)
    assert store.lesions(1)[0].position is None
    assert store.place_lesion(1, PLACE, expected_version=1).position == PLACE


def test_all_visits_of_a_patient_come_by_lesion(store, save):
    save(taken_on="2024-05-31")
    save(seed=1, patient=1, lesion=1, taken_on="2024-01-01")
    save(seed=2, patient=1, lesion=NewLesion("thigh"))
    save(seed=3, patient=NewPatient("P-2"))
    found = store.visits_of_patient(1)
    assert {lesion: [visit.id for visit in visits] for lesion, visits in found.items()} == {1: [2, 1], 2: [3]}
    assert found[1] == store.visits_of_lesion(1)
