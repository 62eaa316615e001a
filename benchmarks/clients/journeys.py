"""Journey of a photo as a client makes it: what is measured of it, and what must be seen on the way."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from skinlens.case_record import Analysis

TITLES = ("Grad-CAM", "Score-CAM", "LIME")
VERDICT = "cut-off"
"""Word of the line that begins each result."""
SITE = "forearm, left"
LIMIT_S = 300.0
"""Longest wait of a client for something; beyond it is an error."""
NEAR = 0.0011
"""Difference of two shares that counts as equal: one was printed with one digit after the point of its percentage."""


class Mixed(Exception):
    """A page showed something of another photo than its own."""


class Expected(NamedTuple):
    """A photo, read alone, and what the model says of it alone."""

    number: int
    path: Path
    sha256: str
    probs: tuple[float, ...]
    """Of the seven classes, by falling probability."""

    @property
    def patient(self) -> str:
        """Pseudonym of the patient; no other photo has it."""
        return f"L-{self.number:05d}"


class Journey(NamedTuple):
    """One way from the upload to the saved case; all times in seconds."""

    photo: int
    case: int
    read_s: float
    """From the choice of the file to the photo with the question for an impression: the prediction is made then."""
    result_s: float
    """From the press of “Show result” to the result."""
    maps_s: float
    """From the choice of the file to all maps."""
    whole_s: float
    """From the choice of the file to the saved case."""

    @property
    def answer_s(self) -> float:
        """Seconds from the choice of the file to the result, where nobody stops to think."""
        return self.read_s + self.result_s


def expected(number: int, path: Path, alone: Analysis) -> Expected:
    """Content that a page must show of this file."""
    return Expected(number, path, alone.photo.sha256, tuple(sorted(alone.prediction.probs, reverse=True)))


def check_photos(shown: set[str], own: Expected) -> None:
    """Raises Mixed: a page shows another photo than its own, by the hashes of the photos on it."""
    if shown != {own.sha256}:
        raise Mixed(f"photo {own.number}: expected {own.sha256[:12]}, found {sorted(one[:12] for one in shown)}")


def check_shares(shown: list[float], own: Expected) -> None:
    """Raises Mixed: the most probable classes have other shares than alone."""
    wanted = own.probs[: len(shown)]
    if not shown or not np.allclose(shown, wanted, rtol=0, atol=NEAR):
        raise Mixed(f"photo {own.number}: expected {wanted}, found {shown}")
