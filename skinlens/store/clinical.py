"""Clinical record of a stored case: criteria, symptoms, plan, recall, histology; and the patient's phototype.

Each method names the version that it is based on, as in ``corrections``. A change after the signature amends the case;
that a recall was dealt with does not, for it changes nothing that was signed.
"""

from collections.abc import Callable
from datetime import date

from skinlens.clinical import Histology, Plan, Recall
from skinlens.criteria import Criteria
from skinlens.errors import InvalidEntry
from skinlens.outcomes import Outcome
from skinlens.records import Case, Patient
from skinlens.store import clinical_rows, mapping, patients, rights, signatures, visits
from skinlens.store.connection import StoreHome
from skinlens.store.mapping import Row

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
    with both values, and ``InvalidEntry`` for what cannot be kept; nothing is written then. ``signer``: who amends what
    was signed; needed where the settings list who signs.
    """

    def record_criteria(self, visit_id: int, criteria: Criteria, *, expected_version: int, signer: str = "") -> Case:
        """Replace all three parts; a rule that is None was not filled in."""
        return self._record(visit_id, lambda _: clinical_rows.criteria_columns(criteria), expected_version, signer)

    def record_history(
        self, visit_id: int, *, symptoms: str, evolution: str, expected_version: int, signer: str = ""
    ) -> Case:
        columns = clinical_rows.history_columns(symptoms, evolution)
        return self._record(visit_id, lambda _: columns, expected_version, signer)

    def record_plan(
        self,
        visit_id: int,
        plan: Plan | None,
        *,
        recall_on: date | str | None = None,
        expected_version: int,
        signer: str = "",
    ) -> Case:
        """Replace the plan, and with it the recall: to ``recall_on``, or to the date that follows from a follow-up.

        A plan of which the words alone change keeps the recall as it is; one without a follow-up drops an open recall.
        """
        return self._record(
            visit_id,
            lambda stored: clinical_rows.plan_and_recall_columns(plan, recall_on, stored),
            expected_version,
            signer,
        )

    def set_recall(self, visit_id: int, due_on: date | str | None, *, expected_version: int, signer: str = "") -> Case:
        """Set or remove (None) the date of the recall; another date opens a recall that was dealt with."""

        def columns(stored: Row) -> Row:
            due = None if due_on is None else clinical_rows.recall_day(due_on, stored["taken_on"])
            return clinical_rows.moved_recall(stored, due)

        return self._record(visit_id, columns, expected_version, signer)

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

    def record_histology(
        self, visit_id: int, histology: Histology | None, *, expected_version: int, signer: str = ""
    ) -> Case:
        """Store the histology of the lesion that was excised after this visit; None takes it back."""
        return self._record(
            visit_id,
            lambda stored: clinical_rows.histology_columns(histology, stored["taken_on"]),
            expected_version,
            signer,
        )

    def record_scale(
        self, visit_id: int, field_width_mm: float | None, *, expected_version: int, signer: str = ""
    ) -> Case:
        """The field of view of the photo in millimeters, from its left to its right edge; None takes it back."""
        columns = clinical_rows.scale_columns(field_width_mm)
        return self._record(visit_id, lambda _: columns, expected_version, signer)

    def set_phototype(self, patient_id: int, phototype: int | None, *, expected_version: int) -> Patient:
        """The Fitzpatrick skin phototype, 1 to 6; the trail says that it was changed, not from what."""
        with self._writing() as db:
            patients.set_phototype(db, patient_id, phototype, expected_version)
            return mapping.patient_of(patients.row_of(db, "patient", patient_id))

    def outcomes(self) -> tuple[Outcome, ...]:
        """Each visit of which a clinician or a pathologist said something, for ``outcomes.compare``."""
        with self._reading() as db:
            return tuple(map(_outcome_of, db.query(_OUTCOMES_SQL)))

    def _record(
        self,
        visit_id: int,
        columns: Callable[[Row], Row],
        expected_version: int,
        signer: str = "",
        action: str = "",
    ) -> Case:
        """``action``: of the trail, for a change that amends nothing; otherwise it follows from the status."""
        with self._writing() as db:
            stored = patients.row_of(db, "visit", visit_id)
            if not action:
                self.must_be_allowed(rights.of_change(stored["status"]))
            wanted = columns(stored)
            patients.must_be_current("visit", stored, expected_version, wanted)
            signatures.write(db, stored, wanted, status=stored["status"], signer=signer, action=action)
            return visits.case_of(db, visit_id)


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
