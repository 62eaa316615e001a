"""Validation of typed entries: brought to their stored form, or refused with a sentence.

Line texts (pseudonym, body site) lose blanks at their ends and are brought to Unicode's composed form (NFC), so that
"é" typed on two keyboards names one patient. Longer texts are kept letter by letter.
"""

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, get_args

from skinlens.clinical import NOT_RECORDED, PHOTOTYPES, ClinicalRecord
from skinlens.clock import FIRST_BIRTH_YEAR, FIRST_YEAR, today
from skinlens.errors import InvalidEntry
from skinlens.labels import DIAGNOSES, IMPRESSIONS
from skinlens.records import (
    BODY_DRAWING,
    MAX_AGE_YEARS,
    BodyPosition,
    BodyView,
    CheckResult,
    Explanation,
    Outline,
    Sex,
    Status,
)
from skinlens.wording.errors import another_photo, not_one_of

MAX_LINE = 80
MAX_TEXT = 50_000


class NewPatient(NamedTuple):
    """A patient as typed; ``birth_year`` is clamped for ages above 85, see ``CaseStore``."""

    pseudonym: str
    birth_year: int | None = None
    sex: Sex = "unknown"


class NewLesion(NamedTuple):
    body_site: str
    remark: str = ""


@dataclass(frozen=True)
class ClinicianReading:
    """The clinician's reading of a photo."""

    label: str | None = None
    """One of ``labels.DIAGNOSES``; None: not given."""
    diagnosis: str = ""
    """In the clinician's words. It and the notes have at most ``MAX_TEXT`` characters."""
    notes: str = ""


@dataclass(frozen=True)
class NewVisit:
    """Entries of a clinician for a photo that is to be saved as a case."""

    patient: NewPatient | int | None
    """One to be added (a pseudonym that is taken is a ``Conflict``), the number of a stored one, or None."""
    lesion: NewLesion | int
    """One to be added, or the number of a stored one, which brings its patient with it."""
    taken_on: date | str
    """Day of the photo (ISO date), from ``FIRST_YEAR`` to today."""
    reading: ClinicianReading = ClinicianReading()
    first_impression: str | None = None
    """One of ``labels.IMPRESSIONS``, said before the model's result was shown. It stays as it is: what is thought
    later is the clinician's reading."""
    result_first: bool | None = None
    """Whether the result was shown before any impression was given; None: not known. It stays as it is too."""
    status: Status = "draft"
    """``draft``, or ``signed``, which takes a diagnosis."""
    clinical: ClinicalRecord = NOT_RECORDED
    """A follow-up without a recall gets the date that follows from it."""


def now() -> str:
    """UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def validate_line(value: str, field: str) -> str:
    """One line of 1 to 80 characters, trimmed and composed."""
    value = unicodedata.normalize("NFC", value).strip()
    if not value:
        raise InvalidEntry(f"The {field} is empty. Type at least one character.")
    if len(value) > MAX_LINE:
        raise InvalidEntry(
            f"Too many characters in the {field}: {len(value)}, at most {MAX_LINE} can be kept. Shorten it."
        )
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
        raise InvalidEntry(f"There is a line break or another control character in the {field}. Type it on one line.")
    return value


def validate_text(value: str, field: str) -> str:
    """A text of any lines, kept as it is."""
    if len(value) > MAX_TEXT:
        raise InvalidEntry(
            f"Too many characters in the {field}: {len(value)}, at most {MAX_TEXT} can be kept. Shorten it."
        )
    if any(character == "\0" or unicodedata.category(character) == "Cs" for character in value):
        raise InvalidEntry(
            f"There is a character in the {field} that cannot be kept (NUL or half of a pair). Type it again."
        )
    return value


def validate_day(value: date | str) -> str:
    """The ISO date of a visit, from ``FIRST_YEAR`` to today (tomorrow, where it already is, passes too)."""
    parsed = parsed_day(value)
    if parsed.year < FIRST_YEAR or is_to_come(parsed):
        raise InvalidEntry(f"The photo cannot have been taken on {parsed.isoformat()}. Correct the date of the visit.")
    return parsed.isoformat()


def parsed_day(value: date | str) -> date:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else date(value.year, value.month, value.day)
    except ValueError as error:
        raise InvalidEntry(f"{value!r} is no date. Give it as year-month-day, for example 2024-05-31.") from error


def is_to_come(day: date) -> bool:
    """Whether the day has not come yet (tomorrow, where it already is, has)."""
    return day > datetime.now(UTC).date() + timedelta(days=1)


def birth_year(value: int | None) -> int | None:
    this_year = today().year
    if value is not None and not FIRST_BIRTH_YEAR <= value <= this_year:
        raise InvalidEntry(f"{value} is no birth year of a patient. Expected {FIRST_BIRTH_YEAR} to {this_year}.")
    return value


def sex(value: str) -> Sex:
    for known in get_args(Sex):
        if value == known:
            return known  # type: ignore[no-any-return]
    raise InvalidEntry(f"{value!r} is not kept as a sex. Choose one of: {', '.join(get_args(Sex))}.")


def phototype(value: int | None) -> int | None:
    if value is not None and (type(value) is not int or value not in PHOTOTYPES):
        raise InvalidEntry(f"{value!r} is no skin phototype. Expected 1 to 6 (I to VI after Fitzpatrick), or none.")
    return value


def body_position(value: BodyPosition | None) -> BodyPosition | None:
    """A place on the body map: a view of the drawing, and shares of its width and height."""
    if value is None:
        return None
    if value.view not in get_args(BodyView):
        raise InvalidEntry(
            f"{value.view!r} is no view of the body map. Expected one of: {', '.join(get_args(BodyView))}."
        )
    for axis, share in (("across", value.x), ("down", value.y)):
        if type(share) not in {int, float} or not 0 <= share <= 1:
            raise InvalidEntry(
                f"{share!r} is no position on the body map: {axis}, a share from 0 to 1 is expected. Place it again."
            )
    if type(value.drawing) is not int or not 1 <= value.drawing <= BODY_DRAWING:
        raise InvalidEntry(
            f"There is no drawing {value.drawing!r} of the body map; this version knows 1 to {BODY_DRAWING}."
        )
    return value


def diagnosis_code(value: str | None) -> str | None:
    return _one_of(value, "diagnosis", DIAGNOSES)


def first_impression(value: str | None) -> str | None:
    return _one_of(value, "first impression", IMPRESSIONS)


def _one_of(value: str | None, what: str, known: Collection[str]) -> str | None:
    if value is not None and value not in known:
        raise InvalidEntry(not_one_of(value, what, known))
    return value


def result_first(value: bool | None, impression: str | None) -> int | None:
    if value and impression is not None:
        raise InvalidEntry(
            "A first impression is what was said before the result was shown, but the result is said to have been "
            "shown first. Leave the impression out: what is thought now is the diagnosis."
        )
    return None if value is None else int(value)


def cap_birth_year(year: int | None, reference_year: int) -> tuple[int | None, bool]:
    """The birth year that is kept, and whether the patient was born in it or before.

    An age above 85 in the reference year becomes 86, which reads as "85+"; how far above is not kept.
    """
    floor = reference_year - (MAX_AGE_YEARS + 1)
    if year is None or year > floor:
        return year, False
    return floor, True


def first_status(asked: Status) -> Status:
    if asked == "amended":
        raise InvalidEntry("A new case is a draft or signed; it can only be amended after it was signed.")
    return asked


def next_status(current: Status, asked: Status, edited: bool) -> Status:
    """Status after a change, from draft to signed to amended: never back to draft; editing a signed case amends it."""
    if current == "draft":
        return first_status(asked)
    if asked == "draft":
        raise InvalidEntry(f"This case is {current}; it cannot become a draft again. Save the change as an amendment.")
    return "amended" if edited else current


def require_same_photo(made: Explanation | CheckResult | Outline, photo_sha256: str) -> None:
    """Refuse a map, check or outline of another photo: it would be shown as one of this case."""
    if made.photo_sha256 == photo_sha256:
        return
    if isinstance(made, Explanation):
        what, again = f"{made.method} map", "Explain"
    else:
        what, again = (f"check ({made.kind})", "Check") if isinstance(made, CheckResult) else ("outline", "Outline")
    raise InvalidEntry(another_photo(what, made.photo_sha256, photo_sha256, again))
