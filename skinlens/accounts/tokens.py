"""API tokens of a home folder: made, listed, revoked and looked up; each is bound to a role and ends on a day.

A token is 256 random bits, and its SHA-256 alone is kept: nobody can try them all, so a slow hash, as for passwords
that people choose, would gain nothing.
"""

import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path

from skinlens.accounts import attempts, database
from skinlens.accounts.names import folded, settled
from skinlens.accounts.sessions import TOKEN_BYTES, digest
from skinlens.accounts.signing_in import NOBODY
from skinlens.clock import day_of
from skinlens.errors import InvalidEntry, SkinLensError, StoreError
from skinlens.roles import LOCAL_USER, TOKEN_ROLES, Role
from skinlens.store import CaseStore, default_home
from skinlens.store.audit_log import TokenAction

PREFIX = "skinlens_"
"""Prefix by which a token is known where it lies and should not."""
LONGEST = 200
"""Most characters of a secret that is looked up."""
NOTED_EVERY_S = 60.0
"""Interval at which the use of a token is written down at most."""
DAYS, MOST_DAYS = 365, 3650
"""Days for which a token is good unless it is told otherwise, and at most."""
DAY_S = 86_400.0
ADD_ONE = "Add one: skinlens api token add NAME --role reader"
Note = Callable[[TokenAction, int | None, str], None]
"""Writes an entry of the audit log: what was done, to the token of that number, by whom."""


class TokenRefused(SkinLensError):
    """A token that was given out here lets nobody in any more; the message says why, and what to do."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


@dataclass(frozen=True)
class Token:
    """Token of a program that uses the API; its secret is not stored."""

    number: int
    """Number under which the audit log names it; never given twice."""
    name: str
    role: str
    """Role as it is stored; one of another than ``TOKEN_ROLES`` lets nobody in."""
    created_at: float
    """Seconds since 1970, as all times here."""
    seen_at: float | None
    """Time of its last use; None: never."""
    expires_at: float
    """Time from which on it lets nobody in."""
    revoked_at: float | None = None

    @property
    def actor(self) -> str:
        """Name in the audit log."""
        return f"{self.name} (API)"

    def problem(self, now: float) -> str:
        """Sentence of why it lets nobody in, revoked or not; empty: it does."""
        if self.role not in TOKEN_ROLES:
            return (
                f"The role {self.role!r} is none that a token may have. Whoever runs SkinLens revokes this token and "
                "makes a new one."
            )
        if now >= self.expires_at:
            return (
                f"This token ended on {day_of(self.expires_at)}. Ask whoever runs SkinLens to revoke it and to make a "
                "new one: `skinlens api token add NAME`."
            )
        return ""


class Tokens:
    """All tokens of a home folder. It holds a path and no connection; any thread and any process may use it.

    Every method raises ``StoreError`` where the accounts' database, or for a change the audit log, cannot be used.
    """

    def __init__(
        self, home: Path | None = None, clock: Callable[[], float] = time.time, note: Note | None = None
    ) -> None:
        self.home = home or default_home()
        self._clock = clock
        self._note = note or self._noted

    def _noted(self, action: TokenAction, number: int | None, actor: str) -> None:
        CaseStore(self.home, actor=actor).note_token(action, number)

    def all(self) -> tuple[Token, ...]:
        """All tokens by number, revoked ones too."""
        with database.reading(self.home) as db:
            rows = db.execute("SELECT * FROM api_token ORDER BY number").fetchall() if db else []
        return tuple(map(_token_of, rows))

    def there_are_any(self) -> bool:
        """Whether one is not revoked."""
        return any(token.revoked_at is None for token in self.all())

    def problems(self) -> tuple[str, ...]:
        """A sentence for each token that is not revoked and has a role that no token may have."""
        return tuple(
            f"Token {token.number}, {token.name}: {token.problem(self._clock())}"
            for token in self.all()
            if token.revoked_at is None and token.role not in TOKEN_ROLES
        )

    def add(self, name: str, role: Role, days: int = DAYS) -> tuple[Token, str]:
        """A new token and its secret, which is shown this once.

        Raises:
            InvalidEntry: the name is taken or none, the role is none of ``TOKEN_ROLES``, or the ``days`` for which it
                is to be good are not 1 to ``MOST_DAYS``.
        """
        name = settled(name)
        if role not in TOKEN_ROLES:
            raise InvalidEntry(f"A token cannot have the role {role!r}. Choose one of: {', '.join(TOKEN_ROLES)}.")
        if not 1 <= days <= MOST_DAYS:
            raise InvalidEntry(f"A token cannot be good for {days} days. Give 1 to {MOST_DAYS}.")
        secret, now = f"{PREFIX}{secrets.token_urlsafe(TOKEN_BYTES)}", self._clock()
        with database.writing(self.home) as db:
            if _in_use(db, name):
                raise InvalidEntry(f"There is a token {name} already. Revoke it first, or choose another name.")
            row = {"name": name, "folded": folded(name), "role": role, "digest": digest(secret), "created_at": now}
            row["expires_at"] = now + days * DAY_S
            values = ", ".join(f":{column}" for column in row)
            number = db.execute(f"INSERT INTO api_token ({', '.join(row)}) VALUES ({values})", row).lastrowid or 0
            self._note("added", number, LOCAL_USER)
        return Token(number, name, role, now, None, now + days * DAY_S), secret

    def revoke(self, name: str) -> str:
        """Revoke a token: it lets nobody in from now on. Returns its name as written. Raises InvalidEntry: there is
        none.
        """
        with database.writing(self.home) as db:
            row = _in_use(db, name)
            if row is None:
                raise InvalidEntry(f"There is no token {name} in use. `skinlens api token list` shows all.")
            self._note("revoked", row["number"], LOCAL_USER)
            db.execute("UPDATE api_token SET revoked_at = ? WHERE number = ?", [self._clock(), row["number"]])
            return str(row["name"])

    def find(self, secret: str) -> Token | None:
        """The token that is sent as ``secret``; None: there is none, or it was revoked.

        Raises:
            TokenRefused: it has ended, or has a role that no token may have.
        """
        if not secret or len(secret) > LONGEST:
            return None
        hashed, now = digest(secret), self._clock()
        with database.reading(self.home) as db:
            sql = "SELECT * FROM api_token WHERE digest = ? AND revoked_at IS NULL"
            row = db.execute(sql, [hashed]).fetchone() if db else None
        if row is None or not compare_digest(row["digest"], hashed):
            return None
        token = _token_of(row)
        if why := token.problem(now):
            raise TokenRefused(why, token.number)
        if row["seen_at"] is None or abs(now - row["seen_at"]) >= NOTED_EVERY_S:
            with suppress(StoreError), database.writing(self.home) as db:  # on a full disk it is let in all the same
                db.execute("UPDATE api_token SET seen_at = ? WHERE number = ?", [now, row["number"]])
        return token

    def refuse(self, address: str) -> float:
        """Count a wrong token from an address and note it; seconds for which further ones are not counted, and answered
        as too many. 0: not yet. A right token never waits.
        """
        tried, now = attempts.of_token(address), self._clock()
        with database.writing(self.home) as db:
            wait = attempts.wait_s(db, tried, now)
            if wait > 0:
                return wait
            attempts.count(db, tried, now)
        with suppress(StoreError):
            self._note("refused", None, NOBODY)
        return 0.0


def _in_use(db: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    sql = "SELECT * FROM api_token WHERE folded = ? AND revoked_at IS NULL"
    row: sqlite3.Row | None = db.execute(sql, [folded(name)]).fetchone()
    return row


def _token_of(row: sqlite3.Row) -> Token:
    fields = ("number", "name", "role", "created_at", "seen_at", "expires_at", "revoked_at")
    return Token(**{field: row[field] for field in fields})
