"""Change since the last visit, as the report words it on its first page."""

from dataclasses import dataclass

from skinlens.followup.change import Change, Quantity
from skinlens.followup.trend import melanoma_trend
from skinlens.followup.words import NO_COLORS, NO_SIZES, caution_words, difference_words, trend_words
from skinlens.formatting import Unit
from skinlens.records import Visit

SHOWN: tuple[Quantity, ...] = ("area", "largest_diameter", "asymmetry", "color")
"""Of what is measured, in the order of the report; the rest is on the screen."""


@dataclass(frozen=True)
class SinceLastVisit:
    """The comparison with the visit before."""

    heading: str
    lines: tuple[str, ...]
    cautions: str
    """How far the figures can be trusted; empty where there are none."""


def since_last_visit(before: Visit, after: Visit, found: Change | str, unit: Unit = "mm") -> SinceLastVisit:
    """``found``: what was measured on both photos, or a sentence on why nothing could be; lengths are in ``unit``."""
    probability = trend_words(melanoma_trend((before, after)))
    heading = f"Change since {before.taken_on} (case {before.id})"
    if isinstance(found, str):
        return SinceLastVisit(heading, (probability, f"Size and color: not compared. {found}"), "")
    said = [difference_words(one, unit) for one in map(found.difference, SHOWN) if one is not None]
    if found.basis == "none":
        said.insert(0, NO_SIZES)
    if not found.color_matched:
        said.append(NO_COLORS)
    return SinceLastVisit(heading, (probability, *said), " ".join(caution_words(found, unit)))
