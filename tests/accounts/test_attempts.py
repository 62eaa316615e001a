"""Attempts to sign in that fail: who then has to wait, and who has not."""

import pytest

from skinlens.accounts import Accounts, SignInRefused, attempts, database, signing_in
from tests.accounts.signing import OTHER, PASSWORD, Clock, refused, sign_in


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


def test_the_old_password_is_not_guessed_in_an_open_page(accounts: Accounts) -> None:
    session = accounts.session(sign_in(accounts))
    assert session is not None
    for _ in range(5):
        with pytest.raises(SignInRefused, match="not right"):
            accounts.change_password(session, "wrong password", OTHER, end_others=False)
    with pytest.raises(SignInRefused, match="Too many attempts"):
        accounts.change_password(session, PASSWORD, OTHER, end_others=False)
    assert sign_in(accounts)  # which keeps nobody from signing in
