"""Ground truth: HAM10000's metadata, or the label file of an ISIC challenge, read into labeled images."""

import csv
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from skinlens.body_sites import REGIONS
from skinlens.errors import DatasetError
from skinlens.inference.patient_context import MAX_AGE_YEARS, PatientContext, region_of
from skinlens.labels import CODES, INDEX
from skinlens.training.ham10000 import split_of_images

_EXPECTED = (
    "Expected the columns image_id,dx[,lesion_id][,split][,age][,sex][,localization] of HAM10000's metadata, or "
    f"image,{','.join(code.upper() for code in CODES)} of an ISIC challenge's ground truth (0 or 1 each)"
)

ALIASES = {"ak": "akiec"}
"""Columns of an ISIC ground truth that mean one of the seven classes under another code: in ISIC 2019 actinic keratosis
stands as ``AK``, what the earlier challenges and HAM10000 call ``AKIEC``."""
NO_CLASS = {"scc": "squamous cell carcinoma", "unk": "none of the others"}
"""Columns of ISIC 2019 that the model has no class for, and what they mean."""
NOT_RECORDED = "not recorded"
_MISSING = {"", "0", "0.0", "na", "nan", "none", "not recorded", "unknown"}
_AGES = ((20, "0–19 years"), (40, "20–39 years"), (60, "40–59 years"), (80, "60–79 years"), (200, "80 years and over"))
_GROUPS = {region: {"head": "head and neck", "hand or foot": "hand and foot"}.get(region, region) for region in REGIONS}
"""Region of the body → name of the subgroup."""
_CONFIRMED_BY = {
    "histo": "histology",
    "follow_up": "follow-up",
    "consensus": "consensus of experts",
    "confocal": "confocal microscopy",
}
_SOURCES = {
    "rosendahl": "Queensland (Rosendahl)",
    "vidir_molemax": "Vienna, MoleMax",
    "vidir_modern": "Vienna, newer cameras",
    "vienna_dias": "Vienna, scanned slides",
}
METADATA_FIELDS: dict[str, tuple[str, ...]] = {
    "sex": ("female", "male", NOT_RECORDED),
    "age": (*(words for _, words in _AGES), NOT_RECORDED),
    "site": (*_GROUPS.values(), NOT_RECORDED),
    "confirmed_by": (*_CONFIRMED_BY.values(), NOT_RECORDED),
    "source": (*_SOURCES.values(), NOT_RECORDED),
}
"""What HAM10000's metadata tells of a photo, and its values in the order in which they are shown."""


@dataclass(frozen=True)
class LabeledImage:
    """One line of a label file."""

    image_id: str
    label: int
    """Class number in the order of ``labels.CODES``."""
    group: str
    """Unit that the bootstrap draws: the lesion where the file names it, otherwise the photo."""
    traits: Mapping[str, str] = field(default_factory=dict)
    """Of ``METADATA_FIELDS``, in words; empty where the file tells nothing but the diagnosis."""
    context: PatientContext = field(default_factory=PatientContext)
    """Age, sex and site as far as the file tells them."""


@dataclass(frozen=True)
class LabelFile:
    rows: tuple[LabeledImage, ...]
    grouped_by: str
    """``lesion`` or ``photo``."""
    other_classes: int
    """Lines left out because none of the seven classes is theirs (ISIC 2019's SCC and UNK)."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Number of these lines by the column, without a class of ours, that claims them; "" for lines of no column."""
    not_understood: Mapping[str, int] = field(default_factory=dict)
    """Values of age, sex or site that mean nothing here, as "sex x", and in how many lines they stand: these count as
    not recorded."""


def read_labels(path: Path, split: str | Path | None) -> LabelFile:
    """The lines of a label file, of one part where ``split`` is given.

    The part is the file's own ``split`` column or, in a HAM10000 file without one, the project's frozen split. A path
    is that of a text file with the ids of the part's photos, one a line.

    Raises:
        DatasetError: the file cannot be read, has no known column, names an unknown class, or has no such part.
    """
    if isinstance(split, Path):
        return _restricted(read_labels(path, None), split)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns, lines = tuple(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise DatasetError(f"The label file {path} cannot be read: {why}. {_EXPECTED}.") from problem
    if not lines and columns:
        raise DatasetError(f"{path} has a line of columns and no photo below it.")
    if {"image_id", "dx"} <= set(columns):
        return _ham10000(path, columns, lines, split)
    classes = {column: INDEX[code] for column in columns if (code := _code(column)) in INDEX}
    if "image" in columns and classes:
        return _isic(path, classes, lines, split)
    raise DatasetError(f"{_EXPECTED}; found {', '.join(columns) or 'none'} in {path}.")


def rows_with_picture(
    listed: LabelFile, pictures: Mapping[str, Path], labels: Path, images: Path
) -> list[LabeledImage]:
    """The lines whose picture is among those below ``images``.

    Raises:
        DatasetError: not one is.
    """
    present = [row for row in listed.rows if row.image_id in pictures]
    if not present:
        raise DatasetError(
            f"None of the {len(listed.rows)} pictures of {labels} is below {images}: expected files such as "
            f"{listed.rows[0].image_id}.jpg. Check --images."
        )
    return present


def _restricted(listed: LabelFile, ids: Path) -> LabelFile:
    try:
        wanted = set(ids.read_text(encoding="utf-8-sig").split())
    except (OSError, UnicodeDecodeError) as problem:
        raise DatasetError(f"The list of photos {ids} cannot be read: {problem}. Expected one id a line.") from problem
    rows = tuple(row for row in listed.rows if row.image_id in wanted)
    if missing := wanted - {row.image_id for row in rows}:
        raise DatasetError(f"{len(missing)} of the {len(wanted)} photos of {ids} have no label, first {min(missing)}.")
    if not rows:
        raise DatasetError(f"{ids} names no photo. Expected one id a line.")
    return replace(listed, rows=rows)


def _ham10000(path: Path, columns: tuple[str, ...], lines: list[dict[str, str]], split: str | None) -> LabelFile:
    own = None if "split" in columns else split_of_images()
    rows: list[LabeledImage] = []
    not_understood: Counter[str] = Counter()
    first_lines: dict[str, int] = {}
    for number, line in enumerate(lines, start=2):
        if split is not None and (line["split"] if own is None else own.get(line["image_id"])) != split:
            continue
        if line["dx"] not in INDEX:
            raise DatasetError(
                f"{path}, line {number}: expected dx to be one of {', '.join(CODES)}; found {line['dx']!r}."
            )
        _only_once(path, line["image_id"], number, first_lines)
        group = line.get("lesion_id") or line["image_id"]
        context = _context(line)
        not_understood.update(_not_understood(line, context))
        rows.append(LabeledImage(line["image_id"], INDEX[line["dx"]], group, _traits(line, context), context))
    if not rows:
        where = (
            "it has no column split, and no photo of HAM10000's own" if own is not None else "its column split has none"
        )
        raise DatasetError(
            f"{path} has no photo of the part {split}: {where}. Leave --split out to measure all photos."
        )
    return LabelFile(
        tuple(rows),
        "lesion" if "lesion_id" in columns else "photo",
        0,
        not_understood=dict(sorted(not_understood.items())),
    )


def _only_once(path: Path, image_id: str, number: int, first_lines: dict[str, int]) -> None:
    """Note the line of a photo. Raises DatasetError where it has one already: it would count twice."""
    first = first_lines.setdefault(image_id, number)
    if first != number:
        raise DatasetError(f"{path}, line {number}: {image_id} stands in line {first} already. Delete one of the two.")


def _not_understood(line: Mapping[str, str], context: PatientContext) -> Iterator[str]:
    """Values of the line that are given, and say nothing of the patient."""
    for column, known in (("age", context.age_years), ("sex", context.sex), ("localization", context.site)):
        value = (line.get(column) or "").strip()
        if known is None and value.lower() not in _MISSING:
            yield f"{column} {value}"


def _traits(line: Mapping[str, str], context: PatientContext) -> dict[str, str]:
    """The traits whose columns the file has. The camera's column is ``dataset`` in the official download."""
    traits = {}
    if "sex" in line:
        traits["sex"] = context.sex or NOT_RECORDED
    if "age" in line:
        years = context.age_years
        traits["age"] = NOT_RECORDED if years is None else next(words for below, words in _AGES if years < below)
    if "localization" in line:
        traits["site"] = _GROUPS.get(region_of(line["localization"]) or "", NOT_RECORDED)
    if "dx_type" in line:
        traits["confirmed_by"] = _CONFIRMED_BY.get(line["dx_type"], NOT_RECORDED)
    source = line.get("source") or line.get("dataset")
    if source:
        traits["source"] = _SOURCES.get(source, NOT_RECORDED)
    return traits


def _context(line: Mapping[str, str]) -> PatientContext:
    """What the line tells of the patient; a value that is missing or not understood tells nothing."""
    try:
        age_years: float | None = float(line.get("age") or "nan")
    except ValueError:
        age_years = None
    if age_years is not None and not 0 < age_years <= MAX_AGE_YEARS:  # 0 stands beside keratoses, too: not only infants
        age_years = None
    sex = line.get("sex")
    site = region_of(line.get("localization") or "")
    return PatientContext(age_years, "female" if sex == "female" else "male" if sex == "male" else None, site)


def _code(column: str) -> str:
    """The class code that a column of an ISIC ground truth stands for; of another column its own name."""
    name = column.strip().lower()
    return ALIASES.get(name, name)


def _isic(path: Path, classes: dict[str, int], lines: list[dict[str, str]], split: str | None) -> LabelFile:
    if split is not None:
        raise DatasetError(f"{path} is an ISIC ground truth and has no splits: leave --split out.")
    codes = Counter(classes.values())
    if twice := [CODES[index] for index, count in codes.items() if count > 1]:
        raise DatasetError(f"{path}: expected one column for each class, found two for {', '.join(twice)}.")
    rows: list[LabeledImage] = []
    left_out: Counter[str] = Counter()
    first_lines: dict[str, int] = {}
    for number, line in enumerate(lines, start=2):
        for column in classes:
            if line[column] and _number(line[column]) not in {0, 1}:
                raise DatasetError(
                    f"{path}, line {number}, column {column}: expected 0 or 1; found {line[column]!r}. A ground truth "
                    "has no shares and no marks for what is not known: correct the cell, or delete the line."
                )
        positive = [index for column, index in classes.items() if _is_one(line[column])]
        if len(positive) > 1:
            raise DatasetError(f"{path}, line {number}: expected one class at most, found {len(positive)}.")
        _only_once(path, line["image"], number, first_lines)
        if positive:
            rows.append(LabeledImage(line["image"], positive[0], line["image"]))
        else:
            left_out.update(_claimed_by(line, classes) or ("",))
    if not rows:
        raise DatasetError(f"{path} has no photo of a known class. {_EXPECTED}.")
    return LabelFile(tuple(rows), "photo", len(lines) - len(rows), left_out=dict(sorted(left_out.items())))


def _claimed_by(line: Mapping[str, str], classes: Mapping[str, int]) -> tuple[str, ...]:
    """The columns that hold a 1 and are none of our classes; a cell that holds no number counts as 0."""
    return tuple(
        column.strip()
        for column, value in line.items()
        if column and column != "image" and column not in classes and _is_one(value)
    )


def _is_one(value: object) -> bool:
    return _number(value) == 1


def _number(value: object) -> float:
    """Number that a cell holds; NaN where it holds none."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan
