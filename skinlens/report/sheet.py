"""Pages that fill from the top: paragraphs and tables flow on, blocks stay whole, and the number of pages is known
before the first one is drawn.

Lengths are points, y grows upwards, positions are those of the page. What is drawn is kept as closures over a
reportlab canvas until ``Sheet.pages`` is complete.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image
from reportlab.lib.utils import ImageReader

from skinlens.records import Pixels
from skinlens.report.faces import Length
from skinlens.report.typeset import Line, hex_string, single, wrap

Draw = Callable[[Any], None]
Colour = tuple[Length, Length, Length]

WIDTH, HEIGHT = 595.276, 841.89
"""A4."""
LEFT, RIGHT = 51.0, WIDTH - 51.0
FULL = RIGHT - LEFT
TOP, BOTTOM = HEIGHT - 62.0, 58.0
GUTTER = 14.0
COLUMN_GAP, ROW_PADDING = 8.0, 4.6

PAPER: Colour = (1.0, 1.0, 1.0)
INK: Colour = (0.11, 0.15, 0.19)
MUTED: Colour = (0.36, 0.42, 0.47)
ACCENT: Colour = (0.08, 0.32, 0.45)
RULE: Colour = (0.80, 0.83, 0.86)
TINT: Colour = (0.955, 0.965, 0.975)
WARNING: Colour = (0.69, 0.29, 0.0)


@dataclass(frozen=True)
class Style:
    size: Length
    leading: Length
    bold: bool = False
    colour: Colour = INK


TITLE = Style(18, 22, bold=True, colour=ACCENT)
HEADING = Style(10.5, 14, bold=True, colour=ACCENT)
BODY = Style(8.5, 12)
STRONG = Style(8.5, 12, bold=True)
CELL = Style(8, 10.5)
CELL_STRONG = Style(8, 10.5, bold=True)
SMALL = Style(7.2, 9.4)
SMALL_STRONG = Style(7.2, 9.4, bold=True)
CAPTION = Style(7.2, 9.4, colour=MUTED)
WARN = Style(7.2, 9.4, bold=True, colour=WARNING)


@dataclass(frozen=True)
class Text:
    """Lines of one style, wrapped for one width."""

    lines: tuple[Line, ...]
    style: Style
    width: Length
    mirrored: bool = True
    """Lines written from right to left stand at the right margin."""

    @property
    def height(self) -> Length:
        return len(self.lines) * self.style.leading

    def draw(self, canvas: Any, x: Length, top: Length) -> None:
        canvas.setFillColorRGB(*self.style.colour)
        for number, line in enumerate(self.lines, start=1):
            # The baseline lies so that capitals (0.73 of the size) stand in the middle of the line's height.
            baseline = top - number * self.style.leading + (self.style.leading - 0.73 * self.style.size) / 2
            inset = self.width - line.width(self.style.size) if line.right_to_left and self.mirrored else 0.0
            line.draw(canvas, x + inset, baseline, self.style.size)


def text(words: str, style: Style, width: Length, most_lines: int | None = None) -> Text:
    """Wrapped; where ``most_lines`` cuts it off, an ellipsis says so."""
    lines = wrap(words, style.size, width, style.bold)
    if most_lines is not None and len(lines) > most_lines:
        shorter = wrap(lines[most_lines - 1].text, style.size, width - 2 * style.size, style.bold)[0]
        lines = [*lines[: most_lines - 1], single(f"{shorter.text} …", style.bold)]
    return Text(tuple(lines), style, width)


@dataclass(frozen=True)
class Column:
    heading: str
    width: Length
    to_the_right: bool = False


@dataclass(frozen=True)
class Row:
    cells: tuple[Text, ...]

    @property
    def height(self) -> Length:
        return max(cell.height for cell in self.cells) + ROW_PADDING


class Table:
    """Columns with headings, and at least one row of texts; set before it is placed, so that its height is known."""

    def __init__(self, columns: Sequence[Column], rows: Sequence[Sequence[tuple[str, Style]]]) -> None:
        self.columns = columns
        self.headings = Row(tuple(text(c.heading, CAPTION, c.width - COLUMN_GAP) for c in columns))
        self.rows = [
            Row(tuple(text(w, s, c.width - COLUMN_GAP) for (w, s), c in zip(row, columns, strict=True))) for row in rows
        ]

    @property
    def height(self) -> Length:
        return self.headings.height + sum(row.height for row in self.rows)


class Sheet:
    """The pages so far and the height that is reached on the last one."""

    def __init__(self) -> None:
        self.pages: list[list[Draw]] = [[]]
        self.y = TOP

    @property
    def is_fresh(self) -> bool:
        return self.y == TOP

    def put(self, draw: Draw) -> None:
        self.pages[-1].append(draw)

    def need(self, height: Length) -> None:
        """Go on to a new page unless this much is left on this one."""
        if self.y - height < BOTTOM and not self.is_fresh:
            self.pages.append([])
            self.y = TOP

    def skip(self, height: Length) -> None:
        """Leave space, but none at the top of a page."""
        if not self.is_fresh:
            self.y = max(self.y - height, BOTTOM)

    def block(self, block: Text, x: Length = LEFT) -> None:
        """A block that is not parted; the next thing comes below it."""
        self.need(block.height)
        self.put_text(block, x, self.y)
        self.y -= block.height

    def put_text(self, block: Text, x: Length, top: Length) -> None:
        self.put(lambda canvas: block.draw(canvas, x, top))

    def flow(self, block: Text, x: Length = LEFT) -> None:
        """A paragraph that goes on over pages; neither its first nor its last line stands alone."""
        lines, leading = block.lines, block.style.leading
        while lines:
            self.need(min(len(lines), 2) * leading)
            fitting = min(len(lines), max(1, int((self.y - BOTTOM) / leading + 1e-6)))
            if len(lines) - fitting == 1 and fitting > 2:
                fitting -= 1
            self.put_text(Text(lines[:fitting], block.style, block.width), x, self.y)
            self.y -= fitting * leading
            lines = lines[fitting:]
            if lines:
                self.need(HEIGHT)

    def heading(self, words: str, followed_by: Length) -> None:
        """A section's heading, on the page on which the ``followed_by`` points below it also fit."""
        block = text(words, HEADING, FULL)
        self.skip(12)
        self.need(block.height + 5 + followed_by)
        self.block(block)
        self.rule(self.y - 1.5)
        self.y -= 6

    def rule(
        self, y: Length, x: Length = LEFT, width: Length = FULL, colour: Colour = RULE, weight: Length = 0.6
    ) -> None:
        def draw(canvas: Any) -> None:
            canvas.setStrokeColorRGB(*colour)
            canvas.setLineWidth(weight)
            canvas.line(x, y, x + width, y)

        self.put(draw)

    def box(self, x: Length, y: Length, width: Length, height: Length, colour: Colour) -> None:
        def draw(canvas: Any) -> None:
            canvas.setFillColorRGB(*colour)
            canvas.rect(x, y, width, height, stroke=0, fill=1)

        self.put(draw)

    def picture(
        self,
        pixels: Pixels,
        x: Length,
        top: Length,
        width: Length,
        height: Length,
        alt: str,
        edge: Sequence[tuple[float, float]] = (),
    ) -> None:
        """As large as fits into the box, in its middle, on a light ground.

        ``edge``: a closed line to draw over it, white between two dark ones, so that it is seen on any skin; its
        corners as shares of the picture's width and height, from its upper left.
        """
        image = jpeg(pixels)
        scale = min(width / pixels.shape[1], height / pixels.shape[0])
        shown_width, shown_height = pixels.shape[1] * scale, pixels.shape[0] * scale

        def draw(canvas: Any) -> None:
            canvas.setFillColorRGB(*TINT)
            canvas.rect(x, top - height, width, height, stroke=0, fill=1)
            canvas.addLiteral(f"/Span <</Alt {hex_string(alt)}>> BDC")
            left, bottom = x + (width - shown_width) / 2, top - height + (height - shown_height) / 2
            canvas.drawImage(ImageReader(BytesIO(image)), left, bottom, shown_width, shown_height)
            if edge:
                line = canvas.beginPath()
                for number, (across, down) in enumerate(edge):
                    corner = left + across * shown_width, bottom + (1 - down) * shown_height
                    (line.lineTo if number else line.moveTo)(*corner)
                line.close()
                canvas.setLineJoin(1)
                for weight, colour in ((1.6, INK), (0.7, PAPER)):
                    canvas.setLineWidth(weight)
                    canvas.setStrokeColorRGB(*colour)
                    canvas.drawPath(line)
            canvas.addLiteral("EMC")

        self.put(draw)

    def table(self, table: Table) -> None:
        """Rows are not parted; after a new page the headings come again."""
        self.need(table.headings.height + table.rows[0].height)
        self._row(table.columns, table.headings)
        for row in table.rows:
            page = len(self.pages)
            self.need(row.height)
            if len(self.pages) > page:
                self._row(table.columns, table.headings)
            self._row(table.columns, row)

    def _row(self, columns: Sequence[Column], row: Row) -> None:
        x = LEFT
        for column, cell in zip(columns, row.cells, strict=True):
            inset = column.width - cell.lines[0].width(cell.style.size) if column.to_the_right else 0.0
            self.put_text(cell, x + inset, self.y - ROW_PADDING / 2)
            x += column.width
        self.y -= row.height
        self.rule(self.y, weight=0.4)


def jpeg(pixels: Pixels) -> bytes:
    """Full colour resolution, so that thin contours and saturated maps keep their colours."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90, subsampling=0)
    return file.getvalue()
