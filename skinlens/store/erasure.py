"""Erasure: rows, the words in the search index, free pages, the log and files, without a trace.

The transaction that deletes the rows lists the files that they named in the table ``erasing``. So an erasure that is
interrupted at any point, by a kill or a disk that cannot be written, is finished later (``CaseStore.tidy``).
"""

import time

from sqlite_utils.db import Database

from skinlens.case_record import Subject
from skinlens.errors import StoreError
from skinlens.store import chain
from skinlens.store.blobs import CaseFiles
from skinlens.store.mapping import first
from skinlens.store.patients import must_exist
from skinlens.store.validation import now

PATIENCE_S = 5.0
"""How long emptying the log is tried again: while another window does the same, SQLite refuses without waiting."""
PENDING = "erasure_pending"
"""The setting that stands from the deletion of rows until their traces are overwritten."""
COUNTED = "erasures"
"""The setting that counts erasures, so that whoever holds copies can tell that something was erased."""

_VISITS_OF: dict[Subject, str] = {
    "visit": "SELECT id FROM visit WHERE id = :id",
    "lesion": "SELECT id FROM visit WHERE lesion_id = :id",
    "patient": "SELECT visit.id FROM visit JOIN lesion ON lesion.id = lesion_id WHERE patient_id = :id",
}


def erase_rows(db: Database, subject: Subject, number: int) -> None:
    """Delete the row and all that hangs on it, and list the files that were named."""
    must_exist(db, subject, number)
    lesion = first(db, "SELECT lesion_id FROM visit WHERE id = ?", [number])
    for name in files_of(db, subject, number):
        db.execute("INSERT OR REPLACE INTO erasing (file, since) VALUES (?, ?)", [name, now()])
    own = _rows_of(db, subject, number)
    db.execute(f"DELETE FROM {subject} WHERE id = ?", [number])
    if subject == "visit" and lesion:
        # Without a patient nothing leads to an empty lesion any more.
        removed = db.execute(
            "DELETE FROM lesion WHERE id = ? AND patient_id IS NULL AND id NOT IN (SELECT lesion_id FROM visit)",
            [lesion["lesion_id"]],
        )
        own += [("lesion", int(lesion["lesion_id"]))] * removed.rowcount
    for kind, object_number in own:  # each by its number: the log says of every row that is gone that it was erased
        chain.append(db, "erased", kind, object_number)
    schedule_purge(db)
    count = first(db, "SELECT value FROM setting WHERE key = ?", [COUNTED])
    text = str(1 + (int(count["value"]) if count and count["value"].isdecimal() else 0))
    db.execute("INSERT OR REPLACE INTO setting (key, value, updated_at) VALUES (?, ?, ?)", [COUNTED, text, now()])


def _rows_of(db: Database, subject: Subject, number: int) -> list[tuple[Subject, int]]:
    """What goes with the row, and the row itself at the end."""
    visits = [row["id"] for row in db.query(_VISITS_OF[subject], {"id": number})] if subject != "visit" else []
    lesions = db.query("SELECT id FROM lesion WHERE patient_id = ?", [number]) if subject == "patient" else ()
    inner: list[tuple[Subject, int]] = [("visit", visit) for visit in visits]
    return [*inner, *(("lesion", row["id"]) for row in lesions), (subject, number)]


def is_unfinished(db: Database) -> bool:
    return first(db, "SELECT 1 FROM setting WHERE key = ? UNION ALL SELECT 1 FROM erasing", [PENDING]) is not None


def schedule_purge(db: Database) -> None:
    db.execute("INSERT OR REPLACE INTO setting (key, value, updated_at) VALUES (?, 'yes', ?)", [PENDING, now()])


def remove_listed_files(db: Database, files: CaseFiles) -> None:
    """Remove the files that erased rows named."""
    listed = frozenset(row["file"] for row in db.query("SELECT file FROM erasing"))
    remove_files(db, files, listed)
    db.execute("DELETE FROM erasing")


def remove_files(db: Database, files: CaseFiles, names: frozenset[str]) -> None:
    """Remove those that no row names. Called under the write lock, under which a save looks for its files as well."""
    if names:
        for name in names - named_files(db).keys():
            files.remove(name)


def named_files(db: Database) -> dict[str, int]:
    """Every file that a row names, and the number of a case that needs it."""
    return _named(db, "IS NOT NULL", {})


def files_of(db: Database, subject: Subject, number: int) -> frozenset[str]:
    """The files that the cases of a patient, of a lesion, or one case name."""
    return frozenset(_named(db, f"IN ({_VISITS_OF[subject]})", {"id": number}))


def purge_deleted(db: Database) -> None:
    """Overwrite what deleted rows leave: words in the search index, free pages, the write-ahead log.

    Raises:
        StoreError: another window is reading; ``CaseStore.tidy`` finishes the work later.
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
                "Another window is still reading and holds traces of what was deleted in the database's log. Close the "
                "other windows of SkinLens, and start it again."
            )
        time.sleep(0.02)
    db.execute("DELETE FROM setting WHERE key = ?", [PENDING])


def _named(db: Database, visits: str, parameters: dict[str, int]) -> dict[str, int]:
    sql = f"""
        SELECT photo_file AS name, id FROM visit WHERE id {visits}
        UNION ALL SELECT thumbnail_file, id FROM visit WHERE id {visits}
        UNION ALL SELECT heat_file, visit_id FROM explanation WHERE visit_id {visits}"""
    return {row["name"]: row["id"] for row in db.query(sql, parameters) if isinstance(row["name"], str)}
