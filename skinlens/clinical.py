"""Clinical record of a visit: criteria, symptoms and evolution, plan, recall, and the histology that comes later."""

import calendar
from dataclasses import dataclass
from datetime import date
from typing import Literal

from skinlens.criteria import NO_CRITERIA, Criteria

PlanAction = Literal["excise", "recheck", "discharge", "other"]

PLANS: dict[PlanAction, str] = {
    "excise": "excise",
    "recheck": "follow-up",
    "discharge": "discharge",
    "other": "other",
}
PHOTOTYPES: dict[int, str] = {1: "I", 2: "II", 3: "III", 4: "IV", 5: "V", 6: "VI"}
"""Fitzpatrick skin phototypes. Fitzpatrick, "The validity and practicality of sun-reactive skin types I through VI",
Arch Dermatol 124, 1988."""
MOST_MONTHS = 60
"""Until a follow-up."""
FIELD_WIDTH_MM = (2.0, 200.0)
"""Least and most that a photo of a lesion shows from its left to its right edge: from a video dermatoscope at its
highest magnification to a photo of the region."""


@dataclass(frozen=True)
class Plan:
    """Management plan of the lesion."""

    action: PlanAction
    months: int | None = None
    """Until the follow-up; of a follow-up alone."""
    text: str = ""


@dataclass(frozen=True)
class Recall:
    """Recall for the lesion: the day on which the patient is to come again."""

    due_on: str
    """ISO date."""
    done_on: str | None = None
    """ISO date on which it was dealt with; None while it is open."""

    def is_due(self, day: str) -> bool:
        """Whether it is open on an ISO date and its own date has come."""
        return self.done_on is None and self.due_on <= day


@dataclass(frozen=True)
class Histology:
    """Histology of the lesion that was excised after this visit."""

    label: str | None
    """One of ``labels.DIAGNOSES``; None where it is given in words alone."""
    text: str = ""
    reported_on: str | None = None
    """ISO date."""
    report_number: str = ""
    """Number of the pathologist's report, as typed."""


@dataclass(frozen=True)
class ClinicalRecord:
    """All of it; what was not given is empty."""

    criteria: Criteria = NO_CRITERIA
    symptoms: str = ""
    """Itching, bleeding, pain, …, in the clinician's words."""
    evolution: str = ""
    """How the lesion has changed, as the patient or the clinician tells it."""
    plan: Plan | None = None
    recall: Recall | None = None
    histology: Histology | None = None
    field_width_mm: float | None = None
    """Field of view: how wide the skin is that the photo shows from its left to its right edge; None: not known."""

    def mm_per_px(self, width_px: int) -> float | None:
        """Scale of the visit's photo, which is ``width_px`` pixels wide; None: not known."""
        return None if self.field_width_mm is None else self.field_width_mm / width_px


NOT_RECORDED = ClinicalRecord()


def months_after(day: str, months: int) -> str:
    """The ISO date so many months after one, the last of its month where the month is shorter: 31 August + 6 months is
    the last of February.
    """
    start = date.fromisoformat(day)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(start.day, last)).isoformat()
