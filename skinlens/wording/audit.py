"""Audit log in a clinician's words: what was done, which field, from and to which value, what an amendment changed."""

import re
from collections.abc import Iterable, Mapping

from skinlens.clinical import PHOTOTYPES, PLANS
from skinlens.criteria import CHECKLIST
from skinlens.formatting import Unit, counted, entered_length
from skinlens.labels import DIAGNOSES, IMPRESSIONS
from skinlens.roles import REFUSED, right_words
from skinlens.wording.naming import STATUSES, in_sentence

DONE: Mapping[tuple[str, str], str] = {
    ("visit", "created"): "Case created",
    ("visit", "edited"): "Case edited",
    ("visit", "signed"): "Case signed",
    ("visit", "amended"): "Case amended",
    ("visit", "moved"): "Case moved",
    ("visit", "explained"): "Map saved",
    ("visit", "checked"): "Test saved",
    ("visit", "outlined"): "Outline saved",
    ("visit", "recall done"): "Recall done",
    ("visit", "recall open"): "Recall reopened",
    ("visit", "viewed"): "Case opened",
    ("visit", "printed"): "Report downloaded",
    ("visit", "erased"): "Case erased",
    ("visit", "exported"): "Case exported",
    ("visit", "sent"): "Case sent to an archive",
    ("visits", "exported"): "Cases exported",
    ("lesion", "created"): "Lesion added",
    ("lesion", "erased"): "Lesion erased",
    ("lesion", "edited"): "Lesion edited",
    ("lesion", "placed"): "Lesion placed on the body map",
    ("patient", "created"): "Patient added",
    ("patient", "edited"): "Patient edited",
    ("patient", "viewed"): "Patient opened",
    ("patient", "exported"): "Patient exported",
    ("patient", "erased"): "Patient erased",
    ("settings", "edited"): "Settings edited",
    ("store", "acknowledged"): "Conditions accepted",
    ("store", "rescored"): "Stored cases scored again by another model",
    ("store", "received"): "Photo received from another system",
    ("store", "discarded"): "Received photo discarded",
    ("store", "exported"): "List of changed results downloaded",
    ("backup", "backed up"): "Backup made",
    ("backup", "restored"): "Backup restored",
    ("backup", "exported"): "Backup downloaded",
    ("account", "added"): "Account added",
    ("account", "removed"): "Account removed",
    ("account", "disabled"): "Account disabled",
    ("account", "enabled"): "Account enabled",
    ("account", "role set"): "Role of an account set",
    ("account", "password set"): "Password of an account set",
    ("account", "password changed"): "Own password changed",
    ("account", "signed in"): "Signed in",
    ("account", "signed out"): "Signed out",
    ("account", "refused"): "Sign-in refused",
    ("token", "added"): "API token added",
    ("token", "revoked"): "API token revoked",
    ("token", "refused"): "API token refused",
    ("log", "begun"): "Audit log started",
    ("log", "exported"): "Audit log downloaded",
    ("log", "accepted"): "Gap in the audit log accepted",
}
"""Subject and action of a revision, or object and action of an entry of the log → what was done."""
FIELDS: Mapping[str, str] = {
    "abcd": "ABCD rule",
    "amended_by": "amended by",
    "birth_year": "year of birth",
    "body_site": "body site",
    "born_earlier": "year of birth",
    "checks": "tests",
    "clinician_diagnosis": "diagnosis in words",
    "clinician_label": "diagnosis",
    "evolution": "evolution",
    "explanation": "map",
    "field_width_mm": "field of view",
    "first_impression": "first impression",
    "histology": "histology",
    "histology_on": "histology reported on",
    "histology_report": "number of the histology report",
    "histology_text": "histology in words",
    "lesion": "lesion",
    "moved_by": "moved by",
    "notes": "notes",
    "outlines": "outline",
    "patient": "patient",
    "pattern": "pattern",
    "phototype": "skin phototype",
    "plan": "plan",
    "plan_months": "follow-up after",
    "plan_text": "plan in words",
    "position": "place on the body map",
    "pseudonym": "patient ID",
    "recall_done_on": "recall done on",
    "recall_on": "recall due on",
    "remark": "exact location",
    "result_first": "result shown before an impression",
    "seven_point": "7-point checklist",
    "sex": "sex",
    "signed_by": "signed by",
    "status": "status",
    "symptoms": "symptoms",
    "taken_on": "date of the photo",
}
"""Name of a stored field → that of the form in which it was entered."""
TOPICS: Mapping[str, tuple[str, ...]] = {
    "diagnosis": ("clinician_label", "clinician_diagnosis"),
    "plan": ("plan", "plan_months", "plan_text"),
    "recall": ("recall_on", "recall_done_on"),
    "histology": ("histology", "histology_text", "histology_on", "histology_report"),
    "criteria": ("abcd", "seven_point", "pattern"),
    "history": ("symptoms", "evolution"),
    "size": ("field_width_mm",),
    "notes": ("notes",),
}
"""What an amendment can be about, the most important first, and the fields of each."""
_CHECKLIST: Mapping[str, str] = {str(item): words for item, words in CHECKLIST.items()}
_WORDED: Mapping[str, Mapping[str, str]] = {
    "clinician_label": DIAGNOSES,
    "first_impression": IMPRESSIONS,
    "histology": DIAGNOSES,
    "result_first": {"1": "yes"},
    "plan": {str(action): words for action, words in PLANS.items()},
    "phototype": {str(number): words for number, words in PHOTOTYPES.items()},
    "status": {status: in_sentence(words) for status, words in STATUSES.items()},
}
_COUNTED: Mapping[str, tuple[str, str]] = {"visits": ("case", "cases"), "backup": ("case", "cases")}
"""Objects whose number is how many there were."""
_MAKERS = {"model": "the model's", "clinician": "the clinician's"}


def done(subject: str, action: str) -> str:
    """Title of a revision, or of an entry of the audit log."""
    if action.startswith(REFUSED):
        return f"Not allowed by the role: {right_words(action.removeprefix(REFUSED))}"
    return DONE.get((subject, action), f"{subject.replace('visit', 'case').capitalize()}: {action}")


def object_words(kind: str, number: int | None, name: str = "") -> str:
    """Object of an entry of the log: "case 7"; of many at once "12 cases"; empty where what was done says it.

    ``name``: of a patient or lesion on the screen; empty where it has none.
    """
    if number is not None and kind in _COUNTED:
        return counted(number, *_COUNTED[kind])
    if number is None or kind not in {"patient", "lesion", "visit", "account", "token"}:
        return ""
    if kind in {"patient", "lesion"}:
        return f"{kind} {stored_words(number, name)}"
    return f"{kind.replace('visit', 'case')} {number}"


def stored_words(number: int | str, name: str = "") -> str:
    """A stored number, after the name on the screen where there is one."""
    return f"{name} (stored number {number})" if name else f"with stored number {number}"


def field(name: str) -> str:
    """Name of a stored field on the screen."""
    return FIELDS.get(name, name.replace("_", " "))


def value(name: str, stored: str | None, unit: Unit = "mm") -> str:
    """A value of the log as it was entered; “none” where there is none."""
    if not stored:
        return "none"
    if name in {"patient", "lesion"}:
        return stored_words(stored)
    if name == "plan_months":
        return counted(int(stored), "month")
    if name == "seven_point":
        return re.sub(r"[a-z_]+", lambda match: _CHECKLIST.get(match[0], match[0]), stored)
    if name == "outlines":
        return re.sub(r"\w+", lambda match: _MAKERS.get(match[0], match[0]), stored)
    if name == "field_width_mm":
        return entered_length(float(stored.removesuffix(" mm")), unit)
    return _WORDED.get(name, {}).get(stored, stored)


def topics(fields: Iterable[str]) -> tuple[str, ...]:
    """Topics of changes of these fields, the most important first; signature and status are about nothing."""
    changed = set(fields)
    return tuple(topic for topic, own in TOPICS.items() if changed.intersection(own))
