"""Change since the last visit, as the report words it on its first page."""

from dataclasses import dataclass

from skinlens.case_record import CaseRecord
from skinlens.errors import InvalidEntry
from skinlens.followup.change import Quantity, SeenLesion, compare
from skinlens.followup.trend import melanoma_trend
from skinlens.followup.wording import caution_words, differences_words, trend_words
from skinlens.formatting import Unit

SHOWN: tuple[Quantity, ...] = ("area", "largest_diameter", "asymmetry", "color")
"""Of what is measured, in the order of the report; the rest is on the screen."""


@dataclass(frozen=True)
class SinceLastVisit:
    """The comparison with the visit before."""

    heading: str
    lines: tuple[str, ...]
    cautions: str
    """How far the figures can be trusted; empty where there are none."""


def since_last_visit(record: CaseRecord, unit: Unit = "mm") -> SinceLastVisit | None:
    """The comparison with ``record.previous``, lengths in ``unit``; None without one."""
    before = record.previous
    if before is None:
        return None
    probability = trend_words(melanoma_trend((before.visit, record.visit)))
    heading = f"Change since {before.visit.taken_on} (case {before.visit.id})"
    try:
        change = compare(SeenLesion.of(before), SeenLesion.of(record))
    except InvalidEntry as error:
        return SinceLastVisit(heading, (probability, f"Size and color: not compared. {error}"), "")
    shown = filter(None, map(change.difference, SHOWN))
    return SinceLastVisit(
        heading, (probability, *differences_words(change, shown, unit)), " ".join(caution_words(change, unit))
    )
