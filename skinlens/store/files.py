"""Pictures and maps as content-addressed files: the name is the SHA-256 of the content, so a file never changes.

A file is complete or absent: it is written under a temporary name, fsynced, renamed, and its folder is fsynced. It is
written before the row that names it, so a crash leaves at worst a file that no row names.
"""

import hashlib
import io
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import numpy as np
from PIL import Image

from skinlens.errors import StoreError
from skinlens.records import Heat, Pixels

THUMBNAIL_SIDE_PX = 240
"""Of the longer side: sharp in a grid of six on a usual screen, about 10 kB."""


def make_private(folder: Path) -> None:
    """Make the folder and those it lies in. Only the owner may look into what is made: it holds medical records."""
    if not folder.is_dir():
        for missing in reversed([folder, *folder.parents]):
            missing.mkdir(mode=0o700, exist_ok=True)


class CaseFiles:
    """A folder of files, each named by its content and lying in a subfolder of its first two digits."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / name[:2] / name

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Put down the files that are not there yet (name → content); they are on the disk on return."""
        make_private(self.root)
        for name, content in contents.items():
            path = self.path(name)
            if not path.is_file() or path.stat().st_size != len(content):
                path.parent.mkdir(mode=0o700, exist_ok=True)
                temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
                with temporary.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
                _sync_folder(path.parent)

    def read(self, name: str, what: str) -> bytes:
        """The content of one file, checked against its name.

        Raises:
            StoreError: it is missing or was altered; ``what`` names it in the message ("the picture of case 7").
        """
        path = self.path(name)
        repair = "Put it back from a copy of the SkinLens folder; the rest of the case can still be opened."
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise StoreError(f"The file with {what} is missing: {path}. {repair}") from error
        if hashlib.sha256(content).hexdigest() != Path(name).stem:
            raise StoreError(f"The file with {what} was altered or is damaged: {path}. {repair}")
        return content

    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def unnamed(self, named: Set[str], min_age_s: float) -> Iterator[Path]:
        """Files, unfinished ones too, that are not in ``named`` and were last written ``min_age_s`` ago or earlier."""
        newest = time.time() - min_age_s
        for path in self.root.glob("*/*"):
            if path.name not in named and path.is_file() and path.stat().st_mtime <= newest:
                yield path


def picture_file(pixels: Pixels) -> tuple[str, bytes]:
    """Name and content of a lossless PNG without any metadata."""
    file = io.BytesIO()
    # Level 3: a tenth larger than level 6 on skin photos, in less than half of the time.
    Image.fromarray(pixels).save(file, "PNG", compress_level=3)
    return _named(file.getvalue(), ".png")


def pixels_of(content: bytes) -> Pixels:
    """The picture in a file of ``picture_file``."""
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        return np.array(picture, dtype=np.uint8)


def thumbnail_file(pixels: Pixels) -> tuple[str, bytes]:
    """Name and content of a JPEG whose longer side is at most ``THUMBNAIL_SIDE_PX``."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=3.0)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return _named(file.getvalue(), ".jpg")


def heat_file(heat: Heat) -> tuple[str, bytes]:
    """Name and content of a compressed ``.npz`` with one float32 array, ``heat``; every bit of it comes back."""
    file = io.BytesIO()
    np.savez_compressed(file, heat=heat)
    return _named(file.getvalue(), ".npz")


def heat_of(content: bytes) -> Heat:
    """The map in a file of ``heat_file``."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        heat: Heat = arrays["heat"]
        return heat


def _named(content: bytes, suffix: str) -> tuple[str, bytes]:
    return hashlib.sha256(content).hexdigest() + suffix, content


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows cannot open a folder as a file; NTFS journals the rename
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
