"""Random views of training photos, for a whole batch at once on the CPU or the GPU.

The unchanged view (every range 0, scale 1) is the one that ``preprocess`` gives in serving, up to rounding.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float32, UInt8
from torch import Tensor

from skinlens.distill.config import Augmentation
from skinlens.preprocess import InputSpec

# Luma and chroma of NTSC (YIQ): a hue change is a rotation of the last two axes.
_RGB_TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def random_views(
    details: UInt8[Tensor, "n 3 h w"], ranges: Augmentation, spec: InputSpec, generator: torch.Generator
) -> Float32[Tensor, "n 3 s s"]:
    """Flip, rotate, zoom, stretch, shift and recolour each photo by its own draw, then normalise.

    ``generator`` lives on the CPU, so that a seed gives the same views on every device.
    """
    views = _geometry(details.float() / 255, ranges, spec, generator)
    views = _colour(views, ranges, generator)
    if ranges.erase:
        views = _erase(views, ranges.erase, generator)
    mean = torch.tensor(spec.mean, device=views.device).view(1, 3, 1, 1)
    std = torch.tensor(spec.std, device=views.device).view(1, 3, 1, 1)
    return ((views - mean) / std).contiguous(memory_format=torch.channels_last)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def _geometry(
    pictures: Float32[Tensor, "n 3 h w"], ranges: Augmentation, spec: InputSpec, generator: torch.Generator
) -> Float32[Tensor, "n 3 s s"]:
    """The rotation is one of the photo itself, before the resize to a square stretches it: circles stay circles."""
    count, _, height, width = pictures.shape
    angle = _uniform(count, 0.0, 2 * math.pi, generator) if ranges.rotate else torch.zeros(count)
    scale = _uniform(count, ranges.scale_low, ranges.scale_high, generator)
    stretch = torch.exp(_uniform(count, -ranges.aspect, ranges.aspect, generator) / 2)
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0) if ranges.flip else torch.ones(count)
    across, down = scale * stretch * width / 2 * flip, scale / stretch * height / 2
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [
        torch.stack([cos * across, -sin * down, _uniform(count, -1.0, 1.0, generator) * ranges.shift * width / 2], 1)
        / (width / 2),
        torch.stack([sin * across, cos * down, _uniform(count, -1.0, 1.0, generator) * ranges.shift * height / 2], 1)
        / (height / 2),
    ]
    matrix = torch.stack(rows, 1).to(pictures.device)
    grid = F.affine_grid(matrix, [count, 3, spec.size_px, spec.size_px], align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _colour(
    views: Float32[Tensor, "n 3 s s"], ranges: Augmentation, generator: torch.Generator
) -> Float32[Tensor, "n 3 s s"]:
    """Brightness, contrast, saturation and hue as one affine map of RGB for each photo."""
    count = len(views)
    brightness = 1 + _uniform(count, -ranges.brightness, ranges.brightness, generator)
    contrast = 1 + _uniform(count, -ranges.contrast, ranges.contrast, generator)
    saturation = 1 + _uniform(count, -ranges.saturation, ranges.saturation, generator)
    turn = _uniform(count, -ranges.hue, ranges.hue, generator) * 2 * math.pi
    change = torch.zeros(count, 3, 3)
    change[:, 0, 0] = 1
    change[:, 1, 1] = change[:, 2, 2] = saturation * torch.cos(turn)
    change[:, 1, 2], change[:, 2, 1] = -saturation * torch.sin(turn), saturation * torch.sin(turn)
    matrix = torch.linalg.inv(_RGB_TO_YIQ) @ change @ _RGB_TO_YIQ * (brightness * contrast).view(-1, 1, 1)
    matrix, brightness, contrast = (one.to(views.device) for one in (matrix, brightness, contrast))
    mean = views.mean(dim=(1, 2, 3)) * brightness * (1 - contrast)
    recoloured = torch.einsum("nij,njhw->nihw", matrix, views) + mean.view(-1, 1, 1, 1)
    return recoloured.clamp(0, 1)


def _erase(
    views: Float32[Tensor, "n 3 s s"], probability: float, generator: torch.Generator
) -> Float32[Tensor, "n 3 s s"]:
    """Grey out a rectangle of a tenth to a third of the side, so that no single spot decides."""
    side = views.shape[-1]
    views = views.clone()
    for one in views:
        if torch.rand(1, generator=generator).item() < probability:
            height, width = (_uniform(2, side / 10, side / 3, generator)).long().tolist()
            top = int(torch.randint(0, side - height, (1,), generator=generator))
            left = int(torch.randint(0, side - width, (1,), generator=generator))
            one[:, top : top + height, left : left + width] = 0.5
    return views
