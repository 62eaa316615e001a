"""Figures and names as a clinician reads them on the screen."""

import re
from collections.abc import Mapping

from skinlens import formatting
from skinlens.formatting import number
from skinlens.labels import BY_CODE, DIAGNOSES, IMPRESSIONS, Risk
from skinlens.records import Case, Sex, Status
from skinlens.store import CaseRow

percent = formatting.percent
RISK_SIGNS: dict[Risk, str] = {"malignant": "▲", "pre-malignant": "◆", "benign": "●"}
"""A shape for each risk group, so that it is never told by color alone."""
SEXES: dict[Sex, str] = {"unknown": "not recorded", "female": "female", "male": "male", "other": "other"}
STATUSES: dict[Status, str] = {"draft": "Draft", "signed": "Signed", "amended": "Amended after signing"}
BODY_SITES = (
    "scalp",
    "face",
    "ear",
    "neck",
    "chest",
    "abdomen",
    "back",
    "upper arm",
    "forearm",
    "hand",
    "buttock",
    "thigh",
    "lower leg",
    "foot",
    "palm or sole",
    "genital area",
)


def plain(text: object) -> str:
    """A text whose signs are shown as they are: what a person typed must not become markup, least of all a picture
    that the browser would fetch from elsewhere.
    """
    escaped = re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:^=&])", r"\\\1", str(text))
    # An address is made a link after the escapes are taken out: a word joiner, which is not seen, parts it.
    return re.sub(r"(?i)(:(?=//)|www(?=\\\.)|@)", "\\1\u2060", escaped)


def name(code: str) -> str:
    """The full name of a class, beginning with a capital."""
    return _capital(BY_CODE[code].name)


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def impression_name(code: str | None) -> str:
    """What was said before the model's reading, beginning with a capital."""
    return _capital(IMPRESSIONS[code]) if code else "none given"


def diagnosis_name(code: str | None) -> str:
    """The clinician's diagnosis, beginning with a capital."""
    return _capital(DIAGNOSES[code]) if code else "none given"


def site(body_site: str, remark: str) -> str:
    """Where a lesion is: the body site, and which one there, as "forearm, left"."""
    return ", ".join(filter(None, (body_site.strip(), remark.strip())))


def case_title(case: Case) -> str:
    patient = case.patient.pseudonym if case.patient else "no patient"
    return f"Case {case.visit.id} · {patient} · {site(case.lesion.body_site, case.lesion.remark)}"


def recall_words(row: CaseRow, day: str) -> str:
    """An open recall, and whether it is due on ``day`` (ISO date); empty where there is none."""
    return "" if row.recall_done_on else open_recall_words(row.recall_on, day)


def open_recall_words(recall_on: str | None, day: str) -> str:
    """An open recall of that ISO date, and whether it is due on ``day``; empty for None."""
    return f"recall on {recall_on}{', due' if recall_on <= day else ''}" if recall_on else ""


def settings_line(params: Mapping[str, int | float | str], titles: Mapping[str, str]) -> str:
    """What a map was made with; the seed has a line of its own."""
    parts = [
        f"{titles.get(key, key)} {number(value) if isinstance(value, float) else value}"
        for key, value in params.items()
        if key != "seed"
    ]
    return ", ".join(parts) or "nothing to set"
