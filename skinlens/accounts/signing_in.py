"""Signing in: with a password of one's own, or as a person for whom an OpenID provider vouches; and signing out."""

import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skinlens.accounts import attempts, database, passwords, sessions
from skinlens.accounts.names import MOST_LETTERS, folded, settled
from skinlens.accounts.sessions import Device, Session, SignInRefused
from skinlens.errors import InvalidEntry, StoreError
from skinlens.roles import ROLES, Role
from skinlens.store import CaseStore, default_home
from skinlens.store.audit_log import AccountAction

WRONG = "The name or the password is not right. Check both and try again."
WRONG_OLD = "The present password is not right. Nothing was changed."
DISABLED = "This account is disabled. Ask an admin."
NO_ROLE = "This account has a role that SkinLens does not know. Ask an admin."
NOBODY = "nobody"
"""Actor in the audit log where somebody was not let in."""
KNOWN_S = 180 * 86_400.0
"""A browser in which an account has not signed in for so long is not known any more."""
Note = Callable[[AccountAction, int | None, str], None]
"""Writes an entry of the audit log: what was done, to the account of that number, by whom."""


@dataclass(frozen=True)
class Person:
    """Somebody for whom an OpenID provider vouches."""

    issuer: str
    subject: str
    """Permanent identifier of the person at the provider."""
    name: str
    """Name under which they get an account when they come first."""
    role: Role | None
    """Role by their groups; None: these say nothing of it, and the account keeps its own."""


class SigningIn:
    """The part of ``Accounts`` that begins and ends sessions. Every method raises ``StoreError`` where it cannot."""

    def __init__(
        self, home: Path | None = None, clock: Callable[[], float] = time.time, note: Note | None = None
    ) -> None:
        self.home = home or default_home()
        self._clock = clock
        self._note = note or self._noted

    def _noted(self, action: AccountAction, number: int | None, actor: str) -> None:
        CaseStore(self.home, actor=actor).note_account(action, number)

    def sign_in(
        self, name: str, password: str, *, address: str, browser: str, instead_of: str = "", known: str = ""
    ) -> str:
        """The token of a new session; the one of ``instead_of`` ends. ``known``: what the browser was given by
        ``know_browser`` before.

        The attempt is counted before the password is looked at, so that many at once are not looked at for free. A
        name that is not known is answered as one that is, as late.

        Raises:
            SignInRefused: they do not belong together, the account is disabled, or there were too many attempts.
        """
        typed = folded(name[: 4 * MOST_LETTERS])
        with database.writing(self.home) as db:
            row = _account(db, typed)
            tried = attempts.keys(typed, address, _known(db, row, known))
            wait = self._counted(db, tried)
        _refuse_until(wait)
        password_hash = row["password"] if row else None
        if not passwords.matches(password_hash, password):
            self._tell("refused", row["number"] if row else None, NOBODY)
            raise SignInRefused(WRONG)
        with database.writing(self.home) as db:
            still = _account(db, typed)
            if still is None or still["password"] != password_hash:
                raise SignInRefused(WRONG)
            attempts.forgive(db, tried)
            if not (why := _refused(still)):
                return self._begin(db, still, address, browser, instead_of)
        self._tell("refused", still["number"], NOBODY)
        raise SignInRefused(why)

    def enter(self, person: Person, *, address: str, browser: str, instead_of: str = "") -> str:
        """The token of a new session of a person for whom a provider vouches. Who comes first gets an account, as a
        viewer where their groups say nothing else; their role follows their groups each time.

        Raises:
            SignInRefused: their account is disabled, or their name is that of another account.
        """
        with database.writing(self.home) as db:
            by = [person.issuer, person.subject]
            row = db.execute("SELECT * FROM account WHERE issuer = ? AND subject = ?", by).fetchone()
            if row is None:
                row = self._made(db, person)
            elif person.role is not None and person.role != row["role"]:
                db.execute("UPDATE account SET role = ? WHERE name = ?", [person.role, row["name"]])
                self._note("role set", row["number"], row["name"])
            if not (why := _refused(row)):
                return self._begin(db, row, address, browser, instead_of)
        self._tell("refused", row["number"], NOBODY)
        raise SignInRefused(why)

    def _made(self, db: sqlite3.Connection, person: Person) -> sqlite3.Row:
        try:
            name = settled(person.name)
        except InvalidEntry as error:
            raise SignInRefused(f"The name that came from there cannot be an account's. {error}") from error
        if _account(db, folded(name)):
            raise SignInRefused(
                f"There is another account {name} here, so you were not signed in. Ask an admin to remove that one, or "
                "to have you called otherwise where you signed in."
            )
        now = self._clock()
        row = [name, folded(name), person.role or "viewer", person.issuer, person.subject, now, now]
        columns = "name, folded, role, issuer, subject, created_at, changed_at"
        db.execute(f"INSERT INTO account ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        made = _account(db, folded(name))
        assert made is not None
        self._note("added", made["number"], name)
        return made

    def _begin(self, db: sqlite3.Connection, row: sqlite3.Row, address: str, browser: str, instead_of: str) -> str:
        db.execute("DELETE FROM session WHERE token = ?", [sessions.digest(instead_of)])
        token = sessions.begin(db, row["name"], self._clock(), address, browser)
        self._tell("signed in", row["number"], row["name"])
        return token

    def know_browser(self, token: str, before: str) -> str:
        """A word by which the browser of this session is known the next time, so that what others try does not keep
        it waiting; in the place of the one that it sent ``before``.
        """
        word, now = secrets.token_urlsafe(sessions.TOKEN_BYTES), self._clock()
        with database.writing(self.home) as db:
            session_row = db.execute("SELECT account FROM session WHERE token = ?", [sessions.digest(token)]).fetchone()
            db.execute("DELETE FROM known_browser WHERE seen_at < ?", [now - KNOWN_S])
            moved = [sessions.digest(word), sessions.digest(before)]
            db.execute("UPDATE known_browser SET token = ? WHERE token = ?", moved)
            if session_row and session_row["account"]:
                row = [sessions.digest(word), session_row["account"], now]
                db.execute("INSERT OR REPLACE INTO known_browser VALUES (?, ?, ?)", row)
        return word

    def change_password(self, session: Session, old: str, new: str, *, end_others: bool) -> str:
        """Somebody changes their own password: the new token of their session; the others end if that is asked for.

        Raises:
            SignInRefused: the old one is not right, or there were too many attempts.
            InvalidEntry: the new one is weak, or the old one; or a provider keeps the password.
        """
        tried = (f"browser own {folded(session.actor)}",)
        with database.writing(self.home) as db:
            row = _account(db, folded(session.actor))
            if row is None or row["password"] is None:
                raise InvalidEntry("SkinLens does not keep your password. Change it where you sign in.")
            wait = self._counted(db, tried)
        _refuse_until(wait)
        if not passwords.matches(row["password"], old):
            self._tell("refused", row["number"], session.actor)
            raise SignInRefused(WRONG_OLD)
        if passwords.matches(row["password"], new):
            raise InvalidEntry("That is your present password. Choose another one.")
        password_hash, token = passwords.hashed(new, row["name"]), secrets.token_urlsafe(sessions.TOKEN_BYTES)
        with database.writing(self.home) as db:
            mine = db.execute(
                "UPDATE account SET password = ?, changed_at = ? WHERE name = ? AND password = ?",
                [password_hash, self._clock(), row["name"], row["password"]],
            )
            own = db.execute("UPDATE session SET token = ? WHERE id = ?", [sessions.digest(token), session.id])
            if not mine.rowcount or not own.rowcount:
                raise SignInRefused(WRONG_OLD)
            if end_others:
                db.execute("DELETE FROM session WHERE account = ? AND id <> ?", [row["name"], session.id])
            attempts.forgive(db, tried)
            self._note("password changed", row["number"], row["name"])
        return token

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
            row = _account(db, folded(account))
            ended = db.execute("DELETE FROM session WHERE account = ? AND ? IN (id, -1)", [account, number or -1])
            if row is not None and ended.rowcount:
                self._tell("signed out", row["number"], row["name"])

    def _counted(self, db: sqlite3.Connection, tried: tuple[str, ...]) -> float:
        """Seconds that the attempt has to wait, 0 for one that may be made and is counted."""
        wait = attempts.wait_s(db, tried, self._clock())
        if wait <= 0:
            attempts.count(db, tried, self._clock())
        return wait

    def _tell(self, action: AccountAction, number: int | None, actor: str) -> None:
        """Note it where that can be done: on a full disk people are to reach their cases all the same."""
        with suppress(StoreError):
            self._note(action, number, actor)

    def _session(self, column: str, value: bytes | int) -> Session | None:
        with database.reading(self.home) as db:
            return sessions.find(db, column, value, self._clock(), sessions.idle_s()) if db else None


def _refused(row: sqlite3.Row) -> str:
    """Sentence of why an account lets nobody in; empty: it does."""
    if row["disabled"]:
        return DISABLED
    return "" if row["role"] in ROLES else NO_ROLE


def _refuse_until(wait_s: float) -> None:
    """Raise SignInRefused where there is something to wait for; after the transaction, which keeps what it mended."""
    if wait_s > 0:
        raise SignInRefused(f"Too many attempts. Wait {wait_words(wait_s)}, then try again.", wait_s)


def wait_words(seconds: float) -> str:
    """Duration in words, rounded up."""
    if seconds <= 90:
        return f"{max(1, round(seconds + 0.5))} seconds"
    return f"{round(seconds / 60 + 0.5)} minutes"


def _account(db: sqlite3.Connection, folded_name: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM account WHERE folded = ?", [folded_name]).fetchone()
    return row


def _known(db: sqlite3.Connection, account: sqlite3.Row | None, token: str) -> bytes | None:
    if account is None or not token:
        return None
    digest = sessions.digest(token)
    asked = [digest, account["name"]]
    return (
        digest if db.execute("SELECT 1 FROM known_browser WHERE token = ? AND account = ?", asked).fetchone() else None
    )
