"""Roles: who may read, file, sign, erase, and look after the installation."""

from typing import Literal, get_args

Role = Literal["viewer", "reader", "reviewer", "admin"]
"""From the fewest rights to all; each role has the rights of the roles before it."""
Right = Literal["read", "file", "export", "sign", "amend", "move", "erase", "settings", "audit", "back up", "users"]
ROLES: tuple[Role, ...] = get_args(Role)
TOKEN_ROLES: tuple[Role, ...] = ("viewer", "reader")
"""Roles that a token of the API may have: nothing that the API does needs more."""
LOCAL_USER = "local user"
"""Actor in the audit log for work without a sign-in: at this computer, or on the command line."""

_NEEDED: dict[Right, Role] = {
    "read": "viewer",
    "file": "reader",
    "export": "reader",
    "sign": "reviewer",
    "amend": "reviewer",
    "move": "reviewer",
    "erase": "admin",
    "settings": "admin",
    "audit": "admin",
    "back up": "admin",
    "users": "admin",
}
_IN_WORDS: dict[Right, str] = {
    "read": "read cases",
    "file": "upload, file or edit drafts",
    "export": "export a case or a patient",
    "sign": "sign a case",
    "amend": "change a signed case",
    "move": "move a case, or correct a patient or a lesion",
    "erase": "delete a case or a patient",
    "settings": "change settings of the clinic",
    "audit": "see the audit log of all cases",
    "back up": "make a backup",
    "users": "manage accounts",
}
MEANING: dict[Role, str] = {
    "viewer": "reads cases",
    "reader": "also uploads photos, files them and edits drafts",
    "reviewer": "also signs, amends and moves cases",
    "admin": "also deletes, changes settings, makes backups and manages accounts",
}
REFUSED = "refused: "
"""Words before the right in the audit log's entry of what a role was refused."""


def right_words(right: str) -> str:
    """Right in words, as in "sign a case"; a right that this version does not know is named as it is."""
    return next((words for known, words in _IN_WORDS.items() if known == right), right)


def described(role: str) -> str:
    """Rights of a role in a sentence; of one that this version does not know, that it has none."""
    known = next((known_role for known_role in ROLES if known_role == role), None)
    if known is None:
        return f"The role {role!r} is unknown to this version of SkinLens and has no rights."
    return f"{'An' if role == 'admin' else 'A'} {role} {MEANING[known]}."


def may(role: str, right: Right) -> bool:
    """Whether a role has a right. One that this version does not know has none: a newer version, or somebody who
    changed the database, may have put it there.
    """
    return role in ROLES and ROLES.index(role) >= ROLES.index(_NEEDED[right])


def refusal(role: Role, right: Right) -> str:
    """Sentence of why a role may not do it, and whom to ask."""
    whom = {"reader": "a reader, a reviewer or an admin", "reviewer": "a reviewer or an admin", "admin": "an admin"}
    asked = whom.get(_NEEDED[right], "an admin")
    return f"Your role, {role}, does not allow you to {_IN_WORDS[right]}. Ask {asked}."
