"""The outline of the lesion: a small head beside the classifying one, on the same fused map, and the curve it gives.

The network finds the lesion, the clinician has the last word: so what is shown and kept is no mask but a smooth closed
curve through a few points that can be moved. The head is made for one engine file; with another it is refused.

The head itself is defined and trained in ``skinlens.distill.outline``. Serving it needs ONNX Runtime and numpy;
scikit-image is imported when the first outline is traced.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime as ort
from jaxtyping import Float32, Float64

from skinlens.errors import InvalidEntry, WeightsError
from skinlens.models.engine import BATCH, Engine
from skinlens.preprocess import InputSpec, crop_box, to_batch
from skinlens.records import Array, Batch, FeatureMaps, Heat, Mask, ModelStamp, Outline, Photo

POINTS = 16
"""Of a proposed outline: few enough to be moved one by one."""
PIECES = 8
"""Straight pieces between two points when the curve is filled or drawn."""
LEAST_AREA = 0.002
"""Share of the seen picture below which a found area is no lesion. The smallest of the 10,015 masks has .006."""
FEWEST, MOST = 3, 64
Points = Float64[Array, "n 2"]


class OutlineHead:
    """Network input and fused map → how probable it is that each place belongs to the lesion. Thread-safe."""

    def __init__(self, file: Path | bytes, spec: InputSpec, stamp: ModelStamp, threads: int = 2) -> None:
        """``file``: or what was read of it. ``spec``: of the engine that the head was made for. ``stamp``: of the head.

        Raises:
            WeightsError: the file is no network, or not one with this project's inputs and output.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        name = file.name if isinstance(file, Path) else "The outline head of the release"
        try:
            content = file if isinstance(file, bytes) else file.read_bytes()
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as problem:  # ONNX Runtime raises a family of its own, rooted in Exception
            raise WeightsError(
                f"{name} is not a network that can be loaded ({type(problem).__name__}). Restore the weights "
                "folder from the release."
            ) from problem
        names = [one.name for one in (*self._session.get_inputs(), *self._session.get_outputs())]
        if names != ["batch", "fused", "lesion"]:
            raise WeightsError(f"{name}: expected the tensors batch, fused and lesion, found {', '.join(names)}.")
        self.spec, self.stamp = spec, stamp

    def probs(self, batch: Batch, fused: FeatureMaps) -> Float32[Array, "n s s"]:
        """Of belonging to the lesion, 0 to 1, for each place of the network's square input."""
        parts = [
            self._session.run(None, {"batch": batch[start : start + BATCH], "fused": fused[start : start + BATCH]})[0]
            for start in range(0, len(batch), BATCH)
        ]
        return np.asarray(np.concatenate(parts)[:, 0], dtype=np.float32)


@dataclass(frozen=True)
class Proposal:
    """What the head found on one photo."""

    outline: Outline | None
    """None where it found no lesion."""
    duration_ms: float


def propose(engine: Engine, head: OutlineHead, photo: Photo) -> Proposal:
    """The lesion's outline as the model sees it."""
    started = time.perf_counter()
    batch = to_batch([photo], engine.spec)
    found = trace(head.probs(batch, engine.features(batch))[0])
    outline = None
    if found is not None:
        points = view_to_photo(found, photo, engine.spec)
        outline = Outline(as_points(points), "model", photo.sha256, head.stamp, _now())
    return Proposal(outline, (time.perf_counter() - started) * 1000)


def drawn_by_clinician(points: Sequence[Sequence[float]], photo: Photo, model: ModelStamp) -> Outline:
    """The outline as a clinician has set it; ``model`` is the one whose proposal was on the screen, if there was one.

    Raises:
        InvalidEntry: it has too few or too many points, one lies outside of the photo, or it encloses nothing.
    """
    placed = np.asarray(points, dtype=np.float64) if len({len(point) for point in points}) == 1 else np.empty((0, 2))
    if placed.ndim != 2 or placed.shape[1] != 2 or not FEWEST <= len(placed) <= MOST:
        raise InvalidEntry(f"An outline has {FEWEST} to {MOST} points of two numbers each, found {len(points)} points.")
    if not np.isfinite(placed).all() or placed.min() < 0 or placed.max() > 1:
        raise InvalidEntry("A point of the outline lies outside of the photo. Move it back, or reset the outline.")
    if abs(enclosed(curve(placed))) < LEAST_AREA:
        raise InvalidEntry("The outline encloses next to nothing. Move its points apart, or reset the outline.")
    return Outline(as_points(placed), "clinician", photo.sha256, model, _now())


# ----------------------------------------------------------------------------------------------------------- curves


def trace(probs: Heat) -> Points | None:
    """The edge of the largest area above one half, as ``POINTS`` points at equal distances along it.

    In shares of the view's width and height, (across, down). None if nothing of at least ``LEAST_AREA`` is there.
    """
    from skimage.measure import find_contours

    side = len(probs)
    closed = np.pad(probs, 1)  # the edge of an area that leaves the picture runs along the picture's border
    found = find_contours(closed, 0.5)  # type: ignore[no-untyped-call]  # scikit-image is typed in part
    loops = [(loop[:-1, ::-1] - 0.5) / side for loop in found]
    if not loops:
        return None
    largest = max(loops, key=lambda loop: abs(enclosed(loop)))
    if abs(enclosed(largest)) < LEAST_AREA:
        return None
    return np.clip(at_equal_distances(largest, POINTS), 0, 1)


def at_equal_distances(loop: Points, count: int) -> Float64[Array, "m 2"]:
    """So many points along a closed line, the first of it among them."""
    ends = np.vstack([loop, loop[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ends, axis=0).T))])
    wanted = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(wanted, along, ends[:, axis]) for axis in (0, 1)], axis=1)


def curve(points: Points) -> Float64[Array, "m 2"]:
    """The smooth closed curve through the points, ``PIECES`` straight pieces from one to the next.

    Catmull and Rom, "A Class of Local Interpolating Splines", 1974: at each point it runs along the line between the
    two neighbours. As Bézier pieces, with which a browser draws it, the inner control points of the piece from P₁ to P₂
    are P₁ + (P₂ - P₀) / 6 and P₂ - (P₃ - P₁) / 6.
    """
    before, after, second = (np.roll(points, step, axis=0) for step in (1, -1, -2))
    way = (np.arange(PIECES) / PIECES)[np.newaxis, :, np.newaxis]
    start, slope, bend, twist = (
        part[:, np.newaxis]
        for part in (
            points,
            (after - before) / 2,
            before - 2.5 * points + 2 * after - second / 2,
            (3 * (points - after) + second - before) / 2,
        )
    )
    return np.asarray((start + way * (slope + way * (bend + way * twist))).reshape(-1, 2))


def enclosed(loop: Points) -> float:
    """Signed area of a closed line without crossings; negative where it runs anticlockwise on the screen."""
    following = np.roll(loop, -1, axis=0)
    return float((loop[:, 0] * following[:, 1] - following[:, 0] * loop[:, 1]).sum() / 2)


def fill(loop: Points, height_px: int, width_px: int) -> Mask:
    """The pixels whose centers lie inside a closed line given in pixels; where it crosses itself, by even and odd."""
    across, down = np.arange(width_px) + 0.5, np.arange(height_px)[:, np.newaxis] + 0.5
    (x, y), (x_next, y_next) = loop.T, np.roll(loop, -1, axis=0).T
    straddles = (y <= down) != (y_next <= down)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.where(straddles, x + (down - y) * (x_next - x) / (y_next - y), np.inf)
    # How many crossings lie to the left of each pixel: an odd number means inside.
    left = np.stack([np.searchsorted(np.sort(row), across, side="right") for row in crossing])
    return np.asarray(left % 2 == 1)


# ----------------------------------------------------------------------------------------------------------- frames


def mask_in_view(outline: Outline, photo: Photo, spec: InputSpec) -> Mask:
    """What lies inside the outline, in the square frame of the network's input."""
    top, left, height, width = crop_box(photo.height_px, photo.width_px, spec)
    whole = curve(np.asarray(outline.points)) * (photo.width_px, photo.height_px)
    return fill((whole - (left, top)) / (width, height) * spec.size_px, spec.size_px, spec.size_px)


def view_to_photo(points: Points, photo: Photo, spec: InputSpec) -> Points:
    """From shares of the view's width and height to shares of the photo's."""
    top, left, height, width = crop_box(photo.height_px, photo.width_px, spec)
    return (points * (width, height) + (left, top)) / (photo.width_px, photo.height_px)


def as_points(points: Points) -> tuple[tuple[float, float], ...]:
    """Rounded to a ten-thousandth of the side, which is finer than a pixel of most photos."""
    return tuple((round(float(across), 4), round(float(down), 4)) for across, down in points)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
