"""HAM10000 on disk to arrays in memory: the index, the lesion-disjoint split, and the photos decoded once."""

import csv
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from io import StringIO
from os import environ
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from skinlens.errors import DatasetError, UnreadableImage
from skinlens.formatting import counted
from skinlens.imaging.intake import read_trusted_photo
from skinlens.imaging.preprocess import InputSpec, detail_view, model_view
from skinlens.labels import INDEX
from skinlens.records import Array, Photo
from skinlens.training.photos import PhotoSet

SETTING = "SKINLENS_HAM10000"
SPLIT = "ham10000_split.csv"


@dataclass(frozen=True)
class Entry:
    """One photo of the data set."""

    image_id: str
    path: Path
    label: int
    """Class number in the order of ``labels.CODES``."""
    lesion: str = ""
    """Empty where it is not known: then the photo stands for itself."""

    @property
    def group(self) -> str:
        """Group of photos that must stay together when photos are drawn or divided."""
        return self.lesion or self.image_id


def dataset_folder() -> Path:
    """The folder that the setting SKINLENS_HAM10000 names.

    Raises:
        DatasetError: the setting is missing, or names no folder.
    """
    value = environ.get(SETTING, "")
    if not value or not Path(value).is_dir():
        raise DatasetError(
            f"The data set is not found: expected a folder in the setting {SETTING}, found {value or 'nothing'!r}. "
            "Download HAM10000 and set it to the folder that holds the metadata and the images."
        )
    return Path(value)


def picture_paths(folder: Path) -> dict[str, Path]:
    """Every JPEG and PNG below a folder by its name without suffix (nested folders too).

    Raises:
        DatasetError: there is no such folder, or two files have one name, as a photo and its mask: which one is meant
            cannot be known.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}: expected the one that holds the photos.")
    suffixes = {".jpg", ".jpeg", ".png"}
    paths: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and (first := paths.setdefault(path.stem, path)) != path:
            raise DatasetError(
                f"Two pictures below {folder} are named {path.stem}: {first.relative_to(folder)} and "
                f"{path.relative_to(folder)}. Give the folder that holds the photos alone."
            )
    return paths


def load_index(folder: Path, split: str) -> list[Entry]:
    """The photos of one part (``train``, ``val`` or ``test``) of the project's own lesion-disjoint split.

    The folder is laid out as ``metadata.csv`` and ``images/``, or as the official download:
    ``HAM10000_metadata.csv``, ``HAM10000_images_part_1/`` and ``_part_2/``.

    Raises:
        DatasetError: no metadata, a photo of the split is missing, or a class is unknown.
    """
    rows = {row["image_id"]: row for row in labeled_rows(metadata_path(folder))}
    pictures: dict[str, Path] = {}
    for part in ("images", "HAM10000_images_part_1", "HAM10000_images_part_2"):
        if (folder / part).is_dir():
            pictures |= picture_paths(folder / part)
    wanted = [image_id for image_id, part in split_of_images().items() if part == split]
    missing = [image_id for image_id in wanted if image_id not in pictures or image_id not in rows]
    if missing:
        raise DatasetError(
            f"{len(missing)} of the {len(wanted)} photos of {split!r} are missing in {folder}, the first is "
            f"{missing[0]}. The download is not complete."
        )
    return [
        Entry(image_id, pictures[image_id], INDEX[rows[image_id]["dx"]], rows[image_id].get("lesion_id") or "")
        for image_id in wanted
    ]


def labeled_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table of photos: each has an ``image_id`` of its own, and the code of a class as its ``dx``.

    Raises:
        DatasetError: it cannot be read, lacks a column, has another class, or names a photo twice.
    """
    reader = csv.DictReader(StringIO(text_of(path, "The table of photos")))
    try:
        rows = list(reader)
    except csv.Error as problem:
        raise DatasetError(f"{path} is not a table of cells between commas: {problem}.") from problem
    columns = reader.fieldnames or ["nothing"]
    if not {"image_id", "dx"} <= set(columns):
        raise DatasetError(f"{path}: expected the columns image_id and dx, found {', '.join(columns)}.")
    for row in rows:
        if row["dx"] not in INDEX:
            raise DatasetError(
                f"{path}: {row['image_id']} has the class {row['dx']!r}. Expected one of {', '.join(INDEX)}."
            )
    if twice := [image_id for image_id, lines in Counter(row["image_id"] for row in rows).items() if lines > 1]:
        raise DatasetError(
            f"{path}: expected one line for each photo, found more for {counted(len(twice), 'photo')}, the first is "
            f"{twice[0]}. Delete all of its lines but the right one."
        )
    return rows


def text_of(path: Path, what: str) -> str:
    """Text of a file in UTF-8, with or without a byte order mark. Raises DatasetError, which begins with ``what``."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise DatasetError(f"{what} cannot be read at {path} ({why}). Expected text in UTF-8.") from problem


def metadata_path(folder: Path) -> Path:
    """The file of classes, lesions and what is known of the patients.

    Raises:
        DatasetError: there is none.
    """
    names = ("metadata.csv", "HAM10000_metadata.csv", "HAM10000_metadata")
    paths = [path for name in names if (path := folder / name).is_file()]
    if not paths:
        raise DatasetError(f"Expected metadata.csv or HAM10000_metadata.csv in {folder}, found neither.")
    return paths[0]


def split_file() -> Traversable:
    """The committed split: which lesion is in ``train``, ``val`` or ``test``."""
    return resources.files("skinlens.training").joinpath(SPLIT)


def split_of_images() -> dict[str, str]:
    """The frozen split by lesion, stratified by class and camera: image id → ``train``, ``val`` or ``test``."""
    text = split_file().read_text(encoding="utf-8")
    return {row["image_id"]: row["split"] for row in csv.DictReader(text.splitlines())}


def photo_at(path: Path) -> Photo:
    """The photo in a file of a data set. Raises UnreadableImage, which names the file."""
    try:
        return read_trusted_photo(path.read_bytes())
    except UnreadableImage as problem:
        raise UnreadableImage(f"{path}: {problem}") from problem


def load_details(entries: Sequence[Entry], spec: InputSpec) -> PhotoSet:
    """The photos at the detail that the network is given, before the random view or the resize: training's input."""

    def decode(entry: Entry) -> UInt8[Tensor, "3 h w"]:
        pixels = np.asarray(detail_view(photo_at(entry.path), spec))
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy())

    with ThreadPoolExecutor() as pool:
        return PhotoSet.of(list(pool.map(decode, entries)))


def load_images(entries: Sequence[Entry], spec: InputSpec) -> UInt8[Array, "n s s 3"]:
    """The photos exactly as serving presents them to the network, before normalisation."""
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda entry: model_view(photo_at(entry.path), spec), entries)))


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Photos as serving presents them to the network, with the numbers of their classes."""

    images: UInt8[Array, "n s s 3"]
    labels: Int64[Array, " n"]

    @classmethod
    def of(cls, entries: Sequence[Entry], spec: InputSpec) -> "ImageSet":
        return cls(load_images(entries, spec), labels_of(entries))


def labels_of(entries: Sequence[Entry]) -> Int64[Array, " n"]:
    return np.asarray([entry.label for entry in entries], dtype=np.int64)
