"""Note of the last backup, beside the database: the one thing to offer where the database cannot be opened at all."""

import json
from contextlib import suppress
from pathlib import Path

from skinlens.atomic_file import PRIVATE, replace_text
from skinlens.wording.records import backup_offer

FILE = "last-backup.json"
HALF = f".{FILE}.*.partial"
_MOST_BYTES = 10_000


def keep(home: Path, path: str, made_at: str) -> None:
    """Store path and time of the last backup; where the disk is full or read-only, what was noted before stays."""
    with suppress(OSError):
        replace_text(home / FILE, json.dumps({"path": path, "made_at": made_at}), PRIVATE)


def offer(home: Path) -> str:
    """A sentence with the last backup, and how it is brought back; empty where none is known."""
    with suppress(OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
        with (home / FILE).open("rb") as file:
            stored = json.loads(file.read(_MOST_BYTES))
        return backup_offer(str(stored["path"]), str(stored["made_at"]))
    return ""
