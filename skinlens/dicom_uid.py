"""Unique identifiers of DICOM objects (UIDs), worked out from what they name.

References: DICOM PS3.5 chapter 9 and annex B.2 (identifiers from a UUID).
"""

import uuid

NAMESPACE = uuid.UUID("a3f1c9d2-4b7e-5c08-9e61-7d2f50b8c4a1")
"""Of all identifiers; chosen once."""
UUID_ROOT = "2.25"
"""Root below which every UUID is an identifier."""
MAX_UID = 64


def uid(root: str, *named: object) -> str:
    """The identifier of what is named by these words.

    Args:
        root: ``UUID_ROOT``, or a registered root of at most ``settings.MAX_UID_ROOT`` characters.
    """
    number = uuid.uuid5(NAMESPACE, "\n".join(map(str, named))).int
    if root != UUID_ROOT:
        number %= 10 ** (MAX_UID - len(root) - 1)
    return f"{root}.{number}"
