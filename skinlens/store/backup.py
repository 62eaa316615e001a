"""Backup of the whole case file: a consistent copy of the database with its photos and maps, in one verified ZIP."""

import errno
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

from sqlite_utils.db import Database

from skinlens import __version__
from skinlens.errors import Cancelled, InvalidEntry, StoreError
from skinlens.formatting import grouped
from skinlens.labels import DISCLAIMER
from skinlens.records import Progress
from skinlens.store import (
    archive,
    chain,
    database,
    encryption,
    erasure,
    last_backup,
    leftovers,
    mapping,
    settings,
    validation,
    waiting,
)
from skinlens.store.archive import Manifest
from skinlens.store.connection import StoreHome
from skinlens.wording.errors import NO_MEMORY

LAST = "last_backup"
"""The setting that holds what was backed up last, as JSON."""
ATTEMPTS = 3
"""A copy in which something was erased meanwhile is thrown away and begun again."""
_STEPS = 20_000
"""Of SQLite's virtual machine, between two looks whether to stop."""
_COPYING, _WRITING = 0.05, 0.6
"""What is done of the whole when the database is copied, and when the ZIP is written; then it is verified."""
_CLEAR = 0.6
"""What is done of an encrypted backup when the ZIP is there; then it is encrypted, and decrypted again."""
_TROUBLE = {
    errno.ENOSPC: "the disk is full. Free some space, or choose another folder",
    errno.EDQUOT: "your disk quota is used up. Free some space, or choose another folder",
    errno.EFBIG: "that disk holds no file of this size (a stick formatted with FAT32 takes 4 GB at most). Choose "
    "another disk, or format it as exFAT",
    errno.EROFS: "the disk is read-only. Choose another folder",
    errno.EACCES: "access is denied. Choose a folder that you may write to",
    errno.EPERM: "access is denied. Choose a folder that you may write to",
}
_README = f"""{DISCLAIMER}

{archive.BEGINS.decode()} {__version__}: all patients, photos, maps, diagnoses and settings, and the
photos that wait on the worklist. It is not encrypted by itself: keep it as safe as the patients' records.

To restore it, stop SkinLens and type:   python -m skinlens restore FILE
"""


@dataclass(frozen=True)
class Backup:
    """A backup that was written and verified."""

    path: str
    made_at: str
    """UTC, ISO 8601."""
    cases: int
    files: int
    size_bytes: int
    """Of the ZIP."""
    missing: tuple[str, ...] = ()
    """A sentence for each photo or map of the case file that could not be read, and is not in it."""
    encrypted: bool = False
    waiting: int = 0
    """Photos that wait on the worklist."""


class StoredBackups(StoreHome):
    """The part of ``CaseStore`` that is there for the day on which the disk breaks."""

    def back_up(self, folder: Path, *, progress: Progress | None = None, passphrase: str | None = None) -> Backup:
        """Write a ZIP of everything into the folder, and verify it; the folder itself may be new.

        It is consistent: what is saved while it is written is all in it or not at all, and what is erased is not.
        Cancelled, or refused in the middle, it leaves nothing behind. With a passphrase the ZIP is made in a
        file of the case folder that has no name, and nothing of it stays in the clear.

        Raises:
            InvalidEntry: the folder cannot be meant: not a whole path, inside the case folder, or in no folder; or the
                passphrase is too short.
            StoreError: the store cannot be read, the ZIP cannot be written, or it came out damaged.
            Cancelled: by ``progress``.
        """
        target = backup_folder(str(folder), self.home)
        if passphrase is not None:
            encryption.must_be_passphrase(passphrase)
        report = progress or (lambda _: None)
        with _plainly(target):
            target.mkdir(mode=0o700, exist_ok=True)
            leftovers.remove_left(target.glob(".skinlens-backup-*.partial"))
            partial = target / f".skinlens-backup-{uuid.uuid4().hex}.partial"
            try:
                partial.touch(mode=0o600)
                with leftovers.at_work(partial):
                    if passphrase is None:
                        manifest = self._write_unerased(partial, report)
                    else:
                        manifest = self._write_encrypted(partial, passphrase, report)
                path = _free_name(target, manifest.made_at, "" if passphrase is None else "-encrypted")
                size = partial.stat().st_size
                partial.rename(path)
            finally:
                partial.unlink(missing_ok=True)
        made = Backup(str(path), manifest.made_at, manifest.cases, manifest.files, size, manifest.missing)
        made = replace(made, encrypted=passphrase is not None, waiting=manifest.waiting)
        try:
            self._note(made)
        except StoreError as error:
            raise StoreError(
                f"The backup {path} was written and verified, but not noted in the log. {error}"
            ) from error
        return made

    def last_backup(self) -> Backup | None:
        """Latest backup that this case file knows of; None: never."""
        with self._reading() as db:
            row = settings.find(db, LAST)
        if row is None:
            return None
        content = json.loads(row.value)
        return Backup(**content | {"missing": tuple(content["missing"])})

    def _note(self, made: Backup, action: Literal["backed up", "restored"] = "backed up") -> None:
        with self._writing() as db:
            settings.put(db, LAST, mapping.to_json(asdict(made)))
            chain.append(db, action, "backup", made.cases)
        last_backup.keep(self.home, made.path, made.made_at)

    def _write_encrypted(self, partial: Path, passphrase: str, report: Progress) -> Manifest:
        """The ZIP is verified before it is encrypted; what is decrypted again has to be that very ZIP."""
        with database.plain_errors(self.home):
            unnamed = tempfile.TemporaryFile(dir=self.home)  # noqa: SIM115  closed below
        with unnamed as clear:
            with database.plain_errors(self.home):
                manifest = self._write_unerased(partial, lambda done: report(_CLEAR * done), clear)
            size, done = clear.seek(0, os.SEEK_END), 0
            _must_have_room(partial.parent, size)

            def count(read: int) -> None:
                nonlocal done
                done += read
                report(_CLEAR + (1 - _CLEAR) * min(1.0, done / max(1, 2 * size)))

            clear.seek(0)
            with partial.open("wb") as target:
                encryption.encrypt(clear, target, passphrase, DISCLAIMER, count)
                target.flush()
                os.fsync(target.fileno())
            again = _Hashing()
            encryption.decrypt(partial, again, passphrase, count)
            clear.seek(0)
            if hashlib.file_digest(clear, "sha256").digest() != again.digest.digest():
                raise StoreError(f"The backup came out damaged on {partial.parent}. Check that disk, and try again.")
            return manifest

    def _write_unerased(self, partial: Path, report: Progress, clear: IO[bytes] | None = None) -> Manifest:
        """Into ``clear`` where it is to be encrypted, otherwise into the file itself."""
        for _ in range(ATTEMPTS):
            with self._reading() as db:
                before = _erased(db)
            manifest, lost = self._write(partial, report, clear)
            archive.verify(partial, lambda done: report(_WRITING + (1 - _WRITING) * done), clear)
            with self._reading() as db:
                # A map that was made again meanwhile took the place of one that the copy names.
                if _erased(db) == before and lost <= erasure.named_files(db).keys():
                    return manifest
        raise StoreError(
            "Something was deleted or replaced in the case file again and again while the backup was written, and may "
            "not be in it. No backup was made. Make it when nobody else is working."
        )

    def _write(self, partial: Path, report: Progress, clear: IO[bytes] | None) -> tuple[Manifest, set[str]]:
        """The manifest, and the names of the files that could not be read."""
        made_at, room = validation.now(), partial.parent if clear is None else self.home
        _must_have_room(room, waiting.size(self.home))
        with partial.open("wb") if clear is None else nullcontext(clear) as raw:
            raw.seek(0)
            raw.truncate()  # an attempt that was thrown away
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as target:
                target.writestr(archive.README, _README)
                waits = waiting.add(target, self.home, lambda _: report(0.0))
                with self._snapshot(report) as copy:
                    manifest, lost = self._add_cases(target, copy, room, report)
                manifest = replace(
                    manifest,
                    made_at=made_at,
                    bytes=manifest.bytes + waits.bytes,
                    missing=(*manifest.missing, *waits.missing),
                    waiting=waits.count,
                    waiting_missing=len(waits.missing),
                    waiting_sha256=waits.sha256,
                )
                target.writestr(archive.MANIFEST, manifest.to_json(DISCLAIMER))
            raw.flush()
            os.fsync(raw.fileno())
        return manifest, lost

    def _add_cases(
        self, target: zipfile.ZipFile, copy: Path, room: Path, report: Progress
    ) -> tuple[Manifest, set[str]]:
        """Database and files; their manifest, and the names of the files that could not be read."""
        with database.opened(copy, to_write=False) as db:
            needed = erasure.named_files(db)
            cases = int(next(iter(db.query("SELECT count(*) AS total FROM visit")))["total"])
            head = chain.head(db)
        sizes = {name: path.stat().st_size for name, path in self.files.present().items() if name in needed}
        total = copy.stat().st_size + sum(sizes.values())
        _must_have_room(room, total)
        missing: dict[str, str] = {}
        done = files = 0

        def count(chunk: bytes) -> None:
            nonlocal done
            done += len(chunk)
            report(_COPYING + (_WRITING - _COPYING) * min(1.0, done / max(1, total)))

        digest = _add_database(target, copy, count)
        for name, case in sorted(needed.items()):
            try:
                content = self.files.read(name, f"a photo or map of case {case}")
            except StoreError as error:
                missing[name] = str(error)
                continue
            target.writestr(f"{archive.FILES}/{name[:2]}/{name}", content)
            files += 1
            count(content)
        made = Manifest("", __version__, cases, files, done, digest, tuple(missing.values()), *head)
        return made, set(missing)

    @contextmanager
    def _snapshot(self, report: Progress) -> Iterator[Path]:
        """A copy of the database as it is at this moment, beside it: that disk is known to suit SQLite."""
        copy = self.home / f".backup-{uuid.uuid4().hex}.db"
        held = ExitStack()
        try:
            leftovers.remove_left(self.home.glob(".backup-*.db"))
            with self._opened(to_write=False) as db, database.plain_errors(self.home):
                copy.touch(mode=0o600)
                held.enter_context(leftovers.at_work(copy))
                _vacuum_into(db, copy, report)
            yield copy
        finally:
            for suffix in ("", "-journal", "-wal", "-shm"):
                copy.with_name(copy.name + suffix).unlink(missing_ok=True)
            held.close()


class _Hashing:
    """Takes what is written, and keeps its hash alone."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        self.digest.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


def backup_folder(typed: str, home: Path) -> Path:
    """The folder that is meant; it, but not the one that it lies in, may be new.

    Raises:
        InvalidEntry: it cannot be meant.
    """
    if not typed.strip():
        raise InvalidEntry("No folder was given. Type the whole path of one, best on another disk.")
    folder = Path(typed.strip()).expanduser()
    if not folder.is_absolute():
        raise InvalidEntry(f"“{typed.strip()}” is not a whole path. Type it from the disk on, as {_example()}.")
    if folder.resolve().is_relative_to(home.resolve()):
        raise InvalidEntry(f"{folder} lies in the case folder itself, and would be lost with it. Choose another one.")
    if folder.exists() and not folder.is_dir():
        raise InvalidEntry(f"{folder} is a file, not a folder. Choose a folder.")
    if not folder.parent.is_dir():
        raise InvalidEntry(f"There is no folder {folder.parent}. Connect the disk, correct the path, or make it first.")
    return folder


def _example() -> str:
    return r"D:\SkinLens backups" if os.name == "nt" else "/media/disk/SkinLens backups"


def _erased(db: Database) -> str:
    """What changes whenever something is erased, or a photo that waits is discarded."""
    counted = settings.find(db, erasure.COUNTED)
    discarded = next(iter(db.query("SELECT count(*) AS total FROM audit WHERE action = 'discarded'")))["total"]
    return f"{counted.value if counted else ''} {discarded}"


def _vacuum_into(db: Database, copy: Path, report: Progress) -> None:
    """One transaction of its own, which waits for nobody and keeps nobody waiting."""
    stopped: list[Cancelled] = []

    def look() -> int:
        try:
            report(0.0)
        except Cancelled as asked:
            stopped.append(asked)
        return len(stopped)

    db.conn.set_progress_handler(look, _STEPS)
    try:
        db.execute("VACUUM INTO ?", [str(copy)])
    except sqlite3.OperationalError:
        if stopped:
            raise stopped[0] from None
        raise
    finally:
        db.conn.set_progress_handler(None, 0)
    report(_COPYING)


def _add_database(target: zipfile.ZipFile, copy: Path, count: Callable[[bytes], None]) -> str:
    """Its SHA-256."""
    digest = hashlib.sha256()
    entry = zipfile.ZipInfo(archive.DATABASE, datetime.now().astimezone().timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    with copy.open("rb") as source, target.open(entry, "w", force_zip64=True) as written:
        while chunk := source.read(archive.CHUNK_BYTES):
            digest.update(chunk)
            written.write(chunk)
            count(chunk)
    return digest.hexdigest()


def _must_have_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"The backup cannot be written to {folder}: up to {grouped(needed / 1e6)} MB are needed there, and "
            f"{grouped(free / 1e6)} MB are free. Free some space, or choose another folder."
        )


def _free_name(folder: Path, made_at: str, kind: str) -> Path:
    """By the local time, so that files are found by the day on which they were made."""
    stem = f"skinlens-backup-{datetime.fromisoformat(made_at).astimezone():%Y-%m-%d-%H%M%S}"
    stem += kind
    path, number = folder / f"{stem}.zip", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}.zip", number + 1
    return path


@contextmanager
def _plainly(folder: Path) -> Iterator[None]:
    """What the system says of the folder for the backup, in plain words."""
    try:
        yield
    except OSError as error:
        reason = _TROUBLE.get(error.errno or 0, f"the system says: {error.strerror or error}")
        raise StoreError(f"The backup cannot be written to {folder}: {reason}. Nothing was left there.") from error
    except MemoryError as error:
        raise StoreError(f"The backup cannot be written to {folder}: {NO_MEMORY}. Nothing was left there.") from error
