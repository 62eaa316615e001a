"""Backup archive: a ZIP of the case database, photos and maps, with a manifest by which all of it is verified.

Photos and maps have their SHA-256 as name, and lie in the ZIP as in the case folder; the manifest has the database's.
The manifest is written last, so a file that was cut off has none.
"""

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from skinlens.errors import StoreError
from skinlens.records import Progress

FORMAT, VERSION = "skinlens-backup", 1
MANIFEST, DATABASE, README, FILES = "backup.json", "cases.db", "README.txt", "files"
CHUNK_BYTES = 1 << 20
_FILE = re.compile(r"files/([0-9a-f]{2})/((?:\1)[0-9a-f]{62})\.(?:png|jpg|npz)")
_MOST_MANIFEST_BYTES = 10_000_000
BEGINS = b"Backup of a case file by SkinLens"
"""Stands in the first entry, which is not compressed."""
_HEAD_BYTES = 4096
_LATER = ("audit_entries", "audit_head")
"""What the manifest of an older backup does not say."""
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
    """Of the database and the files."""
    database_sha256: str
    missing: tuple[str, ...] = ()
    """A sentence for each file that a case needs and that could not be read when the backup was made."""
    audit_entries: int = 0
    """Of the audit log; 0 in a backup of before there was one."""
    audit_head: str = ""
    """Hash of the last of them."""

    def to_json(self, disclaimer: str) -> str:
        content = {"format": FORMAT, "version": VERSION, "disclaimer": disclaimer, **vars(self)}
        return json.dumps(content, ensure_ascii=False, indent=2)


@contextmanager
def opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """The ZIP and its manifest.

    Raises:
        StoreError: it is no backup, not a whole one, or one of a newer version.
    """
    try:
        with zipfile.ZipFile(path) as found:
            yield found, _manifest(path, found)
    except FileNotFoundError as error:
        raise StoreError(f"There is no file {path}. {_MEANT}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise StoreError(
            f"{path} is damaged, not fully copied, or no ZIP file at all ({error}). {_MEANT} Copy it again from where "
            "it was kept, or take an earlier one."
        ) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}.") from error


def verify(path: Path, progress: Progress) -> Manifest:
    """Read all of a backup and compare every hash. Raises StoreError, Cancelled."""
    with opened(path) as (found, manifest):
        for _ in contents(path, found, manifest, progress):
            pass
        return manifest


def contents(
    path: Path, found: zipfile.ZipFile, manifest: Manifest, progress: Progress, into: Path | None = None
) -> Iterator[str]:
    """The names of database and files, each after its hash was compared; below ``into`` they are written down.

    Raises:
        StoreError: a hash differs, an entry is missing, or one is there that no backup has.
    """
    names = found.namelist()
    files = [name for name in names if _FILE.fullmatch(name)]
    if strange := set(names) - set(files) - {MANIFEST, DATABASE, README}:
        raise StoreError(f"{path} holds {sorted(strange)[0]!r}, which no backup of SkinLens has. {_MEANT}")
    if len(files) != manifest.files or names.count(DATABASE) != 1 or len(set(names)) != len(names):
        raise StoreError(f"{path} is not whole: {manifest.files} photos and maps were expected, {len(files)} found.")
    done = 0
    for name in (DATABASE, *files):
        expected = manifest.database_sha256 if name == DATABASE else Path(name).stem
        digest = hashlib.sha256()
        for chunk in _chunks(found, name, into):
            done += len(chunk)
            if done > manifest.bytes:
                raise StoreError(f"{path} holds more than it says ({manifest.bytes:,} bytes). It is damaged.")
            digest.update(chunk)
            progress(done / max(1, manifest.bytes))
        if digest.hexdigest() != expected:
            raise StoreError(f"{path} is damaged: {name} is not what was backed up. Take another copy of it.")
        yield name


def _chunks(found: zipfile.ZipFile, name: str, into: Path | None) -> Iterator[bytes]:
    with found.open(name) as source:
        if into is None:
            yield from iter(lambda: source.read(CHUNK_BYTES), b"")
            return
        target = into / name
        for folder in (target.parent.parent, target.parent):  # the mode of ``mkdir`` does not hold for parents
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.touch(mode=0o600)
        with target.open("wb") as file:
            while chunk := source.read(CHUNK_BYTES):
                file.write(chunk)
                yield chunk


def _manifest(path: Path, found: zipfile.ZipFile) -> Manifest:
    try:
        entry = found.getinfo(MANIFEST)
        content: Any = json.loads(found.read(entry)) if entry.file_size <= _MOST_MANIFEST_BYTES else None
    except (KeyError, ValueError):
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        with path.open("rb") as file:
            if BEGINS in file.read(_HEAD_BYTES):  # what is left of it may end with a map, which is a ZIP in itself
                raise StoreError(f"{path} is not whole: its end is missing. Copy it again, or take an earlier one.")
        inside = ", ".join(found.namelist()[:4]) or "nothing"
        raise StoreError(f"{path} is no backup of SkinLens: it holds {inside}. {_MEANT}")
    if content.get("version") != VERSION:
        raise StoreError(f"{path} was made by a newer SkinLens. Nothing was changed. Restore it with that version.")
    try:
        made = {name: content[name] for name in Manifest.__dataclass_fields__ if name not in _LATER} | {
            name: content[name] for name in _LATER if name in content
        }
        datetime.fromisoformat(made["made_at"])
        if any(type(made[name]) is not int or made[name] < 0 for name in ("cases", "files", "bytes")):
            raise ValueError("a count that is none")
        return Manifest(**made | {"missing": tuple(made["missing"])})
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path} is damaged: its list of contents is not complete.") from error
