"""A new case store as a copy of one that was made before: its tables take some eighty steps, the copy one."""

import functools
import tempfile
from pathlib import Path

from skinlens.store import CaseStore


@functools.cache
def _content() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        made = CaseStore(Path(folder) / "home")
        with made._writing():
            pass
        return {str(path.relative_to(made.home)): path.read_bytes() for path in made.home.rglob("*") if path.is_file()}


def new_store(home: Path) -> CaseStore:
    """A store without a case in the folder ``home``, which is not there yet."""
    home.mkdir(mode=0o700, parents=True)
    for name, content in _content().items():
        (home / name).touch(mode=0o600)
        (home / name).write_bytes(content)
    return CaseStore(home)
