"""Names of accounts: how one is kept, by which two are the same, and which are none."""

import unicodedata

from skinlens.errors import InvalidEntry
from skinlens.roles import LOCAL_USER, ROLES

MOST_LETTERS = 60


def settled(name: str) -> str:
    """A name as it is kept. Raises InvalidEntry."""
    account_name = " ".join(unicodedata.normalize("NFC", name).split())
    if not account_name or len(account_name) > MOST_LETTERS or not account_name.isprintable():
        raise InvalidEntry(
            f"An account's name has 1 to {MOST_LETTERS} letters, digits, blanks and signs; found {name[:80]!r}."
        )
    if account_name.casefold() == LOCAL_USER:
        raise InvalidEntry(f"“{LOCAL_USER}” is who works without an account. Choose another name.")
    return account_name


def folded(name: str) -> str:
    """Case-folded name: two names are the same if theirs are equal."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def must_be_role(role: str) -> None:
    """Raises InvalidEntry where it is none."""
    if role not in ROLES:
        raise InvalidEntry(f"{role!r} is no role. Choose one of: {', '.join(ROLES)}.")
