"""Backup archive: a ZIP of the case database, photos and maps, with a manifest by which all of it is verified.

Photos and maps have their SHA-256 as name, and lie in the ZIP as in the case folder; the manifest has the database's,
and one of all photos that wait on the worklist.
The manifest is written last, so a file that was cut off has none.
"""

import hashlib
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from skinlens.errors import StoreError
from skinlens.formatting import grouped
from skinlens.records import Progress
from skinlens.wording.errors import NO_MEMORY

FORMAT = "skinlens-backup"
VERSION, WITH_WAITING = 1, 2
"""Of the format: the second has photos that wait, which earlier versions of SkinLens do not know."""
MANIFEST, DATABASE, README, FILES = "backup.json", "cases.db", "README.txt", "files"
CHUNK_BYTES = 1 << 20
_FILE = re.compile(r"files/([0-9a-f]{2})/((?:\1)[0-9a-f]{62})\.(?:png|jpg|npz)")
_WAITING = re.compile(r"received/[0-9a-f]{32}\.(?:dcm|json)")
_MOST_MANIFEST_BYTES = 10_000_000
BEGINS = b"Backup of a case file by SkinLens"
"""Stands in the first entry, which is not compressed."""
_HEAD_BYTES = 4096
_COUNTS = ("cases", "files", "bytes", "audit_entries", "waiting", "waiting_missing")
_LATER = ("audit_entries", "audit_head", "waiting", "waiting_missing", "waiting_sha256")
"""What the manifest of an older backup does not say."""
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""In which a backup is written; zipfile knows more, whose errors are of other kinds."""
_ENCRYPTED = 0x1
"""Among the flags of an entry."""
DAMAGED_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,
    ArithmeticError,
    LookupError,
    ValueError,
)
"""All that zipfile raises on changed bytes."""
_MEANT = "A backup that SkinLens wrote was expected, skinlens-backup-….zip."


@dataclass(frozen=True)
class Manifest:
    """Manifest of a backup."""

    made_at: str
    """UTC, ISO 8601."""
    skinlens_version: str
    cases: int
    files: int
    """Photos, thumbnails and maps."""
    bytes: int
    """Of the database, the files and what waits."""
    database_sha256: str
    missing: tuple[str, ...] = ()
    """A sentence for each file that a case needs, and each photo that waits, that could not be read when the backup was
    made.
    """
    audit_entries: int = 0
    """Of the audit log; 0 in a backup of before there was one."""
    audit_head: str = ""
    """Hash of the last of them."""
    waiting: int = 0
    """Photos that wait on the worklist, two files each."""
    waiting_missing: int = 0
    """How many of ``missing`` are such photos."""
    waiting_sha256: str = ""
    """Of all of their files, see ``of_all``."""

    def to_json(self, disclaimer: str) -> str:
        version = WITH_WAITING if self.waiting else VERSION
        content = {"format": FORMAT, "version": version, "disclaimer": disclaimer, **vars(self)}
        return json.dumps(content, ensure_ascii=False, indent=2)


@contextmanager
def opened(path: Path, clear: IO[bytes] | None = None) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """The ZIP and its manifest. ``clear``: the ZIP itself, where ``path`` holds it encrypted.

    Raises:
        StoreError: it is no backup, not a whole one, or one of a newer version.
    """
    with readable(path):
        backup_zip = zipfile.ZipFile(clear or path)
    with backup_zip:
        with readable(path):
            for entry in backup_zip.infolist():
                if entry.compress_type not in _METHODS or entry.flag_bits & _ENCRYPTED:
                    raise zipfile.BadZipFile(f"{entry.filename!r:.80} is packed in a way that no backup is")
            manifest = _manifest(path, backup_zip)
        yield backup_zip, manifest


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Trouble with the file, in plain words."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(f"There is no file {path}. {_MEANT}") from error
    except DAMAGED_ZIP as error:
        if isinstance(error.__context__, OSError):  # which zipfile takes for damage
            raise StoreError(_unreadable(path, error.__context__)) from error.__context__
        raise StoreError(
            f"{path} is damaged, not fully copied, or no ZIP file at all ({error}). {_MEANT} Copy it again from where "
            "it was kept, or take an earlier one. Nothing was changed."
        ) from error
    except OSError as error:
        raise StoreError(_unreadable(path, error)) from error
    except MemoryError as error:
        raise StoreError(f"{path} cannot be read: {NO_MEMORY}. Nothing was changed.") from error


def _unreadable(path: Path, error: OSError) -> str:
    return (
        f"{path} cannot be read: {error.strerror or error}. Nothing was changed. Connect its disk again, or take "
        "another copy of it."
    )


def verify(path: Path, progress: Progress, clear: IO[bytes] | None = None) -> Manifest:
    """Read all of a backup and compare every hash; ``clear`` as in ``opened``. Raises StoreError, Cancelled."""
    with opened(path, clear) as (backup_zip, manifest):
        for _ in contents(path, backup_zip, manifest, progress):
            pass
        return manifest


def of_all(hashes: Mapping[str, str]) -> str:
    """SHA-256 over the names of files and their own; empty for no files."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest() if hashes else ""


def contents(
    path: Path, backup_zip: zipfile.ZipFile, manifest: Manifest, progress: Progress, into: Path | None = None
) -> Iterator[str]:
    """The names of database and files, each after its hash was compared, then those of what waits, whose hashes are
    compared together after the last; below ``into`` they are written down.

    Raises:
        StoreError: a hash differs, an entry is missing, or one is there that no backup has.
    """
    names = backup_zip.namelist()
    files = [name for name in names if _FILE.fullmatch(name)]
    waiting = [name for name in names if _WAITING.fullmatch(name)]
    if strange := set(names) - {*files, *waiting} - {MANIFEST, DATABASE, README}:
        raise StoreError(f"{path} holds {sorted(strange)[0]!r}, which no backup of SkinLens has. {_MEANT}")
    if len(files) != manifest.files or names.count(DATABASE) != 1 or len(set(names)) != len(names):
        raise StoreError(f"{path} is not whole: {manifest.files} photos and maps were expected, {len(files)} found.")
    if len(waiting) != 2 * manifest.waiting:
        raise StoreError(f"{path} is not whole: of the {manifest.waiting} photos that wait some files are missing.")
    done = 0
    hashes: dict[str, str] = {}
    for name in (DATABASE, *files, *waiting):
        expected = manifest.database_sha256 if name == DATABASE else Path(name).stem
        digest = hashlib.sha256()
        for chunk in _chunks(path, backup_zip, name, into):
            done += len(chunk)
            if done > manifest.bytes:
                raise StoreError(f"{path} holds more than it says ({grouped(manifest.bytes)} bytes). It is damaged.")
            digest.update(chunk)
            progress(done / max(1, manifest.bytes))
        if _WAITING.fullmatch(name):
            hashes[name] = digest.hexdigest()
        elif digest.hexdigest() != expected:
            raise StoreError(f"{path} is damaged: {name} is not what was backed up. Take another copy of it.")
        yield name
    if of_all(hashes) != manifest.waiting_sha256:
        raise StoreError(
            f"{path} is damaged: the photos that wait are not those of the backup. Take another copy of it."
        )


def _chunks(path: Path, backup_zip: zipfile.ZipFile, name: str, into: Path | None) -> Iterator[bytes]:
    def read() -> bytes:
        with readable(path):
            return source.read(CHUNK_BYTES)

    with readable(path):
        source = backup_zip.open(name)
    with source:
        if into is None:
            yield from iter(read, b"")
            return
        target = into / name
        for folder in (target.parent.parent, target.parent):  # the mode of ``mkdir`` does not hold for parents
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.touch(mode=0o600)
        with target.open("wb") as file:
            while chunk := read():
                file.write(chunk)
                yield chunk


def _manifest(path: Path, backup_zip: zipfile.ZipFile) -> Manifest:
    try:
        entry = backup_zip.getinfo(MANIFEST)
        content: Any = json.loads(backup_zip.read(entry)) if entry.file_size <= _MOST_MANIFEST_BYTES else None
    except (KeyError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        with path.open("rb") as file:
            if BEGINS in file.read(_HEAD_BYTES):  # what is left of it may end with a map, which is a ZIP in itself
                raise StoreError(f"{path} is not whole: its end is missing. Copy it again, or take an earlier one.")
        inside = ", ".join(backup_zip.namelist()[:4]) or "nothing"
        raise StoreError(f"{path} is no backup of SkinLens: it holds {inside}. {_MEANT}")
    if content.get("version") not in {VERSION, WITH_WAITING}:
        raise StoreError(f"{path} was made by a newer SkinLens. Nothing was changed. Restore it with that version.")
    try:
        made = {name: content[name] for name in Manifest.__dataclass_fields__ if name not in _LATER} | {
            name: content[name] for name in _LATER if name in content
        }
        datetime.fromisoformat(made["made_at"]).astimezone()
        counts = [made[name] for name in _COUNTS if name in made]
        if any(type(count) is not int or not 0 <= count < 2**63 for count in counts):
            raise ValueError("a count that is none")
        lost = made.pop("missing")
        words = [made[name] for name in made.keys() - set(_COUNTS)]
        if not isinstance(lost, list) or any(not isinstance(word, str) for word in (*words, *lost)):
            raise TypeError("a text that is none")
        return Manifest(**made, missing=tuple(lost))
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise StoreError(
            f"{path} is damaged: its list of contents is not complete. Nothing was changed. Copy it again from where "
            "it was kept, or take an earlier one."
        ) from error
