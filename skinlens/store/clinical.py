"""Clinical record of a stored case: criteria, symptoms, plan, recall, histology; and the patient's phototype.

Each method names the version that it is based on, as in ``corrections``. A change after the signature amends the case;
that a recall was dealt with does not, for it changes nothing that was signed.
"""

from collections.abc import Callable, Mapping
from datetime import date

from sqlite_utils.db import Database

from skinlens.clinical import Histology, Plan, Recall
from skinlens.criteria import Criteria
from skinlens.errors import InvalidEntry
from skinlens.outcomes import Outcome
from skinlens.records import Case, Patient
from skinlens.store import clinical_rows, entries, people, rows, visits
from skinlens.store.home import StoreHome
from skinlens.store.rows import Row

# The seals of rows with histology alone are checked: those of 100,000 rows take seconds, and every start checks them.
_OUTCOMES_SQL = """
    SELECT id, lesion_id, taken_on, first_impression, clinician_label, top_label, above_cutoff, reliable, histology
    FROM visit
    WHERE (clinician_label IS NOT NULL OR first_impression IS NOT NULL OR histology IS NOT NULL)
        AND (histology IS NULL OR EXISTS (SELECT 1 FROM sealed_visit one WHERE one.id = visit.id AND one.sound))
    ORDER BY taken_on, id"""


class StoredClinical(StoreHome):
    """The part of ``CaseStore`` that keeps the clinical record.

    Every method raises ``Conflict`` where the fields that it would change were changed since ``expected_version``,
    with both values, and ``InvalidEntry`` for what cannot be kept; nothing is written then.
    """

    def record_criteria(self, visit_id: int, criteria: Criteria, *, expected_version: int) -> Case:
        """Replace all three parts; a rule that is None was not filled in."""
        return self._record(visit_id, lambda _: clinical_rows.criteria_columns(criteria), expected_version)

    def record_history(self, visit_id: int, *, symptoms: str, evolution: str, expected_version: int) -> Case:
        return self._record(visit_id, lambda _: clinical_rows.history_columns(symptoms, evolution), expected_version)

    def record_plan(
        self, visit_id: int, plan: Plan | None, *, recall_on: date | str | None = None, expected_version: int
    ) -> Case:
        """Replace the plan, and with it the recall: to ``recall_on``, or to the date that follows from a recheck.

        A plan of which the words alone change keeps the recall as it is; one without a recheck drops an open recall.
        """

        def columns(stored: Row) -> Row:
            typed = clinical_rows.plan_columns(plan)
            if recall_on is not None:
                due = clinical_rows.recall_day(recall_on, stored["taken_on"])
                return typed | _recall(stored, due)
            if all(typed[column] == stored[column] for column in ("plan", "plan_months")):
                return typed
            planned = clinical_rows.planned_recall(plan, stored["taken_on"])
            if planned is None and stored["recall_done_on"] is not None:
                return typed  # what was dealt with stays on record
            return typed | _recall(stored, planned.due_on if planned else None)

        return self._record(visit_id, columns, expected_version)

    def set_recall(self, visit_id: int, due_on: date | str | None, *, expected_version: int) -> Case:
        """Set or remove (None) the date of the recall; another date opens a recall that was dealt with."""

        def columns(stored: Row) -> Row:
            due = None if due_on is None else clinical_rows.recall_day(due_on, stored["taken_on"])
            return _recall(stored, due)

        return self._record(visit_id, columns, expected_version)

    def close_recall(self, visit_id: int, done_on: date | str | None, *, expected_version: int) -> Case:
        """Note that the recall was dealt with on that day; None opens it again. A signed case stays signed."""

        def columns(stored: Row) -> Row:
            if stored["recall_on"] is None:
                raise InvalidEntry("This case has no recall. Set its date first.")
            return clinical_rows.recall_columns(
                Recall(stored["recall_on"], done_on if done_on is None else str(done_on)), stored["taken_on"]
            )

        action = "recall open" if done_on is None else "recall done"
        return self._record(visit_id, columns, expected_version, action=action)

    def record_histology(self, visit_id: int, histology: Histology | None, *, expected_version: int) -> Case:
        """What was found in the lesion that was excised after this visit; None takes it back."""
        return self._record(
            visit_id, lambda stored: clinical_rows.histology_columns(histology, stored["taken_on"]), expected_version
        )

    def record_scale(self, visit_id: int, field_width_mm: float | None, *, expected_version: int) -> Case:
        """The width of the skin that the photo shows, in millimeters; None takes it back."""
        return self._record(visit_id, lambda _: clinical_rows.scale_columns(field_width_mm), expected_version)

    def set_phototype(self, patient_id: int, phototype: int | None, *, expected_version: int) -> Patient:
        """The Fitzpatrick skin phototype, 1 to 6; the trail says that it was changed, not from what."""
        with self._writing() as db:
            people.set_phototype(db, patient_id, phototype, expected_version)
            return rows.patient_of(people.row_of(db, "patient", patient_id))

    def outcomes(self) -> tuple[Outcome, ...]:
        """Each visit of which a clinician or a pathologist said something, for ``outcomes.compare``."""
        with self._reading() as db:
            return tuple(map(_outcome_of, db.query(_OUTCOMES_SQL)))

    def _record(self, visit_id: int, columns: Callable[[Row], Row], expected_version: int, action: str = "") -> Case:
        """``action``: of the trail, for a change that amends nothing; otherwise it follows from the status."""
        with self._writing() as db:
            stored = people.row_of(db, "visit", visit_id)
            wanted = columns(stored)
            people.must_be_current("visit", stored, expected_version, wanted)
            changed = {field: value for field, value in wanted.items() if value != stored[field]}
            if changed:
                _write(db, stored, changed, action)
            return visits.case_of(db, visit_id)


def _write(db: Database, stored: Row, changed: Mapping[str, object], action: str) -> None:
    changes = {
        field: (clinical_rows.in_words(field, stored[field]), clinical_rows.in_words(field, value))
        for field, value in changed.items()
    }
    updated: Row = {**changed, "updated_at": entries.now()}
    if not action:
        reached = entries.next_status(stored["status"], stored["status"], True)
        action = "edited" if reached == "draft" else reached
        if reached != stored["status"]:
            changes["status"] = (stored["status"], reached)
            updated["status"] = reached
    rows.update(db, "visit", stored["id"], updated)
    people.record_revision(db, "visit", stored["id"], action, changes, stored["model_version"])


def _recall(stored: Row, due: str | None) -> Row:
    """The columns for a recall on that day; as long as the day stays, it stays done if it was."""
    return {"recall_on": due, "recall_done_on": stored["recall_done_on"] if due == stored["recall_on"] else None}


def _outcome_of(row: Row) -> Outcome:
    return Outcome(
        visit_id=row["id"],
        lesion_id=row["lesion_id"],
        taken_on=row["taken_on"],
        impression=row["first_impression"],
        diagnosis=row["clinician_label"],
        model_label=row["top_label"],
        flagged=bool(row["above_cutoff"]),
        reliable=bool(row["reliable"]),
        histology=row["histology"],
    )
