"""Photos that wait on the worklist, in a backup and in its restoration: see ``received``."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from skinlens.errors import StoreError
from skinlens.store import archive, blobs
from skinlens.store.received import FOLDER, TOKEN, token_of

_ENDINGS = ("dcm", "json")
"""Of the two files of each; without the second it waits no more."""
_DAMAGED = "is damaged"


@dataclass(frozen=True)
class Waiting:
    """Photos that were written into a backup."""

    count: int
    bytes: int
    sha256: str
    """See ``archive.of_all``."""
    missing: tuple[str, ...]
    """A sentence for each that could not be read."""


def size(home: Path) -> int:
    """Bytes of all that wait."""
    return sum(path.stat().st_size for token in _tokens(home) for path in _files(home, token) if path.is_file())


def add(target: zipfile.ZipFile, home: Path, count: Callable[[bytes], None]) -> Waiting:
    """Write all that wait into the ZIP, before the database is copied: what is filed meanwhile is a case in that copy
    or waits here, perhaps both, and never neither. One that can be read is taken, whole or not: see ``problems``.
    """
    hashes: dict[str, str] = {}
    missing = []
    written = 0
    for token in _tokens(home):
        try:
            contents = _read(home, token)
        except StoreError as error:
            missing.append(str(error))
            continue
        for ending, content in zip(_ENDINGS, contents, strict=False):  # none, where it was filed just now
            name = f"{FOLDER}/{token}.{ending}"
            target.writestr(name, content)
            hashes[name] = hashlib.sha256(content).hexdigest()
            written += len(content)
            count(content)
    return Waiting(len(hashes) // len(_ENDINGS), written, archive.of_all(hashes), tuple(missing))


def problems(home: Path) -> tuple[str, ...]:
    """A sentence for each that is damaged. It reads all of them."""
    photos = []
    for token in _tokens(home):
        try:
            contents = _read(home, token)
        except StoreError as error:
            photos.append(str(error))
            continue
        if contents and token not in _tokens_of(*contents):
            photos.append(_said(_files(home, token)[0], _DAMAGED))
    return tuple(photos)


def moves(staged: Path, home: Path) -> Iterator[tuple[Path, Path]]:
    """Pairs of source and target of a backup's files, so that its photos wait beside those that wait now."""
    for token in _tokens(staged):
        for before, after in zip(_files(staged, token), _files(home, token), strict=True):
            if not after.exists():
                blobs.make_private(after.parent)
                yield before, after


def _tokens(home: Path) -> list[str]:
    return sorted(path.stem for path in (home / FOLDER).glob("*.json") if TOKEN.fullmatch(path.stem))


def _files(home: Path, token: str) -> list[Path]:
    return [home / FOLDER / f"{token}.{ending}" for ending in _ENDINGS]


def _read(home: Path, token: str) -> tuple[bytes, ...]:
    """Photo and note; neither where it was filed or discarded just now. Raises StoreError: they cannot be read."""
    photo, note = _files(home, token)
    try:
        contents = photo.read_bytes(), note.read_bytes()
        if "received_at" in json.loads(contents[1]):
            return contents
        why = _DAMAGED
    except FileNotFoundError:
        if not note.exists():
            return ()
        why = "is missing"
    except OSError as error:
        why = f"cannot be read ({error.strerror or error})"
    except (ValueError, TypeError):
        why = _DAMAGED
    raise StoreError(_said(photo, why))


def _said(photo: Path, why: str) -> str:
    return f"The photo {photo}, which waits on the worklist, {why}. Have it sent again."


def _tokens_of(photo: bytes, note: bytes) -> tuple[str, ...]:
    """By which these may wait: that of the photo alone, and that of the photo with what is proposed for it."""
    told = {name: value for name, value in json.loads(note).items() if name not in {"received_at", "sender"}}
    return hashlib.sha256(photo).hexdigest()[:32], token_of(photo, told)
