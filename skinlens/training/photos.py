"""Training photos in memory, of any shapes, and random views of some of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from skinlens.imaging.preprocess import InputSpec
from skinlens.training.acquisition import degrade_files
from skinlens.training.augmentation import AugmentationParams, augment


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """Photos grouped by shape, so that a batch of one shape is one tensor operation."""

    groups: tuple[UInt8[Tensor, "_ 3 _ _"], ...]
    group: Int64[Tensor, " n"]
    """Of each photo: the number of its group."""
    place: Int64[Tensor, " n"]
    """Of each photo: its row in that group."""

    @classmethod
    def of(cls, photos: Sequence[UInt8[Tensor, "3 _ _"]]) -> "PhotoSet":
        """Photo set of photos of any shapes, in their order."""
        shapes: dict[tuple[int, ...], list[int]] = {}
        for number, photo in enumerate(photos):
            shapes.setdefault(tuple(photo.shape), []).append(number)
        group, place = (torch.zeros(len(photos), dtype=torch.int64) for _ in range(2))
        for number, members in enumerate(shapes.values()):
            group[members], place[members] = number, torch.arange(len(members))
        return cls(
            tuple(torch.stack([photos[member] for member in members]) for members in shapes.values()), group, place
        )

    @classmethod
    def of_one_shape(cls, photos: UInt8[Tensor, "n 3 h w"]) -> "PhotoSet":
        """Photo set of photos of one shape, without a copy."""
        return cls((photos,), torch.zeros(len(photos), dtype=torch.int64), torch.arange(len(photos)))

    def __len__(self) -> int:
        return len(self.group)

    def batch(self, rows: Int64[Tensor, " b"], params: AugmentationParams) -> "PhotoBatch":
        """The photos in ``rows``, changed as files are by the parameters in the same places of ``params``."""
        parts = []
        groups = self.group[rows]
        for number, photos in enumerate(self.groups):
            members = (groups == number).nonzero()[:, 0]
            if len(members):
                chosen = photos[self.place[rows[members]]]
                changes = params.of(members).acquisition
                parts.append((members, degrade_files(chosen, changes) if changes else chosen))
        return PhotoBatch(len(rows), parts)

    def augmented(
        self, rows: Int64[Tensor, " b"], params: AugmentationParams, spec: InputSpec
    ) -> Float32[Tensor, "b 3 s s"]:
        """One view of each of the photos in ``rows``, by the parameters in the same places of ``params``."""
        return self.batch(rows, params).augmented(params, spec)


class PhotoBatch(NamedTuple):
    """Photos of a batch by shape, before their random view."""

    photos: int
    parts: list[tuple[Int64[Tensor, " m"], UInt8[Tensor, "m 3 _ _"]]]
    """Places in the batch, on the CPU, and the photos there."""

    def to(self, device: torch.device) -> "PhotoBatch":
        """The photos on a device."""
        return PhotoBatch(self.photos, [(places, part.to(device, non_blocking=True)) for places, part in self.parts])

    def augmented(self, params: AugmentationParams, spec: InputSpec) -> Float32[Tensor, "b 3 s s"]:
        """One view of each photo, on the photos' device."""
        if len(self.parts) == 1:
            return augment(self.parts[0][1], params, spec)
        device = self.parts[0][1].device
        augmented = torch.empty(
            (self.photos, 3, spec.size_px, spec.size_px), device=device, memory_format=torch.channels_last
        )
        for places, photos in self.parts:
            augmented[places.to(device)] = augment(photos, params.of(places), spec)
        return augmented
