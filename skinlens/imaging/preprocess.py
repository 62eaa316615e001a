"""Preprocessing: a photo to the network input, and a heat map back to the photo; training and serving share it.

The network was trained on photos of 400 × 300 px. An upload of any size is brought to that detail first, and only then
to the network's own square input, so that a large photo gets the answer that its reduced copy gets. In full::

    photo ─ central crop to at most 4:3 ─ reduce so that the short side is 300 px ─ square ─ normalise

A photo that is no larger than that passes the second step as it is; every reduction is antialiased. Releases up to
0.3.0, trained on 200 × 150 px, state their own figures and a compression in their manifest, and are read with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from skinlens.records import Array, Batch, Heatmap, Photo

View = UInt8[Array, "s s 3"]
Views = UInt8[Array, "n s s 3"]


@dataclass(frozen=True)
class InputSpec:
    """Input specification of a network; stored in the manifest beside the weights."""

    size_px: int = 224
    """Side of the square input, a multiple of 32."""
    detail_px: int = 300
    """Short side that a photo is reduced to first: the detail of the training photos."""
    detail_jpeg_quality: int = 0
    """Of a JPEG compression after that reduction, 1 to 95; 0: none. Releases up to 0.3.0 were trained with 75."""
    max_aspect: float = 4 / 3
    """Longer over shorter side; what sticks out is cropped on both sides alike."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Of pixels scaled to [0, 1], as the initial weights of EfficientNet-Lite expect."""
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)


def crop_box(height_px: int, width_px: int, spec: InputSpec) -> tuple[int, int, int, int]:
    """The region that the network sees, as (top, left, height, width) in pixels of the photo."""
    longest = round(min(height_px, width_px) * spec.max_aspect)
    longest -= max(0, max(height_px, width_px) - longest) % 2  # as much on one side as on the other, also when turned
    height, width = min(height_px, longest), min(width_px, longest)
    return (height_px - height) // 2, (width_px - width) // 2, height, width


def _resized(image: Image.Image, size: tuple[int, int], how: Image.Resampling) -> Image.Image:
    """Resized along its longer side first, so that a turned photo gives the turned view: Pillow reduces the rows,
    rounds to gray levels, then reduces the columns. A square photo can differ by a level: it has no longer side.
    """
    if image.height <= image.width:
        return image.resize(size, how)
    lying = image.transpose(Image.Transpose.TRANSPOSE).resize(size[::-1], how)
    return lying.transpose(Image.Transpose.TRANSPOSE)


def detail_view(photo: Photo, spec: InputSpec) -> Image.Image:
    """The seen region at the detail of the training photos: a short side of at most ``spec.detail_px``.

    Where the spec has a compression (releases up to 0.3.0), a photo that was reduced is compressed too. Training with
    robust views takes its place: a compression in serving made one gray level of difference in the upload count.
    """
    top, left, height, width = crop_box(photo.height_px, photo.width_px, spec)
    region = Image.fromarray(np.ascontiguousarray(photo.pixels[top : top + height, left : left + width]))
    scale = spec.detail_px / min(height, width)
    if scale >= 1:
        return region
    reduced = _resized(region, (round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)
    if not spec.detail_jpeg_quality:
        return reduced
    compressed = BytesIO()
    reduced.save(compressed, "JPEG", quality=spec.detail_jpeg_quality, subsampling="4:2:0")
    with Image.open(compressed) as decoded:
        decoded.load()
        return decoded


def model_view(photo: Photo, spec: InputSpec) -> View:
    """The network's view before normalization: RGB, 0–255, ``spec.size_px`` square."""
    square = _resized(detail_view(photo, spec), (spec.size_px, spec.size_px), Image.Resampling.BILINEAR)
    return np.asarray(square, dtype=np.uint8)


def normalize(views: Views, spec: InputSpec) -> Batch:
    """Views to network input: scaled to [0, 1], mean subtracted, divided by the standard deviation, channels first."""
    scale = np.asarray([1 / (255 * std) for std in spec.std], dtype=np.float32)
    shift = np.asarray([mean / std for mean, std in zip(spec.mean, spec.std, strict=True)], dtype=np.float32)
    batch = views.transpose(0, 3, 1, 2).astype(np.float32, order="C")  # in place from here: a tenth of the time
    batch *= scale[:, np.newaxis, np.newaxis]
    batch -= shift[:, np.newaxis, np.newaxis]
    return batch


def to_batch(photos: Sequence[Photo], spec: InputSpec) -> Batch:
    """Photos of any sizes to one batch of network input."""
    return normalize(np.stack([model_view(photo, spec) for photo in photos]), spec)


def heatmap_to_photo(heatmap: Float32[Array, "g g"], height_px: int, width_px: int, spec: InputSpec) -> Heatmap:
    """A heat map over the network's square input to the photo's frame: bilinear, 0 outside the seen region."""
    top, left, height, width = crop_box(height_px, width_px, spec)
    region = Image.fromarray(heatmap).resize((width, height), Image.Resampling.BILINEAR)
    placed = np.zeros((height_px, width_px), dtype=np.float32)
    placed[top : top + height, left : left + width] = np.clip(np.asarray(region), 0, 1)
    return placed
