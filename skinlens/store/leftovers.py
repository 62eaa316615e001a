"""Unfinished files of backups and restores: held while they are written, removed once their process is gone.

They hold patients' data. Who is killed cannot remove them, so whoever comes next does.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from skinlens.store.blobs import is_settled

if sys.platform != "win32":  # which removes no file that is open
    import fcntl

SETTLED_S = 60.0
"""A file that was not written to for so long, and that nobody holds, was left by a process that was killed."""


@contextmanager
def at_work(path: Path) -> Iterator[None]:
    """Hold the file or folder: ``remove_left`` leaves it alone."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # a network folder without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def remove_left(paths: Iterable[Path], min_age_s: float = SETTLED_S) -> None:
    """Remove those that nobody holds and that are older; a database's log goes with it."""
    for left in paths:
        with suppress(OSError):  # held, or gone meanwhile
            if is_settled(left, min_age_s):
                _remove(left)


def _remove(left: Path) -> None:
    if sys.platform == "win32":
        _delete(left)
        return
    handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _delete(left)
    finally:
        os.close(handle)


def _delete(left: Path) -> None:
    if left.is_dir():
        shutil.rmtree(left)
        return
    left.unlink(missing_ok=True)
    for suffix in ("-journal", "-wal", "-shm"):
        left.with_name(left.name + suffix).unlink(missing_ok=True)
