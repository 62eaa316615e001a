"""Lock of a case folder while an app serves it: a restore asks for it first."""

import os
import sys
from pathlib import Path

from skinlens.errors import StoreError

if sys.platform != "win32":  # which by itself refuses to move a file that is open
    import fcntl


class InUse:
    """A lock on the folder, shared by many or held alone, until it is let go or the process ends."""

    def __init__(self, home: Path, *, alone: bool = False) -> None:
        """Raises StoreError where it cannot be had at once."""
        self._folder: int | None = None
        if sys.platform == "win32" or not home.is_dir():
            return
        folder = os.open(home, os.O_RDONLY)
        try:
            fcntl.flock(folder, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            os.close(folder)
            raise StoreError(
                f"The cases in {home} are in use: SkinLens is running, or a backup is being restored. Nothing was "
                "changed. Stop the app, then try again."
            ) from problem
        except OSError:  # a network folder without locks
            os.close(folder)
            return
        self._folder = folder

    def let_go(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
