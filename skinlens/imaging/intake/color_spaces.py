"""Colors that a file describes by numbers instead of a profile: code points, gamma and primaries, Adobe RGB.

What is of ordinary range becomes an ICC profile, for the same engine that converts profiles. High dynamic range (PQ,
HLG) is converted here: paper white, 203 cd/m² (ITU-R BT.2408), becomes sRGB's white, and what is brighter is cut.

Code points: ITU-T H.273, tables 2 and 3. Transfer functions: ITU-R BT.2100, IEC 61966-2-1.
"""

import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

from skinlens.errors import UnreadableImage
from skinlens.records import Array

_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
PRIMARIES: dict[int, tuple[str, tuple[float, ...]]] = {
    1: ("BT.709", (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65)),
    4: ("BT.470 M", (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C)),
    5: ("BT.470 BG", (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65)),
    6: ("BT.601", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)),
    7: ("SMPTE 240M", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)),
    9: ("BT.2020", (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65)),
    11: ("DCI-P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)),
    12: ("Display P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65)),
}
"""Name, and x and y of red, green, blue and white, by code point."""
_SRGB_CURVES = frozenset({1, 6, 13, 14, 15})
"""Transfer codes of the video systems and of sRGB: pictures that say so are shown with sRGB's curve."""
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_UNSPECIFIED = frozenset({0, 2, 3})
PQ, HLG = 16, 18
SRGB_GAMMA = 1 / 0.45455
"""The gamma with which PNG writers mean sRGB."""
ADOBE_RGB = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *_D65)
ADOBE_GAMMA = 563 / 256


@dataclass(frozen=True)
class ColorSpace:
    """Color space of a picture, known by other means than a profile."""

    name: str
    """For the note."""
    icc_profile: bytes = b""
    """Empty where no profile can say it: for high dynamic range."""
    primaries: tuple[float, ...] = ()
    transfer: int = 0
    """``PQ`` or ``HLG`` for high dynamic range."""


def of_code_points(primaries: int, transfer: int) -> ColorSpace | None:
    """The color space of two code points; None for sRGB and for what is not specified. Raises UnreadableImage."""
    if primaries in _UNSPECIFIED:
        primaries = 1
    if transfer in _UNSPECIFIED:
        transfer = 13
    if primaries not in PRIMARIES or transfer not in (PQ, HLG, *_SRGB_CURVES, *_GAMMAS):
        raise UnreadableImage(
            "The photo's colors are coded in a way that SkinLens does not convert: sRGB, Display P3, BT.2020, PQ or "
            f"HLG was expected, and primaries {primaries} with transfer {transfer} were found. "
            "Save the photo as JPEG in sRGB, and upload that."
        )
    name, numbers = PRIMARIES[primaries]
    if transfer in (PQ, HLG):
        return ColorSpace(f"{name} {'PQ' if transfer == PQ else 'HLG'}", primaries=numbers, transfer=transfer)
    gamma = _GAMMAS.get(transfer)
    if gamma is None and primaries == 1:
        return None
    return ColorSpace(name, matrix_profile(numbers, gamma))


def of_gamma(gamma: float | None, primaries: tuple[float, ...] | None) -> ColorSpace | None:
    """The color space of PNG's gAMA (as an exponent) and cHRM; None if that is sRGB or makes no sense."""
    srgb = PRIMARIES[1][1]
    if gamma is not None and abs(gamma / SRGB_GAMMA - 1) < 0.05:
        gamma = None
    if primaries is not None and np.allclose(primaries, srgb, atol=0.005):
        primaries = None
    if (gamma is None and primaries is None) or (gamma is not None and not 0.2 < gamma < 5):
        return None
    if primaries is not None and not (min(primaries[1::2]) > 0.001 and max(primaries) <= 1):
        return None
    try:
        return ColorSpace("the file's gamma and primaries", matrix_profile(primaries or srgb, gamma))
    except (np.linalg.LinAlgError, struct.error, ValueError, OverflowError):  # three points on one line, or far off
        return None


def adobe_rgb() -> ColorSpace:
    """Adobe RGB, which a camera names by EXIF alone: color space "uncalibrated", interoperability R03 (CIPA DC-009)."""
    return ColorSpace("Adobe RGB", matrix_profile(ADOBE_RGB, ADOBE_GAMMA))


# -------------------------------------------------------------------------------------------------- as a profile


def to_xyz(primaries: tuple[float, ...]) -> Float64[Array, "3 3"]:
    """Linear RGB → XYZ; white has Y 1."""
    points = np.array(primaries, dtype=np.float64).reshape(4, 2)
    columns = np.stack([points[:, 0], points[:, 1], 1 - points.sum(axis=1)]) / points[:, 1]
    return np.asarray(columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3]))


_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])


def matrix_profile(primaries: tuple[float, ...], gamma: float | None) -> bytes:
    """An ICC profile (version 4.3) of three primaries and a gamma, or sRGB's curve where that is None."""
    matrix = to_xyz(primaries)
    white = matrix.sum(axis=1)
    adapt = np.linalg.solve(_BRADFORD, np.diag(_BRADFORD @ _D50 / (_BRADFORD @ white)) @ _BRADFORD)
    if gamma is None:
        curve = _parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    else:
        curve = _parametric(0, gamma)
    tags = [(b"wtpt", _xyz(_D50))]
    for channel, column in zip((b"r", b"g", b"b"), (adapt @ matrix).T, strict=True):
        tags += [(channel + b"XYZ", _xyz(column)), (channel + b"TRC", curve)]
    tags += [(b"chad", b"sf32\0\0\0\0" + b"".join(_s15(value) for value in adapt.reshape(-1)))]
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags:
        table += struct.pack(">4sII", name, offset + len(body), len(content))
        body += content
    head = struct.pack(">I4xI4s4s4s12x4s", offset + len(body), 0x04300000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    head = head.ljust(68, b"\0") + b"".join(_s15(value) for value in _D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: Float64[Array, " 3"]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_s15(float(value)) for value in values)


def _parametric(kind: int, *parameters: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(_s15(value) for value in parameters)


# -------------------------------------------------------------------------------------------- high dynamic range

_PAPER_WHITE = 203.0
"""cd/m² (BT.2408): what a display of ordinary range shows as white. HLG has it at 75 % of its signal."""


def _pq_light(signal: Array) -> Array:
    """Light, paper white being 1 (BT.2100 table 4)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    light: Array = 10_000 / _PAPER_WHITE * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return light


def _hlg_light(signal: Array) -> Array:
    """Light, 75 % of the signal being 1 (BT.2100 table 5).

    With a system gamma of 1: that of a display whose HLG peak is 334 cd/m², as one of ordinary range has it
    (note 5f: 1.2 + 0.42 · log10 of the peak over 1,000).
    """
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    e = np.append(signal, 0.75)
    light: Array = np.where(e <= 0.5, e**2 / 3, (np.exp((e - c) / a) + b) / 12)
    return np.asarray(light[:-1] / light[-1])


_STEPS = 1 << 14


class HdrToSrgb:
    """PQ or HLG samples of 8 or 16 bits → 8-bit sRGB."""

    def __init__(self, space: ColorSpace, bits: int) -> None:
        signal = np.arange(1 << bits, dtype=np.float64) / ((1 << bits) - 1)
        light = _pq_light(signal) if space.transfer == PQ else _hlg_light(signal)
        self._light = light.astype(np.float32)
        self._matrix = (np.linalg.inv(to_xyz(PRIMARIES[1][1])) @ to_xyz(space.primaries)).T.astype(np.float32)
        linear = (np.arange(_STEPS + 1) / _STEPS) ** 2  # finer where it is dark, as the eye is
        curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
        self._srgb = np.rint(255 * curve).astype(np.uint8)

    def __call__(self, samples: Array) -> UInt8[Array, "h w 3"]:
        """``samples``: rows, columns and three channels."""
        linear = self._light[samples] @ self._matrix
        return np.asarray(self._srgb[np.rint(np.sqrt(np.clip(linear, 0, 1)) * _STEPS).astype(np.int32)])
