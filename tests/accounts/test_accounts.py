"""Accounts: names, passwords and roles, their file, and what the audit log has of them."""

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from skinlens.accounts import Accounts, SignInRefused, database, passwords, signing_in
from skinlens.errors import InvalidEntry, StoreError
from skinlens.store import CaseStore
from tests.accounts.signing import OTHER, PASSWORD, refused, sign_in


def test_a_home_without_accounts_has_no_file(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "home")
    assert accounts.all() == ()
    assert not accounts.there_are_any()
    assert accounts.session("anything") is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def as_in_production(monkeypatch: pytest.MonkeyPatch, production_hasher: PasswordHasher) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_HASHER", production_hasher)
    passwords._of_nobody.cache_clear()
    yield
    passwords._of_nobody.cache_clear()


def test_its_file_is_its_owners_alone_and_holds_neither_password_nor_token(
    as_in_production: None, accounts: Accounts
) -> None:
    token = sign_in(accounts)
    path = accounts.home / database.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(accounts.home.stat().st_mode) == 0o700
    content = path.read_bytes()
    assert b"$argon2id$v=19$m=65536,t=3,p=4$" in content
    assert PASSWORD.encode() not in content
    assert token.encode() not in content


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("elevenchars", "12 to 256 characters; this one has 11"),
        ("x" * 257, "this one has 257"),
        ("my dr. LANGE word", "holds the account's name"),
        ("langelangelange1", "holds the account's name"),
        ("abababababab", "fewer than 5 different"),
    ],
)
def test_a_weak_password_is_refused_with_what_is_expected(accounts: Accounts, password: str, words: str) -> None:
    with pytest.raises(InvalidEntry, match=words):
        accounts.set_password("Dr. Lange", password)
    assert accounts.session(sign_in(accounts)) is not None  # the one before still holds


def test_twelve_characters_are_enough_however_they_are_typed(accounts: Accounts) -> None:
    accounts.set_password("dr.  lange", "u\u0308ber den Rand")  # ü of two signs: with the composed one it is 14
    assert accounts.session(sign_in(accounts, "über den Rand")) is not None


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x00b", "local user", "Local  USER"])
def test_what_is_no_name_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(InvalidEntry):
        accounts.add(name, "viewer", PASSWORD)


def test_a_name_is_there_once_whatever_its_case(accounts: Accounts) -> None:
    with pytest.raises(InvalidEntry, match=r"There is an account DR\. LANGE already"):
        accounts.add("DR.  LANGE", "viewer", PASSWORD)


def test_the_last_admin_stays_one(accounts: Accounts) -> None:
    accounts.add("Ada", "admin", PASSWORD)
    for change in (lambda: accounts.remove("ada"), lambda: accounts.set_role("ada", "reader")):
        with pytest.raises(InvalidEntry, match="Ada is the only admin"):
            change()
    accounts.remove("Dr. Lange")
    accounts.remove("Ada")  # nobody is left who would miss one
    assert accounts.all() == ()


def test_an_unknown_name_costs_a_hash_as_well(
    as_in_production: None, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []
    verify = passwords._HASHER.verify

    class Noting:
        def verify(self, kept: str, tried: str) -> bool:
            looked_at.append(kept[:27])
            return bool(verify(kept, tried))

        hash = passwords._HASHER.hash

    monkeypatch.setattr(passwords, "_HASHER", Noting())
    refused(accounts)
    refused(accounts, name="nobody")
    assert looked_at == ["$argon2id$v=19$m=65536,t=3,"] * 2


def test_a_file_that_is_no_database_is_told_plainly(accounts: Accounts) -> None:
    (accounts.home / database.FILE).write_bytes(b"something else" * 100)
    with pytest.raises(StoreError, match="Nobody can sign in"):
        accounts.all()


def test_an_account_of_an_unknown_role_lets_nobody_in(accounts: Accounts) -> None:
    token = sign_in(accounts)
    db = sqlite3.connect(accounts.home / database.FILE)
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute("UPDATE account SET role = 'boss'")
    db.commit()
    db.close()
    assert accounts.session(token) is None
    with pytest.raises(SignInRefused, match="has a role that SkinLens does not know"):
        sign_in(accounts)
    assert [one.role for one in accounts.all()] == ["boss"]


def test_a_newer_file_is_left_alone(accounts: Accounts) -> None:
    db = sqlite3.connect(accounts.home / database.FILE)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="written by a newer SkinLens"):
        accounts.all()


OLDER = """
    CREATE TABLE account (name TEXT PRIMARY KEY, folded TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
        password TEXT NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL) STRICT;
    CREATE TABLE session (id INTEGER PRIMARY KEY AUTOINCREMENT, token BLOB NOT NULL UNIQUE,
        account TEXT REFERENCES account (name) ON DELETE CASCADE, began_at REAL NOT NULL, seen_at REAL NOT NULL,
        address TEXT NOT NULL, browser TEXT NOT NULL) STRICT;
    CREATE TABLE attempt (tried TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_at REAL NOT NULL) STRICT;
    INSERT INTO attempt VALUES ('account ada', 9, 1800000000);
    PRAGMA user_version = 1;
"""
"""As 0.5 wrote it."""


def test_accounts_of_an_older_version_keep_password_and_sessions(accounts: Accounts, tmp_path: Path) -> None:
    token = sign_in(accounts)
    with sqlite3.connect(accounts.home / database.FILE) as now:
        kept = now.execute("SELECT name, folded, role, password, created_at, changed_at FROM account").fetchall()
        session = now.execute("SELECT * FROM session").fetchall()
    home = tmp_path / "older"
    home.mkdir()
    with sqlite3.connect(home / database.FILE) as db:
        db.executescript(OLDER)
        db.executemany("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?)", kept)
        db.executemany("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?)", session)
    older = Accounts(home, accounts._clock, lambda *_: None)
    found = older.session(token)
    assert found is not None
    assert (found.actor, [one.number for one in older.all()]) == ("Dr. Lange", [1])
    assert older.session(sign_in(older)) is not None
    older.remove("Dr. Lange")
    assert older.session(token) is None  # a session still ends with its account
    assert older.add("Ada", "admin", PASSWORD).number == 2  # a number is never given again


def test_ones_own_password_is_changed_by_who_knows_the_old_one(accounts: Accounts, noted: list[object]) -> None:
    mine, other = sign_in(accounts), sign_in(accounts)
    session = accounts.session(mine)
    assert session is not None
    with pytest.raises(SignInRefused, match="The present password is not right"):
        accounts.change_password(session, "wrong password", OTHER, end_others=True)
    for weak, words in (("short", "12 to 256 characters"), (PASSWORD, "your present password")):
        with pytest.raises(InvalidEntry, match=words):
            accounts.change_password(session, PASSWORD, weak, end_others=True)
    noted.clear()
    after = accounts.change_password(session, PASSWORD, OTHER, end_others=False)
    assert noted == [("password changed", 1, "Dr. Lange")]
    assert (accounts.session(mine), accounts.session(other) is None) == (None, False)
    found = accounts.session(after)
    assert found is not None
    assert found.id == session.id  # its pages stay open
    last = accounts.change_password(found, OTHER, PASSWORD, end_others=True)
    assert (accounts.session(other), accounts.session(last) is None) == (None, False)
    with pytest.raises(SignInRefused):
        sign_in(accounts, OTHER)


def test_a_disabled_account_lets_nobody_in(accounts: Accounts) -> None:
    accounts.add("Ada", "admin", PASSWORD)
    token = sign_in(accounts)
    accounts.set_disabled("dr. lange", disabled=True)
    assert accounts.session(token) is None
    with pytest.raises(SignInRefused, match="This account is disabled"):
        sign_in(accounts)
    assert str(refused(accounts)) == signing_in.WRONG  # told to who knows the password alone
    with pytest.raises(InvalidEntry, match="the only admin"):
        accounts.set_disabled("Ada", disabled=True)
    accounts.set_disabled("Dr. Lange", disabled=False)
    assert sign_in(accounts)


def test_what_is_done_to_accounts_is_in_the_audit_log_of_the_cases(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "home")
    accounts.add("Ada", "admin", PASSWORD)
    refused(accounts, name="Ada")
    refused(accounts, name="nobody")
    sign_in(accounts, name="Ada")
    accounts.end("Ada")
    accounts.set_role("Ada", "admin")
    entries = [one for one in CaseStore(tmp_path / "home").audit_entries() if one.kind == "account"]
    assert [(one.action, one.object_number, one.actor) for one in entries] == [
        ("added", 1, "local user"),
        ("refused", 1, "nobody"),
        ("refused", None, "nobody"),
        ("signed in", 1, "Ada"),
        ("signed out", 1, "Ada"),
        ("role set", 1, "local user"),
    ]


def test_a_change_that_cannot_be_noted_is_not_made_and_people_sign_in_all_the_same(tmp_path: Path) -> None:
    def fails(*_: object) -> None:
        raise StoreError("no room")

    Accounts(tmp_path / "home", note=lambda *_: None).add("Ada", "admin", PASSWORD)
    accounts = Accounts(tmp_path / "home", note=fails)
    with pytest.raises(StoreError, match="no room"):
        accounts.add("Rita", "reader", PASSWORD)
    assert [one.name for one in accounts.all()] == ["Ada"]
    assert accounts.session(sign_in(accounts, name="Ada")) is not None
