"""Text of any script on a page: how it is shaped with the fonts of ``faces``, where a line may break.

Scripts whose letters join, stack or change places, and combining marks, are shaped with HarfBuzz; lines of mixed
direction are ordered by ``bidi``. What no font has (Sinhala, Gujarati, some emoji, …) is drawn as ``PLACEHOLDER``,
never left out, and ``not_printed`` tells it as soon as it is typed. East Asian text and what Noto draws is set in one
style for all languages and never in bold.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from skinlens.report import bidi
from skinlens.report.faces import BOLD, REGULAR, Face, Length, Piece, face, face_of, script_of

PLACEHOLDER = "\ufffd"
VIRAMA = 9
"""Canonical combining class of the signs that bind the next consonant to the one before: the two are never parted."""
VOWELS_BEFORE = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")
"""Thai and Lao vowels that are written before their consonant, and"""
VOWELS_AFTER = frozenset("\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3")
"""those that are written after it, neither of them marks: no line ends between them and it."""
NO_LINE_START = frozenset(")]}>,.;:!?…%、。〉》」』】〕〗，．：；！？）］｝・ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ")  # noqa: RUF001
NO_LINE_END = frozenset("([{<〈《「『【〔〖（［｛")  # noqa: RUF001
LONGEST_PIECE = 300
"""More characters than any line holds: a word is looked at in such pieces, so that time stays linear in its length."""
MOST_MARKS = 6
"""On one character. A stack of more marks (they exist to disturb) goes on beside it."""


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
        character if character in "\n\u200c\u200d" or face_of(character, REGULAR) else PLACEHOLDER for character in kept
    )
    return re.sub(r"\n(?:[^\S\n]*\n){2,}", "\n\n", printable).strip("\n")


def unprintable(text: str) -> int:
    """How many characters of the text come out as ``PLACEHOLDER``."""
    return clean(text).count(PLACEHOLDER)


def not_printed(text: str) -> str:
    """The characters of the text that come out as ``PLACEHOLDER``, each once, in their order."""
    kept = (one for one in unicodedata.normalize("NFC", text) if _is_kept(one) and one not in "\r\n\t\u200c\u200d")
    return "".join(dict.fromkeys(one for one in kept if unprintable(one)))


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
            follows = joiner or (pending is not None and _belongs(pending.text[-1], character))
            if pending and follows and len(pending.text) <= MOST_MARKS and (joiner or pending.face.has(character)):
                pending.text += character
                pending.script = pending.script or 1
                continue
            if joiner:
                continue
            if pending:
                yield pending
            found = face_of(character, self.faces) or face(self.faces[0])
            pending = Cluster(position, character, found, script_of(character))
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


def _belongs(before: str, character: str) -> bool:
    """Whether a character is never parted from the one before it."""
    return (
        unicodedata.category(character) in {"Mn", "Mc", "Me"}
        or character in VOWELS_AFTER
        or before in VOWELS_BEFORE
        or (unicodedata.combining(before) == VIRAMA and script_of(before) == script_of(character) != 0)
    )


def _is_east_asian(text: str) -> bool:
    return unicodedata.east_asian_width(text[0]) in {"W", "F"}
