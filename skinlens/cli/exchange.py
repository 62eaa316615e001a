"""Commands that write stored cases for other programs: ``fhir-export``."""

import sys
from pathlib import Path

import click

from skinlens.cli import options
from skinlens.labels import DISCLAIMER


@click.command("fhir-export")
@click.argument("case", type=click.IntRange(min=1), metavar="CASE")
@click.option("--out", type=options.FILE, required=True, metavar="FILE.json")
@click.option("--with-photo", is_flag=True, help="Also the photo itself; without it, its hash alone.")
def fhir_export(case: int, *, out: Path, with_photo: bool) -> int:
    """A stored case as a FHIR R4 Bundle: report, model result, device and provenance; the patient by pseudonym."""
    from skinlens.exchange import fhir
    from skinlens.store import CaseStore

    record = CaseStore().load(case, with_maps=False)
    print(*record.problems, sep="\n", end="\n" if record.problems else "", file=sys.stderr)
    out.write_text(fhir.to_json(fhir.bundle(record, with_photo=with_photo)), encoding="utf-8")
    print(f"{out}\n{DISCLAIMER}")
    return 1 if record.problems else 0
