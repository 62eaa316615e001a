"""One drawn picture in every kind of file that intake reads, for the tests of intake."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import read_photo

SECRET = b"Erika Mustermann 52.5200N"


@cache
def picture() -> Image.Image:
    """A smooth picture, 64 × 48, in which no symmetry hides a wrong orientation."""
    y, x = np.mgrid[:48, :64]
    return Image.fromarray(np.stack([x * 4, y * 5, x + 2 * y], axis=-1).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(stream, **options)
    else:
        image.copy().save(stream, kind, **options)
    return stream.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010E] = SECRET.decode()
    block.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return block


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@cache
def files() -> dict[str, bytes]:
    """One small valid file of each kind that is read."""
    image = picture()
    frames = lambda: [image.rotate(90), image.rotate(180)]  # new ones: Pillow leaves one save's options on a picture
    tagged: dict[str, Any] = {"exif": exif(6), "icc_profile": srgb_profile()}
    return {
        "jpeg": encoded(image, "JPEG", **tagged),
        "jpeg progressive": encoded(image, "JPEG", progressive=True),
        "jpeg cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "jpeg of two": encoded(image, "MPO", save_all=True, append_images=frames()),
        "png": encoded(image, "PNG", **tagged),
        "png palette": encoded(image.quantize(16), "PNG", transparency=3),
        "png animated": encoded(image, "PNG", save_all=True, append_images=frames()),
        "png 16": encoded(Image.fromarray(np.asarray(image)[..., 0].astype(np.uint16) * 257), "PNG"),
        "webp": encoded(image, "WEBP", **tagged),
        "webp lossless": encoded(image.convert("RGBA"), "WEBP", lossless=True),
        "webp animated": encoded(image, "WEBP", save_all=True, append_images=frames()),
        "tiff": encoded(image, "TIFF", **tagged),
        "tiff lzw": encoded(image, "TIFF", compression="tiff_lzw"),
        "tiff deflate": encoded(image, "TIFF", compression="tiff_deflate"),
        "tiff jpeg": encoded(image, "TIFF", compression="jpeg"),
        "tiff float": encoded(Image.fromarray(np.asarray(image)[..., 0].astype(np.float32) / 255), "TIFF"),
        "tiff of three": encoded(image, "TIFF", save_all=True, append_images=frames()),
        "bmp": encoded(image, "BMP"),
        "bmp palette": encoded(image.quantize(16), "BMP"),
        "heic": encoded(image, "HEIC", quality=90, icc_profile=srgb_profile()),
    }


KINDS = tuple(files())


CASES = Path(__file__).parent / "cases"


def case(name: str) -> bytes:
    """A drawn file of another program's making, as such files are met with."""
    return (CASES / name).read_bytes()


@cache
def reference() -> np.ndarray:
    """The picture that the cases hold, 320 × 240, in sRGB."""
    with Image.open(CASES / "00_reference.png") as image:
        return np.asarray(image.convert("RGB"))


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_photo(data)
    return str(caught.value)


def flat(mode: str, color: Any) -> Image.Image:
    return Image.new(mode, (40, 32), color)
