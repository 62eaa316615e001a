"""The list of patients: found by pseudonym, each with counts, last visit and what waits; all visits of one patient."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlite_utils.db import Database

from skinlens.records import Lesion, Patient, Visit
from skinlens.store import mapping, patients
from skinlens.store.connection import StoreHome
from skinlens.store.mapping import Row, sound, unsound

PatientSort = Literal["last visit", "pseudonym"]
MAX_CHARACTERS = 200


@dataclass(frozen=True)
class PatientQuery:
    """Query of the list of patients. Every condition that is given has to hold."""

    text: str = ""
    """A part of the pseudonym, whatever its case."""
    suspicious: bool = False
    """Has a visit that the model flags for melanoma, on a reliable photo."""
    unsigned: bool = False
    recall_due_on: str | None = None
    """ISO date: has an open recall whose date has come by then."""
    sort: PatientSort = "last visit"
    """The latest visit first, patients without a visit last; or by pseudonym."""
    limit: int = 24
    offset: int = 0


EVERY_PATIENT = PatientQuery()


@dataclass(frozen=True)
class PatientRow:
    """One line of the list."""

    patient: Patient
    lesions: int
    visits: int
    last_visit_on: str | None
    """ISO date."""
    suspicious: int
    """Lesions whose latest signed visit, or latest visit of all, is flagged for melanoma, on a reliable photo."""
    unsigned: int
    """Visits that are not signed yet."""
    recall_on: str | None
    """ISO date of the earliest open recall."""


@dataclass(frozen=True)
class PatientPage:
    """The rows from the query's offset on, at most ``limit`` of them, and how many there are in all."""

    rows: tuple[PatientRow, ...]
    total: int
    problems: tuple[str, ...] = ()
    """A sentence for each patient that is damaged and left out."""


class StoredPatients(StoreHome):
    """The part of ``CaseStore`` that finds, lists and adds patients."""

    def patients(self) -> tuple[Patient, ...]:
        """All, by pseudonym."""
        with self._reading() as db:
            rows = db.query("SELECT * FROM sealed_patient ORDER BY pseudonym COLLATE NOCASE, id")
            return tuple(mapping.patient_of(row) for row in mapping.sound(rows))

    def patient(self, patient_id: int) -> Patient:
        with self._reading() as db:
            return mapping.patient_of(patients.row_of(db, "patient", patient_id))

    def lesions(self, patient_id: int) -> tuple[Lesion, ...]:
        with self._reading() as db:
            patients.row_of(db, "patient", patient_id)
            return tuple(mapping.lesion_of(row) for row in _lesion_rows(db, patient_id))

    def lesion_numbers(self, lesion_ids: Collection[int]) -> dict[int, tuple[int, int]]:
        """Number of the patient, and of the lesion among the patient's, from 1, by the stored number of the lesion.

        Lesions of no patient, and those that are not there any more, are left out.
        """
        marks = ", ".join("?" * len(lesion_ids))
        numbers = {}
        with self._reading() as db:
            sql = f"SELECT DISTINCT patient_id FROM lesion WHERE patient_id IS NOT NULL AND id IN ({marks})"
            for patient_id in [row["patient_id"] for row in db.query(sql, list(lesion_ids))]:
                for number, row in enumerate(_lesion_rows(db, patient_id), 1):
                    if row["id"] in lesion_ids:
                        numbers[row["id"]] = patient_id, number
        return numbers

    def body_sites(self) -> tuple[str, ...]:
        """Body sites of the stored cases, for the choice in the worklist."""
        with self._reading() as db:
            rows = db.query("SELECT DISTINCT body_site, sound FROM sealed_lesion ORDER BY 1")
            return tuple(row["body_site"] for row in mapping.sound(rows))

    def patient_page(self, query: PatientQuery = EVERY_PATIENT) -> PatientPage:
        """One page of the list. Nothing that a person types into it is an error."""
        with self._reading() as db:
            db.conn.create_function("folded", 1, str.casefold, deterministic=True)
            where, parameters = _where(query)
            total = next(iter(db.query(f"SELECT count(*) AS total FROM patient p {where}", parameters)))["total"]
            numbers = [row["id"] for row in db.query(*_ids_sql(query, where, parameters))]
            marks = ", ".join("?" * len(numbers))
            rows = {row["id"]: row for row in db.query(f"SELECT * FROM sealed_patient WHERE id IN ({marks})", numbers)}
            counted = _counted(db, numbers)
        whole = [rows[number] for number in numbers if number in rows and rows[number]["sound"]]
        damaged = [number for number in numbers if number not in rows or not rows[number]["sound"]]
        return PatientPage(
            tuple(_patient_row(row, *counted[row["id"]]) for row in whole),
            total,
            tuple(unsound(f"patient {number}") for number in damaged),
        )

    def visits_of_patient(self, patient_id: int) -> dict[int, tuple[Visit, ...]]:
        """Visits of each lesion that has one, by date, the oldest first; keyed by number of the lesion."""
        grouped: dict[int, list[Visit]] = defaultdict(list)
        with self._reading() as db:
            patients.row_of(db, "patient", patient_id)
            rows = db.query(
                "SELECT v.* FROM lesion l JOIN sealed_visit v ON v.lesion_id = l.id WHERE l.patient_id = ? "
                "ORDER BY v.taken_on, v.id",
                [patient_id],
            )
            for row in sound(rows):
                grouped[row["lesion_id"]].append(mapping.visit_of(row))
        return {lesion: tuple(visits) for lesion, visits in grouped.items()}


def _lesion_rows(db: Database, patient_id: int) -> Iterator[Row]:
    """Lesions of a patient in the order in which they are numbered."""
    rows = db.query("SELECT * FROM sealed_lesion WHERE patient_id = ? ORDER BY id", [patient_id])
    return sound(rows, patient_id=patient_id)


def _where(query: PatientQuery) -> tuple[str, dict[str, Any]]:
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    if words := _typed(query.text):
        conditions.append("instr(folded(p.pseudonym), :words) > 0")
        parameters["words"] = words
    of_visits = []
    if query.suspicious:
        of_visits.append("v.above_cutoff = 1 AND v.reliable = 1")
    if query.unsigned:
        of_visits.append("v.status = 'draft'")
    if query.recall_due_on is not None:
        of_visits.append("v.recall_on IS NOT NULL AND v.recall_done_on IS NULL AND v.recall_on <= :due")
        parameters["due"] = query.recall_due_on
    conditions += [
        f"p.id IN (SELECT l.patient_id FROM visit v JOIN lesion l ON l.id = v.lesion_id WHERE {visit})"
        for visit in of_visits
    ]
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), parameters


def _typed(text: str) -> str:
    """As it is compared: composed as pseudonyms are stored, without what SQLite cannot take."""
    text = text[:MAX_CHARACTERS].replace("\0", " ").encode("utf-8", "ignore").decode("utf-8")
    return unicodedata.normalize("NFC", text).strip().casefold()


def _ids_sql(query: PatientQuery, where: str, parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """SELECT of the numbers of a page. The numbers at the end keep pages from overlapping."""
    asked = parameters | {"limit": max(0, min(query.limit, 1000)), "offset": max(0, min(query.offset, 2**62))}
    if query.sort == "pseudonym":
        order = "p.pseudonym COLLATE NOCASE, p.id"
        return f"SELECT p.id FROM patient p {where} ORDER BY {order} LIMIT :limit OFFSET :offset", asked
    last = """
        LEFT JOIN (SELECT l.patient_id AS owner, max(v.taken_on) AS last_on
            FROM lesion l JOIN visit v ON v.lesion_id = l.id GROUP BY l.patient_id) ON owner = p.id"""
    order = "last_on IS NULL, last_on DESC, p.id DESC"
    return f"SELECT p.id FROM patient p {last} {where} ORDER BY {order} LIMIT :limit OFFSET :offset", asked


def _counted(db: Database, numbers: Sequence[int]) -> dict[int, tuple[int, list[Row]]]:
    """For each patient: how many lesions, and the visits by lesion and date. Read whole, and their seals checked."""
    marks = ", ".join("?" * len(numbers))
    lesions = dict.fromkeys(numbers, 0)
    visits: dict[int, list[Row]] = {number: [] for number in numbers}
    for row in db.query(
        f"SELECT patient_id, count(*) AS lesions FROM lesion WHERE patient_id IN ({marks}) GROUP BY patient_id", numbers
    ):
        lesions[row["patient_id"]] = row["lesions"]
    columns = "v.lesion_id, v.taken_on, v.above_cutoff, v.reliable, v.status, v.recall_on, v.recall_done_on, v.sound"
    for row in sound(
        db.query(
            f"SELECT l.patient_id, {columns} FROM lesion l JOIN sealed_visit v ON v.lesion_id = l.id "
            f"WHERE l.patient_id IN ({marks}) ORDER BY v.taken_on, v.id",
            numbers,
        )
    ):
        visits[row["patient_id"]].append(row)
    return {number: (lesions[number], visits[number]) for number in numbers}


def _patient_row(row: Row, lesions: int, visits: Sequence[Row]) -> PatientRow:
    decided = {visit["lesion_id"]: visit for visit in visits if visit["status"] != "draft"}
    latest = {visit["lesion_id"]: visit for visit in visits}
    flagged = {
        lesion
        for shown in (decided, latest)  # the latest is a draft, or the one that decides
        for lesion, visit in shown.items()
        if visit["above_cutoff"] and visit["reliable"]
    }
    recalls = [visit["recall_on"] for visit in visits if visit["recall_on"] and not visit["recall_done_on"]]
    return PatientRow(
        patient=mapping.patient_of(row),
        lesions=lesions,
        visits=len(visits),
        last_visit_on=visits[-1]["taken_on"] if visits else None,
        suspicious=len(flagged),
        unsigned=sum(visit["status"] == "draft" for visit in visits),
        recall_on=min(recalls, default=None),
    )
