"""The short way to sign in, and to be refused."""

import pytest

from skinlens.accounts import Accounts, SignInRefused

PASSWORD = "correct horse battery"
OTHER = "quite another phrase"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


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
