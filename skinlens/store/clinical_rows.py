"""Clinical record ↔ columns of a visit: what is typed is checked here, and read back as it was entered."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from skinlens.clinical import (
    FIELD_WIDTH_MM,
    MOST_MONTHS,
    PLANS,
    ClinicalRecord,
    Histology,
    Plan,
    Recall,
    months_after,
)
from skinlens.criteria import ABCD_RULE, Abcd, Criteria, PartialAbcd, SevenPoint, abcd_of, only_suggested, rule_words
from skinlens.errors import InvalidEntry
from skinlens.formatting import in_both_units
from skinlens.labels import DIAGNOSES
from skinlens.store import validation
from skinlens.wording.errors import not_one_of

Columns = dict[str, Any]
LAST_RECALL_YEARS = 10
"""After the visit; a later date is a slip of the keyboard."""


def record_columns(record: ClinicalRecord, taken_on: str) -> Columns:
    """All of a record of a visit on that ISO date. A follow-up without a recall gets the one that follows from it.

    Raises:
        InvalidEntry: something in it cannot be kept.
    """
    plan = plan_columns(record.plan)
    recall = record.recall or planned_recall(record.plan, taken_on)
    return {
        **criteria_columns(record.criteria),
        **history_columns(record.symptoms, record.evolution),
        **plan,
        **recall_columns(recall, taken_on),
        **histology_columns(record.histology, taken_on),
        **scale_columns(record.field_width_mm),
    }


def criteria_columns(criteria: Criteria) -> Columns:
    """The rules check themselves when they are made."""
    abcd, seven_point = criteria.abcd, criteria.seven_point
    return {
        "abcd": None if abcd is None else _json({**asdict(abcd), "rule": ABCD_RULE}),
        "seven_point": None if seven_point is None else _json(asdict(seven_point)),
        "pattern": validation.validate_text(criteria.pattern, "pattern note"),
    }


def history_columns(symptoms: str, evolution: str) -> Columns:
    return {
        "symptoms": validation.validate_text(symptoms, "symptoms"),
        "evolution": validation.validate_text(evolution, "evolution"),
    }


def plan_columns(plan: Plan | None) -> Columns:
    if plan is None:
        return {"plan": None, "plan_months": None, "plan_text": ""}
    if plan.action not in PLANS:
        raise InvalidEntry(not_one_of(plan.action, "plan", PLANS))
    is_number = type(plan.months) is int and 1 <= plan.months <= MOST_MONTHS
    if plan.action == "recheck" and not is_number:
        raise InvalidEntry(
            f"A follow-up is in 1 to {MOST_MONTHS} months, found {plan.months!r}. Say in how many months the lesion is "
            "to be seen again."
        )
    if plan.action != "recheck" and plan.months is not None:
        raise InvalidEntry(f"Months belong to a follow-up, but the plan is {plan.action}. Leave them out.")
    text = validation.validate_text(plan.text, "plan")
    if plan.action == "other" and not text.strip():
        raise InvalidEntry("The plan is something else, but it does not say what. Type it in words.")
    return {"plan": plan.action, "plan_months": plan.months, "plan_text": text}


def plan_and_recall_columns(plan: Plan | None, recall_on: str | None, stored: Mapping[str, Any]) -> Columns:
    """The plan, and with it the recall of a stored row: on ``recall_on``, or on the date that follows from a follow-up.

    A plan of which the words alone change keeps the recall as it is; one without a follow-up drops an open recall.
    """
    typed = plan_columns(plan)
    if recall_on is not None:
        return typed | moved_recall(stored, recall_day(recall_on, stored["taken_on"]))
    if all(typed[column] == stored[column] for column in ("plan", "plan_months")):
        return typed
    planned = planned_recall(plan, stored["taken_on"])
    if planned is None and stored["recall_done_on"] is not None:
        return typed  # what was dealt with stays on record
    return typed | moved_recall(stored, planned.due_on if planned else None)


def moved_recall(stored: Mapping[str, Any], due: str | None) -> Columns:
    """The columns for a recall on that day; as long as the day stays, it stays done if it was."""
    return {"recall_on": due, "recall_done_on": stored["recall_done_on"] if due == stored["recall_on"] else None}


def changed_columns(record: ClinicalRecord, stored: Mapping[str, Any]) -> Columns:
    """Columns of those parts of a record that differ from a stored row; of its recall the date alone counts.

    Raises:
        InvalidEntry: something in them cannot be kept.
    """
    before, day = record_of(stored), stored["taken_on"]
    wanted = plan_and_recall_columns(record.plan, record.recall.due_on if record.recall else None, stored)
    if record.criteria != before.criteria:
        wanted |= criteria_columns(record.criteria)
    if (record.symptoms, record.evolution) != (before.symptoms, before.evolution):
        wanted |= history_columns(record.symptoms, record.evolution)
    if record.histology != before.histology:
        wanted |= histology_columns(record.histology, day)
    if record.field_width_mm != before.field_width_mm:
        wanted |= scale_columns(record.field_width_mm)
    return wanted


def planned_recall(plan: Plan | None, taken_on: str) -> Recall | None:
    """The recall that follows from a checked plan of a visit on that ISO date."""
    if plan is None or plan.action != "recheck" or plan.months is None:
        return None
    return Recall(months_after(taken_on, plan.months))


def recall_columns(recall: Recall | None, taken_on: str) -> Columns:
    if recall is None:
        return {"recall_on": None, "recall_done_on": None}
    return {"recall_on": recall_day(recall.due_on, taken_on), "recall_done_on": _done_day(recall.done_on, taken_on)}


def recall_day(value: date | str, taken_on: str) -> str:
    """The ISO date of a recall, after that of the visit."""
    parsed = validation.parsed_day(value)
    visited = date.fromisoformat(taken_on)
    if parsed <= visited or parsed.year > visited.year + LAST_RECALL_YEARS:
        raise InvalidEntry(
            f"A recall on {parsed.isoformat()} does not follow from a visit on {taken_on}: it is expected after that "
            f"day, by {visited.year + LAST_RECALL_YEARS} at the latest. Correct the date of the recall."
        )
    return parsed.isoformat()


def _done_day(value: date | str | None, taken_on: str) -> str | None:
    return None if value is None else past_day(value, taken_on, "The recall cannot have been dealt with")


def past_day(value: date | str, taken_on: str, refusal: str) -> str:
    """An ISO date from that of the visit to today; ``refusal`` begins the sentence for another one."""
    parsed = validation.parsed_day(value)
    if parsed < date.fromisoformat(taken_on) or validation.is_to_come(parsed):
        raise InvalidEntry(
            f"{refusal} on {parsed.isoformat()}: a day from that of the visit ({taken_on}) to today is expected. "
            "Correct the date."
        )
    return parsed.isoformat()


def histology_columns(histology: Histology | None, taken_on: str) -> Columns:
    if histology is None:
        return {"histology": None, "histology_text": "", "histology_on": None, "histology_report": ""}
    if histology.label is not None and histology.label not in DIAGNOSES:
        raise InvalidEntry(
            f"{histology.label!r} is no diagnosis. Choose one of: {', '.join(DIAGNOSES)}; or give it in words."
        )
    text = validation.validate_text(histology.text, "histology")
    if histology.label is None and not text.strip():
        raise InvalidEntry("The histology names no diagnosis. Choose one, or type it in words.")
    number = validation.validate_text(histology.report_number, "number of the report").strip()
    reported = histology.reported_on
    return {
        "histology": histology.label,
        "histology_text": text,
        "histology_on": None if reported is None else past_day(reported, taken_on, "Histology cannot be"),
        "histology_report": validation.validate_line(number, "number of the report") if number else "",
    }


def scale_columns(field_width_mm: float | None) -> Columns:
    least, most = FIELD_WIDTH_MM
    if field_width_mm is not None and not least <= field_width_mm <= most:  # nor is NaN in between
        raise InvalidEntry(
            f"The field of view is from {in_both_units(least)} to {in_both_units(most)}, found "
            f"{in_both_units(field_width_mm)}. Correct it, or leave it empty if it is not known."
        )
    return {"field_width_mm": None if field_width_mm is None else float(field_width_mm)}


def record_of(row: Mapping[str, Any]) -> ClinicalRecord:
    """Clinical record from a row of the table ``visit``."""
    plan = None if row["plan"] is None else Plan(row["plan"], row["plan_months"], row["plan_text"])
    recall = None if row["recall_on"] is None else Recall(row["recall_on"], row["recall_done_on"])
    histology = None
    if row["histology"] is not None or row["histology_text"]:
        histology = Histology(row["histology"], row["histology_text"], row["histology_on"], row["histology_report"])
    criteria = Criteria(_abcd_of(row["abcd"]), _seven_point_of(row["seven_point"]), row["pattern"])
    return ClinicalRecord(criteria, row["symptoms"], row["evolution"], plan, recall, histology, row["field_width_mm"])


def logged_value(column: str, value: Any) -> str | None:
    """A column's value as the change history has it."""
    if value is None or (isinstance(value, str) and column not in {"abcd", "seven_point"}):
        return value
    if column == "abcd":
        return rule_words(_abcd_of(value))
    if column == "seven_point":
        criteria = _seven_point_of(value)
        return None if criteria is None else f"{', '.join(criteria.present) or 'none'} ({criteria.version})"
    return f"{value:g} mm" if column == "field_width_mm" else str(value)


def exported(record: ClinicalRecord) -> dict[str, Any]:
    """The record as the export has it: what was entered, with the scores that follow from it."""
    content = asdict(record)
    criteria = record.criteria
    if isinstance(criteria.abcd, Abcd):
        content["criteria"]["abcd"] |= {
            "rule": ABCD_RULE,
            "total_score": str(criteria.abcd.total_score),
            "reading": criteria.abcd.reading,
        }
    if criteria.seven_point is not None:
        checklist = criteria.seven_point
        content["criteria"]["seven_point"] |= {
            "score": checklist.score,
            "limit": checklist.limit,
            "suspicious": checklist.suspicious,
        }
    return content


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def must_be_complete(abcd: str | None) -> None:
    """Refuse to sign, or to amend what was signed, with an ABCD rule that lacks a count, or has one that is only a
    suggestion.

    Raises:
        InvalidEntry: it says which.
    """
    rule = _abcd_of(abcd)
    if isinstance(rule, PartialAbcd):
        raise InvalidEntry(
            f"Not saved yet: the ABCD rule lacks {' and '.join(rule.open)}. A draft can be saved like this; a signed "
            "case has all four counts or none. Complete the rule, or clear it."
        )
    if suggested := only_suggested(rule):
        raise InvalidEntry(
            f"Not saved yet: {suggested} of the ABCD rule are as the outline suggests, and nobody has accepted them. A "
            "draft can be saved like this. Accept or change them, or clear the rule."
        )


def _abcd_of(stored: str | None) -> Abcd | PartialAbcd | None:
    if stored is None:
        return None
    values = json.loads(stored)
    counts = [values[name] for name in ("asymmetry", "border", "colors", "structures")]
    return abcd_of(counts, values.get("from_outline", ()), accepted=values.get("accepted", False))


def _seven_point_of(stored: str | None) -> SevenPoint | None:
    if stored is None:
        return None
    values = json.loads(stored)
    return SevenPoint(tuple(values["present"]), values["version"])
