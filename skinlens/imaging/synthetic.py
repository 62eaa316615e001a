"""Synthetic lesion: the drawn example that needs no patient, and a known input for checking an installation.

No photo stands behind it. It is drawn in millimetres on a field 12 mm high: skin with its furrows, a lesion of two
overlapping lobes with a ragged soft border, pigment network on one side, globules on the other, an eccentric dark
blotch with a blue-gray veil, and a few hairs. It resembles dermoscopy at a glance and means nothing diagnostically.

The same seed gives the same pixels: random numbers are raw output of PCG64, whose stream NumPy guarantees, and the
arithmetic is plain (no sine, no exponential), which leaves platforms as little room to differ as can be.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from skinlens.records import Array, Pixels

Field = Float64[Array, "h w"]

FIELD_MM = 12.0
"""Height of what is seen."""
_TABLE = 64
"""Side of the random tables; they repeat beyond, which no field of this size shows."""

# Skin seen through rising amounts of pigment, sRGB: from none over light and dark brown to almost black.
_PIGMENT = np.array([0.0, 0.22, 0.45, 0.7, 1.0])
_COLORS = np.array([(224, 172, 164), (197, 132, 110), (142, 84, 66), (84, 47, 42), (44, 29, 33)], dtype=np.float64)
_VEIL = np.array([112.0, 117.0, 136.0])
_HAIR = np.array([62.0, 44.0, 38.0])
_HAIRS = 5


class _Stream:
    """Uniform numbers in [0, 1) from PCG64."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def table(self, *shape: int) -> Array:
        count = int(np.prod(shape))
        raw: Array = self._bits.random_raw(count)
        return (raw >> np.uint64(11)).astype(np.float64).reshape(shape) * 2.0**-53

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.table(1)[0])


def draw_synthetic_lesion(seed: int = 0, width_px: int = 600, height_px: int = 450) -> Pixels:
    """The drawing of that seed: another seed, another lesion. Label it as synthetic wherever it is shown."""
    stream = _Stream(seed)
    mm = FIELD_MM / height_px
    x, y = np.meshgrid((np.arange(width_px) + 0.5) * mm, (np.arange(height_px) + 0.5) * mm)
    center = FIELD_MM * width_px / height_px / 2, FIELD_MM / 2
    lesion = _lesion(stream, x, y, center)
    skin = _skin(stream, x, y, center)
    color = np.stack([np.interp(lesion.pigment, _PIGMENT, channel) for channel in _COLORS.T], axis=-1)
    color = _mix(color, _VEIL, 0.55 * lesion.veil)
    color = color * skin[..., None]
    color[..., 1:] -= 9 * _smooth(0.1, 0.9, _fractal(stream, x, y, 2.4))[..., None]  # patches of redder skin
    color = _mix(color, _HAIR, 0.8 * _hairs(stream, x, y, center))
    grain = stream.table(height_px, width_px, 1) + stream.table(height_px, width_px, 1) - 1
    return np.clip(np.rint(color + 3.5 * grain), 0, 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Lesion:
    pigment: Field
    """0 none, 1 most."""
    veil: Field
    """Share of blue-gray, 0–1."""


def _lesion(stream: _Stream, x: Field, y: Field, center: tuple[float, float]) -> _Lesion:
    u = x - center[0] + 0.9 * _fractal(stream, x, y, 3.2)
    v = y - center[1] + 0.9 * _fractal(stream, x, y, 3.2)
    lobes = np.minimum(
        _ellipse(stream, u - stream.between(-0.9, -0.5), v - stream.between(-0.4, 0.4), 3.5, 2.7),
        _ellipse(stream, u - stream.between(1.0, 1.5), v - stream.between(0.3, 0.9), 2.6, 2.0),
    )
    depth = 1 - lobes + 0.20 * _fractal(stream, x, y, 0.9)
    body = _smooth(-0.10, 0.24, depth)
    core = _smooth(0.1, 0.75, depth)
    side = _smooth(-0.6, 0.6, u * 0.8 + v * stream.between(-0.6, 0.6) + 0.8 * _fractal(stream, x, y, 2.0))

    network = 1 - _smooth(0.0, 0.42, _cells(stream, x, y, 0.30, wobble=0.10).wall)
    broken = _smooth(-0.45, 0.25, _fractal(stream, x, y, 1.1))  # where the network is drawn strongly
    globule = _cells(stream, x, y, 0.34, wobble=0.08)
    size = 0.20 + 0.22 * globule.lot
    globules = (1 - _smooth(-0.10, 0.10, globule.to_point - size)) * (globule.lot > 0.4)
    blotch = _smooth(1.1, 0.3, _ellipse(stream, u - stream.between(0.5, 1.3), v - stream.between(-0.5, 0.4), 1.6, 1.2))
    mottling = _fractal(stream, x, y, 1.3)
    pigment = body * (
        0.24
        + 0.16 * core
        + 0.20 * mottling
        + (0.08 + 0.16 * core) * network * broken * (1 - side)
        + 0.20 * globules * side * (1 - 0.6 * core)
        + 0.40 * blotch * core
    )
    veil = core * blotch * _smooth(-0.1, 0.5, _fractal(stream, x, y, 1.6))
    return _Lesion(np.clip(pigment, 0, 1), veil)


def _skin(stream: _Stream, x: Field, y: Field, center: tuple[float, float]) -> Field:
    """Brightness of the skin, about 1: furrows, unevenness, and light that falls off from a point beside the center."""
    furrows = 1 - _smooth(0.0, 0.35, _cells(stream, x, y, 0.38, wobble=0.25).wall)
    off_x, off_y = stream.between(-1.5, 1.5), stream.between(-1.0, 1.0)
    fall_off = ((x - center[0] - off_x) ** 2 + (y - center[1] - off_y) ** 2) / FIELD_MM**2
    return 1.04 - 0.16 * fall_off - 0.022 * furrows + 0.05 * _fractal(stream, x, y, 1.7)


def _hairs(stream: _Stream, x: Field, y: Field, center: tuple[float, float]) -> Field:
    """Cover by a few fine, slightly bent hairs that run in about the same direction, 0–1."""
    cover = np.zeros_like(x)
    lean = stream.between(-0.5, 0.5)
    for _ in range(_HAIRS):
        slope, bend = lean + stream.between(-0.25, 0.25), stream.between(-0.03, 0.03)
        start, length = stream.between(-8.0, 4.0), stream.between(3.5, 8.0)
        along = x - center[0]
        across = y - center[1] - stream.between(-6.0, 6.0) - slope * along - bend * along**2
        distance = np.abs(across) / np.sqrt(1 + (slope + 2 * bend * along) ** 2)
        tip = _smooth(0.0, 0.4, along - start) * _smooth(0.0, 2.5, start + length - along)
        cover = np.maximum(cover, (1 - _smooth(0.015, 0.05, distance)) * tip)
    return cover


def _mix(below: Array, color: Array, share: Field) -> Array:
    mixed: Array = below + share[..., None] * (color - below)
    return mixed


def _smooth(low: float, high: float, value: Field) -> Field:
    """0 up to ``low``, 1 from ``high``, a smooth step between (falling if ``low`` > ``high``)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _ellipse(stream: _Stream, u: Field, v: Field, long_mm: float, short_mm: float) -> Field:
    """Distance from the center of an ellipse, randomly turned: 1 on its border."""
    t = stream.between(-0.35, 0.35)  # tangent of half the angle
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    return np.sqrt(((u * cosine + v * sine) / long_mm) ** 2 + ((v * cosine - u * sine) / short_mm) ** 2)


def _fractal(stream: _Stream, x: Field, y: Field, cell_mm: float) -> Field:
    """Cloud noise of mean 0 within (−1, 1): four octaves of interpolated random values, the coarsest ``cell_mm``."""
    total = np.zeros_like(x)
    along, down = x[:1], y[:, :1]  # the grid is regular: one row and one column say it all
    for octave in range(4):
        table = stream.table(_TABLE, _TABLE)
        cell = cell_mm / 2**octave
        column, row = np.floor(along / cell).astype(np.int64), np.floor(down / cell).astype(np.int64)[:, 0]
        weight_x, weight_y = _smooth(0.0, 1.0, along / cell - column), _smooth(0.0, 1.0, down / cell - row[:, None])
        left, right = table[:, column[0] % _TABLE], table[:, (column[0] + 1) % _TABLE]
        lines = left + weight_x * (right - left)  # every row of the table once, not once for each row of the picture
        top, bottom = lines[row % _TABLE], lines[(row + 1) % _TABLE]
        total += (top + weight_y * (bottom - top) - 0.5) * 2.0**-octave
    return total / 0.9375


@dataclass(frozen=True, eq=False)
class _Cells:
    """A field divided among scattered points (Worley, SIGGRAPH 1996); lengths in cell sizes."""

    to_point: Field
    """Distance to the nearest point."""
    wall: Field
    """Distance to the second nearest less that to the nearest: 0 on the wall between two cells."""
    lot: Field
    """A random number in [0, 1) for each cell."""


def _cells(stream: _Stream, x: Field, y: Field, cell_mm: float, wobble: float) -> _Cells:
    """Scatter one point in each square of a grid; ``wobble`` (mm) bends the walls."""
    u = (x + wobble * _fractal(stream, x, y, 3 * cell_mm)) / cell_mm
    v = (y + wobble * _fractal(stream, x, y, 3 * cell_mm)) / cell_mm
    offset_u, offset_v, lots = 0.1 + 0.8 * stream.table(3, _TABLE, _TABLE)
    column, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    nearest = np.full_like(x, np.inf)
    second, cell = nearest, np.zeros_like(row)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            at = (row + i) % _TABLE * _TABLE + (column + j) % _TABLE
            across, down = column + j + offset_u.take(at) - u, row + i + offset_v.take(at) - v
            distance = np.sqrt(across * across + down * down)
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            cell = np.where(closer, at, cell)
            nearest = np.where(closer, distance, nearest)
    return _Cells(nearest, second - nearest, lots.take(cell))
