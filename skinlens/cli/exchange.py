"""Commands that exchange cases with other programs: ``fhir-export``, ``isic-export`` and ``isic-import``."""

import sys
from pathlib import Path

import click

from skinlens.atomic_file import replace_text
from skinlens.cli import options
from skinlens.formatting import counted
from skinlens.labels import DISCLAIMER


@click.command("fhir-export")
@click.argument("case", type=click.IntRange(min=1), metavar="CASE")
@click.option("--out", type=options.FILE, required=True, metavar="FILE.json")
@click.option("--with-photo", is_flag=True, help="Also the photo itself; without it, its hash alone.")
def fhir_export(case: int, *, out: Path, with_photo: bool) -> int:
    """A stored case as a FHIR R4 Bundle: report, model result, device and provenance; the patient by pseudonym."""
    from skinlens.exchange import fhir
    from skinlens.store import CaseStore

    store = CaseStore()
    record = store.load(case, with_maps=False)
    not_noted = store.note_export("visit", case)
    said = (*record.problems, *([not_noted] if not_noted else []))
    print(*said, sep="\n", end="\n" if said else "", file=sys.stderr)
    replace_text(out, fhir.to_json(fhir.bundle(record, with_photo=with_photo)))
    print(f"{out}\n{DISCLAIMER}")
    return 1 if said else 0


_README = f"""{DISCLAIMER}

Cases of SkinLens in the vocabulary of the ISIC archive (isic-metadata).
metadata.csv   one row a case; a cell is empty where nothing is known, or nothing that the vocabulary has a word for.
               Patients and lesions are numbered; filename, diagnosis_class and photo_sha256 are SkinLens's own columns
photos/        the photos, lossless, without metadata, where they were asked for
"""


@click.command("isic-export")
@click.argument("directory", type=options.FILE, metavar="DIRECTORY")
@click.option("--with-photos", is_flag=True, help="Also the photos, as PNG.")
def isic_export(directory: Path, *, with_photos: bool) -> int:
    """All stored cases as metadata.csv in the words of the ISIC archive, in a new or empty DIRECTORY."""
    from PIL import Image

    from skinlens import csv_table
    from skinlens.errors import InvalidEntry, SkinLensError
    from skinlens.exchange import isic
    from skinlens.store import CaseStore

    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InvalidEntry(f"{directory} is there already, and is no empty folder. Name another one.")
    store, done, lost = CaseStore(), 0, 0
    numbers = tuple(store.visit_numbers())
    if not_noted := store.note_export_of_many(len(numbers)):
        print(not_noted, file=sys.stderr)
    (directory / "photos" if with_photos else directory).mkdir(parents=True, exist_ok=True)
    (directory / "README.txt").write_text(_README, encoding="utf-8")
    with (directory / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv_table.row_writer(file)
        rows(isic.FIELDS)
        for number in numbers:
            filename = f"case-{number:06d}.png"
            try:
                row = isic.row_of(store.case(number), filename)
                if with_photos:
                    Image.fromarray(store.photo(number).pixels).save(directory / "photos" / filename)
            except SkinLensError as problem:
                print(f"skinlens: case {number}: {problem}", file=sys.stderr)
                lost += 1
                continue
            rows([row[name] for name in isic.FIELDS])
            done += 1
    said = f", {lost} left out" if lost else ""
    print(f"{directory / 'metadata.csv'}\n{counted(done, 'case')} written{said}.\n{DISCLAIMER}")
    return 1 if lost or not_noted else 0


@click.command("isic-import")
@click.argument("directory", type=options.FILE, metavar="DIRECTORY")
@click.option("--prefix", default="ISIC ", metavar="TEXT", help="Before each id in a pseudonym; “ISIC ” by default.")
@click.option(
    "--signed-by",
    default="",
    metavar="NAME",
    help="Sign the diagnoses that are no histology in this name; without it such cases stay drafts.",
)
@options.weights
def isic_import(directory: Path, *, prefix: str, signed_by: str, weights: Path | None) -> int:
    """Store the photos of DIRECTORY by its metadata.csv in the words of the ISIC archive; run again, it goes on."""
    from tqdm import tqdm

    from skinlens import pipeline
    from skinlens.batch.collection import Importer
    from skinlens.errors import SkinLensError, StoreError
    from skinlens.exchange.isic_import import read_collection
    from skinlens.store import CaseStore

    collection = read_collection(directory)
    for problem in collection.problems:
        print(f"skinlens: {problem}", file=sys.stderr)
    classifier = pipeline.load_classifier(weights)
    importer = Importer(CaseStore(), collection, prefix, signed_by)
    done = {"stored": 0, "already stored": 0}
    lost = len(collection.problems)
    for row in tqdm(collection.rows, unit="photo", disable=not sys.stderr.isatty()):
        try:
            done[importer.store(row, pipeline.analyze_file(row.photo, classifier))] += 1
        except StoreError:  # a full disk, for instance: the others would fare no better
            raise
        except (SkinLensError, OSError) as error:
            reason = error if isinstance(error, SkinLensError) else error.strerror
            tqdm.write(f"skinlens: row {row.line}: {reason}", file=sys.stderr)
            lost += 1
    said = f", {done['already stored']} stored already" if done["already stored"] else ""
    left = f", {lost} left out" if lost else ""
    print(f"{counted(done['stored'], 'case')} stored{said}{left}.\n{DISCLAIMER}")
    return 1 if lost else 0
