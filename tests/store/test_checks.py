"""Checks are kept, replaced, read, exported and erased with their case."""

import json
import zipfile
from dataclasses import asdict, replace
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skinlens.errors import CaseNotFound, InvalidEntry
from skinlens.records import CheckResult
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.store import samples

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
JSON = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
MAPPINGS = st.dictionaries(TEXTS, JSON, max_size=4)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory):
    return CaseStore(tmp_path_factory.mktemp("shared"))


@pytest.mark.slow
@given(
    kind=TEXTS,
    label=TEXTS,
    method=st.sampled_from(["", "grad_cam", "lime"]),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    mappings=st.tuples(MAPPINGS, MAPPINGS),
    duration_ms=st.floats(0, allow_nan=False),
)
@settings(max_examples=40)
def test_any_check_comes_back_as_it_was_saved(shared_store, kind, label, method, seed, mappings, duration_ms):
    photo = samples.photo()
    check = CheckResult(
        kind, label, method, photo.sha256, samples.MODEL, seed, *mappings, duration_ms, "2024-05-31T09:30"
    )
    case = shared_store.save_case(
        samples.analysis(photo),
        NewVisit(None, NewLesion("back"), "2024-05-31"),
        checks=(check,),
    )
    (back,) = shared_store.load(case.visit.id).checks
    assert back == check
    assert back.identity == check.identity


def test_figures_come_back_in_their_order(store, save):
    """A check may have a table in a mapping: left, right, top, bottom."""
    figures = {"sides": {"left": 0.1, "right": 0.2, "bottom": {"z": 1, "a": 2}}, "before": 0.3}
    photo = samples.photo()
    case = save(photo=photo, checks=(samples.check(photo, figures=figures),))
    (check,) = store.load(case.visit.id).checks
    assert json.dumps(check.figures) == json.dumps(figures)


def test_figures_that_an_earlier_version_stored_are_read_under_their_present_keys(store, save):
    figures = {"inside": 0.7, "pointing": 1.0, "effects": [{"artefact": "ink", "change": 0.1}]}
    photo = samples.photo()
    case = save(photo=photo, checks=(samples.check(photo, figures=figures),))
    (check,) = store.load(case.visit.id).checks
    effects = [{"artifact": "ink", "change": 0.1}]
    assert check.figures == {"relevance_mass": 0.7, "pointing_game": 1.0, "effects": effects}


def test_a_check_takes_the_place_of_the_same_one_alone(store, save):
    photo = samples.photo()
    one = samples.check(photo, method="lime", settings={"a": 1, "b": [2.5, None]})
    visit_id = save(photo=photo, checks=(one,)).visit.id
    others = (
        replace(one, kind="stability"),
        replace(one, label="nv"),
        replace(one, method="grad_cam"),
        replace(one, settings={"a": 2, "b": [2.5, None]}),
    )
    again = replace(one, settings={"b": [2.5, None], "a": 1}, figures={"gain": 0.5}, seed=8)
    store.add_checks(visit_id, (*others, again))
    assert store.load(visit_id).checks == (*others, again)
    store.add_checks(visit_id, ())
    actions = [(revision.action, dict(revision.changes)) for revision in store.revisions(visit_id)]
    assert actions == [
        ("created", {"taken_on": (None, "2024-05-31"), "status": (None, "draft")}),
        (
            "checked",
            {
                "checks": (
                    None,
                    "stability lime mel, faithfulness lime nv, faithfulness grad_cam mel, faithfulness lime mel",
                )
            },
        ),
    ]


def test_checks_of_another_photo_are_refused_and_none_is_kept(store, save):
    photo = samples.photo(1)
    visit_id = save(photo=photo).visit.id
    foreign = samples.check(samples.photo(2))
    for refused in (
        lambda: store.add_checks(visit_id, (samples.check(photo), foreign)),
        lambda: save(photo=photo, checks=(foreign,)),
    ):
        with pytest.raises(InvalidEntry, match=r"made on another photo .* Check this photo again\."):
            refused()
    assert store.load(visit_id).checks == ()
    assert store.search().total == 1
    for door in (store.load, lambda number: store.add_checks(number, (foreign,))):
        with pytest.raises(CaseNotFound):
            door(99)


def test_checks_are_exported_and_erased_with_the_case(store, save):
    photo = samples.photo(1)
    check = samples.check(photo, figures={"secret": "popliteal", "steps": [0.1, float("inf")]})
    case = save(photo=photo, patient=NewPatient("P-1"), checks=(check,))
    save(2, patient=NewPatient("P-2"))
    with zipfile.ZipFile(BytesIO(store.export_patient(case.patient.id))) as archive:
        (exported,) = json.loads(archive.read("patient.json"))["lesions"][0]["visits"][0]["checks"]
    said = {"title": "Faithfulness", "summary": ""}  # none can be made of these figures
    assert exported == asdict(check) | {"figures": {"secret": "popliteal", "steps": [0.1, None]}} | said
    store.delete_visit(case.visit.id)
    left = [path.name for path in store.home.rglob("*") if path.is_file() and b"popliteal" in path.read_bytes()]
    assert left == []
    with store._reading() as db:
        assert list(db.query("SELECT * FROM check_result")) == []
