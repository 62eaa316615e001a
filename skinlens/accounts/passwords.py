"""Passwords: what one must be like, and its Argon2id hash."""

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from skinlens.errors import InvalidEntry

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 256
_FEWEST_DIFFERENT = 5
_NAME_COUNTS_FROM = 3
_HASHER = PasswordHasher()
"""Argon2id with RFC 9106's second recommended setting: 64 MiB, three passes, four lanes."""


def checked(password: str, name: str) -> str:
    """The password as it is hashed: in Unicode's composed form, whatever the keyboard made.

    Raises:
        InvalidEntry: it is too short, too long, holds the name, or is one sign over and over.
    """
    composed = unicodedata.normalize("NFKC", password)
    if not LEAST_CHARACTERS <= len(composed) <= MOST_CHARACTERS:
        raise InvalidEntry(
            f"A password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters; this one has {len(composed)}. Some "
            "words in a row are easy to remember and hard to guess."
        )
    parts = [name, *name.replace(".", " ").split()]
    held = composed.casefold()
    if any(len(part) >= _NAME_COUNTS_FROM and part.casefold() in held for part in parts):
        raise InvalidEntry("The password holds the account's name. Choose one that does not.")
    if len(set(held)) < _FEWEST_DIFFERENT:
        raise InvalidEntry(f"The password has fewer than {_FEWEST_DIFFERENT} different characters. Choose another.")
    return composed


def hashed(password: str, name: str) -> str:
    """Argon2id hash of the password, with its parameters and salt. Raises InvalidEntry, see ``checked``."""
    return _HASHER.hash(checked(password, name))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one that was hashed; ``password_hash`` None: of no account, which takes as long."""
    tried = unicodedata.normalize("NFKC", password[:MOST_CHARACTERS])
    nobody = _of_nobody()
    try:
        _HASHER.verify(password_hash or nobody, tried)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


@cache
def _of_nobody() -> str:
    """What is compared with where a name is not known, so that the answer takes as long as for one that is."""
    return _HASHER.hash("the password of nobody")
