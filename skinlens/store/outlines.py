"""The outlines of a case: the model's, and the clinician's where it was corrected."""

import json
from collections.abc import Sequence

from sqlite_utils.db import Database

from skinlens.errors import Conflict
from skinlens.records import Outline
from skinlens.store import mapping, patients
from skinlens.store.connection import StoreHome
from skinlens.store.mapping import Row
from skinlens.store.validation import require_same_photo

OUTLINES_SQL = """
    SELECT outline.*, photo_sha256 FROM sealed_outline outline JOIN visit ON visit.id = visit_id
    WHERE visit_id = ? ORDER BY made_by DESC"""


class StoredOutlines(StoreHome):
    """The part of ``CaseStore`` that keeps outlines; erased and exported with their visit."""

    def keep_outlines(self, visit_id: int, outlines: Sequence[Outline], *, expected: Sequence[Outline]) -> None:
        """Make these outlines, and no others, the visit's, at most one of each maker; the trail says who made them.

        ``expected`` are those that the caller read, and replaces knowingly.

        Raises:
            CaseNotFound: there is no such visit.
            Conflict: others were stored since; nothing is written.
            InvalidEntry: an outline is of another photo.
        """
        with self._writing() as db:
            visit = patients.row_of(db, "visit", visit_id)
            stored = _outlines(db, visit_id)
            if set(stored) != set(expected) and set(stored) != set(outlines):
                raise Conflict(
                    "The outline of this case was changed in another window after it was opened here. Nothing was "
                    "overwritten: look at the stored outline, and correct that one.",
                    subject="visit",
                    number=visit_id,
                    version=visit["version"],
                    fields={"outlines": (stored, tuple(outlines))},
                )
            before = _makers(db, visit_id)
            for outline in outlines:
                require_same_photo(outline, visit["photo_sha256"])
            db.execute("DELETE FROM outline WHERE visit_id = ?", [visit_id])
            for outline in outlines:
                put_outline(db, visit_id, outline)
            changes = {"outlines": (before, _makers(db, visit_id))}
            patients.record_revision(db, "visit", visit_id, "outlined", changes, visit["model_version"])

    def outlines(self, visit_id: int) -> tuple[Outline, ...]:
        """The model's, then the clinician's, as far as there are any."""
        with self._reading() as db:
            patients.row_of(db, "visit", visit_id)
            return _outlines(db, visit_id)


def put_outline(db: Database, visit_id: int, outline: Outline) -> None:
    row = {
        "visit_id": visit_id,
        "made_by": outline.made_by,
        "points": mapping.to_json(outline.points),
        "created_at": outline.created_at,
        **mapping.model_ref_columns(outline.model),
    }
    mapping.insert(db, "outline", row)


def outline_of(row: Row) -> Outline:
    """Outline from a row of the table ``outline`` with the visit's ``photo_sha256`` beside it."""
    return Outline(
        points=tuple((across, down) for across, down in json.loads(row["points"])),
        made_by=row["made_by"],
        photo_sha256=row["photo_sha256"],
        model=mapping.model_ref_of(row),
        created_at=row["created_at"],
    )


def _outlines(db: Database, visit_id: int) -> tuple[Outline, ...]:
    return tuple(outline_of(row) for row in mapping.sound(db.query(OUTLINES_SQL, [visit_id]), visit_id=visit_id))


def _makers(db: Database, visit_id: int) -> str | None:
    return ", ".join(row["made_by"] for row in db.query(OUTLINES_SQL, [visit_id])) or None
