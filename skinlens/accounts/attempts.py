"""Failed attempts to sign in: after some, each further one has to wait longer; counted by account and by address."""

import sqlite3

FREE = {"account": 5, "address": 20}
"""Failures without a wait. A clinic's computers may all come from one address."""
FIRST_WAIT_S = 15.0
LONGEST_WAIT_S = 900.0
FORGOTTEN_S = 86_400.0
"""After the last failure."""


def keys(folded_name: str, address: str) -> tuple[str, str]:
    """Keys under which failures are counted, for a known and an unknown name alike."""
    return f"account {folded_name}", f"address {address}"


def wait_s(db: sqlite3.Connection, tried: tuple[str, ...], now: float) -> float:
    """Seconds to wait before the next attempt; 0: not at all."""
    db.execute("UPDATE attempt SET last_at = ? WHERE last_at > ?", [now, now])  # the clock was set back since
    longest = 0.0
    for key in tried:
        row = db.execute("SELECT failures, last_at FROM attempt WHERE tried = ?", [key]).fetchone()
        if row is None or now - row["last_at"] > FORGOTTEN_S:
            continue
        beyond = row["failures"] - FREE[key.partition(" ")[0]]
        if beyond >= 0:
            wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(beyond, 10))
            longest = max(longest, row["last_at"] + wait - now)
    return longest


def count(db: sqlite3.Connection, tried: tuple[str, ...], now: float) -> None:
    """One attempt more; taken back by ``forgive`` where it turns out right."""
    db.execute("DELETE FROM attempt WHERE last_at < ?", [now - FORGOTTEN_S])
    for key in tried:
        db.execute(
            "INSERT INTO attempt (tried, failures, last_at) VALUES (?, 1, ?) "
            "ON CONFLICT (tried) DO UPDATE SET failures = failures + 1, last_at = excluded.last_at",
            [key, now],
        )


def forgive(db: sqlite3.Connection, account: str, address: str) -> None:
    """It was the right password: the account's failures are forgotten, the address's but for this attempt stay."""
    db.execute("DELETE FROM attempt WHERE tried = ?", [account])
    db.execute("UPDATE attempt SET failures = failures - 1 WHERE tried = ?", [address])
