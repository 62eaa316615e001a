"""Color conversion of any decoded picture to 8-bit sRGB: palette, transparency, color profile, in this order."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageCms

from skinlens.imaging.intake.raster import Raster
from skinlens.imaging.intake.sniffing import MAX_PROFILE_BYTES
from skinlens.records import Pixels

_PROFILE_SPACES = {"L": ("GRAY", "RGB "), "RGB": ("RGB ",), "CMYK": ("CMYK",)}
"""Color spaces of the profiles that can describe a picture of each mode, as the ICC header spells them."""
_IGNORED = "Its color profile is damaged or does not fit, and was ignored: hues are approximate."


@dataclass(eq=False)
class Conversion:
    """The way of one picture to sRGB. ``notes``, sentences on what was changed, are complete when ``bands`` end."""

    raster: Raster
    icc_profile: bytes | None
    profile_name: str = "the file's color profile"
    notes: list[str] = field(default_factory=list)

    def bands(self) -> Iterator[Pixels]:
        """All rows from the top, some at a time."""
        self.notes += self.raster.notes
        if self.raster.rgb is not None and self.icc_profile is None:
            yield from self.raster.rgb_bands()
            return
        transparency = _transparency(self.raster)
        if transparency == (0, 0):
            self.notes.append("The file marks the whole picture as transparent; that mark was ignored.")
        elif transparency != (255, 255):
            self.notes.append("Transparent parts were filled with white.")
        drops_alpha = transparency in ((0, 0), (255, 255))
        profile, changed, is_printed = None, False, False
        for number, band in enumerate(self.raster.bands()):
            plain = _on_white(band, drops_alpha)
            if number == 0 and self.icc_profile is not None:
                profile = _profile(plain.mode, self.icc_profile)
                self.notes += [] if profile else [_IGNORED]
            is_printed |= plain.mode == "CMYK" and self.icc_profile is None
            if profile:
                source = plain.convert("RGB") if profile.space == "RGB " else plain
                converted = ImageCms.applyTransform(source, profile.transform)
                assert converted is not None  # only in place it is
                changed |= converted.tobytes() != source.tobytes()  # most profiles are sRGB
                plain = converted
            yield np.asarray(plain.convert("RGB"))
        if changed:
            self.notes.append(f"Colors were converted from {self.profile_name} to sRGB.")
        if is_printed:
            self.notes.append("Printing colors (CMYK) were converted without a color profile: hues are approximate.")


def _transparency(raster: Raster) -> tuple[int, int]:
    """The least and the greatest opacity of the picture, 0 to 255."""
    low, high = 255, 0
    if not _has_alpha(raster.rows(0, 1)):
        return 255, 255
    for band in raster.bands():
        least, greatest = _with_alpha(band).getchannel("A").getextrema()
        low, high = min(low, int(least)), max(high, int(greatest))  # type: ignore[arg-type]  # one channel: two numbers
    return low, high


def _has_alpha(image: Image.Image) -> bool:
    return "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")


def _with_alpha(image: Image.Image) -> Image.Image:
    """The picture as LA or RGBA."""
    if image.mode in ("LA", "RGBA"):
        return image
    return image.convert("LA" if image.mode == "La" else "RGBA")


def _on_white(image: Image.Image, drops_alpha: bool) -> Image.Image:
    """The picture as L, RGB or CMYK, its transparent parts over white unless its transparency means nothing."""
    if _has_alpha(image):
        *bands, alpha = _with_alpha(image).split()
        color = Image.merge("L" if len(bands) == 1 else "RGB", bands)
        return color if drops_alpha else Image.composite(color, Image.new(color.mode, color.size, "white"), alpha)
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in _PROFILE_SPACES else image.convert("RGB")


@dataclass(frozen=True, eq=False)
class _Profile:
    space: str
    transform: ImageCms.ImageCmsTransform


def _profile(mode: str, icc_profile: bytes) -> _Profile | None:
    """What converts pictures of this mode from the profile to sRGB; None if it is corrupt or of another kind."""
    if not 128 < len(icc_profile) < MAX_PROFILE_BYTES:
        return None
    space = icc_profile[16:20].decode("latin-1")
    if space not in _PROFILE_SPACES[mode]:
        return None
    source_mode = "RGB" if space == "RGB " else mode
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
        srgb = ImageCms.createProfile("sRGB")
        return _Profile(space, ImageCms.buildTransform(profile, srgb, source_mode, "RGB"))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
