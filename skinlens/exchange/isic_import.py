"""Reading of a collection in the words of the ISIC archive: each row validated by the archive's package.

The counterpart of ``isic``. ``batch.collection`` stores the rows.
"""

import csv
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TextIO

from isic_metadata.metadata import MetadataRow, convert_errors

from skinlens.clinical import PHOTOTYPES
from skinlens.errors import InvalidEntry
from skinlens.exchange.isic import class_of
from skinlens.inference.patient_context import MAX_AGE_YEARS
from skinlens.labels import DIAGNOSES
from skinlens.records import Sex

METADATA = "metadata.csv"
FOLDERS = ("", "photos", "images")
"""Folders in which the photos may lie, below the collection."""
_KINDS = ("jpg", "jpeg", "png", "tif", "tiff", "webp", "bmp")
ENDINGS = tuple(ending for kind in _KINDS for ending in (f".{kind}", f".{kind.upper()}"))
"""Of the file that an ``isic_id`` names without one, in the order in which they are looked for."""
NOT_GIVEN = frozenset({"unknown", "not given", "n/a", "na", "nan", "none", "null"})
"""Words that tables have where nothing is known; the archive leaves such a cell empty."""
_NAMES = {"filename", "isic_id"}
"""Columns that say where a photo is; these are taken as they are written."""
_SEPARATORS = ",;\t"
_SEXES: Mapping[str, Sex] = {"female": "female", "male": "male"}
_PHOTOTYPE_OF = {words: number for number, words in PHOTOTYPES.items()}


@dataclass(frozen=True)
class Row:
    """One row of a collection, checked."""

    line: int
    """In the table, from 1: the header."""
    photo: Path
    patient: str = ""
    """Id of the collection, as is ``lesion``; empty: not given."""
    lesion: str = ""
    age_years: int | None = None
    sex: Sex = "unknown"
    site: str = ""
    """Region of the archive."""
    phototype: int | None = None
    label: str | None = None
    """One of ``labels.DIAGNOSES``."""
    diagnosis: str = ""
    """In the archive's words."""
    confirmed_by: str = ""


@dataclass
class Collection:
    """Rows of a collection that can be stored, and a sentence for each that cannot."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    oldest: dict[str, int] = field(default_factory=dict)
    """The highest age of each patient."""
    sexes: dict[str, Sex] = field(default_factory=dict)
    """Of each patient of whom a row says it."""


def read_collection(folder: Path) -> Collection:
    """The table of a folder, row by row; a row that is not right stops no other.

    Raises:
        InvalidEntry: there is no ``metadata.csv``, or it is no table.
    """
    path = folder / METADATA
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _checked(folder, file)
    except FileNotFoundError as error:
        raise InvalidEntry(f"{folder} holds no {METADATA}. Name the folder of a collection that has one.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidEntry(f"{path} is no table of comma-separated values in UTF-8. Save it as one.") from error


def _checked(folder: Path, file: TextIO) -> Collection:
    table = csv.DictReader(file, delimiter=_separator(file))
    columns = [name.strip().lower() for name in table.fieldnames or ()]
    if not _NAMES & set(columns):
        raise InvalidEntry(
            f"{folder / METADATA} has no column filename or isic_id, so it is not known where a photo is. Its first "
            "line names the columns in the archive's words, with commas, semicolons or tabs between them."
        )
    if twice := next((name for name in columns if name and columns.count(name) > 1), ""):
        raise InvalidEntry(f"{folder / METADATA} has two columns {twice}. Take the one out that does not hold.")
    table.fieldnames = columns
    collection = Collection()
    patient_of: dict[str, str] = {}
    for cells in table:
        line = table.line_num
        try:
            row = _row_of(folder, line, cells)
            _must_be(patient_of.get(row.lesion, row.patient) == row.patient or not row.lesion, row.lesion, "patients")
            said = row.patient and row.sex != "unknown"
            _must_be(not said or collection.sexes.get(row.patient, row.sex) == row.sex, row.patient, "sexes")
        except InvalidEntry as error:
            collection.problems.append(f"row {line}: {error}")
            continue
        patient_of[row.lesion] = row.patient
        if said:
            collection.sexes[row.patient] = row.sex
        if row.age_years is not None:
            collection.oldest[row.patient] = max(row.age_years, collection.oldest.get(row.patient, 0))
        collection.rows.append(row)
    return collection


def _separator(file: TextIO) -> str:
    """Separator with which the header has a column that names the photos; a comma where none has."""
    head = file.readline()
    file.seek(0)
    for separator in _SEPARATORS:
        if _NAMES & {name.strip().lower() for name in next(csv.reader([head], delimiter=separator), [])}:
            return separator
    return ","


def _must_be(fits: bool, known: str, what: str) -> None:
    if not fits:
        raise InvalidEntry(f"{known} has other {what} in an earlier row. Correct the one that is wrong.")


def _row_of(folder: Path, line: int, cells: Mapping[str, str]) -> Row:
    """Raises InvalidEntry in the words of the archive's package, or where SkinLens has no place for it."""
    given = {name: value for name, value in cells.items() if name and isinstance(value, str)}
    if None in cells or len(given) != len(cells):
        raise InvalidEntry("It has not as many cells as the header.")
    given = {name: "" if name not in _NAMES and _is_none(value) else value for name, value in given.items()}
    age = _age(given.get("age") or given.get("age_approx", ""))
    try:
        checked = MetadataRow(**{**given, "age": age})
    except ValueError as error:
        said = (f"{'.'.join(map(str, problem['loc'])) or 'row'}: {problem['msg']}" for problem in convert_errors(error))  # type: ignore[arg-type]
        raise InvalidEntry(" ".join(said)) from error
    kind = checked.image_type.value if checked.image_type else "dermoscopic"
    if kind != "dermoscopic":
        raise InvalidEntry(f"It is of a photo of the kind “{kind}”; SkinLens reads dermoscopic ones.")
    named = checked.diagnosis.value if checked.diagnosis else ""
    own = given.get("diagnosis_class", "").strip()
    return Row(
        line,
        _photo(folder, given.get("filename", "").strip(), given.get("isic_id", "").strip()),
        checked.patient_id or "",
        checked.lesion_id or "",
        checked.age,
        _SEXES.get(checked.sex or "", "unknown"),
        checked.anatom_site_general.value if checked.anatom_site_general else "",
        _PHOTOTYPE_OF.get(checked.fitzpatrick_skin_type.value) if checked.fitzpatrick_skin_type else None,
        class_of(named) if named else own if own in DIAGNOSES else None,
        named.rpartition(":")[2],
        checked.diagnosis_confirm_type.value if checked.diagnosis_confirm_type else "",
    )


def _is_none(cell: str) -> bool:
    return cell.strip().lower() in NOT_GIVEN


def _age(typed: str) -> str:
    """An age as it is given. Raises InvalidEntry for one that nobody reaches: the archive's package makes 85 of it."""
    with suppress(ValueError):
        if float(typed) > MAX_AGE_YEARS:
            raise InvalidEntry(
                f"age: nobody is {typed.strip()[:20]} years old. Give 0 to {MAX_AGE_YEARS}, or leave the cell empty."
            )
    return typed


def _photo(folder: Path, filename: str, isic_id: str) -> Path:
    """The file of a row, within the folder and nowhere else."""
    name = PurePath(filename or isic_id)
    if name.is_absolute() or ".." in name.parts or "\\" in str(name) or "\0" in str(name) or not (filename or isic_id):
        raise InvalidEntry("Its file name leads out of the folder of the collection, or is empty.")
    root = folder.resolve()
    for path in (folder / place / f"{name}{ending}" for place in FOLDERS for ending in ([""] if filename else ENDINGS)):
        with suppress(OSError):
            if path.is_file() and path.resolve().is_relative_to(root):
                return path
    said = f"{name}" if filename else f"{name}.jpg (or {', '.join(ENDINGS[2::2])})"
    raise InvalidEntry(f"Its photo {said:.200} is not in the folder of the collection.")
