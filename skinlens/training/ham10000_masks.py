"""Lesion masks of HAM10000: where they are, and one of them as an array."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image

from skinlens.errors import DatasetError
from skinlens.records import Array
from skinlens.training.ham10000 import picture_paths

_SUFFIX = "_segmentation"
_MASK_FOLDERS = ("masks", "HAM10000_segmentations_lesion_tschandl")


def mask_paths(folder: Path) -> dict[str, Path]:
    """Image id → mask, in ``masks/`` or in the folder of the official download.

    Raises:
        DatasetError: neither is there.
    """
    for name in _MASK_FOLDERS:
        if (folder / name).is_dir():
            return {stem.removesuffix(_SUFFIX): path for stem, path in picture_paths(folder / name).items()}
    raise DatasetError(
        f"Expected the lesion masks of HAM10000 in {' or '.join(_MASK_FOLDERS)} below {folder}, found neither. "
        "Download HAM10000_segmentations_lesion_tschandl beside the photos."
    )


def load_mask(image_id: str, masks: dict[str, Path]) -> Bool[Array, "h w"]:
    """True inside the lesion, in the frame of the photo. Raises DatasetError: the photo has none that can be read."""
    if image_id not in masks:
        raise DatasetError(f"The photo {image_id} has no mask. The download of the masks is not complete.")
    try:
        with Image.open(masks[image_id]) as picture:
            return np.asarray(picture.convert("L")) > 127
    except OSError as problem:
        raise DatasetError(f"The mask {masks[image_id]} cannot be read: {problem}. Download it again.") from problem
