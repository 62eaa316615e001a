"""Verification of the audit chain: what was changed, removed or inserted in it, and where.

It compares the chain with itself, with the head that is kept beside the database or in a backup, and with the revisions
and rows that it names. Who can write to all of them can make a new chain that fits: only a head that is kept where they
cannot write finds that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlite_utils.db import Database

from skinlens.case_record import Subject
from skinlens.store import chain
from skinlens.store.chain import Head
from skinlens.store.mapping import Row

MOST_PROBLEMS = 20
"""Sentences of one verification; further ones are counted."""
_SUBJECTS: tuple[Subject, ...] = ("patient", "lesion", "visit")
_NOUNS: Mapping[str, str] = {"visit": "case"}


@dataclass(frozen=True)
class Verified:
    """Result of a verification."""

    entries: int
    head: str
    """Hash of the last entry."""
    problems: tuple[str, ...]
    """A sentence for each thing that is wrong, where it is known with the number of the entry."""


class Kept(NamedTuple):
    """A head that was noted outside of the database."""

    head: Head
    where: str
    """What holds it, as in "the file audit-head.json"."""


def verify(db: Database, heads: list[Kept], *, head_file_problem: str = "") -> Verified:
    """Verify every entry. ``head_file_problem``: reason why the head file could not be read; empty: it could."""
    problems, entries = list[str](), list[Row]()
    for problem in _chain_problems(db, entries):
        problems.append(problem)
    last = Head(entries[-1]["id"], entries[-1]["hash"]) if entries else Head(0, chain.BEGINNING)
    hashes = {row["id"]: row["hash"] for row in entries}
    for head in heads:
        problems += _head_problems(head, last, hashes)
    if head_file_problem and last.entries > chain.FIRST_ENTRIES:
        problems.append(head_file_problem)
    problems += _revision_problems(db, entries)
    problems += _row_problems(db, entries)
    if (more := len(problems) - MOST_PROBLEMS) > 0:
        problems = [*problems[:MOST_PROBLEMS], f"{more} more of this kind are not listed."]
    return Verified(last.entries, last.hash, tuple(problems))


def _chain_problems(db: Database, entries: list[Row]) -> Iterator[str]:
    """Check numbering, hash and link of each entry, in order; every entry read is appended to ``entries``."""
    expected, before = 1, chain.BEGINNING
    for row in db.query("SELECT * FROM audit ORDER BY id"):
        number = row["id"]
        if number != expected:
            which = f"entry {expected}" if number == expected + 1 else f"entries {expected} to {number - 1}"
            yield f"Missing from the audit log: {which}."
        sound = chain.entry_hash(row) == row["hash"]
        if not sound:
            yield f"Entry {number} of the audit log was changed after it was written."
        elif number == expected and row["previous"] != before:
            yield (
                f"Entry {number} of the audit log does not follow entry {number - 1}: one of them was put there later, "
                "or takes the place of another."
            )
        entries.append(row)
        expected, before = number + 1, row["hash"]
    if not entries:
        yield "The audit log is empty: its first entry, which is made with it, is missing."


def _head_problems(head: Kept, last: Head, hashes: Mapping[int, str]) -> Iterator[str]:
    entries, noted = head.head
    if entries > last.entries:
        missing = entries - last.entries
        count = "the last entry is" if missing == 1 else f"the last {missing} entries are"
        yield (
            f"Missing from the audit log: {count}. By {head.where} there were {entries}, and {last.entries} are there. "
            "They were removed, or an older copy of the database was put back."
        )
    elif entries and hashes.get(entries) != noted:
        yield (
            f"Entry {entries} of the audit log is another than {head.where} says: it, or entries before it, were "
            "written anew."
        )


def _revision_problems(db: Database, entries: list[Row]) -> Iterator[str]:
    """Each entry's revision; and revisions that no entry names."""
    gone = _erased(entries)
    stored = db.query("SELECT revision.*, salt FROM revision LEFT JOIN revision_salt ON revision_id = revision.id")
    revisions = {row["id"]: row for row in stored}
    named = set()
    for entry in entries:
        if entry["revision"] is None:
            continue
        named.add(entry["revision"])
        what = f"the change that entry {entry['id']} of the audit log records ({_named(entry)})"
        revision = revisions.get(entry["revision"])
        if revision is None:
            if (entry["object"], entry["number"]) not in gone:
                yield f"Missing: {what}. No entry says that it was erased."
        elif revision["salt"] is None or chain.evidence(revision["salt"], revision) != entry["evidence"]:
            yield f"Not what was recorded: {what}."
    first = entries[0]["number"] if entries else None
    before = first if isinstance(first, int) else 0
    for number in sorted(revisions.keys() - named):
        if not 1 <= number <= before:  # SQLite gives numbers from 1 on; any other was put there by hand
            subject = next(kind for kind in _SUBJECTS if revisions[number][f"{kind}_id"] is not None)
            about = f"{_NOUNS.get(subject, subject)} {revisions[number][f'{subject}_id']}"
            yield f"A change of {about} stands in the database and in no entry of the audit log."


def _row_problems(db: Database, entries: list[Row]) -> Iterator[str]:
    """Patients, lesions and cases that were created and are gone without an erasure."""
    gone = _erased(entries)
    present = {(kind, row["id"]) for kind in _SUBJECTS for row in db.query(f"SELECT id FROM {kind}")}
    for entry in entries:
        named = (entry["object"], entry["number"])
        if entry["action"] == "created" and named not in present and named not in gone:
            yield f"{_named(entry).capitalize()} is gone, and no entry of the audit log says that it was erased."


def _erased(entries: list[Row]) -> set[tuple[str, int]]:
    return {(entry["object"], entry["number"]) for entry in entries if entry["action"] == "erased"}


def _named(entry: Row) -> str:
    return f"{_NOUNS.get(entry['object'], entry['object'])} {entry['number']}"
