"""Text of any script on a page: which font has each character, how it is shaped, where a line may break.

Four free fonts ship beside this file (licences in ``fonts/``). The first of them that has a character draws it:

=====================  ==============================================================
DejaVu Sans Condensed  Latin, Greek, Cyrillic, Hebrew, Arabic, Armenian, Georgian, …
  (regular and bold)
Lohit Devanagari       Devanagari
Droid Sans Fallback    Chinese, Japanese, Korean
=====================  ==============================================================

Arabic, Hebrew, Devanagari and combining marks are shaped with HarfBuzz; lines of mixed direction are ordered by
``bidi``. What no font has (Thai, Tamil, most emoji, …) is drawn as ``PLACEHOLDER``, never left out. East Asian text is
set in one style for all languages and never in bold.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import uharfbuzz  # type: ignore[import-untyped]  # a native module without stubs; it does not leave this file
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from skinlens.report import bidi

Length = int | float
"""In points on the page, in thousandths of the type size within a line of text."""

FONTS = Path(__file__).with_name("fonts")
REGULAR = ("DejaVuSansCondensed", "Lohit-Devanagari", "DroidSansFallback")
BOLD = ("DejaVuSansCondensed-Bold", "Lohit-Devanagari", "DroidSansFallback")
PLACEHOLDER = "\ufffd"
PRIVATE_USE = 0xE000
"""A glyph that no character stands for (a ligature, a half form) is addressed as this plus its number in the font."""
COMPLEX_SCRIPTS = ((0x0590, 0x05FF), (0x0600, 0x08FF), (0x0900, 0x097F), (0xA8E0, 0xA8FF), (0xFB1D, 0xFEFC))
NO_LINE_START = frozenset(")]}>,.;:!?…%、。〉》」』】〕〗，．：；！？）］｝・ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ")  # noqa: RUF001
NO_LINE_END = frozenset("([{<〈《「『【〔〖（［｛")  # noqa: RUF001
LONGEST_PIECE = 300
"""More characters than any line holds: a word is looked at in such pieces, so that time stays linear in its length."""
MOST_MARKS = 6
"""On one character. A stack of more marks (they exist to disturb) goes on beside it."""


class Face:
    """One font file: its widths and glyphs for reportlab, and its shaping tables for HarfBuzz."""

    def __init__(self, name: str) -> None:
        path = FONTS / f"{name}.ttf"
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


@dataclass(frozen=True)
class Piece:
    """Characters whose glyphs follow each other at their natural distances, placed per mille of the type size."""

    x: Length
    y: Length
    characters: str


@dataclass(frozen=True, eq=False)
class Run:
    """Neighbouring characters of one font and one direction."""

    face: Face
    text: str
    """In reading order."""
    pieces: tuple[Piece, ...]
    """What is drawn, relative to the start of the run."""
    width: Length
    """Per mille of the type size."""


@dataclass(frozen=True, eq=False)
class Line:
    runs: tuple[Run, ...]
    """From left to right."""
    right_to_left: bool = False
    """The paragraph's direction; such a line stands at the right margin."""
    text: str = ""
    """In reading order."""

    def width(self, size: Length) -> Length:
        return sum(run.width for run in self.runs) * size / 1000

    def draw(self, canvas: Any, x: Length, y: Length, size: Length) -> None:
        """With its baseline starting at (x, y). Where the glyphs are not the text, the text goes with them, so that
        search, copying and screen readers get it (``ActualText``).
        """
        for run in self.runs:
            canvas.setFont(run.face.name, size)
            is_plain = len(run.pieces) == 1 and run.pieces[0].characters == run.text
            if not is_plain:
                canvas.addLiteral(f"/Span <</ActualText {hex_string(run.text)}>> BDC")
            for piece in run.pieces:
                canvas.drawString(x + piece.x * size / 1000, y + piece.y * size / 1000, piece.characters)
            if not is_plain:
                canvas.addLiteral("EMC")
            x += run.width * size / 1000


@dataclass
class Cluster:
    """A character with the marks that belong to it: never parted, always of one font."""

    start: int
    text: str
    face: Face
    script: int
    """0 if drawn as it is, else one number per script that is shaped."""


def hex_string(text: str) -> str:
    """A PDF string of any characters."""
    return f"<FEFF{text.encode('utf-16-be').hex().upper()}>"


def clean(text: str) -> str:
    """What can be typeset: composed (NFC), all line ends alike, tabs as spaces, no formatting characters, at most one
    blank line in a row, and ``PLACEHOLDER`` for what no font has.
    """
    text = re.sub(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]", "\n", text).replace("\t", "    ")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    # What stands between two marks goes before they are put in order, or cleaning once more would order them again.
    kept = unicodedata.normalize("NFC", "".join(character for character in text if _is_kept(character)))
    printable = "".join(
        character if character in "\n\u200c\u200d" or _face(character, REGULAR) else PLACEHOLDER for character in kept
    )
    return re.sub(r"\n(?:[^\S\n]*\n){2,}", "\n\n", printable).strip("\n")


def unprintable(text: str) -> int:
    """How many characters of the text come out as ``PLACEHOLDER``."""
    return clean(text).count(PLACEHOLDER)


def wrap(text: str, size: Length, width: Length, bold: bool = False) -> list[Line]:
    """The text in lines of at most ``width`` points. A word that is longer than a line is broken anywhere."""
    lines: list[Line] = []
    for paragraph in clean(text).split("\n"):
        lines.extend(_Paragraph(paragraph, BOLD if bold else REGULAR).lines(width * 1000 / size))
    return lines


def single(text: str, bold: bool = False) -> Line:
    """The text in one line, however long."""
    return _Paragraph(clean(text).replace("\n", " "), BOLD if bold else REGULAR).whole()


def _is_kept(character: str) -> bool:
    """Formatting characters and variation selectors show nothing themselves; joiners do their work in shaping."""
    return character in "\u200c\u200d" or not (
        unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0000"
    )


@lru_cache(maxsize=4096)
def _face(character: str, names: tuple[str, ...]) -> Face | None:
    return next((face(name) for name in names if face(name).has(character)), None)


def _script(character: str) -> int:
    code = ord(character)
    if code < 0x300:
        return 0
    for number, (first, last) in enumerate(COMPLEX_SCRIPTS, start=2):
        if first <= code <= last:
            return number
    # reportlab writes codes above FFFF wrongly into the table for copying, so such glyphs go the shaped way too.
    return 1 if code > 0xFFFF or unicodedata.category(character) in {"Mn", "Mc", "Me"} else 0


@dataclass
class _Paragraph:
    """One paragraph of cleaned text, without line ends."""

    text: str
    faces: tuple[str, ...]
    base: int = field(init=False)
    levels: list[int] | None = field(init=False)
    """None where everything is written from left to right."""
    clusters: list[Cluster] = field(init=False)

    def __post_init__(self) -> None:
        self.base = bidi.base_level(self.text)
        self.levels = bidi.levels(self.text, self.base) if bidi.is_mixed(self.text) else None
        self.clusters = list(self._find_clusters())

    def whole(self) -> Line:
        return self._line(0, len(self.clusters))

    def lines(self, width: Length) -> list[Line]:
        """Greedy: as many pieces as fit. ``width`` per mille of the type size; positions count clusters."""
        lines: list[Line] = []
        start = end = 0
        filled = 0.0
        for stop in self._breaks():
            inked, advance = self._measure(end, stop)
            if filled + inked > width and end > start:
                lines.append(self._line(start, end))
                start, filled = end, 0.0
            while inked > width and stop - end > 1:
                end = self._fitting(end, stop, width)
                lines.append(self._line(start, end))
                start, filled = end, 0.0
                inked, advance = self._measure(end, stop)
            end, filled = stop, filled + advance
        if end > start or not lines:
            lines.append(self._line(start, end))
        return lines

    def _find_clusters(self) -> Iterator[Cluster]:
        pending: Cluster | None = None
        for position, character in enumerate(self.text):
            joiner = character in "\u200c\u200d"
            follows = joiner or unicodedata.category(character) in {"Mn", "Mc", "Me"}
            if pending and follows and len(pending.text) <= MOST_MARKS and (joiner or pending.face.has(character)):
                pending.text += character
                pending.script = pending.script or 1
                continue
            if joiner:
                continue
            if pending:
                yield pending
            found = _face(character, self.faces) or face(self.faces[0])
            pending = Cluster(position, character, found, _script(character))
        if pending:
            yield pending

    def _breaks(self) -> Iterator[int]:
        """After which clusters a line may end."""
        last = 0
        for position in range(1, len(self.clusters)):
            if position - last == LONGEST_PIECE:
                last = position
                yield position
            before, after = self.clusters[position - 1].text, self.clusters[position].text
            if after == " " or after in NO_LINE_START or before in NO_LINE_END:
                continue
            if before == " " or before in "-/–" or _is_east_asian(before) or _is_east_asian(after):
                last = position
                yield position
        yield len(self.clusters)

    def _measure(self, start: int, end: int) -> tuple[Length, Length]:
        """Width per mille without and with the spaces at the end."""
        last = end
        while last > start and self.clusters[last - 1].text == " ":
            last -= 1
        inked = sum(run.width for run in self._runs(start, last))
        return inked, inked + sum(cluster.face.width(" ") for cluster in self.clusters[last:end])

    def _fitting(self, start: int, end: int, width: Length) -> int:
        """The last cluster at which a word that is too long for a line can be broken; at least one fits."""
        reached, position = 0.0, start
        while position < end and reached <= width:
            reached += self.clusters[position].face.width(self.clusters[position].text)
            position += 1
        while position > start + 1 and self._measure(start, position)[0] > width:
            position -= 1
        return position

    def _line(self, start: int, end: int) -> Line:
        while end > start and self.clusters[end - 1].text == " ":
            end -= 1
        text = "".join(cluster.text for cluster in self.clusters[start:end])
        return Line(tuple(self._runs(start, end)), bool(self.base), text)

    def _runs(self, start: int, end: int) -> Iterator[Run]:
        """From left to right."""
        if start == end:
            return
        clusters = self.clusters[start:end]
        first = clusters[0].start
        if self.levels is None:
            yield from self._runs_of_a_level(clusters, 0)
            return
        stop = clusters[-1].start + len(clusters[-1].text)
        for left, right, level in bidi.visual_runs(self.levels[first:stop], self.text[first:stop], self.base):
            yield from self._runs_of_a_level([c for c in clusters if left <= c.start - first < right], level)

    def _runs_of_a_level(self, clusters: list[Cluster], level: int) -> Iterator[Run]:
        groups: list[list[Cluster]] = []
        for cluster in clusters:
            if groups and groups[-1][0].face is cluster.face and groups[-1][0].script == cluster.script:
                groups[-1].append(cluster)
            else:
                groups.append([cluster])
        for group in groups if level % 2 == 0 else reversed(groups):
            text = "".join(cluster.text for cluster in group)
            if group[0].script or level % 2:
                pieces, width = group[0].face.shape(text, level % 2 == 1)
            else:
                pieces, width = (Piece(0, 0, text),), group[0].face.width(text)
            yield Run(group[0].face, text, pieces, width)


def _is_east_asian(text: str) -> bool:
    return unicodedata.east_asian_width(text[0]) in {"W", "F"}
