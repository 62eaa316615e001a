"""Small text files that are replaced as a whole, so that a full disk or a power cut leaves the one before."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Write it beside, for this account alone, and put it in the place of the file. Raises OSError."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        part.touch(mode=0o600)
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
