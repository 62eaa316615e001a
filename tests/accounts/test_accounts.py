"""Accounts: names, passwords and roles; sessions that end; attempts that have to wait."""

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from skinlens.accounts import Accounts, Person, SignInRefused, attempts, database, passwords, sessions, signing_in
from skinlens.errors import InvalidEntry, ServeError, StoreError
from skinlens.store import CaseStore

PASSWORD = "correct horse battery"
OTHER = "quite another phrase"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def noted() -> list[tuple[str, int | None, str]]:
    """What would be in the audit log."""
    return []


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock, noted: list[tuple[str, int | None, str]]) -> Accounts:
    found = Accounts(tmp_path / "home", clock, lambda *entry: noted.append(entry))
    found.add("Dr. Lange", "reviewer", PASSWORD)
    return found


def sign_in(
    accounts: Accounts, password: str = PASSWORD, *, name: str = "Dr. Lange", address: str = "10.0.0.7", known: str = ""
) -> str:
    return accounts.sign_in(name, password, address=address, browser="Firefox", known=known)


def refused(
    accounts: Accounts, *, name: str = "Dr. Lange", address: str = "10.0.0.7", known: str = ""
) -> SignInRefused:
    with pytest.raises(SignInRefused) as caught:
        sign_in(accounts, "wrong password", name=name, address=address, known=known)
    return caught.value


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


def test_a_session_says_who_and_of_which_role(accounts: Accounts) -> None:
    session = accounts.session(sign_in(accounts))
    assert session is not None
    assert (session.actor, session.role, session.left_s) == ("Dr. Lange", "reviewer", 1800.0)
    assert accounts.session_by_id(session.id) == session
    assert accounts.session("x" * 43) is None


def test_a_session_ends_when_idle_and_by_age(accounts: Accounts, clock: Clock) -> None:
    token = sign_in(accounts)
    clock.now += 1799
    session = accounts.session(token)
    assert session is not None
    accounts.note_seen(session)
    clock.now += 1799
    assert accounts.session(token) is not None
    clock.now += 1
    assert accounts.session(token) is None
    token = sign_in(accounts)
    for _ in range(24 * 2 - 1):  # used every quarter of an hour, for just short of 12 hours
        clock.now += 900
        session = accounts.session(token)
        assert session is not None
        accounts.note_seen(session)
    clock.now += 900
    assert accounts.session(token) is None


@pytest.mark.parametrize("typed", ["0", "721", "half an hour", "-5", "1.5"])
def test_an_impossible_idle_time_is_refused(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setenv("SKINLENS_IDLE_MINUTES", typed)
    with pytest.raises(ServeError, match="Expected whole minutes from 1 to 720"):
        sessions.idle_s()


def test_a_new_password_a_new_role_and_removal_end_all_sessions(accounts: Accounts) -> None:
    accounts.add("Ada", "admin", PASSWORD)
    for change in (
        lambda: accounts.set_password("Dr. Lange", PASSWORD),
        lambda: accounts.set_role("Dr. Lange", "viewer"),
        lambda: accounts.remove("Dr. Lange"),
    ):
        tokens = [sign_in(accounts), sign_in(accounts)]
        ada = sign_in(accounts, name="Ada")
        change()
        assert [accounts.session(token) for token in tokens] == [None, None]
        assert accounts.session(ada) is not None


def test_one_or_all_of_its_own_sessions_are_ended(accounts: Accounts) -> None:
    accounts.add("Ada", "admin", PASSWORD)
    first, second, ada = sign_in(accounts), sign_in(accounts), sign_in(accounts, name="Ada")
    assert [device.address for device in accounts.devices("Dr. Lange")] == ["10.0.0.7", "10.0.0.7"]
    number = accounts.session(first).id  # type: ignore[union-attr]
    accounts.end("Ada", number)  # not hers
    assert accounts.session(first) is not None
    accounts.end("Dr. Lange", number)
    assert (accounts.session(first), accounts.session(second) is None) == (None, False)
    accounts.end("Dr. Lange")
    assert accounts.session(second) is None
    assert accounts.session(ada) is not None


def test_signing_in_again_ends_the_session_before_and_gives_a_new_token(accounts: Accounts) -> None:
    first = sign_in(accounts)
    second = accounts.sign_in("Dr. Lange", PASSWORD, address="", browser="", instead_of=first)
    assert first != second
    assert len(second) == 43  # 256 bits
    assert accounts.session(first) is None


def test_after_five_failures_each_further_attempt_waits_twice_as_long(accounts: Accounts, clock: Clock) -> None:
    assert [refused(accounts).wait_s for _ in range(5)] == [0.0] * 5
    waits = []
    for _ in range(8):
        wait = refused(accounts).wait_s
        waits.append(wait)
        clock.now += wait
        assert refused(accounts).wait_s == 0.0  # it was looked at, and wrong
    assert waits == [15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0]


def test_who_has_to_wait_is_refused_with_the_right_password_too_and_then_let_in(
    accounts: Accounts, clock: Clock
) -> None:
    for _ in range(5):
        refused(accounts)
    with pytest.raises(SignInRefused, match=r"Too many attempts\. Wait 1[56] seconds"):
        sign_in(accounts)
    clock.now += 15
    sign_in(accounts)
    assert refused(accounts).wait_s == 0.0  # the failures are forgotten


def test_a_clock_that_is_set_back_keeps_nobody_out_and_nobody_in(accounts: Accounts, clock: Clock) -> None:
    token = sign_in(accounts)
    with database.writing(accounts.home) as db:
        for _ in range(5):
            attempts.count(db, attempts.keys("dr. lange", "10.0.0.7"), clock.now)
    clock.now -= 250.0  # as a clock is set that is compared with others
    assert accounts.session(token) is not None
    clock.now -= 86_400.0
    assert accounts.session(token) is None
    assert refused(accounts).wait_s == attempts.FIRST_WAIT_S
    clock.now += attempts.FIRST_WAIT_S
    assert accounts.session(sign_in(accounts)) is not None


def test_an_unknown_name_waits_like_a_known_one_and_is_told_the_same(accounts: Accounts) -> None:
    known = [str(refused(accounts)) for _ in range(6)]
    unknown = [str(refused(accounts, name="nobody")) for _ in range(6)]
    assert known == unknown
    assert known[0] == signing_in.WRONG


def test_one_address_that_tries_many_names_has_to_wait(accounts: Accounts) -> None:
    waits = [refused(accounts, name=f"user {number}").wait_s for number in range(21)]
    assert waits == [0.0] * 20 + [attempts.FIRST_WAIT_S]
    assert sign_in(accounts, address="10.0.0.8")  # from elsewhere it goes on
    with pytest.raises(SignInRefused):
        sign_in(accounts)


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


def test_a_local_session_is_of_nobodys_account(accounts: Accounts, clock: Clock) -> None:
    token = accounts.admit_local(address="127.0.0.1", browser="")
    clock.now += 20 * 86_400
    session = accounts.session(token)
    assert session is not None
    assert (session.actor, session.role) == ("local user", "admin")
    clock.now += 10 * 86_400
    assert accounts.session(token) is None


def test_a_file_that_is_no_database_is_told_plainly(accounts: Accounts) -> None:
    (accounts.home / database.FILE).write_bytes(b"something else" * 100)
    with pytest.raises(StoreError, match="Nobody can sign in"):
        accounts.all()


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


def test_from_elsewhere_nobody_keeps_a_colleague_waiting(accounts: Accounts) -> None:
    for _ in range(5):
        refused(accounts, address="10.0.0.66")
    assert refused(accounts, address="10.0.0.66").wait_s == 15.0
    assert sign_in(accounts)


def test_many_addresses_that_try_one_name_have_to_wait_and_a_known_browser_has_not(accounts: Accounts) -> None:
    known = accounts.know_browser(sign_in(accounts), "")
    waits = [refused(accounts, address=f"10.1.0.{number}").wait_s for number in range(31)]
    assert waits == [0.0] * 30 + [attempts.FIRST_WAIT_S]
    with pytest.raises(SignInRefused, match="Too many attempts"):
        sign_in(accounts, address="10.9.9.9")
    with pytest.raises(SignInRefused, match="Too many attempts"):
        sign_in(accounts, address="10.9.9.9", known="x" * 43)
    after = accounts.know_browser(sign_in(accounts, known=known), known)
    with pytest.raises(SignInRefused, match="Too many attempts"):  # what was sent once does not do again
        sign_in(accounts, address="10.9.9.9", known=known)
    assert sign_in(accounts, known=after)


def test_a_known_browser_is_known_to_its_accounts_alone_and_counted_by_itself(accounts: Accounts) -> None:
    accounts.add("Ada", "admin", PASSWORD)
    known = accounts.know_browser(sign_in(accounts), "")
    assert [refused(accounts, known=known).wait_s for _ in range(6)] == [0.0] * 5 + [15.0]
    for _ in range(5):
        refused(accounts, name="Ada", known=known)
    assert refused(accounts, name="Ada").wait_s == 15.0  # as from the address: Ada was never signed in there
    accounts.set_password("Dr. Lange", OTHER)
    assert sign_in(accounts, OTHER, known=known)  # an admin's new password ends the wait there too


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


def test_the_old_password_is_not_guessed_in_an_open_page(accounts: Accounts) -> None:
    session = accounts.session(sign_in(accounts))
    assert session is not None
    for _ in range(5):
        with pytest.raises(SignInRefused, match="not right"):
            accounts.change_password(session, "wrong password", OTHER, end_others=False)
    with pytest.raises(SignInRefused, match="Too many attempts"):
        accounts.change_password(session, PASSWORD, OTHER, end_others=False)
    assert sign_in(accounts)  # which keeps nobody from signing in


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


def person(name: str = "Mia", *, subject: str = "1", role: str | None = None) -> Person:
    return Person("https://id.example", subject, name, role)  # type: ignore[arg-type]


def enter(accounts: Accounts, who: Person) -> tuple[str, str]:
    session = accounts.session(accounts.enter(who, address="10.0.0.7", browser="Firefox"))
    assert session is not None
    return session.actor, session.role


def test_a_person_of_a_provider_gets_an_account_and_the_role_of_their_groups(
    accounts: Accounts, noted: list[tuple[str, int | None, str]]
) -> None:
    noted.clear()
    assert enter(accounts, person()) == ("Mia", "viewer")
    assert noted == [("added", 2, "Mia"), ("signed in", 2, "Mia")]
    accounts.set_role("Mia", "reviewer")
    assert enter(accounts, person("called otherwise")) == ("Mia", "reviewer")  # by the subject, never by the name
    assert enter(accounts, person(role="reader")) == ("Mia", "reader")
    with pytest.raises(SignInRefused, match=r"another account dr\. lange here"):
        accounts.enter(person("dr. lange", subject="2"), address="", browser="")
    with pytest.raises(SignInRefused, match="another account Mia here"):
        accounts.enter(person(subject="2"), address="", browser="")
    with pytest.raises(SignInRefused, match="cannot be an account's"):
        accounts.enter(person("", subject="2"), address="", browser="")
    accounts.set_disabled("Mia", disabled=True)
    with pytest.raises(SignInRefused, match="disabled"):
        accounts.enter(person(), address="", browser="")


@pytest.mark.parametrize("password", ["", "the password of nobody", PASSWORD])
def test_a_person_of_a_provider_has_no_password_here(accounts: Accounts, password: str) -> None:
    enter(accounts, person())
    with pytest.raises(SignInRefused, match="not right"):
        sign_in(accounts, password, name="Mia")
    with pytest.raises(InvalidEntry, match="signs in with a provider"):
        accounts.set_password("Mia", OTHER)


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
