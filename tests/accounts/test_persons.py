"""People whom a provider names: their account, their role, and no password of theirs here."""

import pytest

from skinlens.accounts import Accounts, Person, SignInRefused
from skinlens.errors import InvalidEntry
from tests.accounts.signing import OTHER, PASSWORD, sign_in


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
