"""Helpers for the tests of backup and restoration."""

import errno
import re
import zipfile
from collections import namedtuple
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from skinlens.errors import StoreError

Usage = namedtuple("Usage", "total used free")


def refused(sentence: str) -> AbstractContextManager[object]:
    return pytest.raises(StoreError, match=re.escape(sentence))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def moving_the_database_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restoration's database cannot be put in its place."""
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.parent.name.startswith(".restore-") and self.name == "cases.db":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)


def rewritten(path: Path, **entries: bytes | None) -> Path:
    """The ZIP with other content of these entries; None: without it."""
    other = path.with_name("other.zip")
    with zipfile.ZipFile(path) as found, zipfile.ZipFile(other, "w") as target:
        for name in found.namelist():
            content = entries.get(name, found.read(name))
            if content is not None:
                target.writestr(name, content)
        for name in entries.keys() - set(found.namelist()):
            target.writestr(name, entries[name])
    return other
