"""The accounts of one home folder: added, changed and removed. Signing in with one: ``signing_in``."""

import sqlite3
from dataclasses import dataclass

from skinlens.accounts import attempts, database, passwords
from skinlens.accounts.names import folded, must_be_role, settled
from skinlens.accounts.signing_in import SigningIn
from skinlens.errors import InvalidEntry
from skinlens.roles import LOCAL_USER, Role


@dataclass(frozen=True)
class Account:
    """Account of a person who may sign in."""

    name: str
    role: str
    """Role as it is stored; one of another than ``ROLES`` lets nobody in."""
    created_at: float
    """Seconds since 1970, as all times here."""
    changed_at: float
    """Time of the last change of the password."""
    number: int = 0
    """Number under which the audit log names it; never given twice."""
    issuer: str = ""
    """The OpenID provider that vouches for the person; empty: they have a password here."""
    disabled: bool = False


class Accounts(SigningIn):
    """All accounts of a home folder. It holds a path and no connection; any thread and any process may use it.

    A change is noted in the audit log before it is made, so that none is without its entry. Every method raises
    ``StoreError`` where the accounts' database, or for a change the audit log, cannot be used.
    """

    def all(self) -> tuple[Account, ...]:
        """All accounts, by name."""
        with database.reading(self.home) as db:
            rows = db.execute("SELECT * FROM account ORDER BY folded").fetchall() if db else []
        return tuple(
            Account(
                *(row["name"], row["role"], row["created_at"], row["changed_at"], row["number"]),
                issuer=row["issuer"] or "",
                disabled=bool(row["disabled"]),
            )
            for row in rows
        )

    def there_are_any(self) -> bool:
        with database.reading(self.home) as db:
            return bool(db and db.execute("SELECT 1 FROM account").fetchone())

    def add(self, name: str, role: Role, password: str) -> Account:
        """Raises InvalidEntry: the name is taken or none, the role is unknown, or the password is a weak one."""
        name = settled(name)
        password_hash, now = passwords.hashed(password, name), self._clock()
        must_be_role(role)
        with database.writing(self.home) as db:
            if db.execute("SELECT 1 FROM account WHERE folded = ?", [folded(name)]).fetchone():
                raise InvalidEntry(f"There is an account {name} already.")
            columns = "name, folded, role, password, created_at, changed_at"
            row = [name, folded(name), role, password_hash, now, now]
            number = db.execute(f"INSERT INTO account ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row).lastrowid or 0
            self._note("added", number, LOCAL_USER)
        return Account(name, role, now, now, number)

    def remove(self, name: str) -> str:
        """The name as it was written; the account's sessions end at once. Raises InvalidEntry, see ``set_role``."""
        with database.writing(self.home) as db:
            name, role, number = _found(db, name)
            others = db.execute("SELECT 1 FROM account WHERE name <> ?", [name]).fetchone()
            if others and role == "admin":
                _must_leave_admin(db, name)
            self._note("removed", number, LOCAL_USER)
            db.execute("DELETE FROM account WHERE name = ?", [name])
        return name

    def set_password(self, name: str, password: str) -> str:
        """Sets it, forgets failed attempts, and ends all sessions of the account. Raises InvalidEntry."""
        with database.reading(self.home) as db:
            name, _, number = _found(db, name)
            if db and db.execute("SELECT 1 FROM account WHERE name = ? AND issuer IS NOT NULL", [name]).fetchone():
                raise InvalidEntry(f"{name} signs in with a provider, which keeps the password. Set it there.")
        password_hash = passwords.hashed(password, name)
        with database.writing(self.home) as db:
            self._note("password set", number, LOCAL_USER)
            db.execute(
                "UPDATE account SET password = ?, changed_at = ? WHERE name = ?", [password_hash, self._clock(), name]
            )
            db.execute("DELETE FROM session WHERE account = ?", [name])
            attempts.forget(db, folded(name))
        return name

    def set_role(self, name: str, role: Role) -> str:
        """All sessions of the account end, so that the next has the new role.

        Raises:
            InvalidEntry: there is no such account or role, or nobody would be left who may manage the installation.
        """
        must_be_role(role)
        with database.writing(self.home) as db:
            name, before, number = _found(db, name)
            if before == "admin" and role != "admin":
                _must_leave_admin(db, name)
            self._note("role set", number, LOCAL_USER)
            db.execute("UPDATE account SET role = ? WHERE name = ?", [role, name])
            db.execute("DELETE FROM session WHERE account = ?", [name])
        return name

    def set_disabled(self, name: str, *, disabled: bool) -> str:
        """A disabled account keeps its name and lets nobody in; its sessions end at once. Raises InvalidEntry."""
        with database.writing(self.home) as db:
            name, role, number = _found(db, name)
            if disabled and role == "admin":
                _must_leave_admin(db, name)
            self._note("disabled" if disabled else "enabled", number, LOCAL_USER)
            db.execute("UPDATE account SET disabled = ? WHERE name = ?", [int(disabled), name])
            if disabled:
                db.execute("DELETE FROM session WHERE account = ?", [name])
        return name


def _found(db: sqlite3.Connection | None, name: str) -> tuple[str, Role, int]:
    row = None
    if db is not None:
        row = db.execute("SELECT name, role, number FROM account WHERE folded = ?", [folded(name)]).fetchone()
    if row is None:
        raise InvalidEntry(f"There is no account {name}. `skinlens user list` shows all.")
    return row["name"], row["role"], row["number"]


def _must_leave_admin(db: sqlite3.Connection, name: str) -> None:
    if not db.execute("SELECT 1 FROM account WHERE role = 'admin' AND NOT disabled AND name <> ?", [name]).fetchone():
        raise InvalidEntry(f"{name} is the only admin. Give another account that role first.")
