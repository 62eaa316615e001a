"""Random views of training photos, for a whole batch at once on the CPU or the GPU.

The unchanged view (every range 0, scale 1) is the one that ``preprocess`` gives in serving, up to rounding: a photo
that is much larger than the view is sampled more finely than the view's pixels and averaged, as serving reduces it.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from skinlens.imaging.preprocess import InputSpec
from skinlens.training.acquisition import AcquisitionParams, degrade_images, sample_acquisition
from skinlens.training.recipe import Acquisition, Augmentation

# Luma and chroma of NTSC (YIQ): a hue change is a rotation of the last two axes.
_RGB_TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])

REDUCED = 1.5
"""Photo pixels for each pixel of a view from which on the view is sampled twice as finely, against aliasing."""


class AugmentationParams(NamedTuple):
    """Random parameters of the augmentation of each photo of a batch, on the CPU: a seed gives the same views on every
    device.
    """

    angle: Float32[Tensor, " n"]
    """Radians."""
    across: Float32[Tensor, " n"]
    """Share of the photo's width that is seen, negative for a mirrored view."""
    down: Float32[Tensor, " n"]
    """Share of the height."""
    shift: Float32[Tensor, "n 2"]
    """Of the centre, in halves of the width and of the height."""
    brightness: Float32[Tensor, " n"]
    contrast: Float32[Tensor, " n"]
    saturation: Float32[Tensor, " n"]
    hue: Float32[Tensor, " n"]
    """Radians."""
    sharpness: Float32[Tensor, " n"]
    erased: Float32[Tensor, "n 4"]
    """Top, left, height and width of the greyed rectangle in shares of the side; height 0: none."""
    quarters: Int64[Tensor, " n"]
    """Quarter turns of the view."""
    acquisition: AcquisitionParams | None = None
    """Cameras, files, hair and markers; None: none of it."""

    def of(self, rows: Int64[Tensor, " m"]) -> "AugmentationParams":
        """Parameters of some of the photos."""
        chosen: dict[str, Any] = {
            name: values[rows] for name, values in self._asdict().items() if isinstance(values, Tensor)
        }
        return AugmentationParams(**chosen, acquisition=self.acquisition.of(rows) if self.acquisition else None)


def sample_params(
    count: int, ranges: Augmentation, generator: torch.Generator, acquisition: Acquisition | None = None
) -> AugmentationParams:
    """Every photo's own draw."""

    def uniform(low: float, high: float, *more: int) -> Tensor:
        return torch.rand(count, *more, generator=generator) * (high - low) + low

    angle = uniform(0, 2 * math.pi) if ranges.rotate else torch.zeros(count)
    scale = uniform(ranges.scale_low, ranges.scale_high)
    stretch = torch.exp(uniform(-ranges.aspect, ranges.aspect) / 2)
    mirrored = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0) if ranges.flip else torch.ones(count)
    size = uniform(1 / 10, 1 / 3, 2)
    place = uniform(0, 1, 2) * (1 - size)
    erased = torch.cat([place, size], dim=1) * (uniform(0, 1) < ranges.erase).unsqueeze(1)
    quarters = torch.zeros(count, dtype=torch.int64)
    if ranges.quarter_turns:
        quarters = torch.randint(4, (count,), generator=generator)
    return AugmentationParams(
        angle=angle,
        across=scale * stretch * mirrored,
        down=scale / stretch,
        shift=uniform(-ranges.shift, ranges.shift, 2),
        brightness=1 + uniform(-ranges.brightness, ranges.brightness),
        contrast=1 + uniform(-ranges.contrast, ranges.contrast),
        saturation=1 + uniform(-ranges.saturation, ranges.saturation),
        hue=uniform(-ranges.hue, ranges.hue) * 2 * math.pi,
        sharpness=uniform(-ranges.sharpness, ranges.sharpness),
        erased=erased,
        quarters=quarters,
        acquisition=sample_acquisition(count, acquisition, generator) if acquisition else None,
    )


def augment(
    photos: UInt8[Tensor, "n 3 h w"], params: AugmentationParams, spec: InputSpec
) -> Float32[Tensor, "n 3 s s"]:
    """Turn, zoom, stretch, shift, draw over, recolour, sharpen and grey out each photo by its draw: in [0, 1].

    What the draw does to the photo's file is done before, see ``acquisition.degrade_files``.
    """
    images = _turned(_geometry(photos.float() / 255, params, spec), params.quarters)
    if params.acquisition:
        images = degrade_images(images, params.acquisition)
    images = _color(images, params)
    if params.sharpness.any():
        images = _sharpen(images, params.sharpness)
    if params.erased.any():
        images = _erase(images, params.erased)
    return images.contiguous(memory_format=torch.channels_last)


def normalized(images: Float[Tensor, "n 3 s s"], spec: InputSpec) -> Float[Tensor, "n 3 s s"]:
    """Pictures in [0, 1] as the network's input."""
    mean = torch.tensor(spec.mean, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(spec.std, device=images.device).view(1, 3, 1, 1)
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def _geometry(
    pictures: Float32[Tensor, "n 3 h w"], params: AugmentationParams, spec: InputSpec
) -> Float32[Tensor, "n 3 s s"]:
    """The rotation is one of the photo itself, before the resize to a square stretches it: circles stay circles."""
    count, _, height, width = pictures.shape
    across, down = params.across * width / 2, params.down * height / 2
    cos, sin = torch.cos(params.angle), torch.sin(params.angle)
    rows = [
        torch.stack([cos * across, -sin * down, params.shift[:, 0] * width / 2], 1) / (width / 2),
        torch.stack([sin * across, cos * down, params.shift[:, 1] * height / 2], 1) / (height / 2),
    ]
    matrix = torch.stack(rows, 1).to(pictures.device)
    reduction = torch.maximum(across.abs(), down.abs()) * 2 / spec.size_px
    finer = (reduction > REDUCED).to(pictures.device)
    if finer.all() or not finer.any():
        return _sampled(pictures, matrix, spec.size_px, 1 + int(finer.any()))
    images = pictures.new_empty((count, 3, spec.size_px, spec.size_px))
    for factor, chosen in ((1, ~finer), (2, finer)):
        images[chosen] = _sampled(pictures[chosen], matrix[chosen], spec.size_px, factor)
    return images


def _sampled(
    pictures: Float32[Tensor, "n 3 h w"], matrix: Float32[Tensor, "n 2 3"], size_px: int, finer: int
) -> Float32[Tensor, "n 3 s s"]:
    """Bilinear samples on a grid that is ``finer`` times as fine as the view, averaged."""
    grid = F.affine_grid(matrix, [len(pictures), 3, size_px * finer, size_px * finer], align_corners=False)
    images = F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return F.avg_pool2d(images, finer) if finer > 1 else images


def _turned(images: Float32[Tensor, "n 3 s s"], quarters: Int64[Tensor, " n"]) -> Float32[Tensor, "n 3 s s"]:
    """Each view turned by its number of quarters."""
    if not quarters.any():
        return images
    turned = images.clone()
    for quarter in (1, 2, 3):
        chosen = (quarters == quarter).to(images.device)
        turned[chosen] = torch.rot90(images[chosen], quarter, dims=(2, 3))
    return turned


def _color(images: Float32[Tensor, "n 3 s s"], params: AugmentationParams) -> Float32[Tensor, "n 3 s s"]:
    """Brightness, contrast, saturation and hue as one affine map of RGB for each photo."""
    change = torch.zeros(len(images), 3, 3)
    change[:, 0, 0] = 1
    change[:, 1, 1] = change[:, 2, 2] = params.saturation * torch.cos(params.hue)
    change[:, 1, 2] = -params.saturation * torch.sin(params.hue)
    change[:, 2, 1] = params.saturation * torch.sin(params.hue)
    gain = (params.brightness * params.contrast).view(-1, 1, 1)
    matrix = (torch.linalg.inv(_RGB_TO_YIQ) @ change @ _RGB_TO_YIQ * gain).to(images.device)
    mean = images.mean(dim=(1, 2, 3)) * (params.brightness * (1 - params.contrast)).to(images.device)
    recolored = torch.einsum("nij,njhw->nihw", matrix, images) + mean.view(-1, 1, 1, 1)
    return recolored.clamp(0, 1)


def _sharpen(images: Float32[Tensor, "n 3 s s"], sharpness: Float32[Tensor, " n"]) -> Float32[Tensor, "n 3 s s"]:
    """Add the given share of what a 3×3 binomial blur takes away: -1 is the blurred view, 0 the view itself."""
    blurred = F.pad(images, (1, 1, 1, 1), mode="replicate")
    blurred = (blurred[..., :-2] + 2 * blurred[..., 1:-1] + blurred[..., 2:]) / 4
    blurred = (blurred[..., :-2, :] + 2 * blurred[..., 1:-1, :] + blurred[..., 2:, :]) / 4
    return (images + sharpness.to(images.device).view(-1, 1, 1, 1) * (images - blurred)).clamp(0, 1)


def _erase(images: Float32[Tensor, "n 3 s s"], erased: Float32[Tensor, "n 4"]) -> Float32[Tensor, "n 3 s s"]:
    """Grey out a rectangle of a tenth to a third of the side, so that no single spot decides."""
    images = images.clone()
    for view, rectangle in zip(images, (erased * images.shape[-1]).long().tolist(), strict=True):
        top, left, height, width = rectangle
        view[:, top : top + height, left : left + width] = 0.5
    return images
