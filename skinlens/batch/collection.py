"""Storage of a collection's rows as cases: by pseudonym, resumed by content, signed in a given name or not at all.

The archive has ages and no dates: visits are dated so that the ages fit, the highest age in this year, and say so.
"""

from dataclasses import replace
from datetime import date
from typing import Literal

from skinlens.body_sites import WORDS_OF_ISIC_REGION
from skinlens.case_record import Analysis
from skinlens.clinical import NOT_RECORDED, Histology
from skinlens.clock import today
from skinlens.errors import InvalidEntry
from skinlens.exchange.isic import HISTOPATHOLOGY
from skinlens.exchange.isic_import import Collection, Row
from skinlens.records import Case
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit, validation

PREFIX = "ISIC "
SITE_NOT_GIVEN = "site not given"
_NOTE = "Imported from a collection. The day of the photo is not known: the date fits the age that was given."
_CONFIRMED = "Diagnosis confirmed by: "

Outcome = Literal["stored", "already stored"]

_OF_ANOTHER = (
    "This very photo is stored already, as case {number}, of another patient or of none. The row was left out. Look "
    "which of the two is right."
)


class Importer:
    """Stores rows of a collection, one after another. What an earlier run stored is known by its photo and not doubled.

    Args:
        store: Where the cases go.
        collection: The rows.
        prefix: What stands before each id of the collection in a pseudonym.
        signed_by: Name in which a diagnosis that is no histology is signed; empty: such a case stays a draft.
    """

    def __init__(self, store: CaseStore, collection: Collection, prefix: str = PREFIX, signed_by: str = "") -> None:
        self._store, self._collection, self._prefix, self._signed_by = store, collection, prefix, signed_by
        self._patients = {patient.pseudonym: patient.id for patient in store.patients()}
        self._lesions: dict[str, int] = {}

    def store(self, row: Row, analysis: Analysis) -> Outcome:
        """Keep one row with its photo. Raises InvalidEntry, StoreError."""
        pseudonym = self._pseudonym(row, analysis)
        stored = self._store.cases_with_photo(analysis.photo.sha256)
        case = self._store.case(stored[-1].visit_id) if stored else self._saved(row, analysis, pseudonym)
        if stored and pseudonym != (case.patient.pseudonym if case.patient is not None else ""):
            raise InvalidEntry(_OF_ANOTHER.format(number=case.visit.id))
        if row.lesion:
            self._lesions[row.lesion] = case.lesion.id
        if case.patient is not None:
            self._patients[pseudonym] = case.patient.id
        self._finish(row, case)
        return "already stored" if stored else "stored"

    def _saved(self, row: Row, analysis: Analysis, pseudonym: str) -> Case:
        patient: NewPatient | int | None = self._patients.get(pseudonym) if pseudonym else None
        born = self._store.patient(patient).birth_year if isinstance(patient, int) else self._birth_year(row)
        if pseudonym and patient is None:
            patient = NewPatient(pseudonym, born, self._collection.sexes.get(row.patient, row.sex))
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
        """As it is stored; of a row without a patient that has an age or a sex all the same by its lesion or photo."""
        if not row.patient and row.age_years is None and row.sex == "unknown" and row.phototype is None:
            return ""
        named = row.patient or row.lesion or f"photo {analysis.photo.sha256[:12]}"
        return validation.validate_line(f"{self._prefix}{named}", "pseudonym")

    def _birth_year(self, row: Row) -> int | None:
        oldest = self._collection.oldest.get(row.patient) if row.patient else row.age_years
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
