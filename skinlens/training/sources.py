"""Further labeled folders beside HAM10000 that a recipe's sources train and validate with."""

import shutil
from collections import Counter
from collections.abc import Sequence
from os import environ
from pathlib import Path

from skinlens.errors import DatasetError
from skinlens.formatting import counted
from skinlens.labels import INDEX
from skinlens.training.ham10000 import Entry, labeled_rows, picture_paths, split_of_images, text_of
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


def source_name(source: Source) -> str:
    """Name of a source, as the log has it."""
    return source.name or Path(source.folder).name


def load_source(source: Source, recipes: Path) -> tuple[list[Entry], list[Entry]]:
    """Training and validation photos of a source, in the order of its labels file.

    ``recipes``: the folder of the recipe; ``source.validation`` is looked for there and in the folder above.

    Raises:
        DatasetError: a folder, a file, a column or a photo is missing, a class is unknown, there is nothing to train
            on or to validate with, or the same photo, or lesion, would be on both sides of a division.
    """
    folder = source_folder(source)
    labels = folder / source.labels
    rows = labeled_rows(labels)
    validating = _ids(source, recipes) if source.validation else set()
    pictures = picture_paths(folder)
    training: list[Entry] = []
    validation: list[Entry] = []
    for row in rows:
        image_id = row["image_id"]
        if row["dx"] not in source.classes:
            continue
        if image_id not in pictures:
            raise DatasetError(f"{labels} names {image_id}, and {folder} holds no such picture.")
        entry = Entry(image_id, pictures[image_id], INDEX[row["dx"]], row.get("lesion_id") or "")
        (validation if image_id in validating else training).append(entry)
    missing = validating - {entry.image_id for entry in validation}
    if missing:
        raise DatasetError(
            f"{len(missing)} of the {len(validating)} validation photos of {source.folder} are not among its labels, "
            f"the first is {min(missing)}."
        )
    if not training and not validation:
        raise DatasetError(
            f"{labels}: expected photos of {', '.join(source.classes)}, found none. Add their lines, or take the "
            "source out of the recipe."
        )
    _check_division(labels, training, validation)
    return training, validation


def _check_division(labels: Path, training: Sequence[Entry], validation: Sequence[Entry]) -> None:
    """Raises DatasetError: what is trained on is also what is measured on."""
    parts = split_of_images()
    if leaks := [entry.image_id for entry in (*training, *validation) if entry.image_id in parts]:
        raise DatasetError(
            f"{labels} names {counted(len(leaks), 'photo')} of HAM10000, the first is {leaks[0]} of its part "
            f"{parts[leaks[0]]!r}. Delete their lines: HAM10000 is divided by its own split."
        )
    held_out = {entry.lesion for entry in validation} - {""}
    if leaks := [entry.image_id for entry in training if entry.lesion in held_out]:
        raise DatasetError(
            f"{labels}: a lesion of the validation photos is that of {counted(len(leaks), 'photo')} to train on too, "
            f"the first is {leaks[0]}. Put all photos of a lesion into the list of validation photos, or none."
        )


def check_names(sources: Sequence[Source]) -> None:
    """Raises DatasetError: two sources would validate under one name, or one under none."""
    names = Counter(source_name(source) for source in sources if source.validation)
    if unclear := [name for name, uses in names.items() if uses > 1 or not name]:
        raise DatasetError(
            f"Expected a name of its own for each source that validates, found {unclear[0]!r} for "
            f"{counted(names[unclear[0]], 'source')}. Give each of them a name in the recipe."
        )


def load_sources(sources: Sequence[Source], recipes: Path) -> list[tuple[list[Entry], list[Entry]]]:
    """Training and validation photos of each of a recipe's sources.

    Raises:
        DatasetError: see ``load_source`` and ``check_names``; or two sources share a photo.
    """
    check_names(sources)
    loaded = [load_source(source, recipes) for source in sources]
    places: dict[str, str] = {}
    for source, (training, validation) in zip(sources, loaded, strict=True):
        shared = [entry.image_id for entry in (*training, *validation) if entry.image_id in places]
        if shared:
            raise DatasetError(
                f"The sources {places[shared[0]]} and {source.folder} share {counted(len(shared), 'photo')}, the first "
                f"is {shared[0]}. Delete their lines in the labels of one of the two."
            )
        places |= dict.fromkeys((entry.image_id for entry in (*training, *validation)), source.folder)
    return loaded


def with_sources(training: Sequence[Entry], validation: Sequence[Entry], recipe: Recipe, recipes: Path) -> TrainingData:
    """HAM10000's photos and those of the recipe's sources, under the protocol by lesion.

    ``recipes``: the folder of the recipe's file. Raises DatasetError: see ``load_sources``.
    """
    all_training = list(training)
    elsewhere: dict[str, list[Entry]] = {}
    for source, (theirs, held_out) in zip(recipe.sources, load_sources(recipe.sources, recipes), strict=True):
        all_training += theirs
        if held_out:
            elsewhere[source_name(source)] = held_out
    return lesion_disjoint_split(all_training, validation, recipe, elsewhere)


def validation_list(source: Source, recipes: Path) -> Path:
    """List of a source's validation photos, beside the recipe or in the folder above, whether it is there or not."""
    places = [folder / source.validation for folder in (recipes, recipes.parent)]
    return next((path for path in places if path.is_file()), places[0])


def keep_lists(recipe: Recipe, recipes: Path, run: Path) -> None:
    """Copy the lists of validation photos into the run's folder: its export needs them, wherever the recipe was."""
    for source in recipe.sources:
        copy = run / source.validation
        if source.validation and copy.resolve().is_relative_to(run.resolve()):  # not where an absolute path is given
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(validation_list(source, recipes), copy)


def lists_of(recipe: Recipe, run: Path, otherwise: Path) -> Path:
    """Folder of the lists of validation photos of a run; those of earlier versions kept none: ``otherwise``."""
    lists = [run / source.validation for source in recipe.sources if source.validation]
    return run if all(path.is_file() for path in lists) else otherwise


def _ids(source: Source, recipes: Path) -> set[str]:
    path = validation_list(source, recipes)
    ids = set(text_of(path, "The list of validation photos").split())
    if not ids:
        raise DatasetError(
            f"{path}: expected the ids of the photos of {source.folder} that validate, one a line, found none. Add "
            "them, or take validation out of the recipe, and all photos are trained on."
        )
    return ids
