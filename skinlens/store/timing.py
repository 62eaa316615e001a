"""Handling time of cases, from upload to signature: measured, for the impact calculator.

When a photo was read is not kept. The earliest of its outline, maps, checks and the saving itself stands for it, which
is seconds later. A case that was left and signed later says nothing of the work on it, and is left out.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from skinlens.store.connection import StoreHome

LONGEST_MINUTES = 60.0
_SQL = """
    SELECT visit.created_at AS saved,
        (SELECT min(at) FROM revision WHERE visit_id = visit.id AND action = 'signed') AS signed,
        (SELECT min(created_at) FROM outline one WHERE visit_id = visit.id AND one.created_at <= visit.created_at)
            AS outlined,
        (SELECT min(created_at) FROM explanation one WHERE visit_id = visit.id AND one.created_at <= visit.created_at)
            AS mapped,
        (SELECT min(created_at) FROM check_result one WHERE visit_id = visit.id AND one.created_at <= visit.created_at)
            AS checked
    FROM visit WHERE status != 'draft' ORDER BY visit.id"""


@dataclass(frozen=True)
class WorkTimes:
    """Minutes a case, of those that were signed within ``LONGEST_MINUTES``."""

    cases: int
    left_out: int
    """Signed cases that took longer, or whose times do not fit together."""
    median: float | None
    """None without a case."""
    quartiles: tuple[float, float] | None
    """None below four cases."""


class StoredTiming(StoreHome):
    """The part of ``CaseStore`` that says how long cases took."""

    def work_times(self) -> WorkTimes:
        """Work times of all signed cases."""
        minutes, left_out = [], 0
        with self._reading() as db:
            for row in db.query(_SQL):
                first = min(filter(None, (row["saved"], row["outlined"], row["mapped"], row["checked"])))
                taken = _minutes(first, row["signed"] or row["saved"])
                if taken is None or not 0 <= taken <= LONGEST_MINUTES:
                    left_out += 1
                else:
                    minutes.append(taken)
        return WorkTimes(
            cases=len(minutes),
            left_out=left_out,
            median=statistics.median(minutes) if minutes else None,
            quartiles=_quartiles(minutes),
        )


def _minutes(first: str, last: str) -> float | None:
    """None for what is no time."""
    try:
        return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds() / 60
    except (ValueError, TypeError):  # damaged text, or one time with a zone and one without
        return None


def _quartiles(minutes: Sequence[float]) -> tuple[float, float] | None:
    if len(minutes) < 4:
        return None
    lower, _, upper = statistics.quantiles(minutes, n=4, method="inclusive")
    return lower, upper
