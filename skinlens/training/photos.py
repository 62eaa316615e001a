"""Training photos in memory, of any shapes, and random views of some of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from skinlens.imaging.preprocess import InputSpec
from skinlens.training.augmentation import AugmentationParams, views_of


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
        """From photos of any shapes, in their order."""
        shapes: dict[tuple[int, ...], list[int]] = {}
        for number, photo in enumerate(photos):
            shapes.setdefault(tuple(photo.shape), []).append(number)
        group, place = (torch.zeros(len(photos), dtype=torch.int64) for _ in range(2))
        for number, members in enumerate(shapes.values()):
            group[members], place[members] = number, torch.arange(len(members))
        return cls(tuple(torch.stack([photos[one] for one in members]) for members in shapes.values()), group, place)

    @classmethod
    def of_one_shape(cls, photos: UInt8[Tensor, "n 3 h w"]) -> "PhotoSet":
        """Without a copy."""
        return cls((photos,), torch.zeros(len(photos), dtype=torch.int64), torch.arange(len(photos)))

    def __len__(self) -> int:
        return len(self.group)

    @property
    def device(self) -> torch.device:
        return self.groups[0].device

    def to(self, device: torch.device) -> "PhotoSet":
        """The photos on a device; the index stays on the CPU."""
        return PhotoSet(tuple(photos.to(device) for photos in self.groups), self.group, self.place)

    def views(
        self, rows: Int64[Tensor, " b"], draws: AugmentationParams, spec: InputSpec
    ) -> Float32[Tensor, "b 3 s s"]:
        """One view of each of the photos in ``rows``, by the parameters in the same places of ``draws``."""
        views = torch.empty(
            (len(rows), 3, spec.size_px, spec.size_px), device=self.device, memory_format=torch.channels_last
        )
        groups = self.group[rows]
        for number, photos in enumerate(self.groups):
            members = (groups == number).nonzero()[:, 0]
            if len(members):
                chosen = photos[self.place[rows[members]].to(photos.device)]
                views[members.to(views.device)] = views_of(chosen, draws.of(members), spec)
        return views
