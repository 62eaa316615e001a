"""Accounts of an installation on a network: who may sign in, with which role, and the sessions that are open.

They lie in a database of their own beside the cases, so that a backup of the cases carries no password, and bringing
one back does not bring back an account that was removed.
"""

from skinlens.accounts.directory import Account, Accounts
from skinlens.accounts.passwords import LEAST_CHARACTERS
from skinlens.accounts.sessions import Device, Session, SignInRefused
from skinlens.accounts.signing_in import Person
from skinlens.accounts.tokens import Token, TokenRefused, Tokens

__all__ = [
    "LEAST_CHARACTERS",
    "Account",
    "Accounts",
    "Device",
    "Person",
    "Session",
    "SignInRefused",
    "Token",
    "TokenRefused",
    "Tokens",
]
