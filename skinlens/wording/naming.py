"""Names of classes, diagnoses, body sites, cases, statuses and recalls, as a clinician reads them."""

from skinlens.labels import BY_CODE, DIAGNOSES, IMPRESSIONS
from skinlens.records import Case, Sex, Status

NOT_RECORDED = "not recorded"
NO_PATIENT = "no patient"
SEXES: dict[Sex, str] = {"unknown": NOT_RECORDED, "female": "female", "male": "male", "other": "other"}
STATUSES: dict[Status, str] = {"draft": "Draft", "signed": "Signed", "amended": "Amended after signing"}


def name(code: str) -> str:
    """The full name of a class, beginning with a capital."""
    return capital(BY_CODE[code].name)


def capital(words: str) -> str:
    """Words with a capital, as a sentence begins; empty stays empty."""
    return words[:1].upper() + words[1:]


def in_sentence(words: str) -> str:
    """Words as they stand in the middle of a sentence: without the capital; the rest, as the names in it, stays."""
    return words[:1].lower() + words[1:]


def impression_name(code: str | None) -> str:
    """First impression, before the model's result, beginning with a capital."""
    return capital(IMPRESSIONS[code]) if code else "none given"


def impression_words(impression: str | None, result_first: bool | None) -> str:
    """First impression, and whether it was given before the result was shown."""
    if impression:
        return f"{impression_name(impression)} (before the result)"
    missing = {True: "none (the result was shown first)", False: "none (filed before the result was shown)"}
    return missing[result_first] if result_first is not None else impression_name(None)


def diagnosis_name(code: str | None) -> str:
    """The clinician's diagnosis, beginning with a capital."""
    return capital(DIAGNOSES[code]) if code else "none given"


def site(body_site: str, remark: str) -> str:
    """Site of a lesion: the body site, and which one there, as "forearm, left"."""
    return ", ".join(filter(None, (body_site.strip(), remark.strip())))


def case_title(case: Case) -> str:
    patient = case.patient.pseudonym if case.patient else NO_PATIENT
    return f"Case {case.visit.id} · {patient} · {site(case.lesion.body_site, case.lesion.remark)}"


def open_recall_words(recall_on: str | None, day: str) -> str:
    """An open recall of that ISO date, and whether it is due on ``day``; empty for None."""
    return f"recall on {recall_on}{', due' if recall_on <= day else ''}" if recall_on else ""


PATIENT_UNREADABLE = "What its file says of the patient cannot be read: fill the fields in."
"""Of a DICOM file whose picture can be read."""
