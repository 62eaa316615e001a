"""Change between two visits: area, diameters, asymmetry and color of a lesion, from its outlines, in one frame.

Lengths are compared in millimeters where both photos have a scale. Otherwise the later photo is brought to the earlier
one's magnification by the registration, which cannot tell a lesion that grew evenly in all its parts from one that was
photographed from nearer; ``words.change_words`` says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from skinlens.case_record import CaseRecord
from skinlens.errors import InvalidEntry
from skinlens.followup.measures import LesionMeasures, measure
from skinlens.followup.registration import Registration, aligned_points, register
from skinlens.records import Outline, Photo
from skinlens.segmentation.contour import catmull_rom, rasterize

Basis = Literal["scale", "registration", "none"]
Quantity = Literal["area", "largest_diameter", "equivalent_diameter", "asymmetry", "color", "lightness", "color_spread"]

MEASUREMENT_ERROR: Mapping[Quantity, float] = {
    "area": 25.0,
    "largest_diameter": 15.0,
    "equivalent_diameter": 14.0,
    "asymmetry": 5.0,
    "color": 9.0,
    "lightness": 7.0,
    "color_spread": 3.0,
}
"""What 9 of 10 pairs of photos of one lesion of HAM10000 stay below, outlined by the model and aligned: percent for
lengths and area, percentage points for asymmetry, ΔE for colors. A difference up to here says nothing."""
ERROR_MEASURED_ON = (
    "two photos of a lesion that has not changed differ by up to this much in 9 of 10 cases, because of camera, light, "
    "angle and outline (143 pairs of photos of the HAM10000 validation set, outlined by the model and aligned)"
)
"""The measurement behind ``MEASUREMENT_ERROR``, by ``benchmarks/followup.py``."""
SCALES_AGREE = 1.15
"""Up to this ratio, the magnification by the two scales and that by the registration are the same."""


@dataclass(frozen=True, eq=False)
class SeenLesion:
    """One visit's photo with the outline that holds for it."""

    photo: Photo
    outline: Outline
    mm_per_px: float | None = None
    """None: not known."""
    taken_on: str = ""
    """ISO date."""

    @classmethod
    def of(cls, record: CaseRecord) -> "SeenLesion":
        """Lesion by the clinician's outline, else the model's; in millimeters where the scale of the photo is known.

        Raises:
            InvalidEntry: the visit has no outline.
        """
        if record.outline is None:
            raise InvalidEntry(
                f"Case {record.visit.id} has no outline of the lesion, so that nothing can be measured on its photo. "
                "Open the case and outline the lesion."
            )
        return cls(record.photo, record.outline, record.mm_per_px, record.visit.taken_on)


@dataclass(frozen=True)
class Difference:
    """One quantity at two visits."""

    quantity: Quantity
    before: float
    after: float
    """Both in ``unit``; without a scale, lengths and area are in pixels of the earlier photo."""
    unit: Literal["mm", "mm²", "px", "px²", "%", "ΔE"]
    change: float
    """Percent of ``before`` for lengths and area, percentage points for asymmetry, ΔE for colors; positive is more."""
    error: float
    """Up to so much, either way, two photos of an unchanged lesion differ in 9 of 10 cases."""

    @property
    def notable(self) -> bool:
        return abs(self.change) > self.error


@dataclass(frozen=True)
class ScaleConflict:
    """Widths of skin that two photos are said to show, in millimeters, and that contradict their alignment."""

    before_mm: float
    after_mm: float
    aligned_mm: float
    """Width that the later photo shows if the width of the earlier photo is right."""


@dataclass(frozen=True)
class Change:
    """Change of a lesion between two visits."""

    registration: Registration
    basis: Basis
    """How lengths were brought to one measure; ``none``: they were not, and there are none in ``differences``."""
    before: LesionMeasures
    after: LesionMeasures
    """Each in its own photo's pixels; the color of both in the light of the earlier photo, where ``color_matched``."""
    differences: tuple[Difference, ...]
    color_matched: bool
    """False: too little skin is seen beside one of the lesions; colors are not compared."""
    outline_overlap: float | None
    """Dice coefficient of the two outlines in one frame, 0 to 1; None where the photos are not aligned."""
    scale_conflict: ScaleConflict | None
    """Magnifications by the two scales and by the registration, where they differ: one of the scales may be wrong."""
    outlined_by_model: bool
    """Whether at least one outline is the model's, not corrected by a clinician."""

    def difference(self, quantity: Quantity) -> Difference | None:
        return next((difference for difference in self.differences if difference.quantity == quantity), None)


def compare(before: SeenLesion, after: SeenLesion, registration: Registration | None = None) -> Change:
    """The change from the earlier to the later visit.

    ``registration`` is ``register(before.photo, after.photo, before.outline, after.outline)``, where it is there
    already.

    Raises:
        InvalidEntry: a scale is not a positive number, a photo is missing, or an outline or the registration is of
            another photo.
    """
    for seen in (before, after):
        _must_be_measurable(seen)
    if registration is None:
        registration = register(before.photo, after.photo, before.outline, after.outline)
    elif (registration.fixed_sha256, registration.moving_sha256) != (before.photo.sha256, after.photo.sha256):
        raise InvalidEntry("The alignment is of other photos than these. Compare the two visits again.")
    first = measure(before.photo, before.outline)
    second = measure(after.photo, after.outline, first.color.skin)
    matched = first.color.skin is not None and second.color.skin is not None
    basis, per_px = _basis(before, after, registration)
    return Change(
        registration=registration,
        basis=basis,
        before=first,
        after=second,
        differences=(
            *_sizes(first, second, per_px, basis),
            _asymmetry(first, second),
            *_colors(first, second, matched),
        ),
        color_matched=matched,
        outline_overlap=_overlap(before, after, registration) if registration.aligned else None,
        scale_conflict=scale_conflict((before.photo, after.photo), (before.mm_per_px, after.mm_per_px), registration),
        outlined_by_model="model" in {before.outline.made_by, after.outline.made_by},
    )


def _must_be_measurable(seen: SeenLesion) -> None:
    if seen.photo.placeholder:
        raise InvalidEntry("The photo of one of the visits is missing, so that nothing can be measured on it.")
    if seen.outline.photo_sha256 != seen.photo.sha256:
        raise InvalidEntry("The outline is of another photo than that of its visit. Outline the lesion again.")
    if seen.mm_per_px is not None and not (np.isfinite(seen.mm_per_px) and seen.mm_per_px > 0):
        raise InvalidEntry(
            f"The scale of a photo is a positive number of millimeters per pixel, found {seen.mm_per_px}. Correct it, "
            "or leave it out."
        )


def _basis(before: SeenLesion, after: SeenLesion, registration: Registration) -> tuple[Basis, tuple[float, float]]:
    """And the length of a pixel of each photo, in millimeters or in pixels of the earlier one.

    One scale and the registration give the other scale.
    """
    first, second = before.mm_per_px, after.mm_per_px
    if first and second:
        return "scale", (first, second)
    if not registration.aligned:
        return "none", (1.0, 1.0)
    unit = first or (second / registration.scale if second else 1.0)
    return "registration", (unit, unit * registration.scale)


def scale_conflict(
    photos: tuple[Photo, Photo], mm_per_px: tuple[float | None, float | None], registration: Registration
) -> ScaleConflict | None:
    """Whether the scales of the earlier and the later photo contradict their alignment; it needs no outline.

    None where they fit, and where one of the scales, or the alignment, is not known.
    """
    before, after = mm_per_px
    if not (before and after and registration.aligned):
        return None
    aligned = before * registration.scale
    if max(after / aligned, aligned / after) <= SCALES_AGREE:
        return None
    first, second = (photo.width_px for photo in photos)
    return ScaleConflict(before * first, after * second, aligned * second)


def _sizes(
    first: LesionMeasures, second: LesionMeasures, per_px: tuple[float, float], basis: Basis
) -> tuple[Difference, ...]:
    if basis == "none":
        return ()
    known = per_px[0] != 1.0 or basis == "scale"
    area = _relative("area", first.area_px * per_px[0] ** 2, second.area_px * per_px[1] ** 2, "mm²" if known else "px²")
    lengths: tuple[tuple[Quantity, float, float], ...] = (
        ("largest_diameter", first.largest_diameter_px, second.largest_diameter_px),
        ("equivalent_diameter", first.equivalent_diameter_px, second.equivalent_diameter_px),
    )
    return area, *(
        _relative(name, was * per_px[0], now * per_px[1], "mm" if known else "px") for name, was, now in lengths
    )


def _relative(quantity: Quantity, was: float, now: float, unit: Literal["mm", "mm²", "px", "px²"]) -> Difference:
    return Difference(quantity, was, now, unit, 100 * (now / was - 1), MEASUREMENT_ERROR[quantity])


def _asymmetry(first: LesionMeasures, second: LesionMeasures) -> Difference:
    was, now = 100 * first.asymmetry, 100 * second.asymmetry
    return Difference("asymmetry", was, now, "%", now - was, MEASUREMENT_ERROR["asymmetry"])


def _colors(first: LesionMeasures, second: LesionMeasures, matched: bool) -> tuple[Difference, ...]:
    """The mean's ΔE (its length, so never negative), its lightness, and how many colors there are."""
    if not matched:
        return ()
    (first_lab, second_lab) = (np.array(measures.color.lab) for measures in (first, second))
    distance = float(np.sqrt(((second_lab - first_lab) ** 2).sum()))
    spread = first.color.spread, second.color.spread
    return (
        Difference("color", 0.0, distance, "ΔE", distance, MEASUREMENT_ERROR["color"]),
        Difference(
            "lightness",
            float(first_lab[0]),
            float(second_lab[0]),
            "ΔE",
            float(second_lab[0] - first_lab[0]),
            MEASUREMENT_ERROR["lightness"],
        ),
        Difference("color_spread", *spread, "ΔE", spread[1] - spread[0], MEASUREMENT_ERROR["color_spread"]),
    )


def _overlap(before: SeenLesion, after: SeenLesion, registration: Registration) -> float:
    """Dice coefficient of the outlines, over a canvas that holds both."""
    first = catmull_rom(np.asarray(before.outline.points, dtype=np.float64))
    moved = aligned_points(
        registration, [(x, y) for x, y in catmull_rom(np.asarray(after.outline.points, dtype=np.float64)).tolist()],
        before.photo, after.photo,
    )  # fmt: skip
    size = np.array([before.photo.width_px, before.photo.height_px])
    edges = first * size, np.asarray(moved) * size
    low = np.minimum(*(edge.min(axis=0) for edge in edges))
    scale = 200 / float((np.maximum(*(edge.max(axis=0) for edge in edges)) - low).max())
    mask_before, mask_after = (rasterize((edge - low) * scale, 200, 200) for edge in edges)
    return float(2 * (mask_before & mask_after).sum() / max(1, mask_before.sum() + mask_after.sum()))
