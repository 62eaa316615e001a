"""Data protocols: the lesion-disjoint split, and the paper's leaky one; each as arrays in memory.

``lesion``, the default: the frozen split by lesion; changes of the photos in training alone. ``paper``, **leaky**: the
procedure of Pavel et al., kept to show what it is worth. There each class is first topped up to 10,000 pictures with
changed copies, then a tenth of all pictures is drawn as the test set; so copies of one photo, and photos of one
lesion, lie on both sides, and that test set also chooses the best epoch.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from skinlens.labels import CODES
from skinlens.records import Array
from skinlens.training.augmentation import sample_params
from skinlens.training.ham10000 import Entry, ImageSet, labels_of, load_details, load_images
from skinlens.training.photos import PhotoSet
from skinlens.training.recipe import Augmentation, Recipe

Protocol = Literal["lesion", "paper"]
PAPER_ENDING = "-paper"
"""Of the name of a run's folder."""
PAPER_PER_CLASS = 10_000
PAPER_TEST_SHARE = 0.1
PAPER_CHANGES = replace(Augmentation.none(), flip=True, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05)
"""Brightness, contrast, hue, saturation and flips, as in the paper, which gives no ranges."""


def protocol_of(run: Path, saved: Mapping[str, Any]) -> str:
    """Protocol that a run was trained under, as its ``best.pt`` says; where it does not, as its folder's name does."""
    return str(saved.get("protocol") or ("paper" if run.name.endswith(PAPER_ENDING) else "lesion"))


@dataclass(frozen=True, eq=False)
class TrainingData:
    protocol: Protocol
    train_images: PhotoSet
    """Training photos before their random view."""
    train_labels: Int64[Array, " n"]
    val_images: UInt8[Array, "m s s 3"]
    """Validation photos as serving presents them to the network."""
    val_labels: Int64[Array, " m"]
    elsewhere: Mapping[str, ImageSet] = field(default_factory=dict)
    """Validation photos of other clinics, by the name of their source."""

    @cached_property
    def train_sha256(self) -> str:
        """Hash of the training photos and their labels: what a teacher's answers to random views of them depend on."""
        photos = self.train_images
        return _sha256((*photos.groups, photos.group, photos.place, self.train_labels))

    @cached_property
    def sha256(self) -> str:
        """Hash of all photos and labels, of training and validation."""
        names = sorted(self.elsewhere)
        elsewhere = [(self.elsewhere[name].images, self.elsewhere[name].labels) for name in names]
        return _sha256((self.val_images, self.val_labels, *chain(*elsewhere)), self.train_sha256, *names)


def _sha256(arrays: Iterable[Tensor | Array], *words: str) -> str:
    digest = hashlib.sha256("\n".join(words).encode())
    for array in map(np.ascontiguousarray, arrays):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(array.data)
    return digest.hexdigest()


def lesion_disjoint_split(
    training: Sequence[Entry],
    validation: Sequence[Entry],
    recipe: Recipe,
    elsewhere: Mapping[str, Sequence[Entry]] | None = None,
) -> TrainingData:
    """``training`` may hold photos of several sources and shapes; ``elsewhere``: each source's validation photos."""
    return TrainingData(
        "lesion",
        load_details(training, recipe.input),
        labels_of(training),
        load_images(validation, recipe.input),
        labels_of(validation),
        {name: ImageSet.of(entries, recipe.input) for name, entries in (elsewhere or {}).items()},
    )


def paper_split(entries: Sequence[Entry], recipe: Recipe) -> TrainingData:
    """Leaky by design. ``entries``: every photo that there is, of training and test alike."""
    spec = recipe.input
    photo_set, labels = load_details(entries, spec), labels_of(entries)
    generator = torch.Generator().manual_seed(recipe.view_seed)
    chosen, changed = [], []
    for position in range(len(CODES)):
        own = torch.from_numpy(np.flatnonzero(labels == position))
        more = max(0, PAPER_PER_CLASS - len(own)) if len(own) else 0
        copied = own[torch.randint(max(len(own), 1), (more,), generator=generator)]
        chosen += [own, copied]
        changed += [torch.zeros(len(own), dtype=torch.bool), torch.ones(more, dtype=torch.bool)]
    photos, is_copy = torch.cat(chosen), torch.cat(changed)
    pictures = torch.empty((len(photos), 3, spec.size_px, spec.size_px), dtype=torch.uint8)
    for part in torch.arange(len(photos)).split(512):
        for ranges, rows in ((PAPER_CHANGES, part[is_copy[part]]), (Augmentation.none(), part[~is_copy[part]])):
            if len(rows):
                made = photo_set.augmented(photos[rows], sample_params(len(rows), ranges, generator), spec)
                pictures[rows] = (made * 255).round().to(torch.uint8)
    order = torch.randperm(len(photos), generator=generator)
    cut = round(PAPER_TEST_SHARE * len(order))
    test, training = order[:cut], order[cut:]
    return TrainingData(
        "paper",
        PhotoSet.of_one_shape(pictures[training]),
        labels[photos[training].numpy()],
        np.ascontiguousarray(pictures[test].permute(0, 2, 3, 1).numpy()),
        labels[photos[test].numpy()],
    )
