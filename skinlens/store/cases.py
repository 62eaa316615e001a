"""The case store: patients, lesions and visits in SQLite, pictures and maps in files beside it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date

from sqlite_utils.db import Database

from skinlens.clinical import NOT_RECORDED, ClinicalRecord
from skinlens.errors import CaseNotFound, StoreError
from skinlens.labels import DISCLAIMER
from skinlens.records import (
    Case,
    CheckResult,
    Explanation,
    Outline,
    Photo,
    Prediction,
    QualityReport,
    Sex,
    Status,
    Visit,
)
from skinlens.store import (
    blobs,
    clinical_rows,
    database,
    erasure,
    export,
    mapping,
    patients,
    search,
    validation,
    visits,
)
from skinlens.store.backup import StoredBackups
from skinlens.store.checks import StoredChecks, must_test, put_check
from skinlens.store.clinical import StoredClinical
from skinlens.store.corrections import StoredCorrections
from skinlens.store.features import StoredFeatures
from skinlens.store.filings import StoredFilings
from skinlens.store.mapping import Revision, Subject
from skinlens.store.outlines import StoredOutlines, must_surround, put_outline
from skinlens.store.patient_list import StoredPatients
from skinlens.store.search import EVERY_CASE, CasePage, CaseQuery, CaseRow
from skinlens.store.settings import StoredSettings
from skinlens.store.signatures import must_have_diagnosis
from skinlens.store.timing import StoredTiming
from skinlens.store.upkeep import StoredUpkeep

_ACKNOWLEDGED = "disclaimer_acknowledged"


class CaseStore(
    StoredPatients,
    StoredCorrections,
    StoredClinical,
    StoredChecks,
    StoredOutlines,
    StoredFeatures,
    StoredTiming,
    StoredSettings,
    StoredFilings,
    StoredBackups,
    StoredUpkeep,
):
    """All cases of one home folder. It holds a path and no connection: any thread and any process may use it at once.

    A save is one transaction; its files are on the disk before its rows. Readers see the state before or after it.

    *Ages.* A patient who is above 85 at a visit, counted by years, is kept with the birth year that gives 86 at the
    latest such visit and with ``born_earlier``, so that every age reads as "85+" or "at least"; the birth year that
    was typed is not kept.

    Every method raises ``StoreError`` where the database or a file cannot be used, ``CaseNotFound`` for a number that
    is not there (any more), and ``InvalidEntry`` for what cannot be kept.
    """

    # -------------------------------------------------------------------------------------------------- saving

    def save_case(
        self,
        photo: Photo,
        quality: QualityReport,
        prediction: Prediction,
        explanations: Sequence[Explanation] = (),
        checks: Sequence[CheckResult] = (),
        outlines: Sequence[Outline] = (),
        *,
        patient: tuple[str, int | None, Sex] | int | None,
        lesion: tuple[str, str] | int,
        taken_on: date | str,
        clinician_label: str | None = None,
        clinician_diagnosis: str = "",
        notes: str = "",
        first_impression: str | None = None,
        status: Status = "draft",
        clinical: ClinicalRecord = NOT_RECORDED,
    ) -> Case:
        """Keep one visit, in one transaction.

        Args:
            patient: ``NewPatient`` (always added; a pseudonym that is taken is a ``Conflict``), the number of a stored
                one, or None.
            lesion: ``NewLesion`` (always added), or the number of a stored one, which brings its patient with it.
            taken_on: The day of the photo, not in the future.
            first_impression: One of ``labels.IMPRESSIONS``, said before the model's reading was shown. It stays as
                it is: what is thought later is the clinician's reading.
            status: ``draft``, or ``signed``, which takes a ``clinician_label``.
            clinical: A follow-up without a recall gets the date that follows from it.
        """
        day = validation.day(taken_on)
        typed = {
            "taken_on": day,
            **visits.reading_columns(clinician_label, clinician_diagnosis, notes),
            "first_impression": validation.first_impression(first_impression),
            "status": validation.first_status(status),
            **clinical_rows.record_columns(clinical, day),
        }
        if status == "signed":
            must_have_diagnosis(clinician_label)
            clinical_rows.must_be_complete(typed["abcd"])
        for explanation in explanations:
            visits.must_explain(explanation, photo.sha256)
        for check in checks:
            must_test(check, photo.sha256)
        for outline in outlines:
            must_surround(outline, photo.sha256)
        picture, thumbnail = blobs.picture_file(photo.pixels), blobs.thumbnail_file(photo.pixels)
        heats = [blobs.heat_file(explanation.heat) for explanation in explanations]
        contents = dict([picture, thumbnail, *heats])
        with self._writing_with(contents) as db:
            row = {
                "lesion_id": patients.lesion_for_case(db, patient, lesion, int(day[:4])),
                **typed,
                **dict.fromkeys(("created_at", "updated_at"), validation.now()),
                **mapping.photo_columns(photo),
                "photo_file": picture[0],
                "thumbnail_file": thumbnail[0],
                **mapping.verdict_columns(quality, prediction),
            }
            row["signed_at"] = row["created_at"] if status == "signed" else None
            visit_id = mapping.insert(db, "visit", row)
            for explanation, (heat_file, _) in zip(explanations, heats, strict=True):
                visits.put_explanation(db, visit_id, explanation, heat_file)
            for check in checks:
                put_check(db, visit_id, check)
            for outline in outlines:
                put_outline(db, visit_id, outline)
            changes = {field: (None, clinical_rows.in_words(field, value)) for field, value in typed.items() if value}
            patients.record_revision(db, "visit", visit_id, "created", changes, prediction.model.version)
            return visits.case_of(db, visit_id)

    def add_explanation(self, visit_id: int, explanation: Explanation) -> Explanation:
        """Keep one map; it takes the place of one of the same method, class and parameters."""
        heat_file, content = blobs.heat_file(explanation.heat)
        with self._writing_with({heat_file: content}) as db:
            visit = patients.row_of(db, "visit", visit_id)
            visits.must_explain(explanation, visit["photo_sha256"])
            replaced = visits.put_explanation(db, visit_id, explanation, heat_file)
            changes = {"explanation": (None, " ".join([explanation.method, *explanation.target.codes]))}
            patients.record_revision(db, "visit", visit_id, "explained", changes, visit["model_version"])
        self._remove_files(replaced)
        return explanation

    # -------------------------------------------------------------------------------------------------- reading

    def case(self, visit_id: int) -> Case:
        """The visit with its lesion and patient; it opens also where a file of it is lost."""
        with self._reading() as db:
            return visits.case_of(db, visit_id)

    def exists(self, visit_id: int) -> bool:
        """Whether the case is still stored: asked before anything of it is shown that was read earlier."""
        with self._reading() as db:
            try:
                patients.must_exist(db, "visit", visit_id)
            except CaseNotFound:
                return False
            return True

    def cases_with_photo(self, photo_sha256: str) -> tuple[CaseRow, ...]:
        """All cases that hold this very photo, the newest first: of the same lesion, or of another patient."""
        with self._reading() as db:
            found = db.query(search.SAME_PHOTO_SQL, [photo_sha256])
            return tuple(search.case_row_of(row) for row in mapping.sound(found, photo_sha256=photo_sha256))

    def photo(self, visit_id: int) -> Photo:
        """The photo as it was saved: the same pixels, hash and notes."""
        with self._reading() as db:
            row = patients.row_of(db, "visit", visit_id)
            content = self.files.read(row["photo_file"], f"the picture of case {visit_id}")
        return mapping.photo_of(row, blobs.pixels_of(content))

    def readable_photo(self, visit_id: int) -> tuple[Photo, tuple[str, ...]]:
        """The photo; or a placeholder of its size and a sentence, where its file is lost or damaged."""
        try:
            return self.photo(visit_id), ()
        except StoreError as error:
            with self._reading() as db:
                row = patients.row_of(db, "visit", visit_id)
            drawn = blobs.placeholder(row["height_px"], row["width_px"])
            return mapping.placeholder_of(row, drawn), (str(error),)

    def thumbnail(self, visit_id: int) -> bytes:
        """A JPEG of at most 240 px."""
        with self._reading() as db:
            row = patients.row_of(db, "visit", visit_id)
            return self.files.read(row["thumbnail_file"], f"the thumbnail of case {visit_id}")

    def thumbnails(self, visit_ids: Sequence[int]) -> dict[int, bytes]:
        """Those of a page at once; a case that is gone, or whose thumbnail is lost, is left out."""
        marks = ", ".join("?" * len(visit_ids))
        whole: dict[int, bytes] = {}
        with self._reading() as db:
            for row in mapping.sound(
                db.query(f"SELECT id, thumbnail_file, sound FROM sealed_visit WHERE id IN ({marks})", visit_ids)
            ):
                with suppress(StoreError):
                    whole[row["id"]] = self.files.read(row["thumbnail_file"], "the thumbnail")
        return whole

    def explanations(self, visit_id: int) -> tuple[Explanation, ...]:
        """All maps in the order in which they were saved; a ``StoreError`` names every file that is lost."""
        whole, problems = self.readable_explanations(visit_id)
        if problems:
            raise StoreError("\n".join(problems))
        return whole

    def readable_explanations(self, visit_id: int) -> tuple[tuple[Explanation, ...], tuple[str, ...]]:
        """The maps whose files are whole, and a sentence for each that is not."""
        whole: list[Explanation] = []
        problems: list[str] = []
        with self._reading() as db:
            patients.row_of(db, "visit", visit_id)
            for row in db.query(visits.EXPLANATIONS_SQL, [visit_id]):
                try:
                    if not mapping.is_sound(row, visit_id=visit_id):
                        raise StoreError(mapping.unsound(f"a map of case {visit_id}"))
                    content = self.files.read(row["heat_file"], visits.map_in_words(row))
                    whole.append(mapping.explanation_of(row, blobs.heat_of(content)))
                except StoreError as error:
                    problems.append(str(error))
        return tuple(whole), tuple(problems)

    def visits_of_lesion(self, lesion_id: int) -> tuple[Visit, ...]:
        """By date, the oldest first."""
        with self._reading() as db:
            patients.row_of(db, "lesion", lesion_id)
            found = db.query("SELECT * FROM sealed_visit WHERE lesion_id = ? ORDER BY taken_on, id", [lesion_id])
            return tuple(mapping.visit_of(row) for row in mapping.sound(found, lesion_id=lesion_id))

    def revisions(self, visit_id: int) -> tuple[Revision, ...]:
        """What was changed in the visit, its lesion and its patient, the oldest first."""
        with self._reading() as db:
            case = visits.case_of(db, visit_id)
            found = db.query(
                "SELECT * FROM sealed_revision WHERE visit_id = ? OR lesion_id = ? OR patient_id = ? ORDER BY id",
                [visit_id, case.lesion.id, case.lesion.patient_id],
            )
            own = {"visit_id": visit_id, "lesion_id": case.lesion.id, "patient_id": case.lesion.patient_id}
            about = (
                row for row in mapping.sound(found) if any(row[column] == own[column] for column in own if own[column])
            )
            return tuple(mapping.revision_of(row) for row in about)

    def search(self, query: CaseQuery = EVERY_CASE) -> CasePage:
        """One page of the history. Nothing that a person types into it is an error."""
        with self._reading() as db:
            found = list(db.query(*search.page_sql(query, _place(db, query, query.after))))
            total = next(iter(db.query(*search.total_sql(query))))["total"]
        problems = tuple(mapping.unsound(f"case {row['id']}") for row in found if not row["sound"])
        whole = tuple(search.case_row_of(row) for row in mapping.sound(found))
        return CasePage(whole, total, search.offset_of(query), problems)

    def neighbors(self, query: CaseQuery, visit_id: int) -> tuple[int | None, int | None]:
        """The cases before and after one in the order of a query, of all its pages; None at an end.

        The case itself need not fulfil the conditions (any more): after it was signed, the next unsigned one is next.
        """
        one = replace(query, limit=1, offset=0)
        with self._reading() as db:
            place = _place(db, query, visit_id)
            if place is None:
                return None, None
            sides = (search.ids_sql(one, place, backwards=backwards) for backwards in (True, False))
            before, after = ([row["id"] for row in db.query(*side)] for side in sides)
        return (before[0] if before else None), (after[0] if after else None)

    # ------------------------------------------------------------------------------------------ export, erasure

    def export_patient(self, patient_id: int) -> bytes:
        """A ZIP with everything that is kept of the patient; files that are lost are named in it under "problems"."""
        contents: dict[str, bytes] = {}
        with self._reading() as db:
            document, wanted, problems = export.patient_document(db, patient_id)
            for path, (name, what) in wanted.items():
                try:
                    contents[path] = self.files.read(name, what)
                except StoreError as error:
                    problems.append(str(error))
        return export.pack({**document, "problems": problems}, contents)

    def delete_visit(self, visit_id: int) -> None:
        """Rows and files; a lesion without a patient goes with its last visit."""
        self._erase("visit", visit_id)

    def delete_lesion(self, lesion_id: int) -> None:
        """With all its visits: rows and files."""
        self._erase("lesion", lesion_id)

    def delete_patient(self, patient_id: int) -> None:
        """With all lesions and visits. Their text is overwritten in the database, its search index and its log."""
        self._erase("patient", patient_id)

    def erasures(self) -> int:
        """How many times something was erased here: what was copied before the number changed may be gone."""
        counted = self.setting(erasure.COUNTED)
        return int(counted.value) if counted is not None and counted.value.isdecimal() else 0

    def _erase(self, subject: Subject, number: int) -> None:
        self._with_room_made(subject, number)
        try:
            self._finish_erasure()
        except StoreError as error:
            raise StoreError(
                "It is deleted and cannot be opened any more; its last traces are removed at the next start of "
                f"SkinLens. {error}"
            ) from error

    def _with_room_made(self, subject: Subject, number: int) -> None:
        """Erase the rows; on a full disk with the room of the reserve.

        The files never make room: they go after the rows, so that a case that stays has its photo.
        """
        try:
            self._erase_rows(subject, number)
        except StoreError as error:
            if not database.lacks_room(error):
                raise
            self._release_reserve()
            self._erase_rows(subject, number)

    def _erase_rows(self, subject: Subject, number: int) -> None:
        with self._writing() as db:
            erasure.erase_rows(db, subject, number)
        self.forget_features()

    # ------------------------------------------------------------------------------------------- installation

    def acknowledge_disclaimer(self) -> None:
        """Keep that the disclaimer in its present wording was acknowledged in this installation, and when."""
        self.keep_setting(_ACKNOWLEDGED, DISCLAIMER)

    def disclaimer_acknowledged_at(self) -> str | None:
        """When, in UTC; None if it was not, or if its wording has changed since."""
        kept = self.setting(_ACKNOWLEDGED)
        return kept.updated_at if kept is not None and kept.value == DISCLAIMER else None


def _place(db: Database, query: CaseQuery, visit_id: int | None) -> tuple[object, ...] | None:
    """Where the case stands in the order of the query; None for none, and for one that is gone."""
    if visit_id is None or not mapping.is_number(visit_id):
        return None
    row = mapping.first(db, search.place_sql(query), [visit_id])
    return None if row is None else tuple(row.values())
