"""Schema migrations of the case database: steps are only ever added.

A released step is never edited: a change is a new function at the end of ``STEPS``. Each runs once, in one transaction
with the note that it ran, on an empty file as well as on a file of any older version with rows in it.

Numbers of patients, lesions and visits are never given twice (AUTOINCREMENT): a browser tab that still holds the number
of a deleted case must not open somebody else's.
"""

from collections.abc import Callable

from sqlite_utils import Migrations
from sqlite_utils.db import Database

from skinlens.store.audit_steps import m021_audit
from skinlens.store.clinical_steps import (
    m015_clinical_record,
    m016_worklist,
    m018_scale,
    m019_signature,
    m020_body_map,
    m022_result_first,
)
from skinlens.store.derived_steps import m017_features, m023_rescored, m024_turned_probs
from skinlens.store.seals import seal_table
from skinlens.store.search_tokens import searchable


def m001_patients_lesions_visits(db: Database) -> None:
    db.executescript("""
        CREATE TABLE patient (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            pseudonym TEXT NOT NULL UNIQUE,
            birth_year INTEGER,
            born_earlier INTEGER NOT NULL DEFAULT 0 CHECK (born_earlier IN (0, 1)),
            sex TEXT NOT NULL CHECK (sex IN ('female', 'male', 'other', 'unknown')),
            created_at TEXT NOT NULL
        ) STRICT;

        CREATE TABLE lesion (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            patient_id INTEGER REFERENCES patient (id) ON DELETE CASCADE,
            body_site TEXT NOT NULL,
            remark TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL
        ) STRICT;

        CREATE TABLE visit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            lesion_id INTEGER NOT NULL REFERENCES lesion (id) ON DELETE CASCADE,
            taken_on TEXT NOT NULL,
            photo_sha256 TEXT NOT NULL,
            photo_file TEXT NOT NULL,
            thumbnail_file TEXT NOT NULL,
            width_px INTEGER NOT NULL,
            height_px INTEGER NOT NULL,
            source_format TEXT NOT NULL,
            photo_notes TEXT NOT NULL,
            quality TEXT NOT NULL,
            prob_akiec REAL NOT NULL,
            prob_bcc REAL NOT NULL,
            prob_bkl REAL NOT NULL,
            prob_df REAL NOT NULL,
            prob_mel REAL NOT NULL,
            prob_nv REAL NOT NULL,
            prob_vasc REAL NOT NULL,
            top_label TEXT NOT NULL,
            logits TEXT NOT NULL,
            melanoma_threshold TEXT NOT NULL,
            latency_ms REAL NOT NULL,
            model_name TEXT NOT NULL,
            model_version TEXT NOT NULL,
            model_sha256 TEXT NOT NULL,
            clinician_label TEXT,
            clinician_diagnosis TEXT NOT NULL DEFAULT '',
            notes TEXT NOT NULL DEFAULT '',
            status TEXT NOT NULL CHECK (status IN ('draft', 'signed', 'amended')),
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            skinlens_version TEXT NOT NULL
        ) STRICT;

        CREATE INDEX lesion_of_patient ON lesion (patient_id);
        CREATE INDEX visit_of_lesion ON visit (lesion_id);
    """)


def m002_explanations(db: Database) -> None:
    """One row for each map; ``params`` and ``diagnostics`` are JSON, the map itself is a file."""
    db.executescript("""
        CREATE TABLE explanation (
            id INTEGER PRIMARY KEY,
            visit_id INTEGER NOT NULL REFERENCES visit (id) ON DELETE CASCADE,
            method TEXT NOT NULL,
            label TEXT NOT NULL,
            params TEXT NOT NULL,
            seed INTEGER,
            model_name TEXT NOT NULL,
            model_version TEXT NOT NULL,
            model_sha256 TEXT NOT NULL,
            duration_ms REAL NOT NULL,
            diagnostics TEXT NOT NULL,
            created_at TEXT NOT NULL,
            heat_file TEXT NOT NULL,
            UNIQUE (visit_id, method, label, params)
        ) STRICT;
    """)


def m003_search(db: Database) -> None:
    """Free text over what was typed, kept up by triggers, and indexes on what the history is sorted by."""
    db.executescript("""
        CREATE VIRTUAL TABLE visit_text USING fts5 (
            pseudonym, site, diagnosis, notes, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
        );

        INSERT INTO visit_text (rowid, pseudonym, site, diagnosis, notes)
            SELECT visit.id, coalesce(pseudonym, ''), body_site || char(10) || remark, clinician_diagnosis, notes
            FROM visit JOIN lesion ON lesion.id = lesion_id LEFT JOIN patient ON patient.id = patient_id;

        CREATE TRIGGER visit_text_added AFTER INSERT ON visit BEGIN
            INSERT INTO visit_text (rowid, pseudonym, site, diagnosis, notes)
            SELECT new.id, coalesce(pseudonym, ''), body_site || char(10) || remark, new.clinician_diagnosis, new.notes
            FROM lesion LEFT JOIN patient ON patient.id = patient_id WHERE lesion.id = new.lesion_id;
        END;

        CREATE TRIGGER visit_text_changed AFTER UPDATE OF clinician_diagnosis, notes ON visit BEGIN
            UPDATE visit_text SET diagnosis = new.clinician_diagnosis, notes = new.notes WHERE rowid = new.id;
        END;

        CREATE TRIGGER visit_text_erased AFTER DELETE ON visit BEGIN
            DELETE FROM visit_text WHERE rowid = old.id;
        END;

        CREATE TRIGGER visit_text_site AFTER UPDATE OF body_site, remark ON lesion BEGIN
            UPDATE visit_text SET site = new.body_site || char(10) || new.remark
            WHERE rowid IN (SELECT id FROM visit WHERE lesion_id = new.id);
        END;

        CREATE TRIGGER visit_text_pseudonym AFTER UPDATE OF pseudonym ON patient BEGIN
            UPDATE visit_text SET pseudonym = new.pseudonym
            WHERE rowid IN (SELECT visit.id FROM visit JOIN lesion ON lesion.id = lesion_id WHERE patient_id = new.id);
        END;

        CREATE INDEX visit_by_date ON visit (taken_on);
        CREATE INDEX visit_by_melanoma ON visit (prob_mel, taken_on);
        CREATE INDEX visit_by_top_label ON visit (top_label, taken_on);
        CREATE INDEX patient_by_pseudonym ON patient (pseudonym COLLATE NOCASE);
        CREATE INDEX lesion_by_site ON lesion (body_site);
    """)


def m004_revisions(db: Database) -> None:
    """Table of revisions: what was changed, when, under which versions. Rows leave only together with what they are
    about.
    """
    db.executescript("""
        CREATE TABLE revision (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            patient_id INTEGER REFERENCES patient (id) ON DELETE CASCADE,
            lesion_id INTEGER REFERENCES lesion (id) ON DELETE CASCADE,
            visit_id INTEGER REFERENCES visit (id) ON DELETE CASCADE,
            at TEXT NOT NULL,
            action TEXT NOT NULL,
            changes TEXT NOT NULL,
            model_version TEXT NOT NULL,
            skinlens_version TEXT NOT NULL,
            CHECK ((patient_id IS NOT NULL) + (lesion_id IS NOT NULL) + (visit_id IS NOT NULL) = 1)
        ) STRICT;

        CREATE INDEX revision_of_patient ON revision (patient_id);
        CREATE INDEX revision_of_lesion ON revision (lesion_id);
        CREATE INDEX revision_of_visit ON revision (visit_id);

        CREATE TRIGGER revision_is_final BEFORE UPDATE ON revision BEGIN
            SELECT raise(ABORT, 'a revision is never changed');
        END;
    """)


def m005_settings(db: Database) -> None:
    """Table of settings of the installation as a whole, each with the time at which it was set."""
    db.executescript("""
        CREATE TABLE setting (
            key TEXT PRIMARY KEY,
            value TEXT NOT NULL,
            updated_at TEXT NOT NULL
        ) STRICT;
    """)


def m006_checks(db: Database) -> None:
    """One row for each check of a prediction or of a map of it; ``settings`` and ``figures`` are JSON."""
    db.executescript("""
        CREATE TABLE check_result (
            id INTEGER PRIMARY KEY,
            visit_id INTEGER NOT NULL REFERENCES visit (id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            label TEXT NOT NULL,
            method TEXT NOT NULL,
            settings TEXT NOT NULL,
            seed INTEGER,
            model_name TEXT NOT NULL,
            model_version TEXT NOT NULL,
            model_sha256 TEXT NOT NULL,
            figures TEXT NOT NULL,
            duration_ms REAL NOT NULL,
            created_at TEXT NOT NULL,
            UNIQUE (visit_id, kind, label, method, settings)
        ) STRICT;
    """)


def m007_first_impression(db: Database) -> None:
    """Column of the first impression, before the model's result was shown: kept once, and never rewritten after it."""
    db.executescript("""
        ALTER TABLE visit ADD COLUMN first_impression TEXT;

        CREATE TRIGGER first_impression_is_final BEFORE UPDATE OF first_impression ON visit BEGIN
            SELECT raise(ABORT, 'a first impression is never changed');
        END;
    """)


def m008_outlines(db: Database) -> None:
    """Outlines of the lesion, at most one by the model and one by the clinician; ``points`` is JSON."""
    db.executescript("""
        CREATE TABLE outline (
            id INTEGER PRIMARY KEY,
            visit_id INTEGER NOT NULL REFERENCES visit (id) ON DELETE CASCADE,
            made_by TEXT NOT NULL CHECK (made_by IN ('model', 'clinician')),
            points TEXT NOT NULL,
            model_name TEXT NOT NULL,
            model_version TEXT NOT NULL,
            model_sha256 TEXT NOT NULL,
            created_at TEXT NOT NULL,
            UNIQUE (visit_id, made_by)
        ) STRICT;
    """)


def m009_prediction_set(db: Database) -> None:
    """The classes that could not be ruled out, as JSON; NULL where the model gave no such set."""
    db.executescript("ALTER TABLE visit ADD COLUMN prediction_set TEXT;")


def m010_versions(db: Database) -> None:
    """Count the changes of what a person typed, so that a write based on an older state is noticed.

    Triggers count, so no statement can forget to. A visit that is moved to another lesion takes its words along.
    """
    for table, columns in _TYPED.items():
        changed = " OR ".join(f"old.{column} IS NOT new.{column}" for column in columns)
        db.executescript(f"""
            ALTER TABLE {table} ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

            CREATE TRIGGER {table}_version AFTER UPDATE OF {", ".join(columns)} ON {table} WHEN {changed} BEGIN
                UPDATE {table} SET version = old.version + 1 WHERE id = new.id;
            END;
        """)
    db.executescript("""
        CREATE TRIGGER visit_text_moved AFTER UPDATE OF lesion_id ON visit BEGIN
            UPDATE visit_text SET (pseudonym, site) = (
                SELECT coalesce(pseudonym, ''), body_site || char(10) || remark
                FROM lesion LEFT JOIN patient ON patient.id = patient_id WHERE lesion.id = new.lesion_id
            ) WHERE rowid = new.id;
        END;

        CREATE INDEX visit_by_photo ON visit (photo_sha256);
    """)


def m011_erasing(db: Database) -> None:
    """The files of erased rows, from the deletion of the rows until the files are gone as well."""
    db.executescript("CREATE TABLE erasing (file TEXT PRIMARY KEY, since TEXT NOT NULL) STRICT;")


def m012_seals(db: Database) -> None:
    """A checksum in each row, so that a damaged disk or a slip of another program is told from what was saved.

    SQLite notices a damaged page only where its structure breaks, never a changed letter or number. Triggers seal, so
    no statement can forget to; the view ``sealed_<table>`` says whether the seal fits.
    """
    db.executescript("""
        DROP TRIGGER revision_is_final;
        ALTER TABLE revision ADD COLUMN seal TEXT;
        CREATE TRIGGER revision_is_final BEFORE UPDATE OF
            id, patient_id, lesion_id, visit_id, at, action, changes, model_version, skinlens_version ON revision
        BEGIN
            SELECT raise(ABORT, 'a revision is never changed');
        END;
    """)
    for table in ("patient", "lesion", "visit", "explanation", "check_result", "outline", "setting"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN seal TEXT")
    for table in _SEALED:
        seal_table(db, table)


def m013_search_words(db: Database) -> None:
    """Fill the search index with ``words.searchable`` texts, so that words inside unspaced scripts are found."""
    db.conn.create_function("searchable", 1, searchable, deterministic=True)
    site = "searchable(body_site || char(10) || remark)"
    db.executescript(f"""
        DROP TRIGGER visit_text_added;
        DROP TRIGGER visit_text_changed;
        DROP TRIGGER visit_text_site;
        DROP TRIGGER visit_text_pseudonym;
        DROP TRIGGER visit_text_moved;
        DELETE FROM visit_text;

        INSERT INTO visit_text (rowid, pseudonym, site, diagnosis, notes)
            SELECT visit.id, searchable(coalesce(pseudonym, '')), {site}, searchable(clinician_diagnosis),
                searchable(notes)
            FROM visit JOIN lesion ON lesion.id = lesion_id LEFT JOIN patient ON patient.id = patient_id;

        CREATE TRIGGER visit_text_added AFTER INSERT ON visit BEGIN
            INSERT INTO visit_text (rowid, pseudonym, site, diagnosis, notes)
            SELECT new.id, searchable(coalesce(pseudonym, '')), {site}, searchable(new.clinician_diagnosis),
                searchable(new.notes)
            FROM lesion LEFT JOIN patient ON patient.id = patient_id WHERE lesion.id = new.lesion_id;
        END;

        CREATE TRIGGER visit_text_changed AFTER UPDATE OF clinician_diagnosis, notes ON visit BEGIN
            UPDATE visit_text SET diagnosis = searchable(new.clinician_diagnosis), notes = searchable(new.notes)
            WHERE rowid = new.id;
        END;

        CREATE TRIGGER visit_text_site AFTER UPDATE OF body_site, remark ON lesion BEGIN
            UPDATE visit_text SET site = searchable(new.body_site || char(10) || new.remark)
            WHERE rowid IN (SELECT id FROM visit WHERE lesion_id = new.id);
        END;

        CREATE TRIGGER visit_text_pseudonym AFTER UPDATE OF pseudonym ON patient BEGIN
            UPDATE visit_text SET pseudonym = searchable(new.pseudonym)
            WHERE rowid IN (SELECT visit.id FROM visit JOIN lesion ON lesion.id = lesion_id WHERE patient_id = new.id);
        END;

        CREATE TRIGGER visit_text_moved AFTER UPDATE OF lesion_id ON visit BEGIN
            UPDATE visit_text SET (pseudonym, site) = (
                SELECT searchable(coalesce(pseudonym, '')), {site}
                FROM lesion LEFT JOIN patient ON patient.id = patient_id WHERE lesion.id = new.lesion_id
            ) WHERE rowid = new.id;
        END;
    """)


def m014_mark(db: Database) -> None:
    """Mark the file as SkinLens's own (``SkLs``)."""
    db.execute(f"PRAGMA application_id = {0x536B4C73}")


_SEALED = ("patient", "lesion", "visit", "explanation", "revision", "setting", "check_result", "outline")
"""Of ``m012_seals``; a later step that changes the columns of one of them uses ``seals.add_columns``."""
_TYPED = {
    "patient": ("pseudonym", "birth_year", "born_earlier", "sex"),
    "lesion": ("patient_id", "body_site", "remark"),
    "visit": ("lesion_id", "taken_on", "clinician_label", "clinician_diagnosis", "notes", "status"),
}
"""Of ``m010_versions``."""

STEPS: tuple[Callable[[Database], None], ...] = (
    m001_patients_lesions_visits,
    m002_explanations,
    m003_search,
    m004_revisions,
    m005_settings,
    m006_checks,
    m007_first_impression,
    m008_outlines,
    m009_prediction_set,
    m010_versions,
    m011_erasing,
    m012_seals,
    m013_search_words,
    m014_mark,
    m015_clinical_record,
    m016_worklist,
    m017_features,
    m018_scale,
    m019_signature,
    m020_body_map,
    m021_audit,
    m022_result_first,
    m023_rescored,
    m024_turned_probs,
)
STEP_NAMES: tuple[str, ...] = tuple(step.__name__ for step in STEPS)

MIGRATIONS = Migrations("skinlens")
for _step in STEPS:
    MIGRATIONS(name=_step.__name__)(_step)
