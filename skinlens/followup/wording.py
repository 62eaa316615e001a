"""Sentences on the comparison of two visits and on the course of a lesion: the screen and the report share them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from skinlens.followup.change import ERROR_MEASURED_ON, Change, Difference, Quantity, ScaleConflict
from skinlens.followup.registration import Registration
from skinlens.followup.trend import MelanomaTrend, TrendPoint
from skinlens.formatting import Unit, area, length, number, percent, rounded_percent, signed

NAMES: Mapping[Quantity, str] = {
    "area": "Area",
    "largest_diameter": "Largest diameter",
    "equivalent_diameter": "Diameter of a circle of the same area",
    "asymmetry": "Asymmetry of the outline",
    "color": "Mean color",
    "lightness": "Lightness",
    "color_spread": "Spread of colors",
}
NO_SIZES = (
    "Size: not compared, as the photos could not be aligned and no scale is known for both. Enter the field of view "
    "of both photos (Result, Size), or measure on the patient."
)
NO_COLORS = "Color: not compared, because too little skin around the lesion is visible to correct for the lighting."
MAGNIFICATION = (
    "Without a scale, size is relative: even growth cannot be distinguished from a photo taken at closer range."
)
ONE_DAY = "Photos of the same day cannot show a change over time."
BY_MODEL = "At least one outline is the model's: check it before you rely on the size."


def alignment_words(registration: Registration) -> str:
    """Whether the photos lie in one frame, and how well."""
    if not registration.aligned:
        return registration.problem
    if registration.fixed_sha256 == registration.moving_sha256:
        return "Both visits hold the same photo."
    return (
        f"Aligned: {registration.matches} matching points, to within {number(registration.residual_px)} px; turned by "
        f"{abs(registration.rotation_degrees):.0f}°, magnification {registration.scale:.2f} times."
    )


def change_words(change: Change, unit: Unit = "mm") -> tuple[str, ...]:
    """Sentences on the change, each quantity with its measurement error; then what the figures rest on."""
    shown = (difference for difference in change.differences if difference.quantity != "lightness")
    return (*differences_words(change, shown, unit), *caution_words(change, unit))


def differences_words(change: Change, shown: Iterable[Difference], unit: Unit = "mm") -> tuple[str, ...]:
    """Sentences on some of its differences, and on what could not be compared."""
    said = [difference_words(difference, unit) for difference in shown]
    if change.basis == "none":
        said.insert(0, NO_SIZES)
    if not change.color_matched:
        said.append(NO_COLORS)
    return tuple(said)


def caution_words(change: Change, unit: Unit = "mm") -> tuple[str, ...]:
    """Cautions on the figures."""
    cautions = []
    if change.basis == "registration":
        cautions.append(MAGNIFICATION)
    if change.scale_conflict:
        cautions.append(conflict_words(change.scale_conflict, unit))
    if change.outlined_by_model:
        cautions.append(BY_MODEL)
    return (*cautions, f"Measurement error: {ERROR_MEASURED_ON}.")


def conflict_words(conflict: ScaleConflict, unit: Unit = "mm") -> str:
    """Words on the two widths that contradict the alignment, and on what to do."""
    return (
        f"The fields of view entered for the two photos do not agree: {length(conflict.before_mm, unit)} and "
        f"{length(conflict.after_mm, unit)} of skin. Laid over the earlier photo, the later one shows "
        f"{length(conflict.aligned_mm, unit)}. One of them is wrong, or the lesion grew evenly: check both (Result, "
        "Size) before you rely on the sizes."
    )


def difference_words(difference: Difference, unit: Unit = "mm") -> str:
    """Words on one quantity: what it was and is, by how much that differs, and whether that says anything."""
    name, limit = NAMES[difference.quantity], _against_error(difference)
    if difference.quantity == "color":
        return f"{name}: differs by ΔE {difference.change:.1f}, {limit}."
    if difference.quantity == "asymmetry":
        was, now = (rounded_percent(value / 100, 1) for value in (difference.before, difference.after))
        return f"{name}: {was} before, {now} now ({signed(difference.change, 1)} percentage points), {limit}."
    if difference.quantity in {"color_spread", "lightness"}:
        shift = f"ΔE {signed(difference.change, 1)}"
        return f"{name}: {difference.before:.1f} before, {difference.after:.1f} now ({shift}), {limit}."
    amount = f"{signed(difference.change)}\u00a0%"
    if difference.unit in {"mm", "mm²"}:
        size = length if difference.unit == "mm" else area
        return (
            f"{name}: {size(difference.before, unit)} before, {size(difference.after, unit)} now ({amount}), {limit}."
        )
    return f"{name}: {amount}, {limit}."


def _against_error(difference: Difference) -> str:
    unit = {"color": "ΔE ", "color_spread": "ΔE ", "lightness": "ΔE "}.get(difference.quantity, "")
    after = "" if unit else (" points" if difference.quantity == "asymmetry" else "\u00a0%")
    side = "beyond" if difference.notable else "within"
    return f"{side} measurement error (up to {unit}{difference.error:.0f}{after})"


def trend_words(trend: MelanomaTrend) -> str:
    """The course of the melanoma probability, and which visits are not part of it."""
    line = trend.line
    if not line:
        return "Melanoma probability: no visit with a reliable photo."
    first, last = line[0], line[-1]
    if len(line) == 1:
        days = _named(trend.points)
        said = (
            f"Melanoma probability: {percent(last.prob)} on {days[last.visit_id]}; no other visit to compare it with."
        )
    elif first.taken_on == last.taken_on:
        probabilities = ", ".join(f"{percent(point.prob)} (case {point.visit_id})" for point in line)
        said = f"Melanoma probability on {last.taken_on}: {probabilities}. {ONE_DAY}"
    else:
        verb = "unchanged" if percent(first.prob) == percent(last.prob) else "now"
        said = (
            f"Melanoma probability: {percent(first.prob)} on {first.taken_on}, {verb} {percent(last.prob)} on "
            f"{last.taken_on} ({len(line)} visits read by the same model)."
        )
    others = [point for point in trend.points if point.reliable and not point.comparable]
    strange = [point for point in trend.points if not point.reliable]
    if others:
        said += f" Not comparable (read by another model): {_days(others, trend)}."
    if strange:
        said += f" Unfamiliar image, result unreliable: {_days(strange, trend)}."
    return said


def visit_days(visits: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Number and ISO day of each visit → what it is called: its day, with its number where another has that day."""
    given = list(visits)
    count = Counter(day for _, day in given)
    return {number: f"{day} (case {number})" if count[day] > 1 else day for number, day in given}


def _named(points: Sequence[TrendPoint]) -> dict[int, str]:
    return visit_days((point.visit_id, point.taken_on) for point in points)


def _days(points: Sequence[TrendPoint], trend: MelanomaTrend) -> str:
    names = _named(trend.points)
    return ", ".join(names[point.visit_id] for point in points)
