"""Fault layer: the n-th call of the file system or of SQLite fails, or memory ends at the n-th call of a function.

For tests alone. What is counted: opening, reading, writing, flushing and closing a file below the given folders; fsync;
making, moving and removing files and folders; and each statement that SQLite is given.
"""

import builtins
import errno
import io
import os
import resource
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from unittest import mock


class Kind(NamedTuple):
    """A kind of fault."""

    of_file: Callable[[], BaseException]
    of_database: Callable[[], BaseException]
    words: tuple[str, ...]
    """One of them stands in the sentence that it becomes."""


def _sqlite(code: int, words: str) -> Callable[[], BaseException]:
    def made() -> BaseException:
        error = sqlite3.OperationalError(words)
        error.sqlite_errorcode = code
        return error

    return made


def _system(number: int) -> Callable[[], BaseException]:
    return lambda: OSError(number, os.strerror(number))


KINDS = {
    "disk full": Kind(
        _system(errno.ENOSPC),
        _sqlite(sqlite3.SQLITE_FULL, "database or disk is full"),
        ("disk is full", "No space left"),
    ),
    "input/output error": Kind(
        _system(errno.EIO),
        _sqlite(sqlite3.SQLITE_IOERR_READ, "disk I/O error"),
        ("Input/output error", "the disk reported an error"),
    ),
    "read-only": Kind(
        _system(errno.EROFS),
        _sqlite(sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
        ("read-only", "Read-only", "can be read but not written"),
    ),
    "locked": Kind(
        _system(errno.EACCES),
        _sqlite(sqlite3.SQLITE_BUSY, "database is locked"),
        ("access is denied", "Permission denied", "another program has been writing"),
    ),
    "no memory": Kind(MemoryError, MemoryError, ("no memory left", "more memory than")),
}


class Faults:
    """Counts the calls, and raises in the one that it was told, or from it on."""

    def __init__(self, kind: Kind, at: int | None = None, *, lasting: bool = False) -> None:
        self.kind, self.at, self.lasting = kind, at, lasting
        self.calls: list[str] = []
        """In words, in their order."""

    def pass_by(self, what: str, error: Callable[[], BaseException]) -> None:
        self.calls.append(what)
        now = len(self.calls) - 1
        if self.at is not None and (now == self.at or (self.lasting and now > self.at)):
            raise error()

    @property
    def struck(self) -> bool:
        return self.at is not None and len(self.calls) > self.at


class _File:
    """A file each of whose calls is counted."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self._file, self._faults = file, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)

    def _counted(self, name: str, *given: Any) -> Any:
        self._faults.pass_by(name, self._faults.kind.of_file)
        return getattr(self._file, name)(*given)

    def read(self, *given: Any) -> Any:
        return self._counted("read", *given)

    def write(self, *given: Any) -> Any:
        return self._counted("write", *given)

    def flush(self) -> Any:
        return self._counted("flush")

    def truncate(self, *given: Any) -> Any:
        return self._counted("truncate", *given)

    def close(self) -> None:
        self._file.close()


_BY_PATH = ("open", "replace", "rename", "unlink", "mkdir", "rmdir")
FILE_CALLS = (*_BY_PATH, "read", "write", "flush", "truncate", "fsync")


@contextmanager
def injected(faults: Faults, *roots: Path) -> Iterator[Faults]:
    """Within the block, calls that concern a file below one of these folders are counted, and fail as told."""
    begins = tuple(str(root) for root in roots)

    def concerns(path: object) -> bool:
        return isinstance(path, str | os.PathLike) and str(path).startswith(begins)

    def by_path(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *given: Any, **named: Any) -> Any:
            if concerns(path):
                faults.pass_by(name, faults.kind.of_file)
            return plain(path, *given, **named)

        return call

    def opening(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *given: Any, **named: Any) -> Any:
            if not concerns(path):
                return plain(path, *given, **named)
            faults.pass_by("open", faults.kind.of_file)
            return _File(plain(path, *given, **named), faults)

        return call

    def unnamed(*given: Any, **named: Any) -> Any:
        faults.pass_by("open", faults.kind.of_file)
        return _File(temporary(*given, **named), faults)

    def syncing(handle: int) -> None:
        faults.pass_by("fsync", faults.kind.of_file)
        fsync(handle)

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            faults.pass_by(f"SQL {' '.join(sql.split()[:3])}", faults.kind.of_database)
            return super().execute(sql, *given)

    def connecting(*given: Any, **named: Any) -> Any:
        faults.pass_by("connect", faults.kind.of_database)
        return connect(*given, factory=Connection, **named)

    temporary, fsync, connect = tempfile.TemporaryFile, os.fsync, sqlite3.connect
    with (
        mock.patch.multiple(os, fsync=syncing, **{name: by_path(name, getattr(os, name)) for name in _BY_PATH}),
        mock.patch.object(io, "open", opening(io.open)),
        mock.patch.object(builtins, "open", opening(open)),
        mock.patch.object(tempfile, "TemporaryFile", unnamed),
        mock.patch.object(sqlite3, "connect", connecting),
    ):
        yield faults


@contextmanager
def memory_ends(faults: Faults, package: Path, *beside: str) -> Iterator[Faults]:
    """Within the block, calls of functions whose code lies below the folder are counted, and fail as told.

    ``beside``: functions that are passed over, as those that turn the fault into its sentence. Generator expressions
    are too: one that is left before its end is called once more to be closed, by the collector, which drops the fault.
    """
    begins = str(package)

    def called(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        expression = code.co_name == "<genexpr>"
        if (
            event == "call"
            and code.co_filename.startswith(begins)
            and code.co_qualname not in beside
            and not expression
        ):
            faults.pass_by(code.co_qualname, faults.kind.of_file)

    before = sys.gettrace()
    sys.settrace(called)
    try:
        yield faults
    finally:
        sys.settrace(before)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk: the system refuses what is longer, and names no file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
