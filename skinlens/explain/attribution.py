"""Attribution: a method's heat map in the network's square frame, with its details."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image

from skinlens.records import Array, Heatmap


@dataclass(frozen=True, eq=False)
class Attribution:
    """One method's result for one class of one photo, before its provenance is added."""

    heatmap: Heatmap
    """Square, side ``spec.size_px``: 0 none, 1 most. Zero everywhere if the method found no evidence for the class."""
    diagnostics: Mapping[str, float]
    """Always with ``peak``, the unscaled maximum, and ``empty``: 1 if no evidence was found, otherwise 0."""


def enlarge(grid: Float32[Array, "g g"], size_px: int) -> Heatmap:
    """A coarse non-negative map at the size of the network's input, its maximum scaled to 1; zeros stay zero.

    Bilinear with pixel centers at half steps, as OpenCV enlarges the maps of pytorch-grad-cam. The scale is set after
    enlarging, because the peak of a coarse map lies between the fine pixels. Nothing is subtracted: 0 stays "none".
    """
    fine = np.asarray(Image.fromarray(grid).resize((size_px, size_px), Image.Resampling.BILINEAR))
    return scale_to_peak(fine)


def scale_to_peak(heatmap: Heatmap) -> Heatmap:
    """Non-negative values divided by their maximum; a map of zeros is returned as it is."""
    peak = heatmap.max()
    scaled = heatmap / peak if peak > 0 else heatmap
    return np.clip(scaled, 0, 1).astype(np.float32)


def rank_correlation(first: Float[Array, "*s"], second: Float[Array, "*s"]) -> float:
    """Rank correlation of two maps or lists of one shape, -1 to 1; 0 where one is constant. Ties are not averaged."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    first_ranks, second_ranks = (values.ravel().argsort().argsort() for values in (first, second))
    return float(np.corrcoef(first_ranks, second_ranks)[0, 1])
