"""Schema steps of the clinical record, worklist, features, signature, body map and impression: see ``migrations``."""

from collections.abc import Sequence

from sqlite_utils.db import Database

from skinlens.store.seals import add_columns
from skinlens.store.search_tokens import searchable

_RECORD = (
    "abcd TEXT",  # JSON, like seven_point
    "seven_point TEXT",
    "pattern TEXT NOT NULL DEFAULT ''",
    "symptoms TEXT NOT NULL DEFAULT ''",
    "evolution TEXT NOT NULL DEFAULT ''",
    "plan TEXT CHECK (plan IN ('excise', 'recheck', 'discharge', 'other'))",
    "plan_months INTEGER",
    "plan_text TEXT NOT NULL DEFAULT ''",
    "recall_on TEXT",
    "recall_done_on TEXT",
    "histology TEXT",
    "histology_text TEXT NOT NULL DEFAULT ''",
    "histology_on TEXT",
    "histology_report TEXT NOT NULL DEFAULT ''",
)
_FLAGS = (
    "above_cutoff INTEGER NOT NULL DEFAULT 0 CHECK (above_cutoff IN (0, 1))",
    "reliable INTEGER NOT NULL DEFAULT 1 CHECK (reliable IN (0, 1))",
)
_FILL_FLAGS = """
    UPDATE visit SET
        above_cutoff = CASE WHEN json_valid(melanoma_threshold)
            THEN prob_mel >= coalesce(json_extract(melanoma_threshold, '$.value'), 2) ELSE 0 END,
        reliable = CASE WHEN json_valid(quality) THEN NOT EXISTS (
                SELECT 1 FROM json_each(quality) one
                WHERE json_extract(one.value, '$.name') = 'familiarity' AND NOT json_extract(one.value, '$.passed')
            ) ELSE 1 END"""
_TYPED = {
    "patient": ("pseudonym", "birth_year", "born_earlier", "sex", "phototype"),
    "visit": (
        *("lesion_id", "taken_on", "clinician_label", "clinician_diagnosis", "notes", "status"),
        *(column.split()[0] for column in _RECORD),
    ),
}
_TEXTS = ("notes", "pattern", "symptoms", "evolution", "plan_text", "histology_text", "histology_report")
"""What the search finds beside the diagnosis."""


def m015_clinical_record(db: Database) -> None:
    """Criteria, symptoms, plan, recall, histology and phototype; and two flags of the verdict, for the worklist.

    What is typed counts in the row's version and is found by the search, as the diagnosis and the notes are.
    """
    db.conn.create_function("searchable", 1, searchable, deterministic=True)
    add_columns(db, "patient", ["phototype INTEGER CHECK (phototype BETWEEN 1 AND 6)"])
    add_columns(db, "visit", [*_RECORD, *_FLAGS], fill=_FILL_FLAGS)
    for table, columns in _TYPED.items():
        _count_versions(db, table, columns)
    texts = " || char(10) || ".join(f"new.{column}" for column in _TEXTS)
    db.executescript(f"""
        DROP TRIGGER visit_text_added;
        DROP TRIGGER visit_text_changed;

        CREATE TRIGGER visit_text_added AFTER INSERT ON visit BEGIN
            INSERT INTO visit_text (rowid, pseudonym, site, diagnosis, notes)
            SELECT new.id, searchable(coalesce(pseudonym, '')), searchable(body_site || char(10) || remark),
                searchable(new.clinician_diagnosis), searchable({texts})
            FROM lesion LEFT JOIN patient ON patient.id = patient_id WHERE lesion.id = new.lesion_id;
        END;

        CREATE TRIGGER visit_text_changed AFTER UPDATE OF clinician_diagnosis, {", ".join(_TEXTS)} ON visit BEGIN
            UPDATE visit_text SET diagnosis = searchable(new.clinician_diagnosis), notes = searchable({texts})
            WHERE rowid = new.id;
        END;
    """)


def _count_versions(db: Database, table: str, columns: Sequence[str]) -> None:
    """Have a change of one of these columns, and of no other, count in the row's version."""
    changed = " OR ".join(f"old.{column} IS NOT new.{column}" for column in columns)
    db.executescript(f"""
        DROP TRIGGER {table}_version;

        CREATE TRIGGER {table}_version AFTER UPDATE OF {", ".join(columns)} ON {table} WHEN {changed} BEGIN
            UPDATE {table} SET version = old.version + 1 WHERE id = new.id;
        END;
    """)


def m016_worklist(db: Database) -> None:
    """Indexes for what the worklist is filtered by: one that answers every combination of its flags, small ones for
    what few rows have.
    """
    db.executescript("""
        CREATE INDEX visit_worklist ON visit (status, above_cutoff, reliable, taken_on, prob_mel);
        CREATE INDEX visit_unreliable ON visit (taken_on) WHERE reliable = 0;
        CREATE INDEX visit_by_recall ON visit (recall_on) WHERE recall_on IS NOT NULL AND recall_done_on IS NULL;
        CREATE INDEX visit_with_histology ON visit (lesion_id) WHERE histology IS NOT NULL;
    """)


def m018_scale(db: Database) -> None:
    """The width of the skin that a visit's photo shows: lengths can then be given in millimeters."""
    add_columns(db, "visit", ["field_width_mm REAL"])
    _count_versions(db, "visit", (*_TYPED["visit"], "field_width_mm"))


def m019_signature(db: Database) -> None:
    """Columns of the signature: who signed a visit, and when. Of visits that were signed before, the time is taken from
    the trail.
    """
    add_columns(
        db,
        "visit",
        ["signed_by TEXT NOT NULL DEFAULT ''", "signed_at TEXT"],
        fill="""
            UPDATE visit SET signed_at = coalesce(
                (SELECT min(at) FROM revision WHERE visit_id = visit.id AND action = 'signed'), created_at
            ) WHERE status <> 'draft'""",
    )
    db.executescript("""
        CREATE INDEX visit_signed ON visit (signed_by, signed_at) WHERE signed_by <> '';

        CREATE TRIGGER signature_is_final BEFORE UPDATE OF signed_by, signed_at ON visit
        WHEN old.signed_at IS NOT NULL BEGIN
            SELECT raise(ABORT, 'a signature is never changed');
        END;
    """)


def m020_body_map(db: Database) -> None:
    """Place of a lesion on the body map; NULL where it is not marked. And an index for the last visit of a patient."""
    add_columns(
        db,
        "lesion",
        [
            "map_view TEXT",
            "map_x REAL CHECK (map_x BETWEEN 0 AND 1)",
            "map_y REAL CHECK (map_y BETWEEN 0 AND 1)",
            "map_drawing INTEGER CHECK ((map_view IS NULL) = (map_drawing IS NULL)"
            " AND (map_view IS NULL) = (map_x IS NULL) AND (map_view IS NULL) = (map_y IS NULL))",
        ],
    )
    _count_versions(db, "lesion", ("patient_id", "body_site", "remark", "map_view", "map_x", "map_y", "map_drawing"))
    db.execute("CREATE INDEX visit_of_lesion_by_date ON visit (lesion_id, taken_on)")


def m022_result_first(db: Database) -> None:
    """Column of whether the result was shown before an impression was given; NULL for the cases from before."""
    add_columns(db, "visit", ["result_first INTEGER CHECK (result_first IN (0, 1))"])
    db.executescript("""
        CREATE TRIGGER result_first_is_final BEFORE UPDATE OF result_first ON visit BEGIN
            SELECT raise(ABORT, 'whether the result was shown first is never changed');
        END;
    """)
