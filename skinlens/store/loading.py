"""A whole case, read in one snapshot: the rows at one moment, then the files that they name."""

from typing import NamedTuple, Optional

from sqlite_utils.db import Database

from skinlens.case_record import CaseRecord, Revision
from skinlens.errors import StoreError
from skinlens.records import Case, CheckResult, Explanation, Outline, Photo
from skinlens.store import blobs, mapping, patients, visits
from skinlens.store.checks import CHECKS_SQL, check_of
from skinlens.store.connection import StoreHome
from skinlens.store.mapping import Row, whole
from skinlens.store.outlines import OUTLINES_SQL, outline_of
from skinlens.wording.records import map_words


class Rows(NamedTuple):
    """Database rows of a case at one moment."""

    case: Case
    visit: Row
    maps: tuple[Row, ...]
    checks: tuple[CheckResult, ...]
    outlines: tuple[Outline, ...]
    revisions: tuple[Revision, ...]
    previous: Optional["Rows"]
    problems: tuple[str, ...]
    """A sentence for each row that is damaged and left out."""


class StoredRecords(StoreHome):
    """The part of ``CaseStore`` that reads a whole case."""

    def load(self, visit_id: int, *, with_maps: bool = True, with_previous: bool = False) -> CaseRecord:
        """The case as it stood at one moment, whatever is written meanwhile.

        What is lost or damaged is left out, a photo replaced by a placeholder, and each named in ``problems``. A file
        that is gone because the case was changed while it was read, is looked for once more as the case stands then.

        Args:
            with_maps: Read maps and checks as well.
            with_previous: Read ``previous`` as well, of the same moment.
        """

        def rows() -> Rows:
            with self._reading() as db:
                return rows_of(db, visit_id, with_maps=with_maps, with_previous=with_previous)

        stored = rows()
        record = self._record_of(stored)
        lost = record.problems or (record.previous and record.previous.problems)
        if lost and (now := rows()) != stored:  # or it was erased: CaseNotFound
            record = self._record_of(now)
        return record

    def photo(self, visit_id: int) -> Photo:
        """The photo as it was saved: the same pixels, hash and notes."""
        with self._reading() as db:
            row = patients.row_of(db, "visit", visit_id)
        return self._photo_of(row)

    def _photo_of(self, row: Row) -> Photo:
        content = self.files.read(row["photo_file"], f"the picture of case {row['id']}")
        return mapping.photo_of(row, blobs.pixels_of(content))

    def _record_of(self, rows: Rows) -> CaseRecord:
        problems, maps = list(rows.problems), list[Explanation]()
        try:
            photo = self._photo_of(rows.visit)
        except StoreError as error:
            drawn = blobs.placeholder(rows.visit["height_px"], rows.visit["width_px"])
            photo = mapping.photo_of(rows.visit, drawn, placeholder=True)
            problems.append(str(error))
        for row in rows.maps:
            try:
                content = self.files.read(row["heat_file"], map_words(row["method"], row["label"], row["visit_id"]))
                maps.append(mapping.explanation_of(row, blobs.heat_of(content)))
            except StoreError as error:
                problems.append(str(error))
        return CaseRecord(
            rows.case,
            photo,
            tuple(maps),
            rows.checks,
            rows.outlines,
            rows.revisions,
            None if rows.previous is None else self._record_of(rows.previous),
            tuple(problems),
        )


def rows_of(db: Database, visit_id: int, *, with_maps: bool = True, with_previous: bool = False) -> Rows:
    """Rows of a case and, where asked for, of its maps, checks and last visit before. Raises as ``visits.case_row``."""
    row = visits.case_row(db, visit_id)
    case = mapping.case_of(row)
    before = visits.before(db, case.visit) if with_previous else None
    previous = None
    if before is not None:  # of the same lesion and patient
        previous = _rows(db, before, Case(mapping.visit_of(before), case.lesion, case.patient), with_maps=False)
    return _rows(db, row, case, with_maps=with_maps, previous=previous)


def _rows(db: Database, row: Row, case: Case, *, with_maps: bool, previous: Rows | None = None) -> Rows:
    number, problems = case.visit.id, list[str]()

    def of_visit(sql: str, noun: str) -> tuple[Row, ...]:
        return tuple(whole(db.query(sql, [number]), f"case {number}, {noun}", problems, visit_id=number))

    return Rows(
        case,
        row,
        of_visit(visits.EXPLANATIONS_SQL, "map") if with_maps else (),
        tuple(map(check_of, of_visit(CHECKS_SQL, "check"))) if with_maps else (),
        tuple(map(outline_of, of_visit(OUTLINES_SQL, "outline"))),
        visits.revisions_of(db, case),
        previous,
        tuple(problems),
    )
