"""Photos that a benchmark uploads: seeded ones of ``val`` where the data set is at hand, else lesions that are drawn.

What a clinician waits is measured with photos: how many samples LIME takes depends on them. For drawn lesions it was
1,024 each time, for eight photos 256 to 1,024.
"""

from os import environ
from pathlib import Path

import numpy as np
from PIL import Image

from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.training.ham10000 import SETTING, Entry, dataset_folder, load_index

SEED = 18
OF_VAL, DRAWN_LESIONS = "photos of `val`", "drawn lesions"


def kind_at_hand() -> str:
    """Kind of the photos at hand: those of ``val``, or drawn lesions."""
    return OF_VAL if environ.get(SETTING) else DRAWN_LESIONS


def seeded_entries(count: int, seed: int) -> list[Entry]:
    """Choice of ``count`` photos of ``val`` by the seed, no two alike. Raises DatasetError: the setting names no
    folder.
    """
    entries = load_index(dataset_folder(), "val")
    return [entries[place] for place in np.random.default_rng(seed).choice(len(entries), count, replace=False)]


def photo_files(folder: Path, count: int, kind: str) -> list[Path]:
    """Paths of ``count`` files, no two of one photo; drawn ones are written to ``folder``.

    Raises:
        DatasetError: photos are wanted, and the setting names no folder.
        ValueError: there are not so many.
    """
    if kind == OF_VAL:
        return [entry.path for entry in seeded_entries(count, SEED)]
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(np.asarray(draw_synthetic_lesion(number))).save(path, "JPEG", quality=92)
    return paths
