"""Start-up maintenance of the store: integrity, files that belong to it, unfinished work.

A start deletes nothing of which it is not certain. Files that no case needs are moved to the quarantine, and only if
the database is sound and knows most of the others; otherwise they stay, and a sentence says so.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils.db import Database

from skinlens.errors import StoreError
from skinlens.formatting import counted
from skinlens.store import chain, damage, database, erasure, last_backup, leftovers, settings, validation, waiting
from skinlens.store.backup import LAST
from skinlens.store.blobs import is_settled
from skinlens.store.connection import FilesWithoutCases, StoreHome
from skinlens.wording.records import backup_offer

SETTLED_S = 3600.0
"""A file that no row names is left alone for so long: a save may be about to name it."""
FEW = 16
"""Files that no case needs, as some interrupted saves leave them. More mean that the database is not the right one."""
_SHOWN = 5
_PROBE = hashlib.sha256(b"").hexdigest() + ".npz"
ASIDE = "before-restore-"
"""How the folder begins in which a restoration sets aside what was there."""


@dataclass(frozen=True)
class Tidied:
    """Findings and repairs of a start."""

    set_aside: int
    """Files that no case needs, moved to the quarantine."""
    put_back: int
    """Files that a case needs, found in the quarantine."""
    problems: tuple[str, ...]
    """Sentences for the person who uses the app; none where all is in order."""


class StoredUpkeep(StoreHome):
    """The part of ``CaseStore`` that looks after the folder as a whole."""

    def tidy(self, min_age_s: float = SETTLED_S) -> Tidied:
        """Check the database, finish interrupted erasures, and move what interrupted saves left to the quarantine.

        Raises:
            StoreError: the database cannot be used, or is empty beside many photos. Nothing was changed.
        """
        problems = (*self.open_to_others(closing=True), *self.log_problem())
        if damaged := self._damage(note=True):
            return Tidied(0, 0, (*problems, *damaged))
        try:
            self._finish_erasure()
            self._hold_reserve()
            self._remove_copies(min_age_s)
            with self._writing() as db:
                set_aside, put_back, trouble = self._tidy_files(db, min_age_s)
        except FilesWithoutCases:
            raise
        except StoreError as error:  # a full or read-only disk: what is stored can still be read
            return Tidied(0, 0, (*problems, f"Cases can be read, but the folder could not be tidied. {error}"))
        return Tidied(set_aside, put_back, (*problems, *trouble))

    def damage(self) -> tuple[str, ...]:
        """A sentence for each fault that is found in the database itself; it takes about a second for 10,000 cases."""
        return self._damage(note=False)

    def _damage(self, *, note: bool) -> tuple[str, ...]:
        """As ``damage``. ``note``: nothing is written from here on where pages are damaged, until they are whole."""
        with self._reading() as db:
            pages = damage.of_pages(db, self.home)
            problems = (*pages, *damage.of_rows(db, self.home))
            offer = _last_backup(db) if problems else ()
        if note:
            with suppress(OSError):  # a read-only folder, in which nothing is written either
                if pages:
                    self.closed.touch(mode=0o600)
                else:
                    self.closed.unlink(missing_ok=True)
        return (*problems, *offer)

    def unfinished_erasure(self) -> bool:
        """Whether something was deleted of which traces may be left in the database or its folder."""
        with self._reading() as db:
            return erasure.is_unfinished(db)

    def lost_files(self) -> tuple[str, ...]:
        """A sentence for each file that a case needs and that is missing or damaged. It reads all files."""
        with self._reading() as db:
            needed = erasure.named_files(db)
        problems = []
        for name, case in sorted(needed.items(), key=lambda item: (item[1], item[0])):
            try:
                self.files.read(name, f"a picture or map of case {case}")
            except StoreError as error:
                problems.append(str(error))
        return tuple(problems)

    def received_problems(self) -> tuple[str, ...]:
        """A sentence for each photo that waits on the worklist and is missing or damaged. It reads all of them."""
        return waiting.problems(self.home)

    def unknown_files(self, min_age_s: float = SETTLED_S) -> tuple[Path, ...]:
        """Files of the store's making that no case needs, and that no save is about to name."""
        with self._reading() as db:
            needed = erasure.named_files(db)
        present = sorted(self.files.present().items())
        return tuple(path for name, path in present if name not in needed and is_settled(path, min_age_s))

    def log_problem(self) -> tuple[str, ...]:
        """A sentence if the database's log was once taken away, until ``accept_loss``."""
        self.note_loss()
        if not self.loss.exists() and not database.lost_log(self.database):
            return ()
        return (
            f"The case database {self.database} has lost its log ({self.database.name}-wal): the latest changes may be "
            "missing. Put back the last good copy of the whole folder. If there is none, type `python -m skinlens "
            "doctor --accept-loss`; until then no file is tidied away.",
        )

    def accept_loss(self) -> None:
        """The user knows that changes may be missing: from here on the store tidies again. Raises StoreError."""
        with self._opened():
            pass  # which makes a new log
        with database.plain_errors(self.home):
            self.loss.unlink(missing_ok=True)

    def check_writable(self) -> None:
        """Write a file and a row, for ``skinlens doctor``; raises ``StoreError`` where that fails."""
        with database.plain_errors(self.home):
            self.files.write({_PROBE: b""})
            self.files.remove(_PROBE)
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO setting (key, value, updated_at) VALUES ('checked', ?, ?)",
                [validation.now(), validation.now()],
            )

    def _remove_copies(self, min_age_s: float) -> None:
        """Copies of the database that a backup or a restoration left which was killed: cases that are erased later
        would live on in them.
        """
        if os.name == "posix":
            min_age_s = min(min_age_s, leftovers.SETTLED_S)
        with database.plain_errors(self.home):
            for left in (".backup-*.db", ".restore-*", chain.HALF_HEADS, last_backup.HALF):
                leftovers.remove_left(self.home.glob(left), min_age_s)

    def _tidy_files(self, db: Database, min_age_s: float) -> tuple[int, int, list[str]]:
        """Under the write lock, under which a save looks for its files as well."""
        needed = erasure.named_files(db)
        present = self.files.present()
        quarantine = self.files.in_quarantine()
        put_back = [quarantine[name] for name in needed if name not in present and name in quarantine]
        for path in put_back:
            self.files.put_back(path)
        present = self.files.present()
        problems = _lost(needed, present)
        unknown = [path for name, path in present.items() if name not in needed]
        if self.loss.exists():  # what looks unknown may belong to cases that were lost
            return 0, len(put_back), problems
        if words := self._refusal(unknown, known=len(present) - len(unknown), cases=bool(needed)):
            return 0, len(put_back), [*problems, words]
        for path in self.files.expired():
            if path.name not in needed:
                path.unlink()
        left = [path for path in [*unknown, *self.files.unfinished()] if is_settled(path, min_age_s)]
        for path in left:
            self.files.set_aside(path)
        return len(left), len(put_back), problems

    def _refusal(self, unknown: list[Path], known: int, *, cases: bool) -> str:
        """Why files that no case needs stay where they are; empty if they may be set aside."""
        if not unknown or (known > len(unknown) and len(unknown) <= FEW):
            return ""
        count = f"{len(unknown)} photos and maps" if len(unknown) > 1 else "1 photo or map"
        surplus = f"{count} in {self.files.root} belong to no case of the database {self.database.name}"
        if not cases and len(unknown) > FEW:
            raise FilesWithoutCases(
                f"{surplus}, which holds no case at all: it is not the database that belongs to these files. "
                "Nothing was moved or deleted. Put back the last good copy of the whole folder; or, to begin without "
                f"those cases, move the folder {self.files.root.name} away."
            )
        return (
            f"{surplus}. It may be an older copy, or have lost its latest changes. Nothing was moved or deleted. Put "
            "back the last good copy of the whole folder; `python -m skinlens doctor` lists the files."
        )

    def open_to_others(self, *, closing: bool = False) -> tuple[str, ...]:
        """A sentence for each part of the folder that other accounts can look into, after ``closing`` what may be."""
        if os.name != "posix" or not self.home.is_dir():
            return ()
        log, index = (self.database.with_name(self.database.name + suffix) for suffix in ("-wal", "-shm"))
        own = [self.database, log, index, self.files.root, self.files.quarantine, self.reserve, self.loss]
        own += [self.home / chain.HEAD_FILE, self.home / last_backup.FILE, self.closed]
        own += [*self.home.glob(f"{ASIDE}*"), *self.home.glob("accounts.db*")]
        if {path.name for path in self.home.iterdir()} <= {path.name for path in own}:
            own.append(self.home)  # a folder that holds other things as well may be shared for a reason
        for path in own if closing else ():
            close(path)
        return tuple(
            f"Other accounts of this computer can look into {path}, which holds medical records. Close it to them: "
            f"chmod go= {path}"
            for path in dict.fromkeys([*own, self.home])
            if is_open(path)
        )


def _last_backup(db: Database) -> tuple[str, ...]:
    """A sentence with the last backup, as far as a damaged database can still tell."""
    with suppress(sqlite3.Error, ValueError, KeyError, TypeError):
        if row := settings.find(db, LAST):
            made = json.loads(row.value)
            return (backup_offer(made["path"], made["made_at"]),)
    return ()


def is_open(path: Path) -> bool:
    """Whether other accounts may read, write or enter it."""
    with suppress(FileNotFoundError):  # as in ``database``: a log comes and goes
        return bool(path.stat().st_mode & 0o077)
    return False


def close(path: Path) -> None:
    """Take the rights of other accounts away, where that is allowed."""
    with suppress(OSError):
        if is_open(path):
            path.chmod(path.stat().st_mode & 0o700)


def _lost(needed: Mapping[str, int], present: Mapping[str, Path]) -> list[str]:
    lost = sorted({case for name, case in needed.items() if name not in present})
    if not lost:
        return []
    named = ", ".join(str(case) for case in lost[:_SHOWN]) + (" …" if len(lost) > _SHOWN else "")
    count = counted(len(lost), "case")
    return [
        f"Photos or maps are missing, of {count} ({named}). The rest of these "
        "cases can be opened, exported and deleted. Put the files back from a copy of the folder."
    ]
