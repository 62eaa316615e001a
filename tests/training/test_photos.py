"""Photos of several shapes in one set: each view is that of its own photo."""

import pytest
import torch

from skinlens.imaging.preprocess import InputSpec
from skinlens.training.augmentation import augment, sample_params
from skinlens.training.photos import PhotoSet
from skinlens.training.recipe import Acquisition, Augmentation

pytestmark = pytest.mark.slow  # imports torch

SPEC = InputSpec(size_px=32, detail_px=24)
SHAPES = [(24, 32), (24, 24), (24, 32), (30, 24), (24, 24)]


def photos() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (3, *shape), dtype=torch.uint8, generator=generator) for shape in SHAPES]


def test_augmented_images_of_mixed_shapes_are_those_of_each_photo_alone() -> None:
    every, rows = photos(), torch.tensor([3, 0, 4, 1, 2, 0])
    parameters = sample_params(
        len(rows), Augmentation(), torch.Generator().manual_seed(1), Acquisition(hair=0.5, cast=0.1)
    )
    augmented = PhotoSet.of(every).augmented(rows, parameters, SPEC)
    for place, row in enumerate(rows.tolist()):
        alone = augment(every[row][None], parameters.of(torch.tensor([place])), SPEC)
        torch.testing.assert_close(augmented[place], alone[0])


def test_a_set_knows_its_length_and_holds_each_photo_once() -> None:
    whole = PhotoSet.of(photos())
    assert len(whole) == 5
    assert sorted(len(group) for group in whole.groups) == [1, 2, 2]
    assert [tuple(whole.groups[g][p].shape[1:]) for g, p in zip(whole.group, whole.place, strict=True)] == SHAPES
