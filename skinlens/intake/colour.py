"""A decoded picture of any kind → 8-bit sRGB: depth, palette, transparency, colour profile, in this order."""

import io

import numpy as np
from PIL import Image, ImageCms

from skinlens.errors import UnreadableImage
from skinlens.intake.refusals import MAX_PROFILE_BYTES
from skinlens.records import Pixels

_PROFILE_SPACES = {"L": ("GRAY", "RGB "), "RGB": ("RGB ",), "CMYK": ("CMYK",)}
"""Colour spaces of the profiles that can describe a picture of each mode, as the ICC header spells them."""


def to_srgb(image: Image.Image, icc_profile: bytes | None, bits: int) -> tuple[Pixels, tuple[str, ...]]:
    """Pixels in sRGB, and sentences on what was changed. ``bits`` per sample matters for mode ``I;16``.

    Deep samples keep their high bits (65535 → 255, 256 → 1, 255 → 0): exact for 8-bit values that were widened
    either by 257 or by 256, and the same as libpng and Pillow do for deep colour.
    """
    notes: list[str] = []
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> max(bits - 8, 0)).astype(np.uint8))
    if image.mode in ("I", "F"):
        image, note = _from_numbers(np.asarray(image))
        notes.append(note)
    elif bits > 8:
        notes.append(f"Brightness was reduced from {bits} to 8 bits.")
    image, transparent = _on_white(image)
    if transparent:
        notes.append("Transparent parts were filled with white.")
    if icc_profile is not None:
        image, note = _apply_profile(image, icc_profile)
        notes += [note] if note else []
    elif image.mode == "CMYK":
        notes.append("Printing colours (CMYK) were converted without a colour profile: hues are approximate.")
    return np.asarray(image.convert("RGB")), tuple(notes)


def _from_numbers(values: np.ndarray) -> tuple[Image.Image, str]:
    """Greyscale from numbers whose range the file does not state: 0–1, 0–255 or 0–65535, whichever holds them all."""
    low, high = float(values.min()), float(values.max())
    top = next((top for top in (1, 255, 65535) if low >= 0 and high <= top), None)
    if top is None:  # too large, negative, infinite, or not a number
        raise UnreadableImage(
            "The brightness values of the picture have no known range: 0 to 1, 0 to 255 or 0 to 65535 were expected, "
            f"and {low:g} to {high:g} were found. Save the photo as an 8-bit PNG or JPEG, and upload that."
        )
    grey = np.rint(values.astype(np.float64) * (255 / top)).astype(np.uint8)
    return Image.fromarray(grey), f"Brightness values were read as 0 to {top}."


def _on_white(image: Image.Image) -> tuple[Image.Image, bool]:
    """The picture as L, RGB or CMYK, its transparent parts over white, and whether it had any."""
    if "transparency" in image.info or image.mode in ("PA", "RGBa"):
        image = image.convert("RGBA")
    elif image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("LA", "RGBA"):
        *bands, alpha = image.split()
        colour = Image.merge("L" if len(bands) == 1 else "RGB", bands)
        if alpha.getextrema() == (255, 255):
            return colour, False
        white = Image.new(colour.mode, colour.size, "white")
        return Image.composite(colour, white, alpha), True
    if image.mode == "1":
        return image.convert("L"), False
    return image if image.mode in _PROFILE_SPACES else image.convert("RGB"), False


def _apply_profile(image: Image.Image, icc_profile: bytes) -> tuple[Image.Image, str]:
    """The picture in sRGB, and a note if that changed it.

    A picture whose profile is corrupt or of another kind stays as it is, and the note says so.
    """
    ignored = "Its colour profile is damaged or does not fit, and was ignored: hues are approximate."
    if not 128 < len(icc_profile) < MAX_PROFILE_BYTES:
        return image, ignored
    space = icc_profile[16:20].decode("latin-1")
    if space not in _PROFILE_SPACES[image.mode]:
        return image, ignored
    source = image.convert("RGB") if space == "RGB " else image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
        converted = ImageCms.profileToProfile(source, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, ignored
    if converted is None:  # only with inPlace=True
        return image, ignored
    if converted.tobytes() == source.tobytes():  # most profiles are sRGB
        return converted, ""
    return converted, "Colours were converted from the file's colour profile to sRGB."
