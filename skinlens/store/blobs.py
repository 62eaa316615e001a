"""Content-addressed files: the name is the SHA-256 of the content, so a file never changes.

A file is complete or absent: it is written under a temporary name, fsynced, renamed, and its folder is fsynced. It is
written before the row that names it, so a crash leaves at worst a file that no row names. Such a file is moved to the
quarantine beside the folder, where it can be found for ``QUARANTINE_DAYS``.

Nothing is touched that does not have a name of this module's own making: other files in the folder are somebody else's.
"""

import hashlib
import io
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skinlens.errors import StoreError
from skinlens.records import Heatmap, Pixels

THUMBNAIL_SIDE_PX = 240
"""Of the longer side: sharp in a grid of six on a usual screen, about 10 kB."""

QUARANTINE_DAYS = 30
_NAME = re.compile(r"[0-9a-f]{64}\.(?:png|jpg|npz)")
_UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.tmp")


def make_private(folder: Path) -> None:
    """Make the folder and those it lies in. Only the owner may look into what is made: it holds medical records."""
    if not folder.is_dir():
        for missing in reversed([folder, *folder.parents]):
            missing.mkdir(mode=0o700, exist_ok=True)


class CaseFiles:
    """A folder of files, each named by its content and lying in a subfolder of its first two digits."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.quarantine = root.with_name("quarantine")
        """Subfolders named by the day on which their files were set aside."""

    def path(self, name: str) -> Path:
        """Path of the file of that name.

        Raises:
            StoreError: it is no name of a stored file; a damaged row could name any file of this computer.
        """
        if not _NAME.fullmatch(name):
            raise StoreError(
                f"The database names a file that SkinLens did not make ({name[:80]!r}); it was left alone. The "
                "database is damaged or was changed by another program: put back the last good copy of the folder."
            )
        return self.root / name[:2] / name

    def write(self, contents: Mapping[str, bytes]) -> frozenset[str]:
        """Put down the files that are missing or damaged (name → content); on return they are on the disk.

        Returns the names of those that were not there at all.
        """
        make_private(self.root)
        added = set()
        for name, content in contents.items():
            path = self.path(name)
            there = path.is_file()
            if there and path.stat().st_size == len(content) and path.read_bytes() == content:
                continue
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(path, content)
            if not there:
                added.add(name)
        return frozenset(added)

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
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"The file with {what} cannot be read ({reason}): {path}. {repair}") from error
        if hashlib.sha256(content).hexdigest() != Path(name).stem:
            raise StoreError(f"The file with {what} was altered or is damaged: {path}. {repair}")
        return content

    def remove(self, name: str) -> None:
        """Erase the file, in the quarantine as well. A name that is none of ours is left alone."""
        if not _NAME.fullmatch(name):
            return
        for path in (self.path(name), *self.quarantine.glob(f"*/{name}")):
            if path.is_file():
                path.unlink(missing_ok=True)
                _sync_folder(path.parent)

    def present(self) -> dict[str, Path]:
        """All complete files, by name."""
        return {path.name: path for path in self._own(_NAME) if path.name[:2] == path.parent.name}

    def unfinished(self) -> Iterator[Path]:
        """Files of a write that was interrupted."""
        return self._own(_UNFINISHED)

    def _own(self, names: re.Pattern[str]) -> Iterator[Path]:
        for path in self.root.glob("[0-9a-f][0-9a-f]/*"):
            if names.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                yield path

    # ------------------------------------------------------------------------------------------ quarantine

    def set_aside(self, path: Path) -> None:
        """Move a file of ``present`` or ``unfinished`` to the quarantine."""
        folder = self.quarantine / datetime.now(UTC).date().isoformat()
        make_private(folder)
        path.replace(folder / path.name)

    def in_quarantine(self) -> dict[str, Path]:
        """Files in quarantine by name, of each name the one that was set aside last."""
        return {path.name: path for path in sorted(self.quarantine.glob("????-??-??/*")) if path.is_file()}

    def put_back(self, path: Path) -> None:
        """Move a file from the quarantine to where it was."""
        back = self.path(path.name)
        make_private(back.parent)
        path.replace(back)

    def expired(self) -> Iterator[Path]:
        """Files that were set aside longer ago than ``QUARANTINE_DAYS``."""
        last = datetime.now(UTC).date() - timedelta(days=QUARANTINE_DAYS)
        for path in self.quarantine.glob("????-??-??/*"):
            if (_NAME.fullmatch(path.name) or _UNFINISHED.fullmatch(path.name)) and _day(path.parent.name) < last:
                yield path


def is_settled(path: Path, min_age_s: float) -> bool:
    """Whether the file was last written so long ago that no save can be about to name it."""
    return path.stat().st_mtime <= time.time() - min_age_s


def _day(name: str) -> date:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return date.max


def write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:  # a disk that is full should not keep half a file
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


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


def placeholder(height_px: int, width_px: int) -> Pixels:
    """A drawing in the place of a photo that cannot be read: gray, crossed out, with words."""
    picture = Image.new("RGB", (width_px, height_px), (225, 225, 225))
    draw = ImageDraw.Draw(picture)
    for ends in ((0, 0, width_px, height_px), (0, height_px, width_px, 0)):
        draw.line(ends, fill=(180, 180, 180), width=1 + min(width_px, height_px) // 200)
    size = max(8, width_px // 18)
    draw.text(
        (width_px / 2, height_px / 2),
        "Photo missing",
        fill=(60, 60, 60),
        anchor="mm",
        font=ImageFont.load_default(size),
    )
    return np.array(picture, dtype=np.uint8)


def thumbnail_file(pixels: Pixels) -> tuple[str, bytes]:
    """Name and content of a JPEG whose longer side is at most ``THUMBNAIL_SIDE_PX``."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=3.0)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return _named(file.getvalue(), ".jpg")


HEAT = "heat"
"""Name of a map's one array in its file."""


def heat_file(heatmap: Heatmap) -> tuple[str, bytes]:
    """Name and content of a compressed ``.npz`` with one float32 array, ``heat``; every bit of it comes back."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **{HEAT: heatmap})
    return _named(file.getvalue(), ".npz")


def heat_of(content: bytes) -> Heatmap:
    """The map in a file of ``heat_file``."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        heatmap: Heatmap = arrays[HEAT]
        return heatmap


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
