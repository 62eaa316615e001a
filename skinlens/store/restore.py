"""Restore of a backup: verified before anything is touched; what was there is set aside, not deleted."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import IO

from skinlens.clock import local_day
from skinlens.errors import StoreError
from skinlens.formatting import counted, grouped
from skinlens.records import Progress
from skinlens.roles import LOCAL_USER
from skinlens.store import archive, blobs, chain, damage, database, encryption, erasure, last_backup, leftovers, waiting
from skinlens.store.archive import Manifest
from skinlens.store.audit_log import StoredAudit
from skinlens.store.backup import Backup, StoredBackups
from skinlens.store.in_use import InUse
from skinlens.store.upkeep import ASIDE, StoredUpkeep


@dataclass(frozen=True)
class Restored:
    """Result of a restore."""

    home: Path
    made_at: str
    """Time at which the backup was made: UTC, ISO 8601."""
    cases: int
    files: int
    aside: Path | None
    """Place of the case file that was there before; None: there was none."""
    missing: tuple[str, ...]
    """As of ``Backup``."""
    waiting: int = 0
    """Photos that wait on the worklist again, beside those that waited there before."""


def restore(
    path: Path,
    home: Path,
    *,
    replace: bool = False,
    progress: Progress | None = None,
    actor: str = LOCAL_USER,
    passphrase: str | None = None,
) -> Restored:
    """Put a backup in the place of the case file in ``home``. SkinLens must not run meanwhile.

    The backup is unpacked beside, verified and opened first. A case file that is there is moved, as it is, to a folder
    ``before-restore-…`` in ``home``, and only with ``replace`` if it holds any case or patient.

    Raises:
        StoreError: the backup cannot be used, it is encrypted and the passphrase is another or none, an app serves the
            folder, or there are cases and ``replace`` was not said. Nothing was changed.
        Cancelled: by ``progress``; nothing was changed.
    """
    with database.plain_errors(home):
        lock = InUse(home, alone=True)
    try:
        with (
            database.plain_errors(home),
            in_the_clear(path, home, passphrase) as clear,
            archive.opened(path, clear) as (backup_zip, manifest),
        ):
            _must_fit(home, manifest, replace)
            with _staging(home) as staged:
                for _ in archive.contents(path, backup_zip, manifest, progress or (lambda _: None), into=staged):
                    pass
                _must_open(staged, path, manifest)
                backup = Backup(
                    str(path),
                    manifest.made_at,
                    manifest.cases,
                    manifest.files,
                    path.stat().st_size,
                    manifest.missing,
                    encrypted=clear is not None,
                    waiting=manifest.waiting,
                )
                # the copy was made before it was known that it is whole
                StoredBackups(staged, actor=actor)._note(backup, "restored")
                chain.put_head(staged, StoredAudit(staged).audit_head())
                aside = _exchange(home, staged)
            StoredUpkeep(home).open_to_others(closing=True)
        return Restored(
            home, manifest.made_at, manifest.cases, manifest.files, aside, manifest.missing, manifest.waiting
        )
    finally:
        lock.let_go()


def _must_fit(home: Path, manifest: Manifest, replace: bool) -> None:
    """Refuse what would take the place of cases unasked, and what there is no room for."""
    if not replace and (held := _held(home)):
        raise StoreError(
            f"There is a case file in {home} ({held}), and nothing of it was changed. To put the backup of "
            f"{local_day(manifest.made_at)} ({counted(manifest.cases, 'case')}) in its place, say --replace: "
            "what is there now is set aside in that folder, not deleted."
        )
    blobs.make_private(home)
    leftovers.remove_left(home.glob(".restore-*"))
    free = shutil.disk_usage(home).free
    if free < manifest.bytes:
        raise StoreError(
            f"{grouped(manifest.bytes / 1e6)} MB are needed in {home}, and {grouped(free / 1e6)} MB are free. Free "
            "some space and try again; nothing was changed."
        )


def _held(home: Path) -> str:
    """What of worth lies there, in words; empty where nothing does."""
    store = StoredUpkeep(home)
    present = len(store.files.present())
    if database.is_empty(store.database):
        return counted(present, "photo or map", "photos and maps") if present else ""
    try:
        with store._reading() as db:
            cases, patients = (next(db.execute(f"SELECT count(*) FROM {table}"))[0] for table in ("visit", "patient"))
    except StoreError:
        return "it cannot be opened"
    if not cases and not patients and not present:
        return ""
    return f"{counted(cases, 'case')}, {counted(patients, 'patient')}"


@contextmanager
def in_the_clear(path: Path, home: Path, passphrase: str | None) -> Iterator[IO[bytes] | None]:
    """The ZIP in an encrypted backup, in a file of the case folder without a name, which ends with the process in
    whatever way that ends; None: the backup is not encrypted.

    Raises:
        StoreError: the passphrase is another, or there is none.
    """
    if not encryption.is_encrypted(path):
        yield None
        return
    if passphrase is None:
        raise StoreError(f"{path} is encrypted, and no passphrase was given. Nothing was changed.")
    with database.plain_errors(home):
        blobs.make_private(home)
        with tempfile.TemporaryFile(dir=home) as clear:
            encryption.decrypt(path, clear, passphrase, lambda _: None)
            clear.flush()
            yield clear


@contextmanager
def _staging(home: Path) -> Iterator[Path]:
    folder = home / f".restore-{uuid.uuid4().hex}"
    folder.mkdir(mode=0o700)
    try:
        with leftovers.at_work(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _must_open(staged: Path, path: Path, manifest: Manifest) -> None:
    """Bring the copy to this version's schema, and look whether it is sound and has what the manifest says."""
    store = StoredUpkeep(staged)
    try:
        with store._opened() as db:
            # The copy of a database does not take over how it is written.
            db.execute("PRAGMA journal_mode = WAL")
            problems = damage.found(db, staged)
            needed = erasure.named_files(db)
            cases = next(db.execute("SELECT count(*) FROM visit"))[0]
    except StoreError as error:
        raise StoreError(f"The database in {path} cannot be used; nothing was changed. {error}") from error
    if problems:
        raise StoreError(f"The database in {path} is damaged; nothing was changed. {problems[0]}")
    present = set(store.files.present())
    if strange := present - set(needed):
        raise StoreError(f"{path} holds {len(strange)} files that no case in it needs. It was changed; take another.")
    if cases != manifest.cases:
        raise StoreError(
            f"{path} is damaged: its list of contents says {counted(manifest.cases, 'case')}, and its database holds "
            f"{cases}. Take another copy of it."
        )
    lost, said = len(set(needed) - present), len(manifest.missing) - manifest.waiting_missing
    if lost != said:
        what = "photo or map that its cases need is" if lost == 1 else "photos or maps that its cases need are"
        raise StoreError(f"{path} is damaged: {lost} {what} not in it, and it says {said}. Take another copy of it.")


def _exchange(home: Path, staged: Path) -> Path | None:
    """Move what is there aside and the copy in its place; if that fails in the middle, all goes back. Photos that wait
    stay where they are, and those of the copy come beside them.
    """
    store = StoredUpkeep(home)
    own = [
        *(store.database.with_name(store.database.name + suffix) for suffix in ("", "-journal", "-wal", "-shm")),
        *(store.files.root, store.files.quarantine, store.reserve, store.loss, store.closed),
        *(home / chain.HEAD_FILE, home / last_backup.FILE),
    ]
    there = [path for path in own if os.path.lexists(path)]
    begun = f"{ASIDE}{datetime.now().astimezone():%Y-%m-%d-%H%M%S}"
    aside = next(
        folder for number in count(1) if not (folder := home / (f"{begun}-{number}" if number > 1 else begun)).exists()
    )
    moves = [(path, aside / path.name) for path in there]
    new = (store.files.root.name, chain.HEAD_FILE, last_backup.FILE, store.database.name)
    moves += waiting.moves(staged, home)
    moves += [(staged / name, home / name) for name in new]
    done: list[tuple[Path, Path]] = []
    try:
        if there:
            aside.mkdir(mode=0o700)
            store.exchange.touch(mode=0o600)
            store.exchange.write_text(f"{aside}\n", encoding="utf-8")
        for before, after in moves:
            if os.path.lexists(before):
                before.rename(after)
                done.append((before, after))
    except (OSError, MemoryError, KeyboardInterrupt):
        for before, after in reversed(done):
            after.rename(before)
        if there:
            store.exchange.unlink(missing_ok=True)
            with suppress(OSError):  # empty, if it was made at all
                aside.rmdir()
        raise
    store.exchange.unlink(missing_ok=True)
    return aside if there else None
