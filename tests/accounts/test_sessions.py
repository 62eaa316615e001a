"""Sessions: of whom, and when and by what they end."""

import pytest

from skinlens.accounts import Accounts, sessions
from skinlens.errors import ServeError
from tests.accounts.signing import PASSWORD, Clock, sign_in


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


@pytest.mark.parametrize("typed", ["0", "721", "half an hour", "-5", "1.5", "9" * 5000])
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


def test_a_local_session_is_of_nobodys_account(accounts: Accounts, clock: Clock) -> None:
    token = accounts.admit_local(address="127.0.0.1", browser="")
    clock.now += 20 * 86_400
    session = accounts.session(token)
    assert session is not None
    assert (session.actor, session.role) == ("local user", "admin")
    clock.now += 10 * 86_400
    assert accounts.session(token) is None
