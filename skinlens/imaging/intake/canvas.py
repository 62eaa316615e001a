"""Pixel canvas of a photo: filled row by row, and upright when complete."""

import numpy as np
from jaxtyping import UInt8

from skinlens.records import Array, Pixels


class Canvas:
    """Undoes an EXIF orientation (1–8, CIPA DC-008 table 4.6.4 A) while the stored rows come in from the top."""

    def __init__(self, width_px: int, height_px: int, orientation: int) -> None:
        """``width_px`` and ``height_px`` as stored."""
        turned = orientation in (5, 6, 7, 8)
        self.pixels: Pixels = np.empty((width_px, height_px, 3) if turned else (height_px, width_px, 3), np.uint8)
        """Upright. All of it is written once ``full``."""
        rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
        columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
        flipped = self.pixels[rows, columns]
        self._stored = flipped.swapaxes(0, 1) if turned else flipped
        self._row = 0
        self._turned = orientation in range(2, 9)

    def room(self, size_bytes: int) -> memoryview | None:
        """Memory of the next bytes, to be written in place of ``add``; None where the rows are turned."""
        if self._turned:
            return None
        start = self._row * self.stored_width * 3
        self._row += size_bytes // (self.stored_width * 3)
        return self.pixels.reshape(-1).data[start : start + size_bytes]

    def add(self, rows: UInt8[Array, "rows width 3"]) -> None:
        """The next rows below those that were added."""
        self._stored[self._row : self._row + len(rows)] = rows
        self._row += len(rows)

    @property
    def stored_width(self) -> int:
        return int(self._stored.shape[1])

    @property
    def full(self) -> bool:
        return self._row == len(self._stored)
