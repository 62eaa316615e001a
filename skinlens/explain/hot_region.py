"""Peak region: the box around a map's hottest area, in the photo's own pixels."""

from dataclasses import dataclass

import numpy as np

from skinlens.imaging.preprocess import InputSpec, crop_box
from skinlens.records import Heatmap, Photo, Pixels

HOTTEST = 0.75
"""Share of the map's peak from which a place belongs to its hottest region: the innermost contour line on the page."""
LEAST = 1 / 6
"""Of the photo's shorter side: a smaller region is widened, for a single spot shows no structure."""
MARGIN = 0.1
"""Of the region's longer side, added all round: structures are read by what surrounds them."""


@dataclass(frozen=True)
class Region:
    """A rectangle of a photo, in its pixels from the upper left corner."""

    left_px: int
    top_px: int
    width_px: int
    height_px: int

    def of(self, photo: Photo) -> Pixels:
        """Pixels of the region as they are in the photo, neither reduced nor enlarged."""
        rows = slice(self.top_px, self.top_px + self.height_px)
        return photo.pixels[rows, self.left_px : self.left_px + self.width_px]


def peak_region(heatmap: Heatmap, height_px: int, width_px: int, spec: InputSpec) -> Region | None:
    """The rectangle round the connected places near the map's peak; None for an empty map.

    Of several such groups it is the one that holds most heat; places that touch at a corner are connected. ``heatmap``
    is in the square frame of the network's input, ``height_px`` and ``width_px`` are the photo's. The rectangle has a
    margin and ends where the photo does.
    """
    if not heatmap.any():
        return None
    from skimage.measure import label

    parts = np.asarray(label(heatmap >= HOTTEST * heatmap.max(), connectivity=2))  # type: ignore[no-untyped-call]
    most = 1 + int(np.argmax(np.bincount(parts.ravel(), weights=heatmap.ravel())[1:]))
    down, right = np.nonzero(parts == most)
    top, left, height, width = crop_box(height_px, width_px, spec)
    tall, wide = height / heatmap.shape[0], width / heatmap.shape[1]
    first, last = top + down.min() * tall, top + (down.max() + 1) * tall
    begin, end = left + right.min() * wide, left + (right.max() + 1) * wide
    margin, least = MARGIN * max(last - first, end - begin), LEAST * min(height_px, width_px)
    upper, lower = _widened(first, last, margin, least, height_px)
    near, far = _widened(begin, end, margin, least, width_px)
    return Region(near, upper, far - near, lower - upper)


def _widened(begin: float, end: float, margin: float, least: float, full_px: int) -> tuple[int, int]:
    """Both ends moved outwards: by the margin, and alike until they are ``least`` apart; never beyond the photo."""
    more = max(margin, (least - (end - begin)) / 2)
    return max(0, int(begin - more)), min(full_px, int(np.ceil(end + more)))
