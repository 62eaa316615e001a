"""Drawn photos to train on."""

import pytest

from skinlens.training.protocols import TrainingData, lesion_disjoint_split
from tests.tiny_release import RECIPE, draw_dataset


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    folder = tmp_path_factory.mktemp("drawn")
    return lesion_disjoint_split(draw_dataset(folder / "train", 1, 4), draw_dataset(folder / "val", 2, 1), RECIPE)
