"""Fonts of a report, and which of them has a character.

Four free fonts ship beside this file (licences in ``fonts/``), others come with packages (``docs/dependencies.md``).
The first of them that has a character draws it:

=====================  ==============================================================
DejaVu Sans Condensed  Latin, Greek, Cyrillic, Hebrew, Arabic, Armenian, Georgian, Lao, …
  (regular and bold)
Lohit Devanagari       Devanagari
Noto Sans …            Bengali, Tamil, Telugu, Thai, Khmer, Burmese, Ethiopic: each from a package
Droid Sans Fallback    Chinese, Japanese, Korean
=====================  ==============================================================
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

FONTS = Path(__file__).with_name("fonts")


@dataclass(frozen=True)
class Packaged:
    """A font that comes with a Python package, and the characters for which it is looked at."""

    package: str
    path: str
    first: int
    last: int


PACKAGED: dict[str, Packaged] = {
    f"NotoSans{script}": Packaged(
        f"justmytype_intl_{package}", f"fonts/ofl/notosans{script.lower()}/NotoSans{script}[wdth,wght].ttf", first, last
    )
    for script, package, first, last in (
        ("Bengali", "south_asia", 0x0980, 0x09FF),
        ("Tamil", "south_asia", 0x0B80, 0x0BFF),
        ("Telugu", "south_asia", 0x0C00, 0x0C7F),
        ("Thai", "sea", 0x0E00, 0x0E7F),
        ("Myanmar", "sea", 0x1000, 0x109F),
        ("Ethiopic", "africa", 0x1200, 0x139F),
        ("Khmer", "sea", 0x1780, 0x17FF),
    )
}
"""Variable fonts, of which the regular weight is drawn."""
LATIN, BOLD = "DejaVuSansCondensed", "DejaVuSansCondensed-Bold"
SHIPPED = (LATIN, BOLD, "Lohit-Devanagari", "DroidSansFallback")
TEXT = (LATIN, "Lohit-Devanagari", *PACKAGED, "DroidSansFallback")
"""In the order in which they are asked for a character."""
FAMILIES: dict[str, str] = {
    LATIN: "DejaVu Sans",
    "Lohit-Devanagari": "Lohit Devanagari",
    **{name: name.replace("NotoSans", "Noto Sans ") for name in PACKAGED},
    "DroidSansFallback": "Droid Sans Fallback",
}
"""Names by which the typesetter knows them; the bold font is of the family of the first."""


def font_path(name: str) -> Path:
    """The file of a font. Raises FileNotFoundError where the package that brings it is not installed."""
    if name not in PACKAGED:
        return FONTS / f"{name}.ttf"
    package = find_spec(PACKAGED[name].package)
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError(f"the package {PACKAGED[name].package} is not installed")
    return Path(package.submodule_search_locations[0]) / PACKAGED[name].path


@lru_cache
def is_installed(name: str) -> bool:
    """Whether a font's package is there: without it a script stands as ``PLACEHOLDER``, and ``doctor`` names it."""
    try:
        return font_path(name).is_file()
    except FileNotFoundError:
        return False


def folders() -> list[str]:
    """Folders of the installed fonts, the only ones in which the typesetter looks."""
    return list(dict.fromkeys(str(font_path(name).parent) for name in (*SHIPPED, *PACKAGED) if is_installed(name)))


@lru_cache
def characters(name: str) -> frozenset[int]:
    """The code points that a font has; read once, when a first character is looked for in it.

    Raises OSError where its file cannot be read.
    """
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(font_path(name), lazy=True) as font:
            return frozenset(font.getBestCmap())
    except TTLibError as error:
        raise OSError(str(error)) from error


@lru_cache(maxsize=4096)
def has_glyph(character: str) -> bool:
    """Whether a font has it. Control characters and those of private use have none, whatever a font says."""
    if unicodedata.category(character) in {"Cc", "Co"}:
        return False
    return any(ord(character) in characters(name) for name in TEXT if _is_meant(name, character))


def _is_meant(name: str, character: str) -> bool:
    meant = PACKAGED.get(name)
    return meant is None or (meant.first <= ord(character) <= meant.last and is_installed(name))
