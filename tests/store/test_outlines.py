"""Outlines are kept, replaced, exported and erased with their case, and the trail says who made them."""

import json
import zipfile
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skinlens.errors import CaseNotFound, Conflict, InvalidEntry
from skinlens.records import Outline
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.store import samples

SHARE = st.floats(0, 1)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory):
    return CaseStore(tmp_path_factory.mktemp("shared"))


@pytest.mark.slow
@given(st.lists(st.tuples(SHARE, SHARE), min_size=3, max_size=64), st.sampled_from(["model", "clinician"]))
@settings(max_examples=20)
def test_any_outline_comes_back_as_it_was_saved(shared_store, points, made_by):
    photo = samples.photo()
    outline = Outline(tuple(points), made_by, photo.sha256, samples.MODEL, "2024-05-31T09:30:00+00:00")
    case = shared_store.save_case(
        samples.analysis(photo),
        NewVisit(None, NewLesion("back"), "2024-05-31"),
        outlines=(outline,),
    )
    assert shared_store.outlines(case.visit.id) == (outline,)


def test_what_is_kept_replaces_what_was_and_the_trail_says_who_made_it(store, save):
    photo = samples.photo()
    visit_id = save(photo=photo).visit.id
    model, clinician = samples.outline(photo), samples.outline(photo, "clinician", 0.2)
    store.keep_outlines(visit_id, (model,), expected=())
    store.keep_outlines(visit_id, (clinician, model), expected=(model,))
    assert store.outlines(visit_id) == (model, clinician)
    store.keep_outlines(visit_id, (model,), expected=(model, clinician))
    assert store.outlines(visit_id) == (model,)
    trail = [dict(one.changes) for one in store.revisions(visit_id) if one.action == "outlined"]
    assert trail == [
        {"outlines": (None, "model")},
        {"outlines": ("model", "model, clinician")},
        {"outlines": ("model, clinician", "model")},
    ]


def test_an_outline_that_another_window_corrected_is_not_overwritten(store, save):
    photo = samples.photo()
    visit_id = save(photo=photo).visit.id
    model, clinician = samples.outline(photo), samples.outline(photo, "clinician", 0.2)
    store.keep_outlines(visit_id, (model, clinician), expected=())
    other = samples.outline(photo, "clinician", 0.1)
    for stale in ((model,), (model, other)):
        with pytest.raises(Conflict, match="The outline of this case was changed in another window") as conflict:
            store.keep_outlines(visit_id, stale, expected=())
        assert conflict.value.fields == {"outlines": ((model, clinician), stale)}
    assert store.outlines(visit_id) == (model, clinician)
    store.keep_outlines(visit_id, (clinician, model), expected=())  # the same as is stored: nothing is lost


def test_the_outline_of_another_photo_is_refused_and_none_is_kept(store, save):
    photo = samples.photo(1)
    kept = samples.outline(photo)
    visit_id = save(photo=photo, outlines=(kept,)).visit.id
    foreign = samples.outline(samples.photo(2), "clinician")
    for refused in (
        lambda: store.keep_outlines(visit_id, (foreign,), expected=(kept,)),
        lambda: save(photo=photo, outlines=(foreign,)),
    ):
        with pytest.raises(InvalidEntry, match=r"made on another photo .* Outline this photo again\."):
            refused()
    assert store.outlines(visit_id) == (kept,)
    assert store.search().total == 1
    for door in (store.outlines, lambda number: store.keep_outlines(number, (kept,), expected=())):
        with pytest.raises(CaseNotFound):
            door(99)


def test_outlines_are_exported_and_erased_with_the_case(store, save):
    photo = samples.photo(1)
    outline = samples.outline(photo, "clinician")
    case = save(photo=photo, patient=NewPatient("P-1"), outlines=(outline,))
    with zipfile.ZipFile(BytesIO(store.export_patient(case.patient.id))) as archive:
        (exported,) = json.loads(archive.read("patient.json"))["lesions"][0]["visits"][0]["outlines"]
    assert exported["made_by"] == "clinician"
    assert tuple(map(tuple, exported["points"])) == outline.points
    store.delete_visit(case.visit.id)
    with store._reading() as db:
        assert list(db.query("SELECT * FROM outline")) == []
