"""The app that several files look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from skinlens import pipeline
from skinlens.explain import METHODS, explain
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.browser.test_journey import QUICK, served


@pytest.fixture(scope="session")
def stocked(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app with one stored case and its maps. Of all files: none may change the case."""
    home = tmp_path_factory.mktemp("stocked") / "home"
    with served(home, release) as address:
        store = CaseStore(home)
        store.acknowledge_disclaimer()
        classifier = pipeline.load_classifier(release)
        analysis = pipeline.example(classifier)
        maps = [explain(method, classifier, analysis.photo, "mel", params=QUICK[method]) for method in METHODS]
        patient = NewPatient("P-0147", 1961, "female")
        store.save_case(analysis, NewVisit(patient, NewLesion("forearm", "left"), "2024-05-06"), maps)
        yield address
