"""Import of a collection in the words of the ISIC archive: each row is validated by the archive's package, then stored.

The counterpart of ``isic``. The archive's ids become pseudonyms with a prefix, so that none is taken for a patient of
the clinic. It has ages and no dates: visits are dated so that the ages fit, the oldest age in this year, and say so.
"""

import csv
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path, PurePath
from typing import Literal

from isic_metadata.metadata import MetadataRow, convert_errors

from skinlens.body_sites import WORDS_OF_ISIC_REGION
from skinlens.case_record import Analysis
from skinlens.clinical import NOT_RECORDED, PHOTOTYPES, Histology
from skinlens.clock import today
from skinlens.errors import InvalidEntry
from skinlens.exchange.isic import HISTOPATHOLOGY, class_of
from skinlens.labels import DIAGNOSES
from skinlens.records import Case, Sex
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit

METADATA = "metadata.csv"
PREFIX = "ISIC "
FOLDERS = ("", "photos", "images")
"""In which the photos may lie, below the collection."""
SITE_NOT_GIVEN = "site not given"
_SEXES: Mapping[str, Sex] = {"female": "female", "male": "male"}
_NOTE = "Imported from a collection. The day of the photo is not known: the date fits the age that was given."
_CONFIRMED = "Diagnosis confirmed by: "
_PHOTOTYPE_OF = {words: number for number, words in PHOTOTYPES.items()}

Outcome = Literal["stored", "already stored"]


@dataclass(frozen=True)
class Row:
    """One row of a collection, checked."""

    line: int
    """In the table, from 1: the header."""
    photo: Path
    patient: str = ""
    """Id of the collection, as is ``lesion``; empty: not given."""
    lesion: str = ""
    age_years: int | None = None
    sex: Sex = "unknown"
    site: str = ""
    """Region of the archive."""
    phototype: int | None = None
    label: str | None = None
    """One of ``labels.DIAGNOSES``."""
    diagnosis: str = ""
    """In the archive's words."""
    confirmed_by: str = ""


@dataclass
class Collection:
    """Rows of a collection that can be stored, and a sentence for each that cannot."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    oldest: dict[str, int] = field(default_factory=dict)
    """The highest age of each patient."""


def read_collection(folder: Path) -> Collection:
    """The table of a folder, row by row; a row that is not right stops no other.

    Raises:
        InvalidEntry: there is no ``metadata.csv``, or it is no table.
    """
    path = folder / METADATA
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _checked(folder, csv.DictReader(file))
    except FileNotFoundError as error:
        raise InvalidEntry(f"{folder} holds no {METADATA}. Name the folder of a collection that has one.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidEntry(f"{path} is no table of comma-separated values in UTF-8. Save it as one.") from error


def _checked(folder: Path, table: "csv.DictReader[str]") -> Collection:
    if not {"filename", "isic_id"} & set(table.fieldnames or ()):
        raise InvalidEntry(f"{folder / METADATA} has no column filename or isic_id: it is not known where a photo is.")
    found = Collection()
    patient_of: dict[str, str] = {}
    sex_of: dict[str, Sex] = {}
    for cells in table:
        line = table.line_num
        try:
            row = _row_of(folder, line, cells)
            _must_be(patient_of.get(row.lesion, row.patient) == row.patient or not row.lesion, row.lesion, "patients")
            _must_be(sex_of.get(row.patient, row.sex) == row.sex or not row.patient, row.patient, "sexes")
        except InvalidEntry as error:
            found.problems.append(f"row {line}: {error}")
            continue
        patient_of[row.lesion], sex_of[row.patient] = row.patient, row.sex
        if row.age_years is not None:
            found.oldest[row.patient] = max(row.age_years, found.oldest.get(row.patient, 0))
        found.rows.append(row)
    return found


def _must_be(fits: bool, known: str, what: str) -> None:
    if not fits:
        raise InvalidEntry(f"{known} has other {what} in an earlier row. Correct the one that is wrong.")


def _row_of(folder: Path, line: int, cells: Mapping[str, str]) -> Row:
    """Raises InvalidEntry in the words of the archive's package, or where SkinLens has no place for it."""
    given = {name: value for name, value in cells.items() if name and isinstance(value, str)}
    if None in cells or len(given) != len(cells):
        raise InvalidEntry("It has not as many cells as the header.")
    age = given.get("age") or given.get("age_approx", "")
    try:
        checked = MetadataRow(**{**given, "age": age})
    except ValueError as error:
        said = (f"{'.'.join(map(str, one['loc'])) or 'row'}: {one['msg']}" for one in convert_errors(error))  # type: ignore[arg-type]
        raise InvalidEntry(" ".join(said)) from error
    kind = checked.image_type.value if checked.image_type else "dermoscopic"
    if kind != "dermoscopic":
        raise InvalidEntry(f"It is of a photo of the kind “{kind}”; SkinLens reads dermoscopic ones.")
    named = checked.diagnosis.value if checked.diagnosis else ""
    own = given.get("diagnosis_class", "").strip()
    return Row(
        line,
        _photo(folder, given.get("filename", "").strip(), given.get("isic_id", "").strip()),
        checked.patient_id or "",
        checked.lesion_id or "",
        checked.age,
        _SEXES.get(checked.sex or "", "unknown"),
        checked.anatom_site_general.value if checked.anatom_site_general else "",
        _PHOTOTYPE_OF.get(checked.fitzpatrick_skin_type.value) if checked.fitzpatrick_skin_type else None,
        class_of(named) if named else own if own in DIAGNOSES else None,
        named.rpartition(":")[2],
        checked.diagnosis_confirm_type.value if checked.diagnosis_confirm_type else "",
    )


def _photo(folder: Path, filename: str, isic_id: str) -> Path:
    """The file of a row, within the folder and nowhere else."""
    name = PurePath(filename or f"{isic_id}.jpg")
    if name.is_absolute() or ".." in name.parts or "\\" in str(name) or "\0" in str(name) or not (filename or isic_id):
        raise InvalidEntry("Its file name leads out of the folder of the collection, or is empty.")
    root = folder.resolve()
    for place in FOLDERS:
        path = folder / place / name
        with suppress(OSError):
            if path.is_file() and path.resolve().is_relative_to(root):
                return path
    raise InvalidEntry("Its photo is not in the folder of the collection.")


class Importer:
    """Stores rows of a collection, one after another. What an earlier run stored is known by its photo and not doubled.

    Args:
        store: Where the cases go.
        collection: The rows.
        prefix: What stands before each id of the collection in a pseudonym.
        signed_by: Name in which a diagnosis that is no histology is signed; empty: such a case stays a draft.
    """

    def __init__(self, store: CaseStore, collection: Collection, prefix: str = PREFIX, signed_by: str = "") -> None:
        self._store, self._oldest, self._prefix, self._signed_by = store, collection.oldest, prefix, signed_by
        self._patients = {one.pseudonym: one.id for one in store.patients()}
        self._lesions: dict[str, int] = {}

    def store(self, row: Row, analysis: Analysis) -> Outcome:
        """Keep one row with its photo. Raises InvalidEntry, StoreError."""
        stored = self._store.cases_with_photo(analysis.photo.sha256)
        case = self._store.case(stored[-1].visit_id) if stored else self._saved(row, analysis)
        if row.lesion:
            self._lesions[row.lesion] = case.lesion.id
        if case.patient is not None and (pseudonym := self._pseudonym(row, analysis)):
            self._patients[pseudonym] = case.patient.id
        self._finish(row, case)
        return "already stored" if stored else "stored"

    def _saved(self, row: Row, analysis: Analysis) -> Case:
        pseudonym = self._pseudonym(row, analysis)
        patient: NewPatient | int | None = self._patients.get(pseudonym) if pseudonym else None
        born = self._store.patient(patient).birth_year if isinstance(patient, int) else self._birth_year(row)
        if pseudonym and patient is None:
            patient = NewPatient(pseudonym, born, row.sex)
        lesion: NewLesion | int = self._lesions.get(row.lesion) or NewLesion(
            WORDS_OF_ISIC_REGION.get(row.site, SITE_NOT_GIVEN)
        )
        histology = Histology(row.label, row.diagnosis) if self._is_histology(row) else None
        clinical = replace(NOT_RECORDED, histology=histology) if histology else NOT_RECORDED
        visit = NewVisit(
            patient, lesion, _day(born, row.age_years), self._reading(row), clinical=clinical, result_first=False
        )
        return self._store.save_case(analysis, visit)

    def _finish(self, row: Row, case: Case) -> None:
        """Sign the case and note the skin type, where a run that was cut short has not."""
        visit, patient = case.visit, case.patient
        ours = visit.notes.startswith(_NOTE)
        if ours and self._signed_by and visit.status == "draft" and visit.clinician_label is not None:
            self._store.annotate(
                visit.id, self._reading(row), status="signed", expected_version=visit.version, signer=self._signed_by
            )
        if ours and patient is not None and row.phototype and patient.phototype is None:
            self._store.set_phototype(patient.id, row.phototype, expected_version=patient.version)

    def _pseudonym(self, row: Row, analysis: Analysis) -> str:
        """Of a row without a patient that has an age or a sex all the same: by its lesion, or by its photo."""
        if row.patient:
            return f"{self._prefix}{row.patient}"
        if row.age_years is None and row.sex == "unknown" and row.phototype is None:
            return ""
        return f"{self._prefix}{row.lesion or f'photo {analysis.photo.sha256[:12]}'}"

    def _birth_year(self, row: Row) -> int | None:
        oldest = self._oldest.get(row.patient) if row.patient else row.age_years
        return None if oldest is None else today().year - oldest

    def _reading(self, row: Row) -> ClinicianReading:
        notes = f"{_NOTE} {_CONFIRMED}{row.confirmed_by}." if row.confirmed_by else _NOTE
        if self._is_histology(row):
            return ClinicianReading(notes=notes)
        return ClinicianReading(row.label, row.diagnosis, notes)

    @staticmethod
    def _is_histology(row: Row) -> bool:
        return row.confirmed_by == HISTOPATHOLOGY and bool(row.label or row.diagnosis)


def _day(born: int | None, age_years: int | None) -> date:
    """Today, in the year in which the patient has that age."""
    day = today()
    year = day.year if born is None or age_years is None else min(day.year, born + age_years)
    return day.replace(year=year, day=min(day.day, 28)) if year != day.year else day
