"""ISIC metadata: every value is one that the archive's own package takes, and what it has no word for is left empty."""

import csv
from pathlib import Path

import pytest
from isic_metadata.metadata import MetadataBatch, MetadataRow

from skinlens.body_sites import BODY_SITES
from skinlens.cli import main
from skinlens.clinical import Histology
from skinlens.exchange.isic import FIELDS, site_of
from skinlens.labels import CODES, DISCLAIMER
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from tests.new_store import new_store
from tests.store import samples
from tests.store.edits import edit


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    """Signed cases of every class and site, a draft without a patient, and one with histology."""
    store = new_store(skinlens_home)
    for number, site in enumerate(BODY_SITES):
        patient = NewPatient(f"Müller-{number}", 1930 + 3 * number, ("female", "male", "other")[number % 3])
        reading = ClinicianReading(CODES[number % len(CODES)])
        visit = NewVisit(patient, NewLesion(site.name), "2020-05-06", reading=reading, status="signed")
        store.save_case(samples.analysis(samples.photo(number)), visit)
    draft = store.save_case(samples.analysis(samples.photo(90)), NewVisit(None, NewLesion("somewhere"), "2020-05-06"))
    with_histology = store.save_case(
        samples.analysis(samples.photo(91)),
        NewVisit(None, NewLesion("back"), "2020-05-06", reading=ClinicianReading("nv"), status="signed"),
    )
    visit = with_histology.visit
    edit(store, visit.id, histology=Histology("mel", "SSM", "2020-05-20"), expected_version=visit.version)
    assert draft.visit.status == "draft"
    return store


def exported(folder: Path, *options: str) -> list[dict[str, str]]:
    assert main(["isic-export", str(folder), *options]) == 0
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_archives_own_package_takes_every_row(store: CaseStore, tmp_path: Path) -> None:
    rows = exported(tmp_path / "isic")
    assert len(rows) == len(BODY_SITES) + 2
    assert tuple(rows[0]) == FIELDS
    known = []
    for row in rows:
        given = {**row, "age": row["age_approx"]}
        checked = MetadataRow(**given)
        assert set(checked.unstructured) == {"filename", "age_approx", "diagnosis_class", "photo_sha256"}
        known.append(checked)
    MetadataBatch(items=known)
    first = known[0]
    assert (first.age, first.sex, first.patient_id) == (85, "female", "patient-000001")
    assert first.anatom_site_general == "head/neck"
    assert {one.diagnosis_1 for one in known} == {None, "Benign", "Malignant"}
    text = (tmp_path / "isic" / "metadata.csv").read_text(encoding="utf-8")
    assert "Müller" not in text  # no pseudonym leaves
    assert DISCLAIMER in (tmp_path / "isic" / "README.txt").read_text(encoding="utf-8")


def test_histology_goes_before_the_diagnosis_and_a_draft_has_none(store: CaseStore, tmp_path: Path) -> None:
    rows = exported(tmp_path / "isic")
    draft, histology = rows[-2:]
    assert (draft["diagnosis"], draft["diagnosis_confirm_type"], draft["diagnosis_class"]) == ("", "", "")
    assert (draft["anatom_site_general"], draft["patient_id"], draft["age_approx"]) == ("", "", "")
    assert histology["diagnosis"].endswith("Melanoma, NOS")
    assert histology["diagnosis_confirm_type"] == "histopathology"
    actinic = rows[CODES.index("akiec")]
    assert (actinic["diagnosis"], actinic["diagnosis_class"]) == ("", "akiec")  # two diagnoses of the archive
    nevus = rows[CODES.index("nv")]
    assert nevus["diagnosis_confirm_type"] == "single contributor clinical assessment"


@pytest.mark.parametrize(
    ("site", "region"),
    [
        ("back", "posterior torso"),
        ("Back of the hand, left", "upper extremity"),
        ("palm or sole", "palms/soles"),
        ("upper arm", "upper extremity"),
        ("chest and back", ""),
        ("trunk", ""),
        ("forearm", "upper extremity"),
        ("flank", "lateral torso"),
        ("groin, right", "anterior torso"),
        ("armpit", "upper extremity"),
        ("ankle", "lower extremity"),
        ("shoulder blade", "posterior torso"),
        ("side of the head", "head/neck"),
        ("", ""),
    ],
)
def test_a_site_is_named_where_the_archive_has_it(site: str, region: str) -> None:
    assert site_of(site) == region


def test_photos_on_request_and_never_over_what_is_there(store: CaseStore, tmp_path: Path) -> None:
    folder = tmp_path / "isic"
    rows = exported(folder, "--with-photos")
    assert sorted(path.name for path in (folder / "photos").iterdir()) == [row["filename"] for row in rows]
    before = (folder / "metadata.csv").read_bytes()
    assert main(["isic-export", str(folder)]) == 2
    assert (folder / "metadata.csv").read_bytes() == before
