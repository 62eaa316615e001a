"""Annotations of skinlens checked at each call: shapes and dtypes where arrays are named, types everywhere.

Only jaxtyping sees that two arrays of one call have the same height; it costs a third of the time of tests that call
much and hold no array, for which beartype alone says the same.
"""

import re
from pathlib import Path

from beartype import BeartypeConf, beartype
from beartype.claw import beartype_package
from jaxtyping import install_import_hook

CONF = BeartypeConf(is_pep484_tower=True, claw_is_pep526=False, violation_type=TypeError)
"""As mypy reads them, so a whole number is welcome where a float is asked for; of calls, not of assignments. What is
wrong is a TypeError from either library."""

check = beartype(conf=CONF)

_ALIAS = re.compile(r"^(\w+) = \w+\[Array,", re.MULTILINE)


BOUND_AT_ONCE = ("skinlens.api.guard",)
"""Uvicorn calls an app without arguments to see whether it is a factory. An async method refuses that at once; the
wrapper of beartype, once it is awaited; that of jaxtyping at once again."""


def check_calls(folder: Path) -> None:
    """From here on, of what is imported of the package in that folder. Must come before its first import."""
    beartype_package(folder.name, conf=CONF)
    # In front of the other, for these modules:
    install_import_hook([*with_arrays(folder), *BOUND_AT_ONCE], f"{__name__}.check")


def with_arrays(folder: Path) -> list[str]:
    """Modules of a package in which the shape of an array is named, by jaxtyping or by an alias for its types; and
    those with annotations that are imported for mypy alone, which jaxtyping lets pass.
    """
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))}
    aliases = {name for text in sources.values() for name in _ALIAS.findall(text)}
    named = re.compile(rf"\b(?:jaxtyping|TYPE_CHECKING|{'|'.join(sorted(aliases))})\b")
    return [_name(folder, path) for path, text in sources.items() if named.search(text)]


def _name(folder: Path, path: Path) -> str:
    parts = (folder.name, *path.relative_to(folder).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
