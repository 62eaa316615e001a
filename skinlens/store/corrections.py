"""Changes to stored cases: each names the version that it is based on, so that no window overwrites another's text."""

from skinlens.clinical import ClinicalRecord
from skinlens.records import BodyPosition, Case, Lesion, Patient, Sex, Status
from skinlens.store import clinical_rows, erasure, mapping, patients, rights, settings, signatures, validation, visits
from skinlens.store.connection import StoreHome
from skinlens.store.validation import ClinicianReading, NewLesion, NewPatient


class StoredCorrections(StoreHome):
    """The part of ``CaseStore`` that changes what was typed.

    ``expected_version`` is the ``version`` of the record that the caller read and showed. If the stored fields were
    changed since, and would be overwritten, each method raises ``Conflict`` with both values and writes nothing.
    """

    def edit_patient(
        self, patient_id: int, pseudonym: str, birth_year: int | None, sex: Sex, *, expected_version: int
    ) -> Patient:
        """Correct all three fields. No trace of the earlier values is left in the database."""
        typed = NewPatient(pseudonym, birth_year, sex)
        with self._writing() as db:
            if patients.edit_patient(db, patient_id, typed, expected_version):
                erasure.schedule_purge(db)
            patient = mapping.patient_of(patients.row_of(db, "patient", patient_id))
        self._purge()
        return patient

    def edit_lesion(self, lesion_id: int, body_site: str, remark: str, *, expected_version: int) -> Lesion:
        with self._writing() as db:
            patients.edit_lesion(db, lesion_id, NewLesion(body_site, remark), expected_version)
            return mapping.lesion_of(patients.row_of(db, "lesion", lesion_id))

    def place_lesion(self, lesion_id: int, position: BodyPosition | None, *, expected_version: int) -> Lesion:
        """Set or move the lesion's place on the body map; None takes it off.

        Raises:
            InvalidEntry: there is no such view, or the place lies outside of its drawing.
        """
        with self._writing() as db:
            patients.place_lesion(db, lesion_id, position, expected_version)
            return mapping.lesion_of(patients.row_of(db, "lesion", lesion_id))

    def annotate(
        self,
        visit_id: int,
        reading: ClinicianReading,
        *,
        status: Status,
        expected_version: int,
        signer: str = "",
        clinical: ClinicalRecord | None = None,
    ) -> Case:
        """Replace the clinician's reading, and the clinical record where one is given, in one transaction.

        A draft stays one or is signed; a signed case that is edited is amended. ``signer``: who signs, or who amends
        what was signed; the signature stays, and the trail has both. Of ``clinical.recall`` the date alone counts.

        Raises:
            Conflict: as above; or it is to be signed, and was signed after ``expected_version``.
            InvalidEntry: a case is signed without a diagnosis; or nobody signs or amends it, and the settings list who
                may.
        """
        typed = visits.reading_columns(reading)
        with self._writing() as db:
            stored = patients.row_of(db, "visit", visit_id)
            self.must_be_allowed(rights.of_change(stored["status"], status))
            wanted = typed | (clinical_rows.changed_columns(clinical, stored) if clinical else {})
            if status == "signed":
                signatures.must_not_be_signed_meanwhile(stored, expected_version, wanted)
            patients.must_be_current("visit", stored, expected_version, wanted)
            signatures.write(db, stored, wanted, status=status, signer=signer)
            return visits.case_of(db, visit_id)

    def move_case(
        self,
        visit_id: int,
        *,
        patient: NewPatient | int | None,
        lesion: NewLesion | int,
        expected_version: int,
        signer: str = "",
    ) -> Case:
        """Move one visit to another lesion of the same or of another patient, given as in ``NewVisit``.

        The trail gets the numbers of both, the body sites, and ``signer``: the name of who moves it. A lesion that is
        left without a visit is removed: it was there for this photo alone. The patient that it belonged to stays.

        Raises:
            InvalidEntry: the lesion is not of that patient, or the patient was born after the photo; or nobody moves a
                signed case, and the settings list who signs.
        """
        name = settings.optional_line(signer, "name of who moves it")
        with self._writing() as db:
            before = visits.case_of(db, visit_id)
            year = int(before.visit.taken_on[:4])
            stored = patients.row_of(db, "visit", visit_id)
            wanted = lesion if isinstance(lesion, int) else None  # one to be added has no number yet
            patients.must_be_current("visit", stored, expected_version, {"lesion_id": wanted})
            lesion_id = patients.lesion_for_case(db, patient, lesion, year)
            if lesion_id != before.lesion.id:
                if before.visit.status != "draft":
                    signatures.must_have_name(db, name, signs=False)
                mapping.update(db, "visit", visit_id, {"lesion_id": lesion_id, "updated_at": validation.now()})
                changes = visits.move_changes(before, visits.case_of(db, visit_id))
                if name:
                    changes["moved_by"] = (None, name)
                patients.record_revision(db, "visit", visit_id, "moved", changes, stored["model_version"])
                patients.remove_empty_lesion(db, before.lesion.id)
                erasure.schedule_purge(db)  # the search index held the words of the lesion and patient before
            moved = visits.case_of(db, visit_id)
        self._purge()
        return moved
