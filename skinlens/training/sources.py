"""Further labeled folders beside HAM10000 that a recipe's sources train and validate with."""

import csv
from collections.abc import Sequence
from os import environ
from pathlib import Path

from skinlens.errors import DatasetError
from skinlens.labels import INDEX
from skinlens.training.ham10000 import Entry, picture_paths
from skinlens.training.protocols import TrainingData, lesion_disjoint_split
from skinlens.training.recipe import Recipe, Source

SETTING = "SKINLENS_SOURCES"


def source_folder(source: Source) -> Path:
    """Raises DatasetError: the folder, or the setting that it is relative to, is missing."""
    path = Path(environ.get(SETTING, ""), source.folder)
    if not path.is_absolute() and SETTING not in environ:
        raise DatasetError(
            f"The recipe reads photos from {source.folder}, relative to the folder that the setting {SETTING} names, "
            f"and that is not set. Set {SETTING} to the folder that holds {source.folder}."
        )
    if not path.is_dir():
        raise DatasetError(
            f"The recipe reads photos from {path}, and there is no such folder. Check {SETTING} and the recipe."
        )
    return path


def load_source(source: Source, recipes: Path) -> tuple[list[Entry], list[Entry]]:
    """Training and validation photos of a source, in the order of its labels file.

    ``recipes``: the folder of the recipe; ``source.validation`` is looked for there and in the folder above.

    Raises:
        DatasetError: a folder, a file, a column or a photo is missing, or a class is unknown.
    """
    folder = source_folder(source)
    labels = folder / source.labels
    try:
        with labels.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as problem:
        raise DatasetError(f"The labels of {folder} cannot be read at {labels} ({problem.strerror}).") from problem
    validating = _ids(source.validation, recipes) if source.validation else set()
    pictures = picture_paths(folder)
    training: list[Entry] = []
    validation: list[Entry] = []
    for row in rows:
        if not {"image_id", "dx"} <= row.keys():
            raise DatasetError(f"{labels}: expected the columns image_id and dx, found {', '.join(row)}.")
        image_id, code = row["image_id"], row["dx"]
        if code not in INDEX:
            raise DatasetError(f"{labels}: {image_id} has the class {code!r}. Expected one of {', '.join(INDEX)}.")
        if code not in source.classes:
            continue
        if image_id not in pictures:
            raise DatasetError(f"{labels} names {image_id}, and {folder} holds no such picture.")
        entry = Entry(image_id, pictures[image_id], INDEX[code], row.get("lesion_id") or "")
        (validation if image_id in validating else training).append(entry)
    missing = validating - {entry.image_id for entry in validation}
    if missing:
        raise DatasetError(
            f"{len(missing)} of the {len(validating)} validation photos of {source.folder} are not among its labels, "
            f"the first is {min(missing)}."
        )
    return training, validation


def with_sources(training: Sequence[Entry], validation: Sequence[Entry], recipe: Recipe, recipes: Path) -> TrainingData:
    """HAM10000's photos and those of the recipe's sources, under the protocol by lesion.

    ``recipes``: the folder of the recipe's file. Raises DatasetError: see ``load_source``.
    """
    all_training = list(training)
    elsewhere: dict[str, list[Entry]] = {}
    for source in recipe.sources:
        theirs, held_out = load_source(source, recipes)
        all_training += theirs
        if held_out:
            elsewhere[source.name or Path(source.folder).name] = held_out
    return lesion_disjoint_split(all_training, validation, recipe, elsewhere)


def _ids(name: str, recipes: Path) -> set[str]:
    path = next((path for folder in (recipes, recipes.parent) if (path := folder / name).is_file()), recipes / name)
    try:
        return set(path.read_text(encoding="utf-8").split())
    except OSError as problem:
        raise DatasetError(f"The list of validation photos cannot be read at {path} ({problem.strerror}).") from problem
