"""Deleting so that nothing stays behind: rows, the words in the search index, free pages, the log, and files."""

import time

from sqlite_utils.db import Database

from skinlens.errors import StoreError
from skinlens.store.entries import now
from skinlens.store.files import CaseFiles
from skinlens.store.people import row_of
from skinlens.store.rows import Subject, first

PATIENCE_S = 5.0
"""How long emptying the log is tried again: while another window does the same, SQLite refuses without waiting."""
PENDING = "erasure_pending"
"""The setting that stands from the deletion of rows until their traces are overwritten."""

_VISITS_OF: dict[Subject, str] = {
    "visit": "SELECT id FROM visit WHERE id = :id",
    "lesion": "SELECT id FROM visit WHERE lesion_id = :id",
    "patient": "SELECT visit.id FROM visit JOIN lesion ON lesion.id = lesion_id WHERE patient_id = :id",
}


def erase_rows(db: Database, subject: Subject, number: int) -> frozenset[str]:
    """Delete the row and all that hangs on it; the names of the files that it named."""
    row = row_of(db, subject, number)
    named = _named(db, f"IN ({_VISITS_OF[subject]})", {"id": number})
    db.execute(f"DELETE FROM {subject} WHERE id = ?", [number])
    if subject == "visit":
        # Without a patient nothing leads to an empty lesion any more.
        db.execute(
            "DELETE FROM lesion WHERE id = ? AND patient_id IS NULL AND id NOT IN (SELECT lesion_id FROM visit)",
            [row["lesion_id"]],
        )
    mark_pending(db)
    return named


def mark_pending(db: Database) -> None:
    db.execute("INSERT OR REPLACE INTO setting (key, value, updated_at) VALUES (?, 'yes', ?)", [PENDING, now()])


def remove_files(db: Database, files: CaseFiles, names: frozenset[str]) -> None:
    """Remove those that no row names. Called under the write lock, under which a save looks for its files as well."""
    for name in names - named_files(db):
        files.remove(name)


def named_files(db: Database) -> frozenset[str]:
    return _named(db, "IS NOT NULL", {})


def scrub(db: Database) -> None:
    """Overwrite what deleted rows leave: words in the search index, free pages, the write-ahead log.

    Raises:
        StoreError: another window is reading; ``CaseStore.sweep`` finishes the work later.
    """
    if not first(db, "SELECT 1 FROM setting WHERE key = ?", [PENDING]):
        return
    # FTS5 only marks deleted words; building its index anew drops them.
    db.execute("INSERT INTO visit_text (visit_text) VALUES ('rebuild')")
    db.execute("VACUUM")
    end = time.monotonic() + PATIENCE_S
    while next(iter(db.query("PRAGMA wal_checkpoint(TRUNCATE)")))["busy"]:
        if time.monotonic() > end:
            raise StoreError(
                "The rows are deleted, but another window is still reading and holds traces of them in the database's "
                "log. Close the other windows of SkinLens; the traces are overwritten at its next start."
            )
        time.sleep(0.02)
    db.execute("DELETE FROM setting WHERE key = ?", [PENDING])


def _named(db: Database, visits: str, parameters: dict[str, int]) -> frozenset[str]:
    sql = f"""
        SELECT photo_file AS name FROM visit WHERE id {visits}
        UNION SELECT thumbnail_file FROM visit WHERE id {visits}
        UNION SELECT heat_file FROM explanation WHERE visit_id {visits}"""
    return frozenset(row["name"] for row in db.query(sql, parameters))
