"""Arrivals: photos that other programs sent for the worklist, kept until they are filed or deleted.

What is dropped on a page is held in memory with its tab. What a program sends has no tab, so it waits on the disk, in a
folder of its own beside the cases: one PNG a photo, without metadata, named by the hash of its pixels. One photo waits
once, whoever sends it how often. Arrivals are no cases: they are in no list of cases, no export and no backup.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from skinlens.errors import StoreError
from skinlens.records import Photo
from skinlens.store import blobs, chain, validation
from skinlens.store.connection import StoreHome

MOST = 500
"""Photos that wait at a time."""
_NOTE = "skinlens"
"""Key of the text in the PNG that says where the photo came from."""
_NAME = re.compile(r"[0-9a-f]{64}\.png")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Arrival:
    """Photo that waits to be filed."""

    photo_sha256: str
    sent_by: str
    """Program that sent it, as the audit log names it."""
    arrived_at: str
    """UTC, ISO 8601."""
    source_format: str
    notes: tuple[str, ...]
    """As of ``Photo``."""
    field_width_mm: float | None


class StoredArrivals(StoreHome):
    """The part of ``CaseStore`` that keeps photos which wait to be filed."""

    @property
    def _waiting(self) -> Path:
        return self.home / "arrivals"

    def take_in(self, photo: Photo) -> bool:
        """Keep a photo until it is filed or deleted, noted in the audit log; False: it waits already.

        Raises:
            StoreError: too many wait already, or it cannot be kept.
        """
        path = self._path(photo.sha256)
        if path.is_file():
            return False
        if len(list(self._names())) >= MOST:
            raise StoreError(
                f"{MOST} photos wait in the worklist, and no more are taken in. File or delete some, then send it anew."
            )
        made = Arrival(
            *(photo.sha256, self.actor, validation.now()), photo.source_format, photo.notes, photo.field_width_mm
        )
        note, file = PngInfo(), io.BytesIO()
        note.add_itxt(_NOTE, json.dumps(asdict(made)))
        Image.fromarray(photo.pixels).save(file, "PNG", pnginfo=note, compress_level=3)
        with self._writing() as db:
            chain.append(db, "arrived", "arrival")
            blobs.make_private(self._waiting)
            blobs.write_whole(path, file.getvalue())
        return True

    def arrivals(self) -> tuple[Arrival, ...]:
        """Those that wait, the oldest first; one that cannot be read is not among them."""
        found = []
        for path in self._names():
            with suppress(OSError, ValueError, KeyError, TypeError), Image.open(path, formats=["PNG"]) as picture:
                found.append(_of(json.loads(picture.text[_NOTE])))  # type: ignore[attr-defined]
        return tuple(sorted(found, key=lambda one: (one.arrived_at, one.photo_sha256)))

    def arrived_photo(self, photo_sha256: str) -> Photo:
        """The photo as it was sent: the same pixels, hash and notes.

        Raises:
            StoreError: it does not wait any more, or is not what was sent.
        """
        path = self._path(photo_sha256)
        try:
            content = path.read_bytes()
            with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
                sent = _of(json.loads(picture.text[_NOTE]))  # type: ignore[attr-defined]
                pixels = np.array(picture, dtype=np.uint8)
        except FileNotFoundError as error:
            raise StoreError("This photo does not wait any more: it was filed or deleted in another window.") from error
        except (OSError, ValueError, KeyError, TypeError, SyntaxError) as error:
            raise StoreError(_DAMAGED) from error
        pixels.flags.writeable = False
        digest = hashlib.sha256(f"{pixels.shape[1]}x{pixels.shape[0]}:".encode() + pixels.tobytes()).hexdigest()
        if digest != photo_sha256:
            raise StoreError(_DAMAGED)
        return Photo(pixels, digest, sent.source_format, sent.notes, field_width_mm=sent.field_width_mm)

    def delete_arrival(self, photo_sha256: str) -> None:
        """Delete a photo that was not filed, for good; noted in the audit log."""
        path = self._path(photo_sha256)
        with self._writing() as db:
            if path.is_file():
                chain.append(db, "erased", "arrival")
                path.unlink(missing_ok=True)

    def _no_longer_waits(self, photo_sha256: str) -> None:
        """It is a case now. Where the disk refuses, it waits on, and its row says which case it is."""
        with suppress(OSError):
            self._path(photo_sha256).unlink(missing_ok=True)

    def _names(self) -> Iterator[Path]:
        return (path for path in self._waiting.glob("*.png") if _NAME.fullmatch(path.name) and not path.is_symlink())

    def _path(self, photo_sha256: str) -> Path:
        if not _HASH.fullmatch(photo_sha256):
            raise StoreError("There is no such photo among those that wait.")
        return self._waiting / f"{photo_sha256}.png"


_DAMAGED = "This photo is not what was sent: its file is damaged. Delete it here, and have it sent again."


def _of(note: dict[str, Any]) -> Arrival:
    return Arrival(**{**note, "notes": tuple(note["notes"])})
