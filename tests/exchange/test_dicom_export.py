"""DICOM objects of a case: valid, the same each time, and naming the patient by the pseudonym alone."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pypdf import PdfReader

from skinlens.case_record import CaseRecord
from skinlens.cli import main
from skinlens.dicom_uid import MAX_UID, UUID_ROOT, uid
from skinlens.errors import InvalidEntry
from skinlens.exchange.dicom.objects import LONGEST_PX, objects
from skinlens.explain.overlay import overlay
from skinlens.imaging import intake
from skinlens.imaging.intake.dicom import BURNED_IN
from skinlens.imaging.preprocess import InputSpec
from skinlens.labels import DISCLAIMER
from skinlens.records import Photo
from skinlens.settings import Settings
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from tests.dicom_files import plain
from tests.new_store import new_store
from tests.store import samples

ROOT = "1.2.826.0.1.3680043.10.1234"
SC, PDF = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.104.1"


def save(store: CaseStore, photo: Photo, patient: NewPatient | None = None) -> int:
    visit = NewVisit(patient, NewLesion("back", "left of the spine"), "2025-03-04", ClinicianReading("mel"))
    return store.save_case(samples.analysis(photo), visit, samples.three_explanations(photo)).visit.id


@dataclass(frozen=True)
class Exported:
    home: Path
    folder: Path
    files: dict[str, Dataset]
    record: CaseRecord


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A case with three maps, and its objects. Read only."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("exported")
    store = CaseStore(home)
    number = save(store, samples.photo(1, 90, 320), NewPatient("P-7 é", 1961, "female"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKINLENS_HOME", str(home))
        files = exported(number, folder)
    return Exported(home, folder, files, store.load(number))


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    return new_store(skinlens_home)


@pytest.fixture
def number(store: CaseStore) -> int:
    """Of a case with three maps."""
    return save(store, samples.photo(1, 90, 320), NewPatient("P-7 é", 1961, "female"))


def exported(number: int, out: Path, *further: str) -> dict[str, Dataset]:
    assert main(["dicom", "export", str(number), "--out", str(out), *further]) == 0
    return {path.name: dcmread(path) for path in sorted(out.glob("*.dcm"))}


def test_each_map_is_a_secondary_capture_of_the_overlay(once: Exported) -> None:
    made, record = once.files, once.record
    assert [*made] == [
        "case-000001-map-01-grad_cam-mel.dcm",
        "case-000001-map-02-score_cam-mel.dcm",
        "case-000001-map-03-lime-mel.dcm",
        "case-000001-report.dcm",
    ]
    for (name, one), explanation in zip(made.items(), record.explanations, strict=False):
        assert one.SOPClassUID == SC, name
        drawn = overlay(record.photo, explanation.heatmap, InputSpec())
        assert one.Rows > 90
        assert one.Columns == 320
        assert np.array_equal(one.pixel_array[:90], drawn)
        assert one.ImageType == ["DERIVED", "SECONDARY"]
        assert "what supports melanoma" in one.DerivationDescription
        assert record.photo.sha256 in one.DerivationDescription
        assert one.ImageComments.startswith(DISCLAIMER)
        assert one.BurnedInAnnotation == "NO"
        assert one.LossyImageCompression == "01"
        assert "SourceImageSequence" not in one


def test_the_report_is_the_pdf_of_the_case(once: Exported) -> None:
    made = once.files["case-000001-report.dcm"]
    assert made.SOPClassUID == PDF
    assert made.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert made.DocumentTitle == f"Dermoscopy report, case 1, Draft. {DISCLAIMER}"
    assert made.VerificationFlag == "UNVERIFIED"
    pages = PdfReader(BytesIO(made.EncapsulatedDocument[: made.EncapsulatedDocumentLength])).pages
    assert "Grad-CAM" in " ".join(page.extract_text() for page in pages)


def test_patient_and_model_are_named_as_they_may_be(once: Exported) -> None:
    made = once.files
    for one in made.values():
        assert (one.PatientID, str(one.PatientName), one.PatientSex) == ("P-7 é", "P-7 é", "F")
        assert (one.PatientBirthDate, one.PatientIdentityRemoved) == ("", "YES")
        assert samples.MODEL.sha256 in one.SoftwareVersions
        (equipment,) = one.ContributingEquipmentSequence
        assert list(equipment.SoftwareVersions) == [samples.MODEL.sha256, samples.MODEL.version]
        assert DISCLAIMER in equipment.ContributionDescription
    assert all(one.SOPInstanceUID.startswith("2.25.") for one in made.values())
    assert len({one.StudyInstanceUID for one in made.values()}) == 1
    assert len({one.SeriesInstanceUID for one in made.values()}) == 2
    assert len({one.SOPInstanceUID for one in made.values()}) == 4


def test_the_same_case_gives_the_same_bytes_and_another_content_another_identifier(
    store: CaseStore, number: int, tmp_path: Path
) -> None:
    first, again = exported(number, tmp_path / "first"), exported(number, tmp_path / "again")
    for name in first:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    case = store.case(number)
    store.annotate(number, ClinicianReading("nv"), status="draft", expected_version=case.visit.version)
    later = exported(number, tmp_path / "later")
    changed = {name for name in again if later[name].SOPInstanceUID != again[name].SOPInstanceUID}
    assert changed == {"case-000001-report.dcm"}
    assert {one.StudyInstanceUID for one in (*again.values(), *later.values())} == {first[name].StudyInstanceUID}


def test_identifiers_begin_with_the_root_of_the_settings(store: CaseStore, number: int, tmp_path: Path) -> None:
    store.keep_settings(Settings(dicom_uid_root=ROOT), read=Settings())
    found = [
        value
        for one in exported(number, tmp_path / "own").values()
        for value in (one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID)
    ]
    assert all(value.startswith(f"{ROOT}.") and len(value) <= MAX_UID and value.is_valid for value in found)


@pytest.mark.parametrize("typed", ["1.02.3", "1", "2.x", "3.1", f"1.2.{'9' * 30}"])
def test_what_is_no_root_is_refused(store: CaseStore, typed: str) -> None:
    with pytest.raises(InvalidEntry, match="is no root of DICOM identifiers: expected numbers joined by points"):
        store.keep_settings(Settings(dicom_uid_root=typed), read=Settings())
    assert store.keep_settings(Settings(dicom_uid_root=" "), read=Settings()).settings.dicom_uid_root == UUID_ROOT


def test_identifiers_are_those_of_what_is_named() -> None:
    assert uid(UUID_ROOT, "study", "a") == uid(UUID_ROOT, "study", "a")
    assert len({uid(root, *words) for root in (UUID_ROOT, ROOT) for words in (("a",), ("b",), ("a", "b"))}) == 6
    longest = "1." + "2" * 30
    assert len(uid(longest, "a")) <= MAX_UID


def test_the_source_is_named_where_its_file_is_shown(store: CaseStore, tmp_path: Path) -> None:
    from PIL import Image

    file = tmp_path / "photo.dcm"
    file.write_bytes(plain(Image.fromarray(samples.photo(5, 90, 120).pixels)))
    number = save(store, intake.read_photo_file(file))
    named = dcmread(file).SOPInstanceUID
    made = exported(number, tmp_path / "out", "--source", str(file))
    for name, one in made.items():
        (source,) = one.SourceInstanceSequence if "report" in name else one.SourceImageSequence
        assert source.ReferencedSOPInstanceUID == named
    assert "Doe" not in str(made)


def test_a_source_with_another_photo_is_refused(
    number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    file = tmp_path / "photo.dcm"
    file.write_bytes(plain(Image.fromarray(samples.photo(6, 90, 120).pixels)))
    out = tmp_path / "out"
    assert main(["dicom", "export", str(number), "--out", str(out), "--source", str(file)]) == 2
    assert "The file holds another photo than the case" in capsys.readouterr().err
    assert not out.exists()


def test_a_case_without_a_patient_has_an_identifier_of_its_own(store: CaseStore) -> None:
    numbers = save(store, samples.photo(2)), save(store, samples.photo(3))
    found = {one.dataset.PatientID for number in numbers for one in objects(store.load(number), b"%PDF-1.7")}
    assert len(found) == 2
    assert all(re.fullmatch("SkinLens-[0-9a-f]{12}", one) for one in found)


@pytest.mark.parametrize("pseudonym", ["P\\7", "Doe^7", "P" * 65])
def test_a_pseudonym_that_dicom_cannot_hold_is_refused(store: CaseStore, pseudonym: str) -> None:
    record = store.load(save(store, samples.photo(4), NewPatient(pseudonym)))
    with pytest.raises(InvalidEntry, match="The patient ID of case 1 cannot be written in DICOM"):
        objects(record, b"%PDF-1.7")


def test_writing_that_the_photo_s_file_told_of_is_told_again_and_a_large_photo_is_reduced(store: CaseStore) -> None:
    large = samples.photo(7, 200, LONGEST_PX + 400, notes=(BURNED_IN,))
    made = objects(store.load(save(store, large)), b"%PDF-1.7")[0].dataset
    assert made.BurnedInAnnotation == "YES"
    assert made.Columns == LONGEST_PX
    assert "Reduced to 2000 by 167 pixels." in made.DerivationDescription


def test_an_export_is_in_the_audit_log(once: Exported) -> None:
    last = CaseStore(once.home).audit_entries()[-1]
    assert (last.kind, last.action, last.object_number) == ("visit", "exported", once.record.visit.id)


def test_dciodvfy_finds_no_error(once: Exported, store: CaseStore, tmp_path: Path) -> None:
    """Debian's dicom3tools: the standard's tables, checked attribute by attribute."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: apt-get install dicom3tools)")
    exported(save(store, samples.photo(8)), tmp_path)  # without a patient
    kinds = set()
    for file in (*sorted(once.folder.glob("*.dcm")), tmp_path / "case-000001-map-01-grad_cam-mel.dcm"):
        done = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, timeout=60, check=False)
        said = (done.stdout + done.stderr).splitlines()
        assert not [line for line in said if line.startswith("Error")], file.name
        kinds |= {line for line in said if line in {"SCImage", "EncapsulatedPDF"}}
    assert kinds == {"SCImage", "EncapsulatedPDF"}


def test_maps_and_report_are_of_one_moment(
    store: CaseStore, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, load = [], CaseStore.load

    def noted(store: CaseStore, visit_id: int, **parts: bool) -> CaseRecord:
        read.append((visit_id, parts))
        return load(store, visit_id, **parts)

    monkeypatch.setattr(CaseStore, "load", noted)
    files = exported(number, tmp_path / "out")
    assert read == [(number, {"with_previous": True})]
    assert len(files) == 4
