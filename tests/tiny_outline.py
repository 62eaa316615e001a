"""A tiny release with a head that draws the outline: really trained on drawn blots, in seconds."""

import shutil
from pathlib import Path

import jaxtyping
import numpy as np
from PIL import Image

from skinlens.quantization.segmentation_release import train_segmentation
from skinlens.training.ham10000 import Entry
from skinlens.training.ham10000_masks import mask_paths
from skinlens.training.lesion_segmentation import SegmentationRecipe
from tests.tiny_release import draw_dataset

RECIPE = SegmentationRecipe(channels=8, edge_channels=8, epochs=6, batch_size=8, calibration_photos=8)
SKIN = (215, 170, 150)

Drawn = tuple[list[Entry], list[Entry], dict[str, Path]]


def draw_outlined(folder: Path) -> Drawn:
    """Photos for training and validation, and their masks: whatever is not skin."""
    training, validation = draw_dataset(folder / "train", 11, 8), draw_dataset(folder / "val", 12, 2)
    (folder / "masks").mkdir()
    for entry in training + validation:
        with Image.open(entry.path) as picture:
            away = np.abs(np.asarray(picture, dtype=np.int64) - SKIN).max(axis=2)
        mask = Image.fromarray(((away > 30) * 255).astype(np.uint8))
        mask.save(folder / "masks" / f"{entry.image_id}_segmentation.png")
    return training, validation, mask_paths(folder)


def with_outline(release: Path, drawn: Drawn, folder: Path) -> Path:
    """A copy of a release in ``folder``, with a head of its own."""
    shutil.copytree(release, folder)
    training, validation, masks = drawn
    jaxtyping.config.update("jaxtyping_disable", True)  # torch's tracer makes tensors of the sizes that are checked
    try:
        train_segmentation(folder, training, validation, masks, RECIPE, say=lambda text: None)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    return folder
