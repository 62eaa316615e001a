"""Changes of a visit inside one transaction: a draft is edited or signed, what was signed is amended, with a name."""

from collections.abc import Mapping

from sqlite_utils.db import Database

from skinlens.errors import Conflict, InvalidEntry
from skinlens.records import Status
from skinlens.store import clinical_rows, mapping, patients, settings, validation
from skinlens.store.mapping import Row
from skinlens.wording.records import signature_words

NO_DIAGNOSIS = "Not signed yet: a case is signed with a diagnosis. Choose yours; “other” goes with words of your own."

NO_SIGNER = "Not signed yet: choose who signs, or type another name."


def write(
    db: Database, stored: Row, wanted: Mapping[str, object], *, status: Status, signer: str = "", action: str = ""
) -> None:
    """Put ``wanted`` in the place of the stored columns as far as they differ, with a line in the trail.

    ``action``: of the trail, for a change that amends nothing and bears no name; otherwise it follows from the status.

    Raises:
        InvalidEntry: see ``CaseStore.annotate``.
    """
    name = settings.optional_line(signer, "name of who signs")
    changed = {field: value for field, value in wanted.items() if value != stored[field]}
    changes: dict[str, tuple[str | None, str | None]] = {
        field: (clinical_rows.logged_value(field, stored[field]), clinical_rows.logged_value(field, value))
        for field, value in changed.items()
    }
    updated: Row = {**changed, "updated_at": validation.now()}
    if not action:
        reached = validation.next_status(stored["status"], status, bool(changed))
        if reached != stored["status"]:
            changes["status"] = (stored["status"], reached)
            updated["status"] = reached
        if not changes:
            return
        if reached != "draft":
            must_have_name(db, name, signs=stored["status"] == "draft")
            clinical_rows.must_be_complete(updated.get("abcd", stored["abcd"]))
        if stored["status"] == "draft" and reached == "signed":
            must_have_diagnosis(wanted.get("clinician_label", stored["clinician_label"]))
            updated |= {"signed_by": name, "signed_at": updated["updated_at"]}
        if name and reached != "draft":
            changes["signed_by" if reached == "signed" else "amended_by"] = (None, name)
        action = "edited" if reached == "draft" else reached
    if changes:
        mapping.update(db, "visit", stored["id"], updated)
        patients.record_revision(db, "visit", stored["id"], action, changes, stored["model_version"])


def must_have_diagnosis(clinician_label: object) -> None:
    """Refuse to sign without the clinician's diagnosis: a signature stands for one."""
    if clinician_label is None:
        raise InvalidEntry(NO_DIAGNOSIS)


def must_not_be_signed_meanwhile(stored: Row, expected_version: int, wanted: Mapping[str, object]) -> None:
    """Refuse a signature where the case was signed since the caller read it.

    Raises:
        Conflict: it says by whom and on which day.
    """
    if stored["status"] == "draft" or stored["version"] == expected_version:
        return
    raise Conflict(
        f"This case was signed{signature_words(stored['signed_by'], stored['signed_at'])} after it was opened here. It "
        "was not signed a second time, and nothing of this change was saved yet: what is saved now amends it.",
        subject="visit",
        number=stored["id"],
        version=stored["version"],
        fields={
            "status": (stored["status"], "signed"),
            **{field: (stored[field], value) for field, value in wanted.items() if value != stored[field]},
        },
    )


def must_have_name(db: Database, name: str, *, signs: bool) -> None:
    """Refuse to sign, amend or move what was signed without a name, where the clinic lists who signs.

    Raises:
        InvalidEntry: there is none.
    """
    if name or not settings.stored(db).signers:
        return
    if signs:
        raise InvalidEntry(NO_SIGNER)
    raise InvalidEntry("Not saved yet: this case is signed. Choose who changes it, or type another name.")
