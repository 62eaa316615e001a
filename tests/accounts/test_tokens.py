"""Tokens of the API: told once, kept as a hash, bound to a role, and over when revoked."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from skinlens.accounts import Tokens, database
from skinlens.accounts.sessions import digest
from skinlens.cli import main
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


def test_the_commands_add_list_and_revoke(skinlens_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["api", "token", "list"]) == 0
    assert "No tokens yet" in capsys.readouterr().err
    assert main(["api", "token", "add", "Own screen", "--role", "reader"]) == 0
    said = capsys.readouterr()
    secret = said.out.strip()
    assert "only its hash is stored" in said.err
    found = Tokens(skinlens_home).find(secret)
    assert found is not None
    assert found.name == "Own screen"
    assert main(["api", "token", "revoke", "own SCREEN"]) == 0
    assert capsys.readouterr().out == "Own screen is revoked.\n"
    assert main(["api", "token", "list"]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"1  Own screen  reader +made \S+, last used \S+, revoked \S+$", listed.strip())
    assert secret not in listed
    entries = CaseStore(skinlens_home).audit_entries()
    assert [(one.action, one.object_number) for one in entries if one.kind == "token"] == [("added", 1), ("revoked", 1)]
