"""Import of a collection: what was exported comes back as it was, a bad row stops nothing, and nothing is doubled."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from isic_metadata.diagnosis_hierarchical import DiagnosisEnum
from isic_metadata.fields import AnatomSiteGeneralEnum
from PIL import Image

from skinlens import pipeline
from skinlens.batch.collection import SITE_NOT_GIVEN
from skinlens.body_sites import WORDS_OF_ISIC_REGION
from skinlens.case_record import Analysis
from skinlens.cli import main
from skinlens.clinical import Histology
from skinlens.clock import today
from skinlens.errors import InvalidEntry
from skinlens.exchange.isic import class_of, site_of
from skinlens.exchange.isic_import import Collection, Row, read_collection
from skinlens.imaging.intake import read_trusted_photo
from skinlens.labels import CODES
from skinlens.records import Case
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from tests.store import samples
from tests.store.edits import edit

MELANOMA = "Malignant:Malignant melanocytic proliferations (Melanoma):Melanoma in situ"


@pytest.fixture(autouse=True)
def without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def analyzed(path: Path, _: object) -> Analysis:
        return samples.analysis(read_trusted_photo(path.read_bytes()))

    monkeypatch.setattr(pipeline, "load_classifier", lambda _: None)
    monkeypatch.setattr(pipeline, "analyze_file", analyzed)


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "collection"
    (folder / "photos").mkdir(parents=True)
    return folder


def written(folder: Path, rows: Sequence[dict[str, str]]) -> None:
    """The table of a collection, with a photo for each row that names one."""
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        table.writeheader()
        table.writerows(rows)
    for number, row in enumerate(rows):
        name = row.get("filename") or f"{row.get('isic_id')}.jpg"
        path = folder / "photos" / name
        if path.parent == folder / "photos" and not path.exists():
            Image.fromarray(samples.photo(number).pixels).save(path, "PNG")


def exported(folder: Path) -> list[dict[str, str]]:
    assert main(["isic-export", str(folder), "--with-photos"]) == 0
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cases(home: Path) -> list[Case]:
    store = CaseStore(home)
    return [store.case(number) for number in store.visit_numbers()]


def test_what_was_exported_comes_back_as_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKINLENS_HOME", str(tmp_path / "first"))
    store = CaseStore(tmp_path / "first")
    for number, region in enumerate([*WORDS_OF_ISIC_REGION.values()][::2]):
        patient = NewPatient(f"Müller-{number}", 1930 + 11 * number, ("female", "male", "unknown")[number % 3])
        reading = ClinicianReading(CODES[number % len(CODES)])
        visit = NewVisit(patient, NewLesion(region), f"20{12 + number}-05-06", reading=reading, status="signed")
        store.save_case(samples.analysis(samples.photo(number)), visit)
    first = store.case(1)
    store.set_phototype(first.lesion.patient_id or 0, 4, expected_version=1)
    # The same lesion ten years before, so that two ages of one patient have to come back.
    store.save_case(samples.analysis(samples.photo(80)), NewVisit(None, first.lesion.id, "2002-05-06"))
    store.save_case(samples.analysis(samples.photo(90)), NewVisit(None, NewLesion("somewhere"), "2020-05-06"))
    last = store.save_case(samples.analysis(samples.photo(91)), NewVisit(None, NewLesion("back"), "2020-05-06"))
    edit(store, last.visit.id, histology=Histology("mel", "SSM"), expected_version=last.visit.version)
    rows = exported(tmp_path / "collection")
    assert len({row["age_approx"] for row in rows if row["patient_id"] == "patient-000001"}) == 2

    monkeypatch.setenv("SKINLENS_HOME", str(tmp_path / "second"))
    assert main(["isic-import", str(tmp_path / "collection"), "--signed-by", "Dr. Lange"]) == 0
    assert f"{len(rows)} cases stored." in capsys.readouterr().out
    assert exported(tmp_path / "again") == rows
    found = cases(tmp_path / "second")
    assert {case.patient.pseudonym for case in found if case.patient} >= {"ISIC patient-000001"}
    assert {case.visit.signed_by for case in found if case.visit.status == "signed"} == {"Dr. Lange"}
    assert all("Müller" not in case.patient.pseudonym for case in found if case.patient)

    assert main(["isic-import", str(tmp_path / "collection"), "--signed-by", "Dr. Lange"]) == 0
    assert f"0 cases stored, {len(rows)} stored already." in capsys.readouterr().out
    assert len(cases(tmp_path / "second")) == len(rows)


def test_a_row_that_is_not_right_is_told_and_stops_nothing(
    collection: Path, skinlens_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"filename": "a.png", "patient_id": "P1", "lesion_id": "L1", "sex": "male", "age_approx": "45"}
    bad = {
        "sex": {"sex": "m"},
        "age": {"age_approx": "old"},
        "years": {"age_approx": "300"},
        "site": {"anatom_site_general": "elbow"},
        "diagnosis": {"diagnosis": "a mole"},
        "kind": {"image_type": "clinical: close-up"},
        "ulcer": {"mel_ulcer": "true"},
        "missing": {"filename": "none.png"},
        "above": {"filename": "../metadata.csv"},
        "absolute": {"filename": "/etc/passwd"},
        "other patient": {"lesion_id": "L1"},
        "other sex": {"patient_id": "P1", "sex": "female"},
    }
    rows = [good, *({"filename": f"{name}.png", **row} for name, row in bad.items()), {**good, "filename": "z.png"}]
    written(collection, rows)
    (collection / "photos" / "none.png").unlink()
    (collection / "photos" / "z.png").write_bytes(b"no photo")
    with (collection / "metadata.csv").open("a", encoding="utf-8") as file:
        file.write("b.png,too,few\n")
    assert main(["isic-import", str(collection)]) == 1
    said = capsys.readouterr()
    assert f"1 case stored, {len(bad) + 2} left out." in said.out
    told = {int(line.partition("row ")[2].partition(":")[0]): line for line in said.err.splitlines() if "row " in line}
    assert sorted(told) == list(range(3, 3 + len(bad) + 2))
    for number, words in {
        3: "sex", 5: "nobody is 300 years old", 6: "Unsupported value for anatom_site_general: 'elbow'",
        8: "“clinical: close-up”", 10: "not in the folder", 11: "leads out of", 12: "leads out of the folder",
        13: "L1 has other patients", 14: "P1 has other sexes", 16: "as many cells as the header",
    }.items():  # fmt: skip
        assert words in told[number]
    (case,) = cases(skinlens_home)
    assert case.patient is not None
    assert (case.patient.pseudonym, case.patient.sex) == ("ISIC P1", "male")
    assert int(case.visit.taken_on[:4]) - (case.patient.birth_year or 0) == 45


def rows_of(folder: Path, table: str, *photos: str) -> Collection:
    for name in photos:
        (folder / name).write_bytes(b"")
    (folder / "metadata.csv").write_text(table, encoding="utf-8-sig")
    return read_collection(folder)


@pytest.mark.parametrize("word", ["unknown", "Unknown ", "NA", "n/a", "nan", "NONE"])
def test_what_a_table_calls_unknown_is_not_given(collection: Path, word: str) -> None:
    names = ["age", "age_approx", "sex", "anatom_site_general", "diagnosis", "diagnosis_confirm_type"]
    names += ["fitzpatrick_skin_type", "patient_id", "lesion_id"]
    lines = [",".join(["filename", *names]), *(",".join([f"{name}.png", *([word] * 9)]) for name in "ab")]
    found = rows_of(collection, "\n".join(lines), "a.png", "b.png")
    assert found.problems == []
    assert found.rows == [Row(line, collection / f"{name}.png") for line, name in ((2, "a"), (3, "b"))]


@pytest.mark.parametrize(
    ("age", "years"), [("0", 0), ("45.0", 45), ("85", 85), ("85+", 85), ("97", 85), ("120", 85), ("", None)]
)
def test_an_age_that_somebody_may_have_is_taken(collection: Path, age: str, years: int | None) -> None:
    (row,) = rows_of(collection, f"filename,age_approx\na.png,{age}\n", "a.png").rows
    assert row.age_years == years


@pytest.mark.parametrize("age", ["121", "300", "1e9", "inf", "-1", "9" * 5000, "4o"])
def test_an_age_that_nobody_has_is_told(collection: Path, age: str) -> None:
    found = rows_of(collection, f"filename,age\na.png,{age}\n", "a.png")
    (problem,) = found.problems
    assert problem.startswith("row 2: age: ")
    assert len(problem) < 200
    assert found.rows == []


@pytest.mark.parametrize("ending", [".jpg", ".JPG", ".jpeg", ".JPEG", ".png", ".PNG", ".tiff"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_capitals_and_endings_of_other_programs_are_read(
    collection: Path, ending: str, separator: str
) -> None:
    table = "ISIC_ID,Age_Approx, SEX\nISIC_0000001,45,male\n".replace(",", separator)
    found = rows_of(collection, table, f"photos/ISIC_0000001{ending}")
    assert found.problems == []
    path = collection / "photos" / f"ISIC_0000001{ending}"
    assert found.rows == [Row(2, path, age_years=45, sex="male")]


def test_a_photo_that_is_not_there_is_named_with_the_endings_that_were_looked_for(collection: Path) -> None:
    (problem,) = rows_of(collection, "isic_id\nISIC_1\n").problems
    assert problem == (
        "row 2: Its photo ISIC_1.jpg (or .jpeg, .png, .tif, .tiff, .webp, .bmp) is not in the folder of the collection."
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("name;age\na;1\n", "with commas, semicolons or tabs between them"),
        ("filename,Age,age\na.png,1,2\n", "two columns age"),
    ],
)
def test_a_header_that_cannot_be_meant_is_told(collection: Path, table: str, said: str) -> None:
    with pytest.raises(InvalidEntry, match=said):
        rows_of(collection, table, "a.png")


def test_a_link_that_leads_out_of_the_folder_is_not_followed(
    collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(samples.photo(1).pixels).save(tmp_path / "outside.png")
    (collection / "photos" / "a.png").symlink_to(tmp_path / "outside.png")
    written(collection, [{"filename": "a.png"}])
    assert main(["isic-import", str(collection)]) == 1
    assert "not in the folder" in capsys.readouterr().err


def test_an_import_that_was_cut_short_goes_on(
    collection: Path, skinlens_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"patient_id": "P1", "fitzpatrick_skin_type": "II", "diagnosis": "Nevus"}
    written(collection, [{"filename": f"{name}.png", "lesion_id": f"L{name}", **known} for name in "abc"])
    store, annotate = CaseStore.save_case, CaseStore.annotate
    left = [1]

    def killed(self: CaseStore, *given: object, **named: object) -> Case:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return store(self, *given, **named)  # type: ignore[arg-type]

    def killed_before_the_signature(*_: object, **__: object) -> Case:
        raise KeyboardInterrupt

    monkeypatch.setattr(CaseStore, "annotate", killed_before_the_signature)
    assert main(["isic-import", str(collection), "--signed-by", "Dr. Lange"]) == 130
    assert [case.visit.status for case in cases(skinlens_home)] == ["draft"]
    monkeypatch.setattr(CaseStore, "annotate", annotate)
    monkeypatch.setattr(CaseStore, "save_case", killed)
    assert main(["isic-import", str(collection), "--signed-by", "Dr. Lange"]) == 130
    monkeypatch.setattr(CaseStore, "save_case", store)
    assert main(["isic-import", str(collection), "--signed-by", "Dr. Lange"]) == 0
    found = cases(skinlens_home)
    assert [case.visit.status for case in found] == ["signed"] * len(found)
    assert len({case.visit.photo_sha256 for case in found}) == len(found) == 3
    assert len({case.lesion.id for case in found}) == 3
    assert {case.patient.phototype for case in found if case.patient} == {2}


def test_photos_of_one_lesion_become_visits_of_one_lesion(collection: Path, skinlens_home: Path) -> None:
    written(
        collection,
        [
            {"isic_id": "ISIC_1", "patient_id": "7", "lesion_id": "L", "age": "50", "diagnosis": MELANOMA},
            {"isic_id": "ISIC_2", "patient_id": "7", "lesion_id": "L", "age": "85+", "sex": "female"},
        ],
    )
    assert main(["isic-import", str(collection), "--prefix", "HAM "]) == 0
    first, second = cases(skinlens_home)
    assert first.lesion == second.lesion
    assert first.patient is not None
    assert (first.patient.pseudonym, first.patient.birth_year) == ("HAM 7", today().year - 85)
    assert first.patient.sex == "female"  # as a later row says
    assert [int(case.visit.taken_on[:4]) for case in (first, second)] == [today().year - 35, today().year]
    assert (first.visit.clinician_label, first.visit.clinician_diagnosis) == ("mel", "Melanoma in situ")
    assert (first.visit.status, first.visit.result_first) == ("draft", False)
    assert "The day of the photo is not known" in first.visit.notes


def test_histology_is_no_reading_of_the_clinicians(collection: Path, skinlens_home: Path) -> None:
    written(
        collection,
        [{"filename": "a.png", "diagnosis": MELANOMA, "diagnosis_confirm_type": "histopathology", "sex": "female"}],
    )
    assert main(["isic-import", str(collection), "--signed-by", "Dr. Lange"]) == 0
    (case,) = cases(skinlens_home)
    assert case.visit.clinical.histology == Histology("mel", "Melanoma in situ")
    assert (case.visit.clinician_label, case.visit.status) == (None, "draft")
    assert case.patient is not None
    assert case.patient.pseudonym == f"ISIC photo {case.visit.photo_sha256[:12]}"


@pytest.mark.parametrize("content", [None, b"", b"name,age\na,1\n", b"\xff\xfe\x00"])
def test_a_folder_without_a_table_is_said(
    collection: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (collection / "metadata.csv").write_bytes(content)
    assert main(["isic-import", str(collection)]) == 2
    assert "metadata.csv" in capsys.readouterr().err


def test_every_region_has_words_that_mean_it_and_no_other() -> None:
    assert set(WORDS_OF_ISIC_REGION) == {one.value for one in AnatomSiteGeneralEnum}
    assert {region: site_of(words) for region, words in WORDS_OF_ISIC_REGION.items()} == {
        region: region for region in WORDS_OF_ISIC_REGION
    }
    assert site_of(SITE_NOT_GIVEN) == ""


@pytest.mark.parametrize(
    ("diagnosis", "code"),
    [
        (MELANOMA, "mel"),
        (f"{MELANOMA}:Melanoma in situ, Lentigo maligna type", "mel"),
        ("Benign:Benign melanocytic proliferations:Nevus:Blue nevus:Blue nevus, Common", "nv"),
        ("Benign:Benign epidermal proliferations", "bkl"),
        ("Benign:Benign epidermal proliferations:Solar lentigo", "bkl"),
        ("Benign:Benign epidermal proliferations:Clear cell acanthoma", "other"),
        ("Malignant:Malignant epidermal proliferations:Squamous cell carcinoma in situ", "akiec"),
        ("Malignant:Malignant epidermal proliferations:Squamous cell carcinoma, Invasive", "other"),
        ("Malignant", "other"),
    ],
)
def test_a_diagnosis_of_the_archive_has_its_class(diagnosis: str, code: str) -> None:
    assert DiagnosisEnum(diagnosis).value == diagnosis
    assert class_of(diagnosis) == code


def test_a_photo_of_another_patient_is_told_and_files_nothing_there(
    collection: Path, skinlens_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"filename": f"{name}.png", "patient_id": name[0]} for name in ("a1", "b1", "b2")]
    same = collection / "photos" / "b1.png"
    for path in (collection / "photos" / "a1.png", same):
        Image.fromarray(samples.photo(0).pixels).save(path, "PNG")
    written(collection, rows)
    assert main(["isic-import", str(collection)]) == 1
    assert "of another patient or of none" in "".join(capsys.readouterr())
    assert [one.patient.pseudonym for one in cases(skinlens_home) if one.patient] == ["ISIC a", "ISIC b"]


def test_a_prefix_is_compared_as_it_is_stored(collection: Path, skinlens_home: Path) -> None:
    """Without the blank before it."""
    written(collection, [{"isic_id": f"ISIC_{number}", "patient_id": "7", "age": "50"} for number in (1, 2)])
    for _ in range(2):
        assert main(["isic-import", str(collection), "--prefix", " HAM "]) == 0
    assert [one.patient.pseudonym for one in cases(skinlens_home) if one.patient] == ["HAM 7", "HAM 7"]
