"""Files that are replaced as a whole, so that a full disk or a power cut leaves the one before."""

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

PRIVATE = 0o600
"""Mode of a file for this account alone."""


def replace_text(path: Path, text: str, mode: int = 0o666) -> None:
    """Replacement of a text file; see ``replace_files``."""
    replace_files({path: text.encode()}, mode)


def replace_json(path: Path, content: Any) -> None:
    """Replacement of a JSON file; see ``replace_files``. Raises ValueError where a figure is NaN: JSON has none."""
    replace_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def replace_files(contents: Mapping[Path, bytes], mode: int = 0o666) -> None:
    """Write all files beside the ones of their names, and only then put each in its place, in this order.

    ``mode`` is that of the new files, less what the umask takes away. A link is followed; what is there and no file (a
    pipe, a terminal) is written to as it is.

    Raises:
        OSError: one cannot be written, ``filename``. Where the disk is full, every file is as it was.
    """
    waiting: dict[Path, Path] = {}
    path = Path()
    try:
        for path, content in contents.items():
            if path.exists() and not path.is_file():
                path.write_bytes(content)
                continue
            part = path.resolve().with_name(f".{path.resolve().name}.{secrets.token_hex(8)}.partial")
            waiting[part] = path
            _write(part, content, mode)
        for part, path in waiting.items():
            part.replace(path.resolve())
    except BaseException as problem:
        for part in waiting:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        if isinstance(problem, OSError):
            problem.filename = str(path)  # also where the system names none, as of a disk that is full
        raise


def _write(path: Path, content: bytes, mode: int) -> None:
    path.touch(mode=mode, exist_ok=False)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
