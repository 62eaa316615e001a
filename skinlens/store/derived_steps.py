"""Schema steps of what a model derived from stored photos: see ``migrations``, which lists them."""

from sqlite_utils.db import Database

from skinlens.store.seals import add_columns


def m017_features(db: Database) -> None:
    """The network's features of a visit's photo (float16), of one model: see ``store.features``."""
    db.executescript("""
        CREATE TABLE visit_features (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            visit_id INTEGER NOT NULL UNIQUE REFERENCES visit (id) ON DELETE CASCADE,
            model_sha256 TEXT NOT NULL,
            features BLOB NOT NULL
        ) STRICT;

        CREATE INDEX visit_features_of_model ON visit_features (model_sha256);
    """)


def m023_rescored(db: Database) -> None:
    """Table of the results of later releases, beside the stored ones; see ``store.rescores``."""
    db.executescript("""
        CREATE TABLE rescored (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            visit_id INTEGER NOT NULL REFERENCES visit (id) ON DELETE CASCADE,
            release_sha256 TEXT NOT NULL,
            model_name TEXT NOT NULL,
            model_version TEXT NOT NULL,
            model_sha256 TEXT NOT NULL,
            photo_sha256 TEXT NOT NULL,
            probs TEXT NOT NULL CHECK (json_valid(probs)),
            top_label TEXT NOT NULL,
            prob_mel REAL NOT NULL CHECK (prob_mel BETWEEN 0 AND 1),
            cutoff REAL NOT NULL,
            above_cutoff INTEGER NOT NULL CHECK (above_cutoff IN (0, 1)),
            reliable INTEGER NOT NULL CHECK (reliable IN (0, 1)),
            skinlens_version TEXT NOT NULL,
            made_at TEXT NOT NULL,
            UNIQUE (release_sha256, visit_id)
        ) STRICT;

        CREATE INDEX rescored_of_visit ON rescored (visit_id);
    """)


def m024_turned_probs(db: Database) -> None:
    """Column of the probabilities of each orientation of a photo, as JSON; NULL where they are not known."""
    add_columns(db, "visit", ["turned_probs TEXT"])
