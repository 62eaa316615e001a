"""The accounts of one home folder: added, changed and removed; signed in with, and signed out of."""

import sqlite3
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skinlens.accounts import attempts, database, passwords, sessions
from skinlens.accounts.sessions import Device, Session, SignInRefused
from skinlens.errors import InvalidEntry
from skinlens.roles import LOCAL_USER, ROLES, Role
from skinlens.store import default_home

MOST_LETTERS = 60
WRONG = "The name or the password is not right. Check both and try again."


@dataclass(frozen=True)
class Account:
    """Account of a person who may sign in."""

    name: str
    role: Role
    created_at: float
    """Seconds since 1970, as all times here."""
    changed_at: float
    """When the password was set last."""


class Accounts:
    """All accounts of a home folder. It holds a path and no connection; any thread and any process may use it.

    Every method raises ``StoreError`` where their database cannot be used.
    """

    def __init__(self, home: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.home = home or default_home()
        self._clock = clock

    # ------------------------------------------------------------------------------------------------- accounts

    def all(self) -> tuple[Account, ...]:
        """By name."""
        with database.reading(self.home) as db:
            rows = db.execute("SELECT * FROM account ORDER BY folded").fetchall() if db else []
        return tuple(Account(row["name"], row["role"], row["created_at"], row["changed_at"]) for row in rows)

    def there_are_any(self) -> bool:
        with database.reading(self.home) as db:
            return bool(db and db.execute("SELECT 1 FROM account").fetchone())

    def add(self, name: str, role: Role, password: str) -> Account:
        """Raises InvalidEntry: the name is taken or none, the role is unknown, or the password is a weak one."""
        name = settled(name)
        kept, now = passwords.hashed(password, name), self._clock()
        must_be_role(role)
        with database.writing(self.home) as db:
            if db.execute("SELECT 1 FROM account WHERE folded = ?", [folded(name)]).fetchone():
                raise InvalidEntry(f"There is an account {name} already.")
            row = [name, folded(name), role, kept, now, now]
            db.execute("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?)", row)
        return Account(name, role, now, now)

    def remove(self, name: str) -> str:
        """Its sessions end at once. The name as it was written. Raises InvalidEntry, see ``set_role``."""
        with database.writing(self.home) as db:
            name, role = _found(db, name)
            others = db.execute("SELECT 1 FROM account WHERE name <> ?", [name]).fetchone()
            if others and role == "admin":
                _must_leave_admin(db, name)
            db.execute("DELETE FROM account WHERE name = ?", [name])
        return name

    def set_password(self, name: str, password: str) -> str:
        """Sets it, forgets failed attempts, and ends all sessions of the account. Raises InvalidEntry."""
        with database.reading(self.home) as db:
            name, _ = _found(db, name)
        kept = passwords.hashed(password, name)
        with database.writing(self.home) as db:
            db.execute("UPDATE account SET password = ?, changed_at = ? WHERE name = ?", [kept, self._clock(), name])
            db.execute("DELETE FROM session WHERE account = ?", [name])
            db.execute("DELETE FROM attempt WHERE tried = ?", [attempts.keys(folded(name), "")[0]])
        return name

    def set_role(self, name: str, role: Role) -> str:
        """All sessions of the account end, so that the next has the new role.

        Raises:
            InvalidEntry: there is no such account or role, or nobody would be left who may manage the installation.
        """
        must_be_role(role)
        with database.writing(self.home) as db:
            name, before = _found(db, name)
            if before == "admin" and role != "admin":
                _must_leave_admin(db, name)
            db.execute("UPDATE account SET role = ? WHERE name = ?", [role, name])
            db.execute("DELETE FROM session WHERE account = ?", [name])
        return name

    # ------------------------------------------------------------------------------------------------- sessions

    def sign_in(self, name: str, password: str, *, address: str, browser: str, instead_of: str = "") -> str:
        """The token of a new session; the one of ``instead_of`` ends.

        The attempt is counted before the password is looked at, so that many at once are not looked at for free. A
        name that is not known is answered as one that is, as late.

        Raises:
            SignInRefused: they do not belong together, or there were too many attempts.
        """
        typed = folded(name[: 4 * MOST_LETTERS])
        tried = attempts.keys(typed, address)
        with database.writing(self.home) as db:
            row = db.execute("SELECT name, password FROM account WHERE folded = ?", [typed]).fetchone()
            if (wait := attempts.wait_s(db, tried, self._clock())) <= 0:
                attempts.count(db, tried, self._clock())
        if wait > 0:
            raise SignInRefused(f"Too many attempts. Wait {in_words(wait)}, then try again.", wait)
        kept = row["password"] if row else None
        if not passwords.matches(kept, password):
            raise SignInRefused(WRONG)
        with database.writing(self.home) as db:
            still = db.execute("SELECT password FROM account WHERE name = ?", [row["name"]]).fetchone()
            if still is None or still["password"] != kept:
                raise SignInRefused(WRONG)
            attempts.forgive(db, *tried)
            db.execute("DELETE FROM session WHERE token = ?", [sessions.digest(instead_of)])
            return sessions.begin(db, row["name"], self._clock(), address, browser)

    def admit_local(self, *, address: str, browser: str) -> str:
        """The token of a session of who works at this computer, without an account."""
        with database.writing(self.home) as db:
            return sessions.begin(db, None, self._clock(), address, browser)

    def session(self, token: str) -> Session | None:
        """The session of a cookie's token; None: it has ended, or never was."""
        return self._session("token", sessions.digest(token))

    def session_by_id(self, number: int) -> Session | None:
        return self._session("id", number)

    def note_seen(self, session: Session) -> None:
        """Somebody is there: the session's time begins again."""
        now = self._clock()
        if now - session.seen_at >= sessions.NOTED_EVERY_S:
            with database.writing(self.home) as db:
                db.execute("UPDATE session SET seen_at = max(seen_at, ?) WHERE id = ?", [now, session.id])

    def devices(self, account: str) -> tuple[Device, ...]:
        """The sessions of an account that are open."""
        with database.reading(self.home) as db:
            return sessions.devices(db, account, self._clock(), sessions.idle_s()) if db else ()

    def end(self, account: str, number: int | None = None) -> None:
        """Sign an account out: of one session, or of all."""
        with database.writing(self.home) as db:
            db.execute("DELETE FROM session WHERE account = ? AND ? IN (id, -1)", [account, number or -1])

    def _session(self, column: str, value: bytes | int) -> Session | None:
        with database.reading(self.home) as db:
            return sessions.find(db, column, value, self._clock(), sessions.idle_s()) if db else None


def settled(name: str) -> str:
    """A name as it is kept. Raises InvalidEntry."""
    kept = " ".join(unicodedata.normalize("NFC", name).split())
    if not kept or len(kept) > MOST_LETTERS or not kept.isprintable():
        raise InvalidEntry(
            f"An account's name has 1 to {MOST_LETTERS} letters, digits, blanks and signs; found {name[:80]!r}."
        )
    if kept.casefold() == LOCAL_USER:
        raise InvalidEntry(f"“{LOCAL_USER}” is who works without an account. Choose another name.")
    return kept


def folded(name: str) -> str:
    """By which two names are the same."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def must_be_role(role: str) -> None:
    if role not in ROLES:
        raise InvalidEntry(f"{role!r} is no role. Choose one of: {', '.join(ROLES)}.")


def in_words(seconds: float) -> str:
    """Duration in words, rounded up."""
    if seconds <= 90:
        return f"{max(1, round(seconds + 0.5))} seconds"
    return f"{round(seconds / 60 + 0.5)} minutes"


def _found(db: sqlite3.Connection | None, name: str) -> tuple[str, Role]:
    row = None
    if db is not None:
        row = db.execute("SELECT name, role FROM account WHERE folded = ?", [folded(name)]).fetchone()
    if row is None:
        raise InvalidEntry(f"There is no account {name}. `skinlens user list` shows all.")
    return row["name"], row["role"]


def _must_leave_admin(db: sqlite3.Connection, name: str) -> None:
    if not db.execute("SELECT 1 FROM account WHERE role = 'admin' AND name <> ?", [name]).fetchone():
        raise InvalidEntry(f"{name} is the only admin. Give another account that role first.")
