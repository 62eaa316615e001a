"""Commands for DICOM: ``dicom export``, ``dicom send`` and ``dicom listen``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinlens.cli import options
from skinlens.labels import DISCLAIMER

if TYPE_CHECKING:
    from skinlens.exchange.dicom.objects import Written
    from skinlens.store import CaseStore

CASE = click.argument("case", type=click.IntRange(min=1), metavar="CASE")
SOURCE = click.option(
    "--source",
    type=options.FILE,
    metavar="FILE.dcm",
    help="The DICOM file in which the photo came: the objects then name it as their source. Its photo must be the "
    "case's own.",
)


@click.group("dicom")
def dicom() -> None:
    """Stored cases as DICOM objects, to an archive and from one."""


@dicom.command("export")
@CASE
@options.out_directory
@SOURCE
def export(case: int, *, out: Path, source: Path | None) -> int:
    """A stored case as DICOM files: each map over its photo (Secondary Capture) and the report (Encapsulated PDF)."""
    from skinlens.store import CaseStore

    store = CaseStore()
    made, problems = _objects(store, case, source)
    _say(*problems, store.note_export("visit", case))
    out.mkdir(parents=True, exist_ok=True)
    for one in made:
        (out / one.name).write_bytes(one.content)
    print(*(out / one.name for one in made), DISCLAIMER, sep="\n")
    return 1 if problems else 0


def _objects(store: "CaseStore", case: int, source: Path | None) -> "tuple[tuple[Written, ...], tuple[str, ...]]":
    """The objects of a case, and a sentence for each part that could not be read and is in none of them."""
    from skinlens import pipeline
    from skinlens.exchange.dicom import objects
    from skinlens.exchange.dicom.source import source_of
    from skinlens.report import pdf
    from skinlens.report.content import Printing

    record, settings = store.load(case), store.settings()
    came_in = None if source is None else source_of(source, record.visit.photo_sha256)
    printing = Printing(annex=True, clinic="\n".join(settings.clinic_lines), unit=settings.unit)
    content, problems = pipeline.report_content(store, case, printing)
    made = objects.objects(record, pdf.render(content), root=settings.dicom_uid_root, source=came_in)
    return made, problems


def _say(*sentences: str) -> None:
    """Those that are not empty, to stderr."""
    for sentence in filter(None, sentences):
        print(f"skinlens: {sentence}", file=sys.stderr)
