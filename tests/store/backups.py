"""Helpers for the tests of backup and restoration."""

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
