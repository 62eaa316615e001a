"""Likely cause of an out-of-distribution photo: why it is far from the training photos, as far as pixels can tell.

The distance itself says nothing on the cause. Four properties are measured on the working view of ``quality``, and the
first that lies where hardly any photo of HAM10000 does is named; otherwise the checks that are not met; otherwise that
the cause is not known. The limits were read off the 1,505 validation photos:

===============  ==========================================================  =====  =================
property         value                                                       limit  photos beyond it
===============  ==========================================================  =====  =================
even             standard deviation of luminance (0–255)                     < 9      0.7 %
colorless        mean saturation, (max − min) / max of the channels, %       < 9      0.3 %
foreign colors   % of pixels in which red is not the largest channel         > 60     0.9 %
dark lines       % of pixels that a closing of 5 × 5 px lightens by > 15     > 9      4.7 %
texture          dark lines, and light ones that cover 95 % as much or more  > 9      0.5 %
fine detail      variance of the Laplacian, see ``quality.sharpness``        > 1000   0.1 %
===============  ==========================================================  =====  =================

Of the 27 validation photos that release 0.3.0 finds too far, 9 have dark lines (hair in about half of
them, else furrows or a network of the lesion), 6 another of these properties or a check that is not met, and of 12 the
cause is not known. So the sentences say what was measured, and name more than one thing that it can be.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image, ImageFilter

from skinlens.formatting import number, rounded_percent
from skinlens.records import Array, QualityCheck

MIN_CONTRAST, MIN_SATURATION_PERCENT = 9.0, 9.0
MAX_FOREIGN_COLOR_PERCENT = 60.0
MAX_DETAIL = 1000.0
MAX_LINES_PERCENT = 9.0
LIGHT_SHARE = 0.95
"""Cover of light lines, as a share of the dark lines', from which on both are a texture. Hair on skin is darker than
what it lies on; noise, print and fabric are as often lighter.
"""
LINE_PX, LINE_DEPTH = 5, 15
"""A dark line is narrower than the first at the working size, and darker than its surroundings by more than the second
(of 255)."""
_MARGIN = 5
"""By how much another channel must exceed red, so that noise on gray does not count as a color."""
_DARK = 24
"""Mean of the channels below which a pixel has no color worth reading."""
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

EVEN = "It shows hardly any structure: no lesion stands out. Photograph one lesion, in focus, in the center."
COLORLESS = (
    "It has hardly any color, as a black-and-white picture: use a color photo as the dermatoscope's camera gives it."
)
FOREIGN_COLORS = (
    "{percent} of its center has a color that skin under a dermatoscope hardly has. It shows something else, or camera "
    "and light tint it: check the subject, then the white balance."
)
FINE_DETAIL = (
    "It has more fine detail than nearly all of those photos, as fur, fabric, print and screens have: is it a "
    "dermoscopic photo of skin, taken directly and not from a screen?"
)
DARK_LINES = (
    "Fine dark lines cover {percent} of its center, as hair, fur, or furrows of the lesion itself make them. Hair can "
    "be moved aside or clipped: then take the photo again. If it does not show skin under a dermatoscope, the model "
    "cannot read it."
)
TEXTURE = (
    "Fine texture, light and dark alike, covers {percent} of its center, as image noise, fabric, print, a screen or "
    "dense fur makes it. Is it a dermoscopic photo of skin, taken in good light and not from a screen? Then take it "
    "again."
)
OTHER_CHECKS = (
    "The likely cause is another check that is not met: {titles}. Correct that first. If it does not show skin under a "
    "dermatoscope, the model cannot read it."
)
UNKNOWN = (
    "The cause is not known: hair, color, contrast, sharpness and light are as in those photos. It may be the subject "
    "(the model knows skin lesions of seven kinds under a dermatoscope), the camera, or a rare look of the lesion."
)


def likely_cause(
    pixels: Float32[Array, "h w 3"], disc: Bool[Array, "h w"], sharpness: float, failed: Sequence[QualityCheck]
) -> str:
    """Likely cause of the photo's distance, and advice, in one or two sentences.

    ``pixels`` (0–255) and ``disc`` are the working view, ``failed`` the other checks that are not met.
    """
    in_disc = pixels[disc]
    luminance = pixels @ _LUMA
    colored = in_disc[in_disc.mean(axis=1) >= _DARK]
    if len(colored) >= len(in_disc) / 2:
        foreign = foreign_color_percent(colored)
        if foreign > MAX_FOREIGN_COLOR_PERCENT:
            return FOREIGN_COLORS.format(percent=rounded_percent(foreign / 100))
        if saturation_percent(colored) < MIN_SATURATION_PERCENT:
            return COLORLESS
    even = float(luminance[disc].std()) < MIN_CONTRAST
    if even and {check.name for check in failed} <= {"sharpness"}:  # without structure there is nothing to be sharp
        return EVEN
    if failed:
        return OTHER_CHECKS.format(titles=", ".join(check.title.lower() for check in failed))
    lines = dark_lines_percent(luminance, disc)
    if lines > MAX_LINES_PERCENT:
        even_sided = dark_lines_percent(255 - luminance, disc) >= LIGHT_SHARE * lines
        return (TEXTURE if even_sided else DARK_LINES).format(percent=f"{number(lines)}\u00a0%")
    return FINE_DETAIL if sharpness > MAX_DETAIL else UNKNOWN


def foreign_color_percent(colored: Float32[Array, "n 3"]) -> float:
    """Share of pixels, in %, in which green or blue exceeds red."""
    return 100 * float((colored[:, 1:].max(axis=1) > colored[:, 0] + _MARGIN).mean())


def saturation_percent(colored: Float32[Array, "n 3"]) -> float:
    """Mean of (max − min) / max over the channels, 0 gray to 100 pure."""
    most = colored.max(axis=1)
    return 100 * float(((most - colored.min(axis=1)) / most).mean())


def dark_lines_percent(luminance: Float32[Array, "h w"], disc: Bool[Array, "h w"]) -> float:
    """Share of the disc, in %, that a gray closing fills: thin dark structures (Lee et al., "DullRazor", 1997)."""
    gray = Image.fromarray(np.clip(luminance, 0, 255).astype(np.uint8))
    closed = gray.filter(ImageFilter.MaxFilter(LINE_PX)).filter(ImageFilter.MinFilter(LINE_PX))
    depth = np.asarray(closed, dtype=np.int16) - np.asarray(gray, dtype=np.int16)
    return 100 * float((depth[disc] > LINE_DEPTH).mean())
