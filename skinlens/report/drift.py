"""Drift report: what a newer model says of the stored cases, by body site and camera, as a PDF."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from skinlens import __version__
from skinlens.clock import local_minute
from skinlens.drift import Drift, Group
from skinlens.formatting import grouped
from skinlens.labels import DISCLAIMER
from skinlens.records import ModelRef
from skinlens.report import pdf
from skinlens.wording import drift as words

TEMPLATE = Path(__file__).with_name("drift.typ")
MOST_CASES = 500
"""Lines of the table of changed cases; how many more there are is said."""
Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    heading: str
    columns: tuple[str, ...]
    rows: Rows
    remark: str = ""


@dataclass(frozen=True)
class DriftContent:
    """Texts of the report, before anything is laid out."""

    title: str
    disclaimer: str
    statements: tuple[str, ...]
    tables: tuple[Table, ...]
    provenance: str
    dated: str


def compose(drift: Drift, model: ModelRef, release_sha256: str, made_at: str) -> DriftContent:
    """``made_at``: UTC, ISO 8601, of the last case that was scored."""
    more = len(drift.changed) - MOST_CASES
    return DriftContent(
        words.TITLE,
        DISCLAIMER,
        (*words.summary(drift), words.STORED_STAYS),
        (
            Table("By body site", words.HEADINGS, _rows(drift.by_site)),
            Table("By camera", words.HEADINGS, _rows(drift.by_camera), words.CAMERA_NOTE),
            Table(
                "Cases that changed",
                words.CASE_HEADINGS,
                tuple(map(words.case_row, drift.changed[:MOST_CASES])),
                f"{grouped(more)} more are not printed." if more > 0 else "",
            ),
        ),
        f"Newer model: {model.name} {model.version}, SHA-256 {model.sha256}; manifest {release_sha256}. Scored on "
        f"{local_minute(made_at)}. SkinLens {__version__}.",
        datetime.fromisoformat(made_at).isoformat(),
    )


def render(content: DriftContent) -> bytes:
    """The finished PDF."""
    return pdf.render(content, TEMPLATE)


def _rows(groups: Sequence[Group]) -> Rows:
    return tuple(map(words.group_row, groups))
