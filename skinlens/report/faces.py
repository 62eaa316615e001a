"""The fonts of a report: which one has a character, its glyphs and widths, and its shaping with HarfBuzz.

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
from threading import Lock
from typing import Any

import uharfbuzz  # type: ignore[import-untyped]  # a native module without stubs; it does not leave this file
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

Length = int | float
"""In points on the page, in thousandths of the type size within a line of text."""

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
_FALLBACKS = ("Lohit-Devanagari", *PACKAGED, "DroidSansFallback")
REGULAR = ("DejaVuSansCondensed", *_FALLBACKS)
BOLD = ("DejaVuSansCondensed-Bold", *_FALLBACKS)
PRIVATE_USE = 0xE000
"""A glyph that no character stands for (a ligature, a half form) is addressed as this plus its number in the font."""
COMPLEX_SCRIPTS = (
    *((0x0590, 0x05FF), (0x0600, 0x08FF), (0x0900, 0x097F), (0xA8E0, 0xA8FF), (0xFB1D, 0xFEFC), (0x0E80, 0x0EFF)),
    *((one.first, one.last) for one in PACKAGED.values()),
)


@dataclass(frozen=True)
class Piece:
    """Characters whose glyphs follow each other at their natural distances, placed per mille of the type size."""

    x: Length
    y: Length
    characters: str


def font_path(name: str) -> Path:
    """The file of a font. Raises FileNotFoundError where the package that brings it is not installed."""
    if name not in PACKAGED:
        return FONTS / f"{name}.ttf"
    found = find_spec(PACKAGED[name].package)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"the package {PACKAGED[name].package} is not installed")
    return Path(found.submodule_search_locations[0]) / PACKAGED[name].path


class Face:
    """One font file: its widths and glyphs for reportlab, and its shaping tables for HarfBuzz."""

    def __init__(self, name: str) -> None:
        path = font_path(name)
        self.name = f"SkinLens-{name}"
        self.font = TTFont(self.name, str(path))
        pdfmetrics.registerFont(self.font)
        self.shaper: Any = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(path))))
        self.per_mille = 1000 / self.shaper.face.upem
        self.glyphs: dict[int, int] = self.font.face.charToGlyph
        self.widths: dict[int, Length] = self.font.face.charWidths

    def has(self, character: str) -> bool:
        return self.glyphs.get(ord(character), 0) > 0 and unicodedata.category(character) not in {"Cc", "Co"}

    def width(self, text: str) -> Length:
        """In thousandths of the type size, unshaped."""
        return sum(self.widths.get(ord(character), 0.0) for character in text)

    def shape(self, text: str, right_to_left: bool) -> tuple[tuple["Piece", ...], Length]:
        """The glyphs from left to right, as pieces that can be drawn without further shaping, and their width."""
        buffer = uharfbuzz.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = "rtl" if right_to_left else "ltr"
        uharfbuzz.shape(self.shaper, buffer, {"liga": False})
        pieces: list[Piece] = []
        reached, drawn_to = 0.0, 0.0
        for glyph, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
            code = self._code(glyph.codepoint)
            x, y = reached + place.x_offset * self.per_mille, place.y_offset * self.per_mille
            if pieces and y == pieces[-1].y and abs(x - drawn_to) < 1:
                pieces[-1] = Piece(pieces[-1].x, y, pieces[-1].characters + chr(code))
            else:
                pieces.append(Piece(x, y, chr(code)))
                drawn_to = x
            drawn_to += self.widths[code]
            reached += place.x_advance * self.per_mille
        return tuple(pieces), reached

    def _code(self, glyph: int) -> int:
        """A character code that makes reportlab draw this glyph; the same one in every process."""
        for code in self.font.face.glyphToChar.get(glyph, ()):
            if code <= 0xFFFF and self.glyphs.get(code) == glyph:
                return int(code)
        code = PRIVATE_USE + glyph
        self.glyphs[code] = glyph
        self.widths[code] = self.shaper.get_glyph_h_advance(glyph) * self.per_mille
        return code


_FACES: dict[str, Face] = {}
_LOADING = Lock()


def face(name: str) -> Face:
    """Loaded once, when a first character needs it: the East Asian font alone takes 60 ms."""
    with _LOADING:
        if name not in _FACES:
            _FACES[name] = Face(name)
    return _FACES[name]


@lru_cache(maxsize=4096)
def face_of(character: str, names: tuple[str, ...]) -> Face | None:
    for name in names:
        meant = PACKAGED.get(name)
        if meant is not None and not (meant.first <= ord(character) <= meant.last and is_installed(name)):
            continue
        if face(name).has(character):
            return face(name)
    return None


@lru_cache
def is_installed(name: str) -> bool:
    """Without its package a script stands as ``PLACEHOLDER``; ``python -m skinlens doctor`` names what is missing."""
    try:
        return font_path(name).is_file()
    except FileNotFoundError:
        return False


def script_of(character: str) -> int:
    code = ord(character)
    if code < 0x300:
        return 0
    for number, (first, last) in enumerate(COMPLEX_SCRIPTS, start=2):
        if first <= code <= last:
            return number
    # reportlab writes codes above FFFF wrongly into the table for copying, so such glyphs go the shaped way too.
    return 1 if code > 0xFFFF or unicodedata.category(character) in {"Mn", "Mc", "Me"} else 0
