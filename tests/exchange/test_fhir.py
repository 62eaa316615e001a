"""FHIR: a visit is a valid Bundle, says which part a machine asserted, and names nobody."""

import base64
import hashlib
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.bundle import Bundle
from PIL import Image

from skinlens.case_record import Analysis
from skinlens.cli import main
from skinlens.exchange import fhir
from skinlens.labels import CODES, DISCLAIMER
from skinlens.records import LIKENESS, QualityCheck, QualityReport, Status
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from skinlens.wording.quality import UNRELIABLE
from tests.new_store import new_store
from tests.store import samples

SEVEN = NewPatient("P-7", 1961, "female")


def saved(store: CaseStore, status: Status = "draft", patient: NewPatient | None = SEVEN) -> int:
    reading = ClinicianReading("mel", "in situ <Breslow 0>", "itches") if status != "draft" else ClinicianReading()
    visit = NewVisit(patient, NewLesion("back", "left of the spine"), "2025-03-04", reading=reading, status=status)
    return store.save_case(samples.analysis(samples.photo(1)), visit).visit.id


def resources(content: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in content["entry"] if entry["resource"]["resourceType"] == kind]


def plain(value: Any) -> Any:
    """Times and numbers as what they are, however they are written."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, str) and "T" in value[10:11]:
        return datetime.fromisoformat(value)
    return float(value) if isinstance(value, int | float) else value


def bundle_of(store: CaseStore, number: int, *, with_photo: bool = False) -> dict[str, Any]:
    """As it is written and read back, validated as a whole and each resource by itself."""
    text = fhir.to_json(fhir.bundle(store.load(number, with_maps=False), with_photo=with_photo))
    content: dict[str, Any] = json.loads(text)
    validated = Bundle.model_validate(content)
    assert plain(json.loads(validated.model_dump_json())) == plain(content)  # nothing is lost on the way round
    for entry in content["entry"]:
        get_fhir_model_class(entry["resource"]["resourceType"]).model_validate(entry["resource"])
    return content


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    return new_store(skinlens_home)


def test_a_visit_is_a_valid_bundle(store: CaseStore) -> None:
    content = bundle_of(store, saved(store))
    kinds = [entry["resource"]["resourceType"] for entry in content["entry"]]
    assert kinds.count("Observation") == len(CODES)
    assert {*kinds} == {
        *("Patient", "BodyStructure", "Media", "Device", "Observation", "DiagnosticReport", "Provenance"),
    }
    addresses = [entry["fullUrl"] for entry in content["entry"]]
    assert len({*addresses}) == len(addresses)
    referred = {*_references(content)}
    assert referred
    assert referred <= {*addresses}, "a reference leads to nothing in the Bundle"


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["reference"]] if "reference" in value else []
        return own + [one for part in value.values() for one in _references(part)]
    return [one for part in value for one in _references(part)] if isinstance(value, list) else []


def test_what_the_model_said_is_marked_and_its_values_are_those_of_the_case(store: CaseStore) -> None:
    number = saved(store)
    content, visit = bundle_of(store, number), store.case(number).visit
    observations = resources(content, "Observation")
    assert [one["valueQuantity"]["value"] for one in observations] == list(visit.prediction.probs)
    for one in (*observations, *resources(content, "Provenance")):
        assert [label["code"] for label in one["meta"]["security"]] == ["AIAST"]
    melanoma = next(one for one in observations if "melanoma," in one["code"]["text"])
    assert melanoma["interpretation"] == [{"text": "Below the melanoma cut-off"}]
    assert melanoma["referenceRange"][0]["high"]["value"] == visit.prediction.melanoma_threshold.value
    (device,), (provenance,) = resources(content, "Device"), resources(content, "Provenance")
    assert device["identifier"][0]["value"] == visit.prediction.model.sha256
    assert device["version"][0]["value"] == visit.prediction.model.version
    assert len(provenance["target"]) == len(CODES)
    (report,) = resources(content, "DiagnosticReport")
    assert DISCLAIMER in report["text"]["div"]
    assert all(one["note"] == [{"text": DISCLAIMER}] for one in (device, *observations))


@pytest.mark.parametrize(("status", "expected"), [("draft", "preliminary"), ("signed", "final")])
def test_the_report_is_final_when_it_is_signed(store: CaseStore, status: Status, expected: str) -> None:
    (report,) = resources(bundle_of(store, saved(store, status)), "DiagnosticReport")
    assert report["status"] == expected
    assert ("conclusion" in report) == (status == "signed")


def test_a_later_change_is_an_amendment(store: CaseStore) -> None:
    number = saved(store, "signed")
    visit = store.case(number).visit
    store.annotate(number, ClinicianReading("nv", "", ""), status="amended", expected_version=visit.version)
    content = bundle_of(store, number)
    (report,) = resources(content, "DiagnosticReport")
    assert report["status"] == "amended"
    assert report["conclusion"] == "Clinician's diagnosis: melanocytic nevus"
    assert report["conclusionCode"][0]["coding"][0]["code"] == "D22.9"
    assert {one["status"] for one in resources(content, "Observation")} == {"final"}


def test_nothing_is_said_of_a_photo_unlike_the_training_photos(store: CaseStore) -> None:
    photo = samples.photo(2)
    quality = QualityReport(
        (QualityCheck(LIKENESS, "Similarity to training images", 9.0, 2.0, "at most", "", False, "Unfamiliar."),)
    )
    number = store.save_case(
        Analysis(photo, quality, samples.prediction("mel", 0.9)), NewVisit(None, NewLesion("back"), "2025-03-04")
    ).visit.id
    content = bundle_of(store, number)
    for one in resources(content, "Observation"):
        assert "valueQuantity" not in one
        assert "interpretation" not in one
        assert one["dataAbsentReason"]["text"] == UNRELIABLE
    (report,) = resources(content, "DiagnosticReport")
    assert UNRELIABLE in report["text"]["div"]
    assert not resources(content, "Patient")
    assert "subject" not in report


def test_the_photo_is_there_only_where_it_is_asked_for(store: CaseStore) -> None:
    number = saved(store)
    (plain,) = resources(bundle_of(store, number), "Media")
    assert "data" not in plain["content"]
    assert plain["identifier"][0]["value"] == store.case(number).visit.photo_sha256
    (whole,) = resources(bundle_of(store, number, with_photo=True), "Media")
    data = base64.b64decode(whole["content"]["data"])
    assert whole["content"]["hash"] == base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
    with Image.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), store.photo(number).pixels)


def test_ages_above_85_are_not_given(store: CaseStore) -> None:
    (patient,) = resources(bundle_of(store, saved(store, patient=NewPatient("P-8", 1920, "male"))), "Patient")
    assert "birthDate" not in patient
    (patient,) = resources(bundle_of(store, saved(store)), "Patient")
    assert patient == {
        "resourceType": "Patient",
        "identifier": [{"type": {"text": "Pseudonym"}, "value": "P-7"}],
        "gender": "female",
        "birthDate": "1961",
    }


def test_the_command_writes_the_same_bytes_each_time(
    store: CaseStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = saved(store)
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    for path in (first, second):
        assert main(["fhir-export", str(number), "--out", str(path)]) == 0
    assert first.read_bytes() == second.read_bytes()
    assert DISCLAIMER in capsys.readouterr().out
    assert main(["fhir-export", "99", "--out", str(tmp_path / "c.json")]) == 2
    assert not (tmp_path / "c.json").exists()
