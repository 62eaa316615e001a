"""Sessions: a random token in the browser's cookie, and its hash here. Each ends when idle, by age, or when told to."""

import hashlib
import os
import secrets
import sqlite3
from dataclasses import dataclass

from skinlens import whole_number
from skinlens.errors import ServeError, SkinLensError
from skinlens.roles import LOCAL_USER, ROLES, Role

TOKEN_BYTES = 32
IDLE_MINUTES = 30
MOST_IDLE_MINUTES = 720
OLDEST_S = 12 * 3600.0
LOCAL_IDLE_S = 30 * 86_400.0
"""Idle time of the browser of who works at this computer without an account: a bookmark is to work after a holiday."""
NOTED_EVERY_S = 15.0
"""Interval at which it is written down at most that somebody is there."""
_MOST_LETTERS = 300


class SignInRefused(SkinLensError):
    """Name and password do not belong together; or it is to be waited before the next attempt."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        """Seconds until the next attempt is looked at; 0: it may follow at once."""


CLOCK_STEP_S = 300.0
"""A clock may be set back by so much, as it is when it is compared with others, and nobody has to sign in again."""


@dataclass(frozen=True)
class Session:
    """A browser that has signed in."""

    id: int
    """Names it in the pages; by it nobody can sign in."""
    actor: str
    role: Role
    left_s: float
    """Until it ends, if nothing is done."""
    seen_at: float
    issuer: str = ""
    """The OpenID provider that vouches for the person; empty: they have a password here."""


@dataclass(frozen=True)
class Device:
    """A session as its owner is shown it."""

    id: int
    seen_at: float
    address: str
    browser: str
    """The User-Agent header, as the browser sent it."""


def idle_s() -> float:
    """Seconds after which who does nothing has to sign in again, by ``SKINLENS_IDLE_MINUTES``. Raises ServeError."""
    typed = os.environ.get("SKINLENS_IDLE_MINUTES", "").strip() or str(IDLE_MINUTES)
    minutes = whole_number.of_text(typed)
    if minutes is None or not 1 <= minutes <= MOST_IDLE_MINUTES:
        raise ServeError(
            f"SKINLENS_IDLE_MINUTES is {typed!r}. Expected whole minutes from 1 to {MOST_IDLE_MINUTES}, for example 30."
        )
    return 60.0 * minutes


def begin(db: sqlite3.Connection, account: str | None, now: float, address: str, browser: str) -> str:
    """A new one; its token. ``account`` None: who works at this computer without one."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    db.execute(
        "DELETE FROM session WHERE seen_at < ? OR (account IS NOT NULL AND began_at < ?)",
        [now - LOCAL_IDLE_S, now - OLDEST_S],
    )
    db.execute(
        "INSERT INTO session (token, account, began_at, seen_at, address, browser) VALUES (?, ?, ?, ?, ?, ?)",
        [digest(token), account, now, now, address[:_MOST_LETTERS], browser[:_MOST_LETTERS]],
    )
    return token


def find(db: sqlite3.Connection, column: str, value: bytes | int, now: float, idle: float) -> Session | None:
    """The session of that ``token`` (its digest) or ``id``, if it has not ended."""
    row = db.execute(
        f"SELECT session.*, role, issuer, disabled FROM session LEFT JOIN account ON name = account "
        f"WHERE session.{column} = ?",
        [value],
    ).fetchone()
    if row is None:
        return None
    if row["account"] is None:
        left = row["seen_at"] + LOCAL_IDLE_S - now
        return Session(row["id"], LOCAL_USER, "admin", left, row["seen_at"]) if left > 0 else None
    if row["began_at"] > now + CLOCK_STEP_S:  # the clock was set back: nobody knows how long ago that is
        return None
    left = min(row["seen_at"] + idle, row["began_at"] + OLDEST_S) - now
    if left <= 0 or row["disabled"] or row["role"] not in ROLES:
        return None
    return Session(row["id"], row["account"], row["role"], left, row["seen_at"], row["issuer"] or "")


def devices(db: sqlite3.Connection, account: str, now: float, idle: float) -> tuple[Device, ...]:
    """Sessions of an account that have not ended, the one that was seen last first."""
    rows = db.execute(
        "SELECT * FROM session WHERE account = ? AND seen_at > ? AND began_at > ? ORDER BY seen_at DESC, id DESC",
        [account, now - idle, now - OLDEST_S],
    )
    return tuple(Device(row["id"], row["seen_at"], row["address"], row["browser"]) for row in rows)


def digest(token: str) -> bytes:
    """Hash of a token, which alone is stored. It is random enough that no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
