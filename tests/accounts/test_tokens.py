"""Tokens of the API: told once, kept as a hash, bound to a role, and over when revoked."""

import re
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from skinlens.accounts import TokenRefused, Tokens, database
from skinlens.accounts.sessions import digest
from skinlens.accounts.tokens import DAY_S
from skinlens.cli import main
from skinlens.clock import day_of
from skinlens.errors import InvalidEntry
from skinlens.roles import Role
from skinlens.store import CaseStore
from tests.accounts.signing import Clock


@pytest.fixture
def tokens(tmp_path: Path, clock: Clock, noted: list[tuple[str, int | None, str]]) -> Tokens:
    return Tokens(tmp_path / "home", clock, lambda *entry: noted.append(entry))


def test_only_the_hash_of_a_token_is_kept(tokens: Tokens, noted: list[tuple[str, int | None, str]]) -> None:
    made, secret = tokens.add("Own screen", "reader")
    assert re.fullmatch(r"skinlens_[\w-]{43}", secret)
    files = [path for path in tokens.home.rglob("*") if path.is_file()]
    assert not any(secret.encode() in path.read_bytes() for path in files)
    assert digest(secret) in (tokens.home / database.FILE).read_bytes()
    assert (made.number, made.role, made.actor) == (1, "reader", "Own screen (API)")
    assert tokens.find(secret) == made
    assert noted == [("added", 1, "local user")]


def test_a_use_is_noted_once_a_minute(tokens: Tokens, clock: Clock) -> None:
    _, secret = tokens.add("screen", "viewer")
    assert tokens.all()[0].seen_at is None
    tokens.find(secret)
    first = clock()
    clock.now += 30
    tokens.find(secret)
    assert tokens.all()[0].seen_at == first
    clock.now += 31
    tokens.find(secret)
    assert tokens.all()[0].seen_at == first + 61


def test_a_revoked_name_may_be_given_again(tokens: Tokens) -> None:
    _, old = tokens.add("screen", "viewer")
    with pytest.raises(InvalidEntry, match="There is a token SCREEN already"):
        tokens.add("SCREEN", "reader")
    assert tokens.revoke("Screen") == "screen"
    with pytest.raises(InvalidEntry, match="There is no token screen in use"):
        tokens.revoke("screen")
    assert not tokens.there_are_any()
    made, new = tokens.add("screen", "reader")
    assert (tokens.find(old), tokens.find(new)) == (None, made)
    assert [(one.number, one.revoked_at is None) for one in tokens.all()] == [(1, False), (2, True)]


@pytest.mark.parametrize("role", ["reviewer", "admin"])
def test_a_token_has_no_role_that_the_api_does_not_need(tokens: Tokens, role: Role) -> None:
    with pytest.raises(InvalidEntry, match="Choose one of: viewer, reader"):
        tokens.add("screen", role)
    assert tokens.all() == ()


def test_accounts_of_an_older_version_get_the_table(tokens: Tokens) -> None:
    tokens.add("screen", "viewer")
    with closing(sqlite3.connect(tokens.home / database.FILE)) as db:
        db.execute("DROP TABLE api_token")
        db.execute("PRAGMA user_version = 2")
    assert tokens.all() == ()
    assert tokens.add("screen", "reader")[0].number == 1


def test_tokens_of_before_they_ended_end_a_year_after_they_were_made(tokens: Tokens, clock: Clock) -> None:
    made, secret = tokens.add("screen", "viewer", 10)
    with closing(sqlite3.connect(tokens.home / database.FILE)) as db:
        db.execute("ALTER TABLE api_token DROP COLUMN expires_at")
        db.execute("PRAGMA user_version = 3")
    assert tokens.find(secret) == replace(made, expires_at=made.created_at + 365 * DAY_S)


def test_a_token_ends_on_its_day(tokens: Tokens, clock: Clock) -> None:
    made, secret = tokens.add("screen", "viewer", 30)
    assert made.expires_at == clock() + 30 * DAY_S
    clock.now += 30 * DAY_S - 1
    assert tokens.find(secret) == made
    clock.now += 1
    with pytest.raises(TokenRefused, match=f"This token ended on {day_of(clock())}\\.") as said:
        tokens.find(secret)
    assert said.value.number == 1
    assert tokens.problems() == ()


@pytest.mark.parametrize("days", [0, -1, 3651, 10**400])
def test_a_token_that_never_or_always_ended_is_not_made(tokens: Tokens, days: int) -> None:
    with pytest.raises(InvalidEntry, match="Give 1 to 3650"):
        tokens.add("screen", "reader", days)


def give_role(tokens: Tokens, role: str) -> None:
    """As somebody who changes the database, or a later version."""
    with closing(sqlite3.connect(tokens.home / database.FILE)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("UPDATE api_token SET role = ?", [role])
        db.commit()


@pytest.mark.parametrize("role", ["chief", "", "admin", "Reader"])
def test_a_token_with_a_role_that_none_may_have_is_refused_and_found(tokens: Tokens, role: str) -> None:
    _, secret = tokens.add("screen", "viewer")
    give_role(tokens, role)
    sentence = f"The role {role!r} is none that a token may have."
    with pytest.raises(TokenRefused, match=re.escape(sentence)):
        tokens.find(secret)
    (problem,) = tokens.problems()
    assert problem.startswith(f"Token 1, screen: {sentence}")
    tokens.revoke("screen")
    assert (tokens.find(secret), tokens.problems()) == (None, ())


def test_the_commands_add_list_and_revoke(skinlens_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["api", "token", "list"]) == 0
    assert "No tokens yet" in capsys.readouterr().err
    assert main(["api", "token", "add", "Own screen", "--role", "reader"]) == 0
    said = capsys.readouterr()
    secret = said.out.strip()
    assert "only its hash is stored" in said.err
    assert f"It is good until {day_of(time.time() + 365 * DAY_S)}." in said.err
    found = Tokens(skinlens_home).find(secret)
    assert found is not None
    assert found.name == "Own screen"
    assert main(["api", "token", "revoke", "own SCREEN"]) == 0
    assert capsys.readouterr().out == "Own screen is revoked.\n"
    assert main(["api", "token", "list"]) == 0
    listed = capsys.readouterr().out
    year = day_of(found.created_at + 365 * DAY_S)
    assert re.search(rf"1  Own screen  reader +made \S+, ends {year}, last used \S+, revoked \S+$", listed.strip())
    assert secret not in listed
    assert main(["api", "token", "add", "short", "--role", "viewer", "--days", "7"]) == 0
    give_role(Tokens(skinlens_home), "chief")
    assert main(["api", "token", "list"]) == 0
    said = capsys.readouterr()
    assert re.search(
        rf"^  2  short  +chief +made \S+, ends {day_of(time.time() + 7 * DAY_S)}, never used$", said.out, re.M
    )
    assert said.err.splitlines()[-1].startswith("Token 2, short: The role 'chief' is none that a token may have.")
    entries = CaseStore(skinlens_home).audit_entries()
    assert [(one.action, one.object_number) for one in entries if one.kind == "token"] == [
        ("added", 1),
        ("revoked", 1),
        ("added", 2),
    ]
