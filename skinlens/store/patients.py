"""Patients and lesions inside one transaction: found or created, corrected, with the audit log of changes."""

from collections.abc import Mapping

from sqlite_utils.db import Database

from skinlens import __version__
from skinlens.case_record import Changes, Subject
from skinlens.clock import today
from skinlens.errors import CaseNotFound, Conflict, InvalidEntry, StoreError
from skinlens.records import BodyPosition
from skinlens.store import chain, validation
from skinlens.store.damage import must_be_whole
from skinlens.store.mapping import (
    Row,
    first,
    gone,
    insert,
    is_number,
    must_be_sound,
    position_columns,
    position_of,
    sound,
    to_json,
    update,
)
from skinlens.wording.records import position_words


def row_of(db: Database, table: Subject, number: int) -> Row:
    """The row of that number.

    Raises:
        CaseNotFound: there is none.
        StoreError: it is damaged.
    """
    row = first(db, f"SELECT * FROM sealed_{table} WHERE id = ?", [number]) if is_number(number) else None
    if row is None:
        raise not_found(db, table, number)
    must_be_sound(row, f"{'case' if table == 'visit' else table} {number}")
    return row


def must_exist(db: Database, table: Subject, number: int) -> None:
    """Raises CaseNotFound where there is no row of that number, damaged or not."""
    if not is_number(number) or first(db, f"SELECT 1 FROM {table} WHERE id = ?", [number]) is None:
        raise not_found(db, table, number)


def not_found(db: Database, table: Subject, number: int) -> CaseNotFound:
    """Error for a row that is not there; a damaged database does not know what was deleted.

    Raises:
        StoreError: the database is damaged.
    """
    must_be_whole(db)
    if is_number(number) and chain.is_lost(db, table, number):
        noun = "case" if table == "visit" else table
        raise StoreError(
            f"The case database is damaged: {noun} {number} was saved, and is gone without having been erased. Keep "
            "this folder as it is, and put back the last good copy of the whole folder."
        )
    return CaseNotFound(gone(table, number))


def must_be_current(subject: Subject, stored: Row, expected_version: int, wanted: Mapping[str, object]) -> None:
    """Refuse to put ``wanted`` in the place of fields that were changed since the caller read them.

    Raises:
        Conflict: it carries the stored and the wanted values. A write that would change nothing is none.
    """
    fields = {field: (stored[field], value) for field, value in wanted.items() if stored[field] != value}
    if stored["version"] == expected_version or not fields:
        return
    noun = "case" if subject == "visit" else subject
    named = " and ".join(field.removesuffix("_id").replace("_", " ") for field in fields)
    raise Conflict(
        f"This {noun} was changed in another window after it was opened here. Nothing was overwritten, and nothing of "
        f"this change was saved yet: compare what is stored now with what you have here ({named}), and save again "
        "what holds.",
        subject=subject,
        number=stored["id"],
        version=stored["version"],
        fields=fields,
    )


def record_revision(
    db: Database, subject: Subject, number: int, action: str, changes: Changes, model_version: str = ""
) -> None:
    row = {
        f"{subject}_id": number,
        "at": validation.now(),
        "action": action,
        "changes": to_json(changes),
        "model_version": model_version,
        "skinlens_version": __version__,
    }
    number_of_revision = insert(db, "revision", row)
    stored = first(db, "SELECT * FROM revision WHERE id = ?", [number_of_revision])
    assert stored is not None
    chain.append_revision(db, subject, number, stored)


def add_patient(db: Database, typed: validation.NewPatient, visit_year: int) -> int:
    """A new patient; a high age is reckoned in the year of the visit.

    Raises:
        Conflict: the pseudonym is taken.
    """
    pseudonym = validation.validate_line(typed.pseudonym, "pseudonym")
    if (namesake := _find(db, pseudonym)) is not None:
        raise Conflict(
            f"A patient {pseudonym!r} was added in another window. Is it the same person? Then choose that existing "
            "patient; if not, type another patient ID. Nothing of this was saved yet.",
            subject="patient",
            number=namesake["id"],
            version=namesake["version"],
            fields={},
        )
    year, capped = validation.cap_birth_year(validation.birth_year(typed.birth_year), visit_year)
    row = {
        "pseudonym": pseudonym,
        "birth_year": year,
        "born_earlier": capped,
        "sex": validation.sex(typed.sex),
        "created_at": validation.now(),
    }
    number = insert(db, "patient", row)
    chain.append(db, "created", "patient", number)
    return number


def cap_age(db: Database, patient_id: int, visit_year: int) -> None:
    """Clamp the birth year to a visit that is being added.

    Raises:
        InvalidEntry: the patient was not born yet.
    """
    stored = row_of(db, "patient", patient_id)
    if stored["birth_year"] is None:
        return
    if stored["birth_year"] > visit_year:
        raise InvalidEntry(
            f"Patient {stored['pseudonym']!r} was born in {stored['birth_year']}, but the photo is of {visit_year}. "
            "Correct the date of the visit or the birth year."
        )
    year, capped = validation.cap_birth_year(stored["birth_year"], visit_year)
    if capped:
        update(db, "patient", patient_id, {"birth_year": year, "born_earlier": True})


def edit_patient(db: Database, patient_id: int, typed: validation.NewPatient, expected_version: int) -> bool:
    """Correct a patient; whether anything changed.

    The trail says which fields, never their earlier values: a name that was typed in place of a pseudonym has to be
    gone once it is corrected.
    """
    stored = row_of(db, "patient", patient_id)
    pseudonym = validation.validate_line(typed.pseudonym, "pseudonym")
    other = _find(db, pseudonym)
    if other is not None and other["id"] != patient_id:
        raise InvalidEntry(f"There is another patient {pseudonym!r}. Choose a patient ID that is not taken.")
    wanted: Row = {"pseudonym": pseudonym, "sex": validation.sex(typed.sex)}
    year = validation.birth_year(typed.birth_year)
    if year != stored["birth_year"]:  # an unchanged year keeps its "or before"
        wanted |= _birth_year_for(db, patient_id, year)
    must_be_current("patient", stored, expected_version, wanted)
    return _update_patient(db, stored, wanted)


def set_phototype(db: Database, patient_id: int, phototype: int | None, expected_version: int) -> None:
    """Set the skin phototype; the trail says that it was changed, as for the other fields of a patient."""
    stored = row_of(db, "patient", patient_id)
    wanted: Row = {"phototype": validation.phototype(phototype)}
    must_be_current("patient", stored, expected_version, wanted)
    _update_patient(db, stored, wanted)


def edit_lesion(db: Database, lesion_id: int, typed: validation.NewLesion, expected_version: int) -> bool:
    stored = row_of(db, "lesion", lesion_id)
    wanted = {
        "body_site": validation.validate_line(typed.body_site, "body site"),
        "remark": validation.validate_text(typed.remark, "remark"),
    }
    must_be_current("lesion", stored, expected_version, wanted)
    changes = {field: (stored[field], value) for field, value in wanted.items() if value != stored[field]}
    if changes:
        update(db, "lesion", lesion_id, wanted)
        record_revision(db, "lesion", lesion_id, "edited", changes)
    return bool(changes)


def place_lesion(db: Database, lesion_id: int, position: BodyPosition | None, expected_version: int) -> bool:
    """Set, move or remove the lesion's place on the body map; whether anything changed."""
    stored = row_of(db, "lesion", lesion_id)
    wanted = position_columns(validation.body_position(position))
    must_be_current("lesion", stored, expected_version, wanted)
    before, after = position_of(stored), position
    if before == after:
        return False
    update(db, "lesion", lesion_id, wanted)
    record_revision(db, "lesion", lesion_id, "placed", {"position": (position_words(before), position_words(after))})
    return True


def add_lesion(db: Database, patient_id: int | None, typed: validation.NewLesion) -> int:
    row = {
        "patient_id": patient_id,
        "body_site": validation.validate_line(typed.body_site, "body site"),
        "remark": validation.validate_text(typed.remark, "remark"),
        "created_at": validation.now(),
    }
    number = insert(db, "lesion", row)
    chain.append(db, "created", "lesion", number)
    return number


def remove_empty_lesion(db: Database, lesion_id: int) -> None:
    """Delete the lesion if no visit is left in it."""
    removed = db.execute("DELETE FROM lesion WHERE id = ? AND id NOT IN (SELECT lesion_id FROM visit)", [lesion_id])
    if removed.rowcount:
        chain.append(db, "erased", "lesion", lesion_id)


def lesion_for_case(
    db: Database, patient: validation.NewPatient | int | None, lesion: validation.NewLesion | int, visit_year: int
) -> int:
    """The lesion that a visit of that year goes to, with its patient; both are found by number, or added.

    Raises:
        Conflict: a patient is to be added whose pseudonym is taken: two people are not joined without a question.
    """
    patient_id: int | None = None
    if isinstance(patient, int):
        patient_id = int(row_of(db, "patient", patient)["id"])
    elif patient is not None:
        patient_id = add_patient(db, patient, visit_year)
    if isinstance(lesion, int):
        owner = row_of(db, "lesion", lesion)["patient_id"]
        if patient_id not in {None, owner}:
            raise InvalidEntry("This lesion does not belong to the patient that was given. Choose one of theirs.")
        lesion_id, patient_id = lesion, owner
    else:
        lesion_id = add_lesion(db, patient_id, lesion)
    if patient_id is not None:
        cap_age(db, patient_id, visit_year)
    return lesion_id


def _birth_year_for(db: Database, patient_id: int, typed: int | None) -> Row:
    """The columns for a birth year that is set on a stored patient, checked against all visits."""
    sql = "SELECT v.taken_on, v.sound FROM sealed_visit v JOIN lesion l ON l.id = lesion_id WHERE patient_id = ?"
    days = [row["taken_on"] for row in sound(db.query(sql, [patient_id]))]
    years = [int(day[:4]) for day in days]
    if typed is not None and years and typed > min(years):
        raise InvalidEntry(
            f"Born in {typed}, but there is a photo of {min(years)}. Correct the birth year or that visit."
        )
    year, capped = validation.cap_birth_year(typed, max(years, default=today().year))
    return {"birth_year": year, "born_earlier": capped}


def _find(db: Database, pseudonym: str) -> Row | None:
    row = first(db, "SELECT * FROM sealed_patient WHERE pseudonym = ?", [pseudonym])
    if row is not None:
        must_be_sound(row, f"patient {row['id']}")
    return row


def _update_patient(db: Database, stored: Row, wanted: Row) -> bool:
    changed = {field: value for field, value in wanted.items() if value != stored[field]}
    if changed:
        update(db, "patient", stored["id"], changed)
        record_revision(db, "patient", stored["id"], "edited", dict.fromkeys(changed))
    return bool(changed)
