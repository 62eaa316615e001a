"""Photos of one drawn lesion as two visits would show it, with the true transform between them."""

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from PIL import Image

from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.records import Array, ModelRef, Outline, Photo, Pixels

STAMP = ModelRef("tiny", "1", "ab" * 32)


def photo_of(pixels: Pixels) -> Photo:
    return Photo(pixels, hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest(), "PNG")


def drawn(seed: int = 0) -> Photo:
    return photo_of(draw_synthetic_lesion(seed, 400, 300))


@dataclass(frozen=True)
class Retaken:
    """The same lesion photographed again: turned, at another magnification, moved, in another light, compressed."""

    degrees: float = 0.0
    scale: float = 1.0
    shift_px: complex = 0j
    light: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    quality: int = 0
    """Of the JPEG; 0: none."""

    def matrix(self, first: Photo) -> Float64[Array, "2 3"]:
        """Pixels of the first photo → pixels of this one."""
        turn = self.scale * np.exp(1j * np.radians(self.degrees))
        center = complex(first.width_px, first.height_px) / 2
        shift = center + self.shift_px - turn * center
        return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])

    def photo(self, first: Photo) -> Photo:
        back = np.linalg.inv(np.vstack([self.matrix(first), [0, 0, 1]]))[:2]
        size = first.width_px, first.height_px
        picture = Image.fromarray(first.pixels).transform(
            size, Image.Transform.AFFINE, tuple(back.ravel()), Image.Resampling.BICUBIC
        )
        lit = np.clip(np.rint(np.asarray(picture) * (self.light * np.array(self.tint))), 0, 255).astype(np.uint8)
        if self.quality:
            file = io.BytesIO()
            Image.fromarray(lit).save(file, "JPEG", quality=self.quality)
            lit = np.asarray(Image.open(file).convert("RGB"))
        return photo_of(lit)


def ellipse(photo: Photo, across_px: float, down_px: float, center: complex | None = None, count: int = 24) -> Outline:
    """An outline in the photo's middle, or around ``center``, of these half axes in pixels."""
    middle = complex(photo.width_px, photo.height_px) / 2 if center is None else center
    turn = 2 * np.pi * np.arange(count) / count
    points = np.stack([middle.real + across_px * np.cos(turn), middle.imag + down_px * np.sin(turn)], axis=1)
    return outline(photo, points)


def outline(photo: Photo, points_px: Float64[Array, "n 2"]) -> Outline:
    shares = points_px / (photo.width_px, photo.height_px)
    return Outline(
        tuple((float(across), float(down)) for across, down in shares), "clinician", photo.sha256, STAMP,
        "2026-01-02T03:04:05+00:00",
    )  # fmt: skip
