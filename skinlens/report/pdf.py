"""A report's content on A4 pages, as PDF bytes.

The same content gives the same bytes in any process: no clock, no user, no path goes in (``content`` has put its times
into the clinic's). Fonts are embedded as subsets; text can be searched and copied, pictures have
alternative texts, the document says its language.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from threading import Lock
from typing import Any

from reportlab import rl_config
from reportlab.pdfgen.canvas import Canvas

from skinlens import __version__
from skinlens.explain import overlay
from skinlens.labels import MELANOMA, Risk
from skinlens.quantities import percent
from skinlens.report.content import ClassRow, Field, Panel, ReportContent
from skinlens.report.faces import Length, face
from skinlens.report.sheet import (
    BODY,
    BOTTOM,
    CAPTION,
    CELL,
    CELL_STRONG,
    FULL,
    GUTTER,
    HEIGHT,
    INK,
    LEFT,
    MUTED,
    RIGHT,
    RULE,
    SMALL,
    SMALL_STRONG,
    STRONG,
    TINT,
    TITLE,
    WARN,
    WARNING,
    WIDTH,
    Colour,
    Column,
    Sheet,
    Style,
    Table,
    Text,
    text,
)
from skinlens.report.typeset import PLACEHOLDER, single, unprintable
from skinlens.wording import GREY_BARS, UNRELIABLE_BRIEFLY

PHOTO_WIDTH, PHOTO_HEIGHT = 216.0, 162.0
"""76 × 57 mm: the photo's 4:3 at a size at which structures can be seen."""
PANELS_IN_A_ROW = 3
PANEL_WIDTH = (FULL - (PANELS_IN_A_ROW - 1) * GUTTER) / PANELS_IN_A_ROW
PANEL_HEIGHT = PANEL_WIDTH * 3 / 4
CALIBRATED = "Calibrated probability of each class; they add up to 1"
UNCALIBRATED = "What the model puts out; it is not calibrated for such a photo"
MOST_FIELD_LINES = 4
MOST_PANEL_LINES = 6
CHART_LABEL, CHART_VALUE, CHART_ROW = 112.0, 34.0, 18.6
RISK_COLOURS: dict[Risk, Colour] = {
    "malignant": (0.835, 0.369, 0.0),
    "pre-malignant": (0.902, 0.624, 0.0),
    "benign": (0.0, 0.447, 0.698),
}
"""Vermillion, orange and blue of Okabe and Ito's palette, told apart with any common colour vision."""
rl_config.useA85 = 0  # binary streams: a fifth smaller, and the text encoding is half of the time
_RENDERING = Lock()
"""reportlab reads font files through objects that all documents of a process share."""


def render(content: ReportContent) -> bytes:
    """The finished file. Content never gets lost beyond a page's edge: long texts flow over further pages."""
    with _RENDERING:
        sheet = Sheet()
        _header(sheet, content)
        _photo_and_distribution(sheet, content)
        _explanations(sheet, content)
        _checks(sheet, content)
        _class_table(sheet, content)
        _clinician(sheet, content)
        _quality(sheet, content)
        _codes(sheet, content)
        _provenance(sheet, content)
        _furniture(sheet, content)
        return _written(sheet, content)


def _written(sheet: Sheet, content: ReportContent) -> bytes:
    file = BytesIO()
    canvas = Canvas(
        file,
        pagesize=(WIDTH, HEIGHT),
        invariant=1,
        pageCompression=1,
        lang="en",
        initialFontName=face("DejaVuSansCondensed").name,
    )
    canvas.setTitle(content.title)
    canvas.setSubject(content.disclaimer)
    canvas.setAuthor("")
    canvas.setCreator(f"SkinLens {__version__}")
    canvas.setDateFormatter(lambda *_: f"D:{_digits(content.dated)}")
    for drawings in sheet.pages:
        for draw in drawings:
            draw(canvas)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _digits(dated: str) -> str:
    """An ISO date or UTC time as PDF writes it: YYYYMMDD and, if given, HHMMSSZ."""
    found = re.match(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d))?", dated)
    if not found:
        return "20000101"
    parts = [part for part in found.groups() if part]
    return "".join(parts) + ("Z" if len(parts) == 6 else "")


# ------------------------------------------------------------------------------------------- top and foot of a page


def _furniture(sheet: Sheet, content: ReportContent) -> None:
    """On every page its status, the disclaimer and its number; from the second page on, whose case it is."""
    mark, disclaimer = single(content.status_note, bold=True), single(content.disclaimer, bold=True)
    width = mark.width(8) + 18
    running = replace(text(content.running_title, CAPTION, FULL - width - GUTTER, most_lines=1), mirrored=False)
    colour = WARNING if content.status == "draft" else MUTED

    def draw(canvas: Any, number: int) -> None:
        if number > 1:
            running.draw(canvas, LEFT, HEIGHT - 36)
        canvas.setStrokeColorRGB(*colour)
        canvas.setFillColorRGB(*colour)
        canvas.setLineWidth(1)
        canvas.roundRect(RIGHT - width, HEIGHT - 49, width, 16, 4, stroke=1, fill=0)
        mark.draw(canvas, RIGHT - width + 9, HEIGHT - 43.9, 8)
        canvas.setStrokeColorRGB(*RULE)
        canvas.setLineWidth(0.6)
        canvas.line(LEFT, 47, RIGHT, 47)
        canvas.setFillColorRGB(*INK)
        disclaimer.draw(canvas, LEFT, 35, CAPTION.size)
        page = single(f"Page {number} of {len(sheet.pages)}")
        canvas.setFillColorRGB(*MUTED)
        page.draw(canvas, RIGHT - page.width(CAPTION.size), 35, CAPTION.size)

    for number, drawings in enumerate(sheet.pages, start=1):
        drawings.append(partial(draw, number=number))


def _header(sheet: Sheet, content: ReportContent) -> None:
    sheet.y = HEIGHT - 30
    sheet.block(text(content.title, TITLE, FULL * 0.6))
    sheet.y -= 6
    sheet.rule(sheet.y)
    width = (FULL - 3 * GUTTER) / 4
    for first in range(0, len(content.case), 4):
        _fields(sheet, content.case[first : first + 4], width)


def _fields(sheet: Sheet, fields: Sequence[Field], width: Length, style: Style = STRONG) -> None:
    """Captions with their texts below, side by side, above one rule."""
    blocks = [replace(text(field.text, style, width, MOST_FIELD_LINES), mirrored=False) for field in fields]
    for place, (field, block) in enumerate(zip(fields, blocks, strict=True)):
        x = LEFT + place * (width + GUTTER)
        sheet.put_text(text(field.caption, CAPTION, width), x, sheet.y - 4)
        sheet.put_text(block, x, sheet.y - 4 - CAPTION.leading)
    sheet.y -= 4 + CAPTION.leading + max(block.height for block in blocks) + 4
    sheet.rule(sheet.y, weight=0.4)


# ------------------------------------------------------------------------------------------ what the model said


def _photo_and_distribution(sheet: Sheet, content: ReportContent) -> None:
    sheet.heading("Photo and model reading", followed_by=PHOTO_HEIGHT)
    top = sheet.y
    sheet.picture(content.photo, LEFT, top, PHOTO_WIDTH, PHOTO_HEIGHT, content.photo_alt, content.outline)
    caption = text(" ".join(content.photo_caption), CAPTION, PHOTO_WIDTH, MOST_PANEL_LINES)
    sheet.put_text(caption, LEFT, top - PHOTO_HEIGHT - 4)
    left = LEFT + PHOTO_WIDTH + 20
    foot = _chart(sheet, content, left, top, RIGHT - left)
    sheet.y = min(top - PHOTO_HEIGHT - 4 - caption.height, foot) - 8
    _statement(sheet, content.verdict)
    if content.set_statement:
        sheet.skip(4)
        sheet.flow(text(content.set_statement, BODY, FULL))


def _chart(sheet: Sheet, content: ReportContent, x: Length, top: Length, width: Length) -> Length:
    """One bar per class in the colour of its risk group, and a tick at melanoma's threshold. Returns its lower end."""
    sheet.put_text(text(CALIBRATED if content.reliable else UNCALIBRATED, CAPTION, width), x, top)
    start, full = x + CHART_LABEL, width - CHART_LABEL - CHART_VALUE
    y = top - CAPTION.leading - 4
    for row in content.classes:
        _bar(sheet, row, content.melanoma_threshold if content.reliable else None, (x, start, full), y)
        y -= CHART_ROW
    y -= 3
    if not content.reliable:
        sheet.put_text(text(GREY_BARS, CAPTION, width), x, y)
        return y - CAPTION.leading
    for risk, colour in RISK_COLOURS.items():
        word = text(risk, CAPTION, width)
        sheet.box(x, y - 7.6, 6.5, 6.5, colour)
        sheet.put_text(word, x + 10, y)
        x += 10 + word.lines[0].width(CAPTION.size) + 10
    sheet.box(x + 2, y - 8.6, 1.6, 8.6, INK)
    sheet.put_text(text("cut-off for melanoma", CAPTION, width), x + 8, y)
    return y - CAPTION.leading


def _bar(
    sheet: Sheet, row: ClassRow, threshold: Length | None, columns: tuple[Length, Length, Length], top: Length
) -> None:
    """``threshold``: None for a photo on which the model is not reliable; its bars are grey."""
    x, start, full = columns
    label = text(row.name, SMALL, CHART_LABEL - 8)
    sheet.put_text(label, x, top - (CHART_ROW - label.height) / 2)
    sheet.box(start, top - CHART_ROW + 4.5, full, CHART_ROW - 9, TINT)
    sheet.box(
        start,
        top - CHART_ROW + 4.5,
        full * row.prob,
        CHART_ROW - 9,
        MUTED if threshold is None else RISK_COLOURS[row.risk],
    )
    value = text(percent(row.prob), SMALL if threshold is None else SMALL_STRONG, CHART_VALUE)
    sheet.put_text(value, start + full + 6, top - (CHART_ROW - value.height) / 2)
    if row.code == MELANOMA and threshold is not None:
        sheet.box(start + full * threshold - 0.8, top - CHART_ROW + 1.5, 1.6, CHART_ROW - 3, INK)


def _statement(sheet: Sheet, words: str) -> None:
    """The sentence on the threshold, set off from the rest."""
    block = text(words, STRONG, FULL - 24)
    sheet.need(block.height + 10)
    sheet.box(LEFT, sheet.y - block.height - 10, FULL, block.height + 10, TINT)
    sheet.box(LEFT, sheet.y - block.height - 10, 2.5, block.height + 10, INK)
    sheet.put_text(block, LEFT + 12, sheet.y - 5)
    sheet.y -= block.height + 10


def _explanations(sheet: Sheet, content: ReportContent) -> None:
    rows = [list(row) for row in _rows_of_panels(content.panels)]
    note = text(content.explanations_note, BODY, FULL)
    if not rows:
        sheet.heading("Explanations", followed_by=note.height)
        sheet.block(note)
        return
    legend_height = 16.0
    sheet.heading("Explanations", followed_by=note.height + legend_height + _panels_height(rows[0]))
    sheet.block(note)
    _legend(sheet)
    for row in rows:
        height = _panels_height(row)
        sheet.need(height)
        for place, (panel, blocks) in enumerate(row):
            _panel(sheet, panel, blocks, LEFT + place * (PANEL_WIDTH + GUTTER), sheet.y)
        sheet.y -= height


def _rows_of_panels(panels: Sequence[Panel]) -> Iterator[list[tuple[Panel, list[Text]]]]:
    for first in range(0, len(panels), PANELS_IN_A_ROW):
        yield [
            (
                panel,
                [
                    text(panel.title, SMALL_STRONG, PANEL_WIDTH),
                    *(text(line, SMALL, PANEL_WIDTH, MOST_PANEL_LINES) for line in panel.lines),
                ],
            )
            for panel in panels[first : first + PANELS_IN_A_ROW]
        ]


def _panels_height(row: Sequence[tuple[Panel, list[Text]]]) -> Length:
    return PANEL_HEIGHT + 4 + max(sum(block.height for block in blocks) for _, blocks in row) + 6


def _panel(sheet: Sheet, panel: Panel, blocks: Sequence[Text], x: Length, top: Length) -> None:
    sheet.picture(panel.picture, x, top, PANEL_WIDTH, PANEL_HEIGHT, panel.alt)
    y = top - PANEL_HEIGHT - 4
    for block in blocks:
        sheet.put_text(block, x, y)
        y -= block.height


def _legend(sheet: Sheet) -> None:
    """The colour scale, from none to most."""
    none, most = (part.strip() for part in overlay.LEGEND.split(","))
    before = text(none, CAPTION, FULL)
    x = LEFT + before.lines[0].width(CAPTION.size) + 6
    sheet.put_text(before, LEFT, sheet.y - 2)
    sheet.picture(overlay.legend_bar(8, 256), x, sheet.y - 3.5, 110, 6.5, f"Colour scale: {overlay.LEGEND}.")
    sheet.put_text(text(most, CAPTION, FULL), x + 116, sheet.y - 2)
    sheet.y -= 16


def _checks(sheet: Sheet, content: ReportContent) -> None:
    note = text(content.checks_note, BODY, FULL)
    columns = [Column("Question", 105), Column("About", 85), Column("Found", FULL - 270), Column("Made", 80)]
    rows = [
        [(row.question, SMALL_STRONG), (row.about, SMALL), (row.found, SMALL), (row.made, SMALL)]
        for row in content.checks
    ]
    sheet.heading("What was checked", followed_by=note.height + (60 if rows else 0))
    sheet.block(note)
    if rows:
        sheet.skip(3)
        sheet.table(Table(columns, rows))


def _class_table(sheet: Sheet, content: ReportContent) -> None:
    strength = CELL_STRONG if content.reliable else CELL
    rows = [
        [(row.name, CELL), (row.code, CELL), (row.risk, CELL), (percent(row.prob), strength)] for row in content.classes
    ]
    columns = [Column("Class", 253), Column("Code", 60), Column("Risk group", 100), Column("Probability", 80, True)]
    table = Table(columns, rows)
    title = "Distribution over the classes" + ("" if content.reliable else f": {UNRELIABLE_BRIEFLY.lower()}")
    sheet.heading(title, followed_by=table.height)
    sheet.table(table)


# ---------------------------------------------------------------------------- what the clinician and the photo say


def _clinician(sheet: Sheet, content: ReportContent) -> None:
    sheet.heading("Clinician's diagnosis and notes", followed_by=3 * CAPTION.leading + 6 * BODY.leading)
    for caption, words, style in (
        ("First impression, before the result was shown", content.first_impression, BODY),
        ("Diagnosis", content.diagnosis, STRONG),
        ("Notes", content.notes, BODY),
        *((entry.caption, entry.text, BODY) for entry in content.clinical),
    ):
        sheet.need(CAPTION.leading + 2 * style.leading)
        sheet.block(text(caption, CAPTION, FULL))
        sheet.flow(text(words, style, FULL))
        sheet.skip(4)
    typed = (content.diagnosis, content.notes, *(f.text for f in content.case), *(e.text for e in content.clinical))
    missing = sum(map(unprintable, typed))
    if missing:
        characters = "1 character" if missing == 1 else f"{missing} characters"
        sheet.flow(text(f"{characters} of this case could not be printed and stand as {PLACEHOLDER}.", CAPTION, FULL))


def _quality(sheet: Sheet, content: ReportContent) -> None:
    summary = text(content.quality_summary, BODY, FULL)
    if not content.quality:
        sheet.heading("Quality of the photo", followed_by=summary.height)
        sheet.block(summary)
        return
    columns = [Column("Check", 130), Column("Measured", 85), Column("Limit", 100), Column("Verdict", FULL - 315)]
    style = {True: SMALL, False: WARN}
    table = Table(
        columns,
        [
            [*((words, SMALL) for words in (row.title, row.measured, row.limit)), (row.verdict, style[row.passed])]
            for row in content.quality
        ],
    )
    sheet.heading("Quality of the photo", followed_by=summary.height + 3 + table.height)
    sheet.block(summary)
    sheet.skip(3)
    sheet.table(table)


def _codes(sheet: Sheet, content: ReportContent) -> None:
    intro = text(content.codes_of, BODY, FULL)
    remark = text(content.codes_remark, CAPTION, FULL) if content.codes_remark else None
    sheet.heading("Codes", followed_by=intro.height + 35 + (remark.height if remark else 0))
    sheet.block(intro)
    if not content.codes:
        return
    _fields(sheet, content.codes, (FULL - 3 * GUTTER) / 4)
    if remark:
        sheet.y -= 3
        sheet.block(remark)


def _provenance(sheet: Sheet, content: ReportContent) -> None:
    """Short facts side by side, the long hashes on lines of their own, then what the model was not tried on."""
    limits = [text(words, BODY, FULL) for words in content.limits]
    sheet.heading("Model and limits", followed_by=80 + sum(block.height + 3 for block in limits))
    _fields(sheet, content.model[:2], (FULL - GUTTER) / 2)
    for field in content.model[2:]:
        _fields(sheet, [field], FULL, BODY)
    sheet.y -= 5
    for block in limits:
        sheet.block(block)
        sheet.y = max(sheet.y - 3, BOTTOM)
