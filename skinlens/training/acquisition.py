"""Acquisition augmentation: what cameras, files, hair and markers put on a photo, for a whole batch at once.

Two stages. ``degrade_files`` works on the stored photo (blur, resampling, JPEG), before the geometry of a view;
``degrade_images`` works on the view (drawn artifacts, color cast, tone curve, noise). Both follow parameters that
were sampled before, so the teacher, asked about the same view at another size, sees the same changes.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, Int64, UInt8
from PIL import Image, ImageFilter
from torch import Tensor
from torch.utils.data import get_worker_info

from skinlens.imaging.artifacts import Artifact, draw_layers
from skinlens.records import Array
from skinlens.training.recipe import Acquisition

ARTIFACTS: tuple[Artifact, ...] = ("hair", "ink", "ruler", "dark_corners", "gel_bubbles")
VARIANTS = 32
"""Drawings of each artifact; with eight orientations and a random tint each, they do not repeat soon."""
LAYER_PX = 256
"""Side at which drawings are held, before they are resized to the view."""
_POOL = ThreadPoolExecutor()
_TINT = 25.0
"""Standard deviation of a drawing's color shift, in grey levels."""


class AcquisitionParams(NamedTuple):
    """One photo's changes; 0 (for ``artifact``: -1, for ``scale`` and the gains: 1) leaves the photo as it is."""

    scale: Float32[Tensor, " n"]
    """Share of the photo's side that a resampling keeps."""
    quality: Int64[Tensor, " n"]
    """Of the JPEG compression."""
    artifact: Int64[Tensor, "n 5"]
    """Number of the drawing of each kind in ``ARTIFACTS``."""
    orientation: Int64[Tensor, "n 5"]
    """0 to 7: quarter turns, and from 4 on mirrored."""
    tint: Float32[Tensor, "n 5 3"]
    """Added to the drawing's color, of the range 0 to 1."""
    gain: Float32[Tensor, "n 3"]
    """Of each channel."""
    gamma: Float32[Tensor, " n"]
    """Natural logarithm of the tone curve's exponent."""
    blur: Float32[Tensor, " n"]
    """Standard deviation in shares of the short side."""
    noise: Float32[Tensor, " n"]
    """Standard deviation, of the range 0 to 1."""
    noise_seed: Int64[Tensor, " n"]

    def of(self, rows: Int64[Tensor, " m"]) -> "AcquisitionParams":
        """Parameters of some of the photos."""
        return AcquisitionParams(*(values[rows] for values in self))


def sample_acquisition(count: int, ranges: Acquisition, generator: torch.Generator) -> AcquisitionParams:
    """Independent parameters for each of ``count`` photos."""

    def uniform(low: float, high: float, *more: int) -> Tensor:
        return torch.rand(count, *more, generator=generator) * (high - low) + low

    def happens(*probabilities: float) -> Tensor:
        return uniform(0, 1, len(probabilities)) < torch.tensor(probabilities)

    artifacts = happens(*(getattr(ranges, name) for name in ARTIFACTS))
    number = torch.randint(VARIANTS, (count, len(ARTIFACTS)), generator=generator)
    jpeg = torch.randint(ranges.jpeg_low, ranges.jpeg_high + 1, (count,), generator=generator)
    return AcquisitionParams(
        scale=torch.where(happens(ranges.resample)[:, 0], uniform(ranges.resample_low, 1), 1.0),
        quality=torch.where(happens(ranges.jpeg)[:, 0], jpeg, 0),
        artifact=torch.where(artifacts, number, -1),
        orientation=torch.randint(8, (count, len(ARTIFACTS)), generator=generator),
        tint=torch.randn(count, len(ARTIFACTS), 3, generator=generator) * _TINT / 255,
        gain=torch.exp(torch.randn(count, 3, generator=generator) * ranges.cast),
        gamma=uniform(-ranges.gamma, ranges.gamma),
        blur=torch.where(happens(ranges.blur)[:, 0], uniform(0, ranges.blur_high), 0.0),
        noise=torch.where(happens(ranges.noise)[:, 0], uniform(0, ranges.noise_high), 0.0),
        noise_seed=torch.randint(2**31, (count,), generator=generator),
    )


def degrade_files(photos: UInt8[Tensor, "n 3 h w"], params: AcquisitionParams) -> UInt8[Tensor, "n 3 h w"]:
    """Blur, resample and compress the photos whose parameters say so, on the CPU; the order is that of a camera."""
    changed = ((params.scale < 1) | (params.quality > 0) | (params.blur > 0)).nonzero()[:, 0].tolist()
    if not changed:
        return photos
    photos = photos.clone()

    def degrade(place: int) -> None:
        picture = Image.fromarray(photos[place].permute(1, 2, 0).cpu().numpy())
        blur = float(params.blur[place])
        if blur:
            picture = picture.filter(ImageFilter.GaussianBlur(blur * min(picture.size)))
        picture = _degrade_file(picture, float(params.scale[place]), int(params.quality[place]))
        photos[place] = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).to(photos.device)

    if get_worker_info() is None:
        list(_POOL.map(degrade, changed))  # Pillow works beside Python
    else:  # a worker process among several, in which the pool's threads are not
        list(map(degrade, changed))
    return photos


def _degrade_file(picture: Image.Image, scale: float, quality: int) -> Image.Image:
    size = picture.size
    if scale < 1:
        small = max(8, round(size[0] * scale)), max(8, round(size[1] * scale))
        picture = picture.resize(small, Image.Resampling.BOX if quality % 2 else Image.Resampling.BICUBIC)
    if quality:
        compressed = BytesIO()
        picture.save(compressed, "JPEG", quality=quality)
        picture = Image.open(compressed).convert("RGB")
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)


def degrade_images(images: Float32[Tensor, "n 3 s s"], params: AcquisitionParams) -> Float32[Tensor, "n 3 s s"]:
    """Draw artifacts over the views, then change their color, tone and noise. Range 0 to 1."""
    images, tint = images.clone(), params.tint.to(images.device)  # one copy: each waits for a GPU
    for place, kind in (params.artifact >= 0).nonzero().tolist():
        color, cover = _drawing(ARTIFACTS[kind], int(params.artifact[place, kind]), images.shape[-1], images.device)
        color = (color + tint[place, kind].view(3, 1, 1)).clamp(0, 1)
        cover, color = (_oriented(layer, int(params.orientation[place, kind])) for layer in (cover, color))
        images[place].lerp_(color, cover)
    gain, exponent = params.gain.to(images.device), torch.exp(params.gamma).to(images.device)
    images = (images * gain.view(-1, 3, 1, 1)).clamp(0, 1).pow(exponent.view(-1, 1, 1, 1))
    for place in (params.noise > 0).nonzero()[:, 0].tolist():
        grain = _grain(int(params.noise_seed[place]), images.shape[-1], images.device)
        images[place].add_(grain, alpha=float(params.noise[place]))
    return images.clamp(0, 1)


def _oriented(layer: Float32[Tensor, "c s s"], orientation: int) -> Float32[Tensor, "c s s"]:
    turned = torch.rot90(layer, orientation % 4, (1, 2))
    return turned.flip(2) if orientation >= 4 else turned


@lru_cache(maxsize=4 * VARIANTS * len(ARTIFACTS))
def _drawing(artifact: Artifact, number: int, size_px: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Color (3, s, s) and cover (1, s, s), 0 to 1, of one drawing at the size of a view, on the views' device."""
    pixels = _rendered(artifact, number)
    layer = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    layer = F.interpolate(layer[None], (size_px, size_px), mode="bilinear", antialias=True)[0]
    cover = layer[3:]
    return (layer[:3] / cover.clamp_min(1e-3)).to(device), cover.to(device)


def _grain(seed: int, size_px: int, device: torch.device) -> Float32[Tensor, "3 s s"]:
    """Gaussian noise of standard deviation 1: one of ``VARIANTS`` fields, shifted around by what the seed says."""
    number, shift = seed % VARIANTS, seed // VARIANTS
    return torch.roll(_noise_field(number, size_px, device), (shift % size_px, shift // size_px % size_px), dims=(1, 2))


@lru_cache(maxsize=4 * VARIANTS)
def _noise_field(number: int, size_px: int, device: torch.device) -> Float32[Tensor, "3 s s"]:
    return torch.randn((3, size_px, size_px), generator=torch.Generator().manual_seed(number)).to(device)


@lru_cache(maxsize=VARIANTS * len(ARTIFACTS))
def _rendered(artifact: Artifact, number: int) -> UInt8[Array, "s s 4"]:
    """Premultiplied color and cover of one drawing."""
    canvas = np.zeros((LAYER_PX, LAYER_PX, 4), dtype=np.float32)
    for color, mask in draw_layers(artifact, number):
        over = np.asarray(mask.resize((LAYER_PX, LAYER_PX), Image.Resampling.BOX), np.float32)[..., None] / 255
        canvas *= 1 - over
        canvas += over * np.array([*color, 255], dtype=np.float32)
    return np.round(canvas).astype(np.uint8)
