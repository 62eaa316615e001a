"""Failed attempts to sign in: after some, each further one has to wait longer.

Counted by account and address together, so that nobody keeps a colleague waiting from elsewhere; by address alone, for
one that tries many names; and by account alone, for many addresses that try one name. A browser in which the account
has signed in before is counted by itself: whatever others try, its right password enters.
"""

import sqlite3

FREE = {"browser": 5, "pair": 5, "address": 20, "account": 30, "token": 20}
"""Failures without a wait. A clinic's computers may all come from one address."""
FIRST_WAIT_S = 15.0
LONGEST_WAIT_S = 900.0
FORGOTTEN_S = 86_400.0
"""After the last failure."""


def keys(folded_name: str, address: str, browser: bytes | None = None) -> tuple[str, ...]:
    """Keys under which failures are counted, for a known and an unknown name alike.

    ``browser``: the hash by which the account knows it; None: it does not.
    """
    if browser is not None:
        return (f"browser {browser.hex()} {folded_name}",)
    address = "".join(address.split())
    return f"pair {address} {folded_name}", f"address {address}", f"account {folded_name}"


def of_token(address: str) -> tuple[str, ...]:
    """Key under which wrong tokens of the API are counted: by address, apart from passwords."""
    return (f"token {''.join(address.split())}",)


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


def forgive(db: sqlite3.Connection, tried: tuple[str, ...]) -> None:
    """Reset of the failures after a correct password: those of its first key (browser, or account with address) are
    deleted; those of the address and of the account stay, but for this attempt, for others may have made them.
    """
    own, *shared = tried
    db.execute("DELETE FROM attempt WHERE tried = ?", [own])
    for key in shared:
        db.execute("UPDATE attempt SET failures = failures - 1 WHERE tried = ?", [key])


def forget(db: sqlite3.Connection, folded_name: str) -> None:
    """Nobody waits for this account any more: its password was set anew."""
    rows = db.execute("SELECT tried FROM attempt WHERE tried NOT LIKE 'address %'").fetchall()
    for row in rows:
        kind, _, rest = row["tried"].partition(" ")
        if (rest if kind == "account" else rest.partition(" ")[2]) == folded_name:
            db.execute("DELETE FROM attempt WHERE tried = ?", [row["tried"]])
