"""Audit log of the whole store: views and exports are noted, entries are listed, the chain is verified."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from skinlens.case_record import Subject
from skinlens.errors import StoreError
from skinlens.roles import REFUSED
from skinlens.store import audit_check, chain, database, mapping
from skinlens.store.audit_check import Kept, Verified
from skinlens.store.chain import Head
from skinlens.store.connection import StoreHome
from skinlens.store.mapping import Row

PER_PAGE = 25
AccountAction = Literal[
    "added", "removed", "disabled", "enabled", "role set", "password set", "password changed", "signed in",
    "signed out", "refused",
]  # fmt: skip
"""What is noted of an account: by its number, for its name may be a person's."""
TokenAction = Literal["added", "revoked", "refused"]
"""Likewise of a token of the API."""
NOT_NOTED = "This is not in the audit log, which cannot be written now."


@dataclass(frozen=True)
class AuditEntry:
    """One entry of the audit log."""

    number: int
    at: str
    """UTC, ISO 8601."""
    actor: str
    action: str
    """As of ``Revision``; beside them ``viewed``, ``exported``, ``printed``, ``sent``, ``received``, ``discarded``,
    ``erased``, ``backed up``, ``restored``, ``acknowledged``, ``accepted``, ``rescored`` and ``begun``; of an account
    those of ``AccountAction``, of a token those of ``TokenAction``; and what a role was refused: ``roles.REFUSED`` and
    the right."""
    kind: str
    """What it was done to, as of ``chain.Object``."""
    object_number: int | None
    """Number of the patient, lesion, visit, account or token; of what left as many at once: how many."""
    model_sha256: str
    """Of the model that read a visit; empty for all else."""
    previous: str
    hash: str


@dataclass(frozen=True)
class AuditQuery:
    """Query of the audit log; what is empty or None leaves all entries in."""

    actor: str = ""
    what: tuple[str, str] | None = None
    """Kind and action."""
    first_day: date | None = None
    """By the clinic's calendar, like ``last_day``."""
    last_day: date | None = None
    page: int = 1


@dataclass(frozen=True)
class AuditPage:
    """One page of entries, the newest first."""

    entries: tuple[AuditEntry, ...]
    total: int
    """Number of entries of all pages."""
    page: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PER_PAGE))


EVERY_ENTRY = AuditQuery()


class StoredAudit(StoreHome):
    """The part of ``CaseStore`` that has the audit log."""

    def note_view(self, subject: Subject, number: int) -> str:
        """A stored case or patient is shown: called once for each opening. See ``note_export`` for what it returns."""
        return self._note_use("viewed", subject, number)

    def note_export(
        self, subject: Subject, number: int, action: Literal["exported", "printed", "sent"] = "exported"
    ) -> str:
        """Something of it leaves SkinLens: called before it does. What is printed every role may take; all else needs
        the right to export.

        Returns a sentence where it cannot be noted, as in a read-only folder or on a full disk: what is stored can
        still be read and handed out there, for that may be how it is rescued.
        """
        if action != "printed":
            self.must_be_allowed("export")
        return self._note_use(action, subject, number)

    def note_export_of_many(self, count: int) -> str:
        """Note that so many cases at once, or a table of them, leave SkinLens: called before. See ``note_export``."""
        return self._note_use("exported", "visits", count)

    def note_backup_export(self, cases: int) -> str:
        """A backup of so many cases is handed out by the page: called before. See ``note_export``."""
        return self._note_use("exported", "backup", cases)

    def note_log_export(self, count: int) -> None:
        """Note that so many entries of the audit log itself leave SkinLens. Raises StoreError."""
        with self._writing() as db:
            chain.append(db, "exported", "log", count)

    def note_account(self, action: AccountAction, number: int | None) -> None:
        """Something was done to an account, or tried. Raises StoreError."""
        with self._writing() as db:
            chain.append(db, action, "account", number)

    def note_token(self, action: TokenAction, number: int | None) -> None:
        """Something was done to a token of the API, or a wrong one was tried. Raises StoreError."""
        with self._writing() as db:
            chain.append(db, action, "token", number)

    def audit_page(self, query: AuditQuery = EVERY_ENTRY) -> AuditPage:
        """One page; a page beyond the last is the last."""
        where, parameters = _where(query)
        with self._reading() as db:
            total = int(next(iter(db.query(f"SELECT count(*) AS total FROM audit {where}", parameters)))["total"])
            page = max(1, min(query.page, -(-total // PER_PAGE)))
            sql = f"SELECT * FROM audit {where} ORDER BY id DESC LIMIT {PER_PAGE} OFFSET {PER_PAGE * (page - 1)}"
            return AuditPage(tuple(map(_entry_of, db.query(sql, parameters))), total, page)

    def audit_entries(self, query: AuditQuery = EVERY_ENTRY) -> tuple[AuditEntry, ...]:
        """Entries of all pages that the query means, the oldest first."""
        where, parameters = _where(query)
        with self._reading() as db:
            return tuple(map(_entry_of, db.query(f"SELECT * FROM audit {where} ORDER BY id", parameters)))

    def audit_choices(self) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
        """Actors, and what was done (kind and action), as far as there are entries; for a filter."""
        with self._reading() as db:
            actors = tuple(row["actor"] for row in db.query("SELECT DISTINCT actor FROM audit ORDER BY actor"))
            done = db.query("SELECT DISTINCT object, action FROM audit ORDER BY object, action")
            return actors, tuple((row["object"], row["action"]) for row in done)

    def verify_audit(self, heads: Sequence[Kept] = ()) -> Verified:
        """Verify the chain against itself, the file beside the database, and ``heads`` that were stored elsewhere."""
        path = self.home / chain.HEAD_FILE
        problem = ""
        try:
            noted = chain.kept_head(self.home)
        except ValueError:
            noted, problem = None, f"The file {path} is damaged: it cannot be said whether the last entries are there."
        if noted is None and not problem:
            problem = f"The file {path} is missing: it cannot be said whether the last entries are there."
        known = [*heads, *([Kept(noted, f"the file {chain.HEAD_FILE}")] if noted is not None else [])]
        with self._reading() as db:
            return audit_check.verify(db, known, head_file_problem=problem)

    def audit_head(self) -> Head:
        """The last entry: to be kept where nobody of this computer can write."""
        with self._reading() as db:
            return chain.head(db)

    def accept_audit(self) -> None:
        """Note that what the verification finds at the end of the chain is known, and begin the file again."""
        with self._writing() as db:
            chain.append(db, "accepted", "log")
            now = chain.head(db)
        chain.write_head(self.home, now)

    def _note_refusal(self, right: str, kind: chain.Object, number: int | None) -> str:
        """The actor's role was refused this; a folder without a database gets none by it. See ``note_export``."""
        if database.is_empty(self.database):
            return ""
        return self._note_use(f"{REFUSED}{right}", kind, number)

    def _note_use(self, action: str, subject: chain.Object, number: int | None) -> str:
        try:
            with self._writing() as db:
                row = mapping.first(db, "SELECT model_sha256 FROM visit WHERE id = ?", [number])
                model = str(row["model_sha256"]) if row and subject == "visit" else ""
                chain.append(db, action, subject, number, model_sha256=model)
        except StoreError as error:
            return f"{NOT_NOTED} {error}"
        return ""


def _entry_of(row: Row) -> AuditEntry:
    return AuditEntry(
        number=row["id"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        kind=row["object"],
        object_number=row["number"],
        model_sha256=row["model_sha256"],
        previous=row["previous"],
        hash=row["hash"],
    )


def _where(query: AuditQuery) -> tuple[str, list[object]]:
    conditions = dict(_conditions(query))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return where, [value for values in conditions.values() for value in values]


def _conditions(query: AuditQuery) -> Iterator[tuple[str, tuple[object, ...]]]:
    if query.actor:
        yield "actor = ?", (query.actor,)
    if query.what:
        yield "object = ? AND action = ?", query.what
    if query.first_day:
        yield "at >= ?", (_begins(query.first_day),)
    if query.last_day:
        yield "at < ?", (_begins(query.last_day + timedelta(days=1)),)


def _begins(day: date) -> str:
    """The moment at which a day of the clinic's calendar begins, as times are stored."""
    return datetime.combine(day, time()).astimezone().astimezone(UTC).isoformat(timespec="milliseconds")
