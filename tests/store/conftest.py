"""A store in a folder of the test's own, and the short way to a case in it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyrage
import pytest

from skinlens.case_record import Analysis
from skinlens.errors import Conflict
from skinlens.records import Case
from skinlens.settings import Settings
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.new_store import new_store
from tests.store import samples
from tests.store.edits import of_patient

SaveCase = Callable[..., Case]


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path / "home")


@pytest.fixture
def save(store: CaseStore) -> SaveCase:
    """Save a case whose photo differs with ``seed``; everything else can be given as to ``save_case``,
    ``NewVisit`` and ``samples.reading``.

    A patient is found by the pseudonym.
    """

    def save(seed: int = 0, *, maps: bool = False, **given: Any) -> Case:
        photo = given.pop("photo", None) or samples.photo(seed)
        quality, prediction = given.pop("quality", samples.QUALITY), given.pop("prediction", samples.prediction())
        analysis = Analysis(photo, quality, prediction)
        made = {name: given.pop(name) for name in ("explanations", "checks", "outlines") if name in given}
        made.setdefault("explanations", samples.three_explanations(photo) if maps else ())
        typed = NewPatient("P-0001", 1960, "female"), NewLesion("back"), "2024-05-31"
        said = samples.reading(given, label="nv" if given.get("status") == "signed" else None)
        visit = replace(NewVisit(*typed, said), **given)
        try:
            return store.save_case(analysis, visit, **made)
        except Conflict as conflict:
            if conflict.subject != "patient":
                raise
        assert isinstance(visit.patient, NewPatient)
        known = of_patient(store, *visit.patient)  # as whoever answers that it is the same person
        return store.save_case(analysis, replace(visit, patient=known), **made)

    return save


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the seconds that a passphrase is meant to cost, for tests of what comes after it."""
    by_passphrase = SimpleNamespace(encrypt=lambda data, _: data, decrypt=lambda data, _: data)
    monkeypatch.setattr(pyrage, "passphrase", by_passphrase)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where backups go; it is new."""
    return tmp_path / "stick"


@pytest.fixture
def stocked(store: CaseStore, save: SaveCase) -> CaseStore:
    """Three cases of two patients, one with maps, and settings."""
    save(0, maps=True, notes="the first")
    save(1)
    save(2, patient=NewPatient("P-0002", 1950, "male"))
    store.keep_settings(Settings(clinic_name="Skin Clinic"), read=Settings())
    return store


@pytest.fixture
def made(stocked: CaseStore, folder: Path) -> Path:
    """A backup of ``stocked``."""
    return Path(stocked.back_up(folder).path)
