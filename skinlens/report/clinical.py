"""Clinical record in the words of the report: a caption for each entry, nothing for what was not recorded."""

from collections.abc import Iterator
from typing import NamedTuple

from skinlens.clinical import PHOTOTYPES, ClinicalRecord, Histology, Recall
from skinlens.criteria import CHECKLIST, Abcd, PartialAbcd, SevenPoint, counts_words, source_words
from skinlens.formatting import Unit, entered_length
from skinlens.labels import DIAGNOSES
from skinlens.records import Case
from skinlens.wording.naming import capital
from skinlens.wording.records import plan_words
from skinlens.wording.verdict import criteria_statement


class Entry(NamedTuple):
    """A caption and the text under it."""

    caption: str
    text: str


def phototype(case: Case) -> str:
    """The patient's skin phototype; empty where it was not given."""
    skin_type = case.patient.phototype if case.patient else None
    return PHOTOTYPES[skin_type] if skin_type else ""


def finding_entries(case: Case, unit: Unit = "mm") -> tuple[Entry, ...]:
    """Symptoms, evolution and criteria, as far as they were recorded; lengths in ``unit``."""
    return tuple(entry for entry in _findings(case, unit) if entry.text)


def plan_entries(case: Case) -> tuple[Entry, ...]:
    """Plan, recall and histology, as far as they were recorded."""
    return tuple(entry for entry in _plan(case.visit.clinical) if entry.text)


def _findings(case: Case, unit: Unit) -> Iterator[Entry]:
    visit, record = case.visit, case.visit.clinical
    yield Entry("Symptoms", record.symptoms.strip())
    yield Entry("Evolution", record.evolution.strip())
    yield Entry("ABCD rule", _abcd(record.criteria.abcd))
    yield Entry("7-point checklist", _checklist(record.criteria.seven_point))
    yield Entry("Pattern", record.criteria.pattern.strip())
    said = criteria_statement(record.criteria, visit.quality, visit.prediction, whose="The clinician's", scores=False)
    yield Entry("Criteria and cut-off", said)
    width = entered_length(record.field_width_mm, unit) if record.field_width_mm else ""
    yield Entry("Field of view", width)


def _plan(record: ClinicalRecord) -> Iterator[Entry]:
    yield Entry("Plan", capital(plan_words(record.plan)) if record.plan else "")
    yield Entry("Recall", _recall(record.recall))
    yield Entry("Histology", _histology(record.histology))


def _abcd(rule: Abcd | PartialAbcd | None) -> str:
    if rule is None:
        return ""
    if isinstance(rule, PartialAbcd):
        said = f"Not complete, no score: {counts_words(rule.counts)}; not counted yet: {', '.join(rule.open)}."
    else:
        said = f"Total dermoscopy score (TDS) {rule.total_score}, {rule.reading}: {counts_words(rule.counts)}."
    source = source_words(rule)
    return f"{said} {source}." if source else said


def _checklist(rule: SevenPoint | None) -> str:
    if rule is None:
        return ""
    points = rule.summary.partition(": ")[2]
    seen = ", ".join(CHECKLIST[item] for item in rule.present) or "none of the seven items"
    return f"{capital(points)} ({rule.version}, limit {rule.limit}): {seen}."


def _recall(recall: Recall | None) -> str:
    if recall is None:
        return ""
    return f"{recall.due_on}, {f'done on {recall.done_on}' if recall.done_on else 'open'}"


def _histology(histology: Histology | None) -> str:
    if histology is None:
        return ""
    said = ": ".join(part for part in (DIAGNOSES.get(histology.label or "", ""), histology.text.strip()) if part)
    dated = f"reported on {histology.reported_on}" if histology.reported_on else ""
    numbered = f"report {histology.report_number}" if histology.report_number else ""
    origin = ", ".join(part for part in (dated, numbered) if part)
    return f"{said} ({origin})" if origin else said
