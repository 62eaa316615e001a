"""Similar cases from the photo on: kept at saving, made up for later, of the installed model alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skinlens import pipeline
from skinlens.case_record import Analysis
from skinlens.errors import Cancelled
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import Classifier
from skinlens.records import LIKENESS, ModelRef, QualityCheck, QualityReport
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from skinlens.store.similar import fill_features, find_similar
from tests.new_store import new_store


@pytest.fixture(scope="module")
def classifier(release: Path) -> Classifier:
    return pipeline.load_classifier(release)


def analyzed(classifier: Classifier, seed: int) -> Analysis:
    photo = photo_from_pixels(draw_synthetic_lesion(seed, 120, 90), "PNG", ())
    return replace(pipeline.analyze_photo(photo, classifier), quality=QualityReport(()))


def saved(store: CaseStore, analysis: Analysis, pseudonym: str) -> int:
    visit = NewVisit(NewPatient(pseudonym), NewLesion("back"), "2026-01-02", ClinicianReading("nv"))
    case = store.save_case(analysis, visit)
    return case.visit.id


def test_a_reading_carries_the_features_before_the_last_layer(classifier: Classifier) -> None:
    analysis = analyzed(classifier, 1)
    head = classifier.engine.head
    assert analysis.features is not None
    logits = head.output_weight @ analysis.features + head.output_bias
    assert logits == pytest.approx(np.array(analysis.prediction.logits), abs=1e-4)
    assert (analysis.features >= 0).all()
    assert np.array_equal(classifier.features(analysis.photo), analysis.features)


def test_a_saved_case_is_found_by_its_own_photo(classifier: Classifier, tmp_path: Path) -> None:
    store = new_store(tmp_path / "home")
    first, second = analyzed(classifier, 1), analyzed(classifier, 2)
    number, other = saved(store, first, "P-1"), saved(store, second, "P-2")
    found = find_similar(store, classifier, first, confirmed_only=False)
    assert [case.visit_id for case in found] == [number, other]
    assert found[0].similarity == pytest.approx(1, abs=1e-3)
    assert found[1].similarity < found[0].similarity
    assert find_similar(store, classifier, first) == ()  # neither is signed
    own = store.case(number)
    again = replace(first, features=None)  # as of a case that was opened
    assert own.patient is not None
    found = find_similar(
        store, classifier, again, patient_id=own.patient.id, lesion_id=own.lesion.id, confirmed_only=False
    )
    assert [(case.visit_id, case.relation) for case in found] == [(other, "another patient")]


def test_features_of_old_cases_are_made_up_for(classifier: Classifier, tmp_path: Path) -> None:
    store = new_store(tmp_path / "home")
    analyses = [analyzed(classifier, seed) for seed in (1, 2, 3)]
    numbers = [saved(store, replace(one, features=None), f"P-{place}") for place, one in enumerate(analyses)]
    lost = next(store.home.glob(f"files/*/{store_file(store, numbers[1])}"))
    lost.unlink()
    told: list[float] = []
    assert find_similar(store, classifier, analyses[0], confirmed_only=False) == ()
    assert fill_features(store, classifier, progress=told.append) == 2
    assert told == pytest.approx([0, 1 / 3, 2 / 3])
    found = find_similar(store, classifier, analyses[0], confirmed_only=False)
    assert {case.visit_id for case in found} == {numbers[0], numbers[2]}
    assert fill_features(store, classifier) == 0


def store_file(store: CaseStore, visit_id: int) -> str:
    with store._reading() as db:
        return str(next(iter(db.query("SELECT photo_file FROM visit WHERE id = ?", [visit_id])))["photo_file"])


def test_filling_can_be_stopped(classifier: Classifier, tmp_path: Path) -> None:
    store = new_store(tmp_path / "home")
    saved(store, replace(analyzed(classifier, 1), features=None), "P-1")

    def stop(_: float) -> None:
        raise Cancelled("Stopped by the user.")

    with pytest.raises(Cancelled):
        fill_features(store, classifier, progress=stop)


def test_a_case_of_another_model_is_searched_for_with_the_installed_one(classifier: Classifier, tmp_path: Path) -> None:
    store = new_store(tmp_path / "home")
    analysis = analyzed(classifier, 1)
    number = saved(store, analysis, "P-1")
    other = replace(analysis.prediction, model=ModelRef("old", "0", "cd" * 32))
    assert analysis.features is not None
    old = replace(analysis, prediction=other, features=np.ones_like(analysis.features))
    (found,) = find_similar(store, classifier, old, confirmed_only=False)
    assert (found.visit_id, round(found.similarity, 2)) == (number, 1)


def test_an_unreliable_photo_has_no_similar_cases(classifier: Classifier, tmp_path: Path) -> None:
    store = new_store(tmp_path / "home")
    analysis = analyzed(classifier, 1)
    saved(store, analysis, "P-1")
    strange = QualityReport((QualityCheck(LIKENESS, "Distance", 9.0, 1.0, "at most", "", False, "Again."),))
    unreliable = replace(analysis, quality=strange)
    assert find_similar(store, classifier, unreliable, confirmed_only=False) == ()
