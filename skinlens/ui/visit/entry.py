"""Entry of a clinician on the page of a visit, as one value: read, compared with another window's, written."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from skinlens.clinical import ClinicalRecord, Histology, Plan, Recall
from skinlens.criteria import Abcd, Criteria, PartialAbcd, SevenPoint, rule_words
from skinlens.formatting import entered_length
from skinlens.labels import DIAGNOSES
from skinlens.records import Visit
from skinlens.store import ClinicianReading
from skinlens.ui.forms import conflicts
from skinlens.ui.forms.conflicts import Difference, Value
from skinlens.ui.state import cache
from skinlens.wording.records import plan_words

TITLES: Mapping[str, str] = {
    "abcd": "ABCD rule",
    "seven_point": "7-point checklist",
    "pattern": "Pattern and other findings",
    "symptoms": "Symptoms",
    "evolution": "Change over time",
    "field_width_mm": "Field of view",
    "planned": "Plan and recall",
    "histology": "Histology",
}
"""What each field is called where two windows differ; the others are in ``conflicts.TITLES``."""


class Planned(NamedTuple):
    """A plan, and the ISO date of the recall that belongs to it."""

    plan: Plan
    recall_on: str | None


@dataclass(frozen=True)
class Entry:
    """Diagnosis, notes and clinical record of one visit; of a recall the date alone, whether it is done is no entry."""

    clinician_label: str | None
    clinician_diagnosis: str
    notes: str
    abcd: Abcd | PartialAbcd | None
    seven_point: SevenPoint | None
    pattern: str
    symptoms: str
    evolution: str
    field_width_mm: float | None
    planned: Planned | None
    histology: Histology | None

    @property
    def reading(self) -> ClinicianReading:
        """The diagnosis and the notes, as the store takes them."""
        return ClinicianReading(self.clinician_label, self.clinician_diagnosis, self.notes)

    @property
    def clinical(self) -> ClinicalRecord:
        """The rest, as the store takes it."""
        plan, recall_on = self.planned or (None, None)
        return ClinicalRecord(
            Criteria(self.abcd, self.seven_point, self.pattern),
            self.symptoms,
            self.evolution,
            plan,
            Recall(recall_on) if recall_on else None,
            self.histology,
            self.field_width_mm,
        )


def of(visit: Visit) -> Entry:
    """Entry as it is stored."""
    record = visit.clinical
    recall = record.recall.due_on if record.recall and record.plan and record.plan.action == "recheck" else None
    return Entry(
        visit.clinician_label,
        visit.clinician_diagnosis,
        visit.notes,
        record.criteria.abcd,
        record.criteria.seven_point,
        record.criteria.pattern,
        record.symptoms,
        record.evolution,
        record.field_width_mm,
        Planned(record.plan, recall) if record.plan else None,
        record.histology,
    )


def differences(read: Entry, stored: Entry, mine: Entry) -> tuple[Difference, ...]:
    """The fields that another window changed since they were read, and that this one would have otherwise."""
    triples = {field.name: [getattr(side, field.name) for side in (read, stored, mine)] for field in fields(Entry)}
    return tuple(
        Difference(name, before, now, wanted)
        for name, (before, now, wanted) in triples.items()
        if now not in (before, wanted)
    )


def changed(read: Entry, stored: Entry) -> tuple[tuple[str, str], ...]:
    """Fields that another window changed since it was read: the title of each field, and what is stored now."""
    names = [field.name for field in fields(Entry) if getattr(read, field.name) != getattr(stored, field.name)]
    return tuple((title(name), shown(name, getattr(stored, name))) for name in names)


def written(entry: Entry) -> Mapping[str, str]:
    """Title and value of each field in which something was entered."""
    pairs = ((each.name, getattr(entry, each.name)) for each in fields(Entry))
    return {title(name): shown(name, value) for name, value in pairs if value is not None and value != ""}


def title(field: str) -> str:
    """The name of a field, as it is read."""
    return TITLES.get(field) or conflicts.TITLES[field]


def shown(field: str, value: Value) -> str:
    """A value as it is read."""
    match value:
        case Planned(plan, recall_on):
            return f"{plan_words(plan)}; recall on {recall_on}" if recall_on else plan_words(plan)
        case Abcd() | PartialAbcd():
            return rule_words(value) or ""
        case SevenPoint():
            return value.summary
        case Histology():
            parts = filter(None, (DIAGNOSES.get(value.label or ""), value.text, value.reported_on, value.report_number))
            return ", ".join(parts)
        case float():
            return entered_length(value, cache.settings().unit)
    return conflicts.shown(field, value)
