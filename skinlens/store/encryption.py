"""Encrypted backups in the age format: a ZIP of a key that a passphrase wraps, and of the backup encrypted to it.

It can be opened without SkinLens, with the program age and any program for ZIP files; its README says how. The key is
made for one file alone. age's passphrase mode by itself would hold the whole backup in memory.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol, TypeVar, runtime_checkable

from skinlens.errors import InvalidEntry, StoreError
from skinlens.store.archive import DAMAGED_ZIP, readable
from skinlens.wording.errors import NO_MEMORY

Key = TypeVar("Key")


@runtime_checkable
class Readable(Protocol):
    """Source of bytes."""

    def read(self, size: int = -1, /) -> bytes: ...


@runtime_checkable
class Writable(Protocol):
    """Sink of bytes."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


README, KEY, CONTENT = "README.txt", "key.age", "backup.zip.age"
LEAST_SIGNS = 12
"""Of a passphrase for a new backup."""
_MOST_KEY_BYTES = 10_000
_REFUSED = "Decryption failed"
"""What age's library says of a wrong passphrase."""
_HOW = """
This is an encrypted backup by SkinLens. To restore it, stop SkinLens and type:   python -m skinlens restore FILE

Without SkinLens: unpack this ZIP, then use the program age (age-encryption.org) with the passphrase:
   age --decrypt --output key.txt key.age
   age --decrypt --identity key.txt --output backup.zip backup.zip.age
Delete key.txt and backup.zip when they are not needed any more. Without the passphrase nobody can open it.
"""


def must_be_passphrase(typed: str, again: str | None = None) -> str:
    """A passphrase for a new backup, as it was typed.

    Raises:
        InvalidEntry: it is too short, holds a line break, or ``again`` is another.
    """
    if len(typed) < LEAST_SIGNS:
        raise InvalidEntry(
            f"The passphrase has {len(typed)} characters; at least {LEAST_SIGNS} are needed. Some words in a row are "
            "easy to type and hard to guess."
        )
    if "\n" in typed or "\r" in typed:
        raise InvalidEntry("The passphrase has more than one line. Use one line.")
    if again is not None and again != typed:
        raise InvalidEntry("The two passphrases differ. Type the same one twice.")
    return typed


def is_encrypted(path: Path) -> bool:
    """Whether it is a backup that needs a passphrase; also False for what is no backup at all.

    Raises:
        StoreError: the disk lets nothing be read of it.
    """
    try:
        with readable(path), zipfile.ZipFile(path) as backup_zip:
            return {KEY, CONTENT} <= set(backup_zip.namelist())
    except StoreError as error:
        if isinstance(error.__cause__, (FileNotFoundError, *DAMAGED_ZIP)):
            return False
        raise


def encrypt(
    source: IO[bytes], target: IO[bytes], passphrase: str, disclaimer: str, read: Callable[[int], None]
) -> None:
    """Write the encrypted backup. ``read`` is told of the bytes of each step, and may raise to stop."""
    from pyrage import encrypt_io, x25519
    from pyrage import passphrase as by_passphrase

    key = x25519.Identity.generate()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(README, disclaimer + "\n" + _HOW)
        archive.writestr(KEY, by_passphrase.encrypt(str(key).encode("ascii"), passphrase))
        with archive.open(CONTENT, "w", force_zip64=True) as content:
            _copy(encrypt_io, source, content, [key.to_public()], read)


def decrypt(path: Path, target: Writable, passphrase: str, read: Callable[[int], None]) -> None:
    """Write what the encrypted backup holds.

    Raises:
        StoreError: the passphrase is another, or the file is damaged.
    """
    from pyrage import DecryptError, IdentityError, decrypt_io, x25519
    from pyrage import passphrase as by_passphrase

    damaged = (
        f"{path} is damaged or not fully copied. Nothing was changed. Copy it again from where it was kept, or take an "
        "earlier one."
    )
    try:
        with readable(path):
            opened = zipfile.ZipFile(path)
        with opened as archive:
            if archive.getinfo(KEY).file_size > _MOST_KEY_BYTES:
                raise StoreError(damaged)
            with readable(path):
                wrapped = archive.read(KEY)
            try:
                key = x25519.Identity.from_str(by_passphrase.decrypt(wrapped, passphrase).decode("ascii"))
            except DecryptError as error:
                if str(error) != _REFUSED:
                    raise
                raise StoreError(
                    f"{path} cannot be opened with this passphrase. Nothing was changed. Check capitals and keyboard, "
                    "and try again; if it is right, take another copy of the file."
                ) from error
            with readable(path):
                content = archive.open(CONTENT)
            with content:
                _copy(decrypt_io, _OfBackup(content, path), target, [key], read)
    except (*DAMAGED_ZIP, IdentityError, DecryptError) as error:
        raise StoreError(damaged) from error
    except MemoryError as error:
        raise StoreError(f"{path} cannot be read: {NO_MEMORY}. Nothing was changed.") from error


class _OfBackup:
    """Content of a backup, whose disk may fail: that is another trouble than one of where it is written to."""

    def __init__(self, file: Readable, path: Path) -> None:
        self._file, self._path = file, path

    def read(self, size: int = -1, /) -> bytes:
        with readable(self._path):
            return self._file.read(size)


class _Source:
    """What is read from, with its own trouble kept: age's library turns it into words of its own."""

    def __init__(self, file: Readable, count: Callable[[int], None]) -> None:
        self._file, self._count = file, count
        self.trouble: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            chunk = self._file.read(size)
            self._count(len(chunk))
        except BaseException as error:
            self.trouble = error
            raise
        return chunk


class _Target:
    """The same of what is written to."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self.trouble: BaseException | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except BaseException as error:
            self.trouble = error
            raise

    def flush(self) -> None:
        """Whoever gave the file flushes it."""


def _copy(
    step: Callable[[object, object, list[Key]], None],
    source: Readable,
    target: Writable,
    keys: list[Key],
    count: Callable[[int], None],
) -> None:
    """Raises what reading or writing raised; a damaged content raises ``EOFError``."""
    reader, writer = _Source(source, count), _Target(target)
    failed: Exception | None = None
    try:
        step(reader, writer, keys)
    except Exception as error:  # noqa: BLE001  age's library raises errors of many kinds; it goes on below
        failed = error
    for stream in (reader, writer):  # also where the library passes over it: it does with the last bytes that it writes
        if stream.trouble is not None:
            raise stream.trouble from None
    if isinstance(failed, MemoryError) or "MemoryError" in str(failed):  # before the call was ours
        raise MemoryError from failed
    if failed is not None:
        raise EOFError(str(failed)) from failed
