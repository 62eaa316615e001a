"""Batch sources: a folder, a list of paths, a ZIP, or the case file, walked entry by entry and never listed whole."""

import os
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from skinlens.batch.reader import CaseJob, Job
from skinlens.errors import BatchError, UnreadableImage
from skinlens.imaging.intake import MAX_BYTES
from skinlens.imaging.intake.sniffing import check_weight

STORE = "store"
"""The source that stands for the case file."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".dcm"})
"""Names by which a file of a folder or ZIP counts as a photo. The content decides which format it has."""
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class Entry:
    """One photo to be read."""

    id: str
    """Path within the source, or case number: text that every table can hold, once in a source."""
    job: Callable[[], Job]
    """What a reader is given; called just before, in any thread. Raises SkinLensError, OSError."""
    stamp: Callable[[], str]
    """By which another content under the same id is told: size and time of the last change, or a checksum. Empty where
    nothing tells it, as of a file that cannot be reached.
    """


class Source(ABC):
    """Source of photos."""

    sorts = False
    """Whether the rows are put in the order of their ids: where the entries come in none."""

    def __init__(self, name: str) -> None:
        self.name = name
        """By which unfinished work knows its source again."""
        self.left_out = 0
        """Files that were passed over in the last walk, as they have no photo's name."""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """Walk it. A part that cannot be read is an entry whose job raises."""

    def count(self) -> int:
        """Number of entries that a walk gives now."""
        return sum(1 for _ in self.entries())

    def note(self, count: int) -> str:  # noqa: ARG002  for the sources that say so
        """Note in the audit log, where there is one, that so many photos will be read; a sentence where that fails."""
        return ""


def source_of(given: str) -> Source:
    """The source that a person named: ``store``, or the path of a folder, of a ZIP, or of a text file with paths.

    Raises:
        BatchError: there is nothing of that name, or it is none of these.
    """
    if given == STORE:
        return _Cases()
    path = Path(given)
    if path.is_dir():
        return _Folder(path)
    expected = "Expected a folder, a ZIP, a text file with one path a line, or the word store for the case file"
    if not path.is_file():
        raise BatchError(f"There is no folder or file {given}. {expected}.")
    if zipfile.is_zipfile(path):
        return _Zip(path)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip() or b"\0" in head or head.startswith(b"\xff\xd8"):
        raise BatchError(f"{given} is none of what can be read. {expected}. For one photo: skinlens predict {given}")
    return _List(path)


def text_of(path: str) -> str:
    """A path as text; bytes of a name that are none are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class _Folder(Source):
    sorts = True

    def __init__(self, root: Path) -> None:
        super().__init__(text_of(str(root.absolute())))
        self._root = root

    def entries(self) -> Iterator[Entry]:
        self.left_out = 0
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                listing = os.scandir(self._root / folder)
            except OSError as problem:
                yield Entry(text_of(folder) + "/", _raising(problem), lambda: "")
                continue
            with listing:
                for directory_entry in listing:
                    path = f"{folder}{directory_entry.name}"
                    if directory_entry.name.startswith(
                        "."
                    ):  # macOS and Windows keep companions of photos under such names
                        continue
                    if directory_entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")
                    elif not _named_as_photo(directory_entry.name):
                        self.left_out += 1
                    else:
                        yield _file(path, directory_entry.path)


class _List(Source):
    """Paths that are not absolute are below the folder of the list."""

    def __init__(self, path: Path) -> None:
        super().__init__(text_of(str(path.absolute())))
        self._path = path

    def entries(self) -> Iterator[Entry]:
        with self._path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            for line in lines:
                if named := line.rstrip("\r\n").strip():
                    yield _file(named, str(self._path.parent / named))


class _Zip(Source):
    def __init__(self, path: Path) -> None:
        super().__init__(text_of(str(path.absolute())))
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as problem:
            raise BatchError(f"{path} is a damaged ZIP, or not fully copied: {problem}. Copy it again.") from problem

    def entries(self) -> Iterator[Entry]:
        self.left_out = len(self._archive.filelist) - len(self._archive.NameToInfo)  # a name that comes again
        for info in self._archive.filelist:
            name = info.filename
            if info.is_dir() or any(map(_hidden, name.split("/"))):
                continue
            if not _named_as_photo(name):
                self.left_out += 1
            else:
                stamp = f"{info.file_size} {info.CRC:08x}"
                yield Entry(text_of(name), partial(self._read, info), partial(str, stamp))

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        """No more than a photo may have is unpacked, whatever the archive says of its size."""
        check_weight(info.file_size)
        try:
            with self._archive.open(info) as member:
                return member.read(MAX_BYTES + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as problem:
            raise UnreadableImage(
                f"The photo cannot be taken out of the ZIP ({problem}): a whole entry without a password was expected. "
                "Pack it again."
            ) from problem


class _Cases(Source):
    def __init__(self) -> None:
        from skinlens.store import CaseStore

        self._store = CaseStore()
        super().__init__(f"{STORE} {text_of(str(self._store.home))}")

    def entries(self) -> Iterator[Entry]:
        home = str(self._store.home)
        for number, photo_sha256 in self._store.visit_photos():
            yield Entry(str(number), partial(CaseJob, home, number), partial(str, photo_sha256))

    def note(self, count: int) -> str:
        return self._store.note_export_of_many(count)


def _file(name: str, path: str) -> Entry:
    return Entry(text_of(name), partial(str, path), partial(_size_and_time, path))


def _size_and_time(path: str) -> str:
    try:
        file_status = os.stat(path)  # noqa: PTH116 (as of ``_named_as_photo``)
    except OSError:
        return ""
    return f"{file_status.st_size} {file_status.st_mtime_ns}"


def _hidden(part: str) -> bool:
    """Whether a part of a path is a hidden file's, or of what macOS packs beside each file; "../" is neither."""
    return part.startswith("__MACOSX") or (part.startswith(".") and part not in {".", ".."})


def _named_as_photo(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 (a path object for each of a million names)


def _raising(problem: OSError) -> Callable[[], Job]:
    def job() -> Job:
        raise problem

    return job
