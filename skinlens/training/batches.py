"""Batches of a run: which photos each step sees and by which draws, prepared beside the GPU by worker processes.

What is done to a photo's file (blur, resampling, JPEG) runs on the CPU; where the network computes on a GPU, worker
processes do it some steps ahead (torch's DataLoader), and the view itself is drawn on the GPU. Both are determined by
the recipe's seeds alone: a run sees the same views with any number of workers.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from skinlens.errors import RecipeError
from skinlens.records import Array
from skinlens.training.augmentation import AugmentationParams, sample_params
from skinlens.training.distributed import World
from skinlens.training.photos import PhotoBatch, PhotoSet
from skinlens.training.recipe import Acquisition, Recipe

WORKERS = "SKINLENS_TRAINING_WORKERS"
"""Setting: processes that prepare batches where there is a GPU."""
MOST_WORKERS = 8
"""Without the setting, where the machine has as many cores."""


class EpochSample(NamedTuple):
    """Sample of one epoch: which photos, drawn with replacement, and how each is changed."""

    photos: Int64[Tensor, " n"]
    params: AugmentationParams


class Step(NamedTuple):
    """Photos of one step."""

    rows: Int64[Tensor, " b"]
    """Places in the epoch's sample: what the teacher's cached answers are found by."""
    chosen: Int64[Tensor, " b"]
    """Numbers of the photos."""
    params: AugmentationParams
    photos: PhotoBatch


def sampling_weights(labels: Array, power: float) -> Float32[Tensor, " n"]:
    """Each photo's weight in the draw: the size of its class to the minus ``power``."""
    sizes = np.bincount(labels)
    return torch.from_numpy((sizes[labels] ** -power).astype(np.float32))


def sample_epoch(recipe: Recipe, epoch: int, weights: Float32[Tensor, " m"], count: int) -> EpochSample:
    """Sample of an epoch, by ``view_seed`` and the epoch alone: another ``seed`` gives the same photos in another
    order.
    """
    generator = torch.Generator().manual_seed(recipe.view_seed * 1_000_003 + epoch)
    photos = torch.multinomial(weights, count, replacement=True, generator=generator)
    acquisition = recipe.acquisition if recipe.acquisition != Acquisition() else None
    return EpochSample(photos, sample_params(count, recipe.augmentation, generator, acquisition))


@dataclass(eq=False)
class RunSteps(Dataset[Step]):
    """Steps of a run by (epoch, step), both counted from 0."""

    recipe: Recipe
    photos: PhotoSet
    """On the CPU."""
    weights: Float32[Tensor, " m"]
    world: World
    _last: tuple[int, EpochSample, Tensor] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Raises RecipeError: not one whole batch can be drawn."""
        if not self.steps:
            raise RecipeError(
                f"The batch_size of {self.recipe.name} is {self.recipe.batch_size}, and there are {len(self.photos)} "
                "photos to train on. Choose a batch_size of at most as many."
            )

    @property
    def count(self) -> int:
        """Photos an epoch: whole batches alone."""
        return self.steps * self.recipe.batch_size

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return len(self.photos) // self.recipe.batch_size

    def __getitem__(self, place: tuple[int, int]) -> Step:
        epoch, step = place
        if self._last is None or self._last[0] != epoch:
            order = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + epoch)
            sample = sample_epoch(self.recipe, epoch, self.weights, self.count)
            self._last = epoch, sample, torch.randperm(self.count, generator=order)
        _, sample, shuffled = self._last
        size = self.recipe.batch_size
        rows = self.world.shard(shuffled[step * size : (step + 1) * size])
        chosen, params = sample.photos[rows], sample.params.of(rows)
        return Step(rows, chosen, params, self.photos.batch(chosen, params))


def prepared(steps: RunSteps, first_epoch: int, device: torch.device) -> Iterator[Step]:
    """Every step from an epoch on, in order; on a GPU prepared some steps ahead by worker processes."""
    places = [(epoch, step) for epoch in range(first_epoch, steps.recipe.epochs) for step in range(steps.steps)]
    workers = worker_count() if device.type == "cuda" else 0
    if not workers or not places:
        return map(steps.__getitem__, places)
    return iter(
        DataLoader(
            steps,
            batch_size=None,
            sampler=places,  # by any index that the data set takes
            num_workers=workers,
            prefetch_factor=4,
            pin_memory=True,
            worker_init_fn=_one_thread,
        )
    )


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)


def worker_count() -> int:
    """Number of workers from the setting; else one for each core but the first, up to ``MOST_WORKERS``."""
    return int(os.environ.get(WORKERS, min(MOST_WORKERS, (os.cpu_count() or 1) - 1)))
