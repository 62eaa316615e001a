"""Audit chain: who did what to which object and when; each entry holds the SHA-256 of the one before, and no content.

An entry names a revision by its number and holds a salted hash of it. The salt lies beside the revision and is erased
with it: what is left then is a hash from which nothing can be guessed, and the chain stays whole.
"""

import hashlib
import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from sqlite_utils.db import Database

from skinlens.atomic_file import PRIVATE, replace_text
from skinlens.case_record import Subject
from skinlens.store import validation
from skinlens.store.mapping import Row, first, insert

Object = Literal["patient", "lesion", "visit", "visits", "account", "token", "settings", "backup", "log", "store"]
BEGINNING = "0" * 64
"""What the first entry has as the hash of the one before."""
HEAD_FILE = "audit-head.json"
HALF_HEADS = f".{HEAD_FILE}.*.partial"
"""What is left of one where a disk gave up and let nothing be removed either."""
"""Beside the database: how many entries there are, and the hash of the last."""
FIRST_ENTRIES = 1
"""Entries that a chain may have before the file is first written; where more are there, the file was taken away."""
_ENTRY_FIELDS = (
    *("id", "previous", "at", "actor", "action", "object", "number"),
    *("model_sha256", "revision", "evidence"),
)
_REVISION_FIELDS = (
    *("id", "patient_id", "lesion_id", "visit_id", "at", "action", "changes"),
    *("model_version", "skinlens_version"),
)


class Head(NamedTuple):
    """The last entry of the chain."""

    entries: int
    hash: str


def entry_hash(row: Row) -> str:
    """SHA-256 of an entry: of the ASCII bytes of a JSON list of its fields, in a fixed order and without blanks."""
    return _digest("skinlens-audit-1", *(row[field] for field in _ENTRY_FIELDS))


def evidence(salt: str, revision: Row) -> str:
    """SHA-256 of a revision's row with its salt."""
    return _digest("skinlens-revision-1", salt, *(revision[field] for field in _REVISION_FIELDS))


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values, ensure_ascii=True, separators=(",", ":")).encode("ascii")).hexdigest()


def head(db: Database) -> Head:
    """Head of the entries that are there; the chain of a store always has its first one."""
    row = first(db, "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", [])
    return Head(row["id"], row["hash"]) if row else Head(0, BEGINNING)


def append(db: Database, action: str, kind: Object, number: int | None = None, *, model_sha256: str = "") -> None:
    """Add an entry about an object, in the name of whom the connection was opened for."""
    actor = next(iter(db.query("SELECT actor() AS name")))["name"]
    _put(db, _Done(actor, action, kind, number, model_sha256))


def append_revision(db: Database, subject: Subject, number: int, revision: Row) -> None:
    """Add the entry of a revision that was just written: ``revision`` is its row."""
    salt = secrets.token_hex(16)
    visit = first(db, "SELECT model_sha256 FROM visit WHERE id = ?", [number]) if subject == "visit" else None
    model = str(visit["model_sha256"]) if visit else ""
    actor = next(iter(db.query("SELECT actor() AS name")))["name"]
    _put(db, _Done(actor, revision["action"], subject, number, model, revision["id"], evidence(salt, revision)))
    insert(db, "revision_salt", {"revision_id": revision["id"], "salt": salt})


def is_lost(db: Database, subject: Subject, number: int) -> bool:
    """Whether the chain has it that a row was created, and not that it was erased."""
    entries = db.query("SELECT action FROM audit WHERE object = ? AND number = ?", [subject, number])
    done = {row["action"] for row in entries}
    return "created" in done and "erased" not in done


def begin(db: Database) -> None:
    """The first entry: revisions up to its number are older than the chain, and not vouched for by it."""
    last = next(iter(db.query("SELECT coalesce(max(id), 0) AS number FROM revision")))["number"]
    _put(db, _Done("SkinLens", "begun", "log", last, ""))


class _Done(NamedTuple):
    """What an entry says of what was done, before it is bound to the entry before."""

    actor: str
    action: str
    object: Object
    number: int | None
    model_sha256: str
    revision: int | None = None
    evidence: str = ""


def _put(db: Database, done: _Done) -> None:
    before = head(db)
    row: Row = {"id": before.entries + 1, "previous": before.hash, "at": validation.now(), **done._asdict()}
    insert(db, "audit", {**row, "hash": entry_hash(row)})


# ----------------------------------------------------------------------------------------------- the head, kept apart


def kept_head(home: Path) -> Head | None:
    """Head stored in the file beside the database; None where there is no such file.

    Raises:
        ValueError: it cannot be read as one.
    """
    try:
        content = json.loads((home / HEAD_FILE).read_bytes())
        return Head(int(content["entries"]), str(content["hash"]))
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


def keep_head(db: Database, home: Path) -> None:
    """Bring the file up to the head, as long as what it holds is still in the chain; otherwise it stays as evidence.

    Called before a transaction and after its commit: a crash in between leaves the file one transaction behind, never
    ahead. On a full disk it stays behind as well; the next transaction brings it up.
    """
    now = head(db)
    try:
        stored = kept_head(home)
    except ValueError:
        return
    if stored == now or (stored is None and now.entries > FIRST_ENTRIES) or (stored and not holds(db, stored)):
        return
    write_head(home, now)


def write_head(home: Path, now: Head) -> None:
    """Replace the head file atomically; on a full or read-only disk it is left unchanged."""
    with suppress(OSError):
        put_head(home, now)


def put_head(home: Path, now: Head) -> None:
    """Replace the head file atomically; raises OSError where it cannot be written."""
    replace_text(home / HEAD_FILE, json.dumps(now._asdict()) + "\n", PRIVATE)


def holds(db: Database, head: Head) -> bool:
    """Whether the chain has this very entry."""
    row = first(db, "SELECT hash FROM audit WHERE id = ?", [head.entries])
    return row is not None and row["hash"] == head.hash
