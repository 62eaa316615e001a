"""Recalls that were dealt with, skin phototypes, and the outcomes of stored cases.

Each change names the version that it is based on, as in ``corrections``. That a recall was dealt with amends no signed
case, for it changes nothing that was signed.
"""

from datetime import date

from skinlens.clinical import Recall
from skinlens.errors import InvalidEntry
from skinlens.outcomes import Outcome
from skinlens.records import Case, Patient
from skinlens.store import clinical_rows, mapping, patients, signatures, visits
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
    """The part of ``CaseStore`` for recalls, skin phototypes and outcomes; ``annotate`` writes the clinical record."""

    def close_recall(self, visit_id: int, done_on: date | str | None, *, expected_version: int) -> Case:
        """Note that the recall was dealt with on that day; None opens it again. A signed case stays signed.

        Raises:
            Conflict: the recall was changed since ``expected_version``; it has both values, and nothing is written.
            InvalidEntry: there is no recall, or it cannot have been dealt with on that day.
        """
        with self._writing() as db:
            stored = patients.row_of(db, "visit", visit_id)
            if stored["recall_on"] is None:
                raise InvalidEntry("This case has no recall. Set its date first.")
            recall = Recall(stored["recall_on"], None if done_on is None else str(done_on))
            wanted = clinical_rows.recall_columns(recall, stored["taken_on"])
            patients.must_be_current("visit", stored, expected_version, wanted)
            action = "recall open" if done_on is None else "recall done"
            signatures.write(db, stored, wanted, status=stored["status"], action=action)
            return visits.case_of(db, visit_id)

    def set_phototype(self, patient_id: int, phototype: int | None, *, expected_version: int) -> Patient:
        """The Fitzpatrick skin phototype, 1 to 6; the trail says that it was changed, not from what."""
        with self._writing() as db:
            patients.set_phototype(db, patient_id, phototype, expected_version)
            return mapping.patient_of(patients.row_of(db, "patient", patient_id))

    def outcomes(self) -> tuple[Outcome, ...]:
        """Each visit of which a clinician or a pathologist said something, for ``outcomes.compare``."""
        with self._reading() as db:
            return tuple(map(_outcome_of, db.query(_OUTCOMES_SQL)))


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
