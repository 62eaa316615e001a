"""The case store: patients, lesions and visits in SQLite, pictures and maps in files beside it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from sqlite_utils.db import Database

from skinlens.case_record import Analysis, Revision, Subject
from skinlens.errors import CaseNotFound, StoreError
from skinlens.labels import DISCLAIMER
from skinlens.records import Case, CheckResult, Explanation, Outline, Visit
from skinlens.store import (
    blobs,
    chain,
    clinical_rows,
    database,
    erasure,
    export,
    mapping,
    patients,
    rights,
    search,
    settings,
    validation,
    visits,
)
from skinlens.store.audit_log import StoredAudit
from skinlens.store.backup import StoredBackups
from skinlens.store.checks import StoredChecks, put_check
from skinlens.store.clinical import StoredClinical
from skinlens.store.corrections import StoredCorrections
from skinlens.store.features import StoredFeatures, put_features
from skinlens.store.filings import StoredFilings
from skinlens.store.loading import StoredRecords
from skinlens.store.outlines import StoredOutlines, put_outline
from skinlens.store.patient_list import StoredPatients
from skinlens.store.received import StoredReceived
from skinlens.store.rescores import StoredRescores
from skinlens.store.search import EVERY_CASE, CasePage, CaseQuery, CaseRow
from skinlens.store.settings import StoredSettings
from skinlens.store.timing import StoredTiming
from skinlens.store.upkeep import StoredUpkeep
from skinlens.store.validation import NewVisit, require_same_photo

_ACKNOWLEDGED = "disclaimer_acknowledged"


@rights.checked
class CaseStore(
    StoredRecords,
    StoredPatients,
    StoredCorrections,
    StoredClinical,
    StoredChecks,
    StoredOutlines,
    StoredFeatures,
    StoredRescores,
    StoredTiming,
    StoredSettings,
    StoredFilings,
    StoredReceived,
    StoredAudit,
    StoredBackups,
    StoredUpkeep,
):
    """All cases of one home folder. It holds a path and no connection: any thread and any process may use it at once.

    A save is one transaction; its files are on the disk before its rows. Readers see the state before or after it.

    *Ages.* A patient who is above 85 at a visit, counted by years, is kept with the birth year that gives 86 at the
    latest such visit and with ``birth_year_is_upper_bound``, so that every age reads as "85+" or "at least"; the birth
    year that was typed is not kept.

    Every method raises ``StoreError`` where the database or a file cannot be used, ``CaseNotFound`` for a number that
    is not there (any more), and ``InvalidEntry`` for what cannot be kept; and ``NotAllowed`` where the role of the
    actor has not the right that ``rights`` asks for: nothing is written then.
    """

    # -------------------------------------------------------------------------------------------------- saving

    def save_case(
        self,
        analysis: Analysis,
        visit: NewVisit,
        explanations: Sequence[Explanation] = (),
        checks: Sequence[CheckResult] = (),
        outlines: Sequence[Outline] = (),
    ) -> Case:
        """Keep one visit with all that was made for it, in one transaction; its features, for ``similar_cases``, too.

        Raises:
            Conflict: a patient is to be added whose pseudonym is taken.
            InvalidEntry: what was typed cannot be kept; or a map, a check or an outline is of another photo.
        """
        if visit.status == "signed":
            self.must_be_allowed("sign")
        photo, prediction, typed = analysis.photo, analysis.prediction, visits.typed_columns(visit)
        for explanation in explanations:
            require_same_photo(explanation, photo.sha256)
        for check in checks:
            require_same_photo(check, photo.sha256)
        for outline in outlines:
            require_same_photo(outline, photo.sha256)
        picture, thumbnail = blobs.picture_file(photo.pixels), blobs.thumbnail_file(photo.pixels)
        heatmaps = [blobs.heat_file(explanation.heatmap) for explanation in explanations]
        with self._writing_with(dict([picture, thumbnail, *heatmaps])) as db:
            now = validation.now()
            row = {
                "lesion_id": patients.lesion_for_case(db, visit.patient, visit.lesion, int(typed["taken_on"][:4])),
                **typed,
                **dict.fromkeys(("created_at", "updated_at"), now),
                "signed_at": now if visit.status == "signed" else None,
                **mapping.photo_columns(photo),
                "photo_file": picture[0],
                "thumbnail_file": thumbnail[0],
                **mapping.verdict_columns(analysis.quality, prediction),
            }
            visit_id = mapping.insert(db, "visit", row)
            for explanation, (heat_file, _) in zip(explanations, heatmaps, strict=True):
                visits.put_explanation(db, visit_id, explanation, heat_file)
            for check in checks:
                put_check(db, visit_id, check)
            for outline in outlines:
                put_outline(db, visit_id, outline)
            if analysis.features is not None:
                put_features(db, visit_id, prediction.model.sha256, analysis.features)
            changes = {
                field: (None, clinical_rows.logged_value(field, value)) for field, value in typed.items() if value
            }
            patients.record_revision(db, "visit", visit_id, "created", changes, prediction.model.version)
            return visits.case_of(db, visit_id)

    def add_explanation(self, visit_id: int, explanation: Explanation) -> Explanation:
        """Keep one map; it takes the place of one of the same method, class and parameters."""
        heat_file, content = blobs.heat_file(explanation.heatmap)
        with self._writing_with({heat_file: content}) as db:
            visit = patients.row_of(db, "visit", visit_id)
            require_same_photo(explanation, visit["photo_sha256"])
            replaced = visits.put_explanation(db, visit_id, explanation, heat_file)
            changes = {"explanation": (None, " ".join([explanation.method, *explanation.target.codes]))}
            patients.record_revision(db, "visit", visit_id, "explained", changes, visit["model_version"])
        with suppress(StoreError):  # the map is kept; a later start looks after the file that nothing names any more
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

    def visit_photos(self) -> Iterator[tuple[int, str]]:
        """Number of each case and hash of its photo, by number; a thousand are read at a time, so one may be gone when
        it comes.
        """
        last = 0
        while True:
            with self._reading() as db:
                sql = "SELECT id, photo_sha256 FROM visit WHERE id > ? ORDER BY id LIMIT 1000"
                visits = [(int(row["id"]), str(row["photo_sha256"])) for row in db.query(sql, [last])]
            if not visits:
                return
            yield from visits
            last = visits[-1][0]

    def visit_numbers(self) -> Iterator[int]:
        """The numbers of all cases, rising."""
        return (number for number, _ in self.visit_photos())

    def cases_with_photo(self, photo_sha256: str) -> tuple[CaseRow, ...]:
        """All cases that hold this very photo, the newest first: of the same lesion, or of another patient."""
        with self._reading() as db:
            rows = db.query(search.SAME_PHOTO_SQL, [photo_sha256])
            return tuple(search.case_row_of(row) for row in mapping.sound(rows, photo_sha256=photo_sha256))

    def thumbnails(self, visit_ids: Sequence[int]) -> dict[int, bytes]:
        """Thumbnails of a page at once; a case that is gone, or whose thumbnail is lost, is left out."""
        marks = ", ".join("?" * len(visit_ids))
        whole: dict[int, bytes] = {}
        with self._reading() as db:
            for row in mapping.sound(
                db.query(f"SELECT id, thumbnail_file, sound FROM sealed_visit WHERE id IN ({marks})", visit_ids)
            ):
                with suppress(StoreError):
                    whole[row["id"]] = self.files.read(row["thumbnail_file"], "the thumbnail")
        return whole

    def visits_of_lesion(self, lesion_id: int) -> tuple[Visit, ...]:
        """Visits of a lesion by date, the oldest first."""
        with self._reading() as db:
            patients.row_of(db, "lesion", lesion_id)
            rows = db.query("SELECT * FROM sealed_visit WHERE lesion_id = ? ORDER BY taken_on, id", [lesion_id])
            return tuple(mapping.visit_of(row) for row in mapping.sound(rows, lesion_id=lesion_id))

    def visit_before(self, visit: Visit) -> Visit | None:
        """The last visit of the same lesion on an earlier day."""
        with self._reading() as db:
            row = visits.before(db, visit)
        return None if row is None else mapping.visit_of(row)

    def revisions(self, visit_id: int) -> tuple[Revision, ...]:
        """Revisions of the visit, its lesion and its patient, the oldest first."""
        with self._reading() as db:
            return visits.revisions_of(db, visits.case_of(db, visit_id))

    def search(self, query: CaseQuery = EVERY_CASE) -> CasePage:
        """One page of the list of cases. Nothing that a person types into it is an error."""
        with self._reading() as db:
            rows = list(db.query(*search.page_sql(query, _place(db, query, query.after))))
            total = next(iter(db.query(*search.total_sql(query))))["total"]
        problems = tuple(mapping.unsound(f"case {row['id']}") for row in rows if not row["sound"])
        whole = tuple(search.case_row_of(row) for row in mapping.sound(rows))
        return CasePage(whole, total, search.offset_of(query), problems)

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
        if not_noted := self.note_export("patient", patient_id):
            problems.append(not_noted)
        return export.pack({**document, "problems": problems}, contents)

    def delete_visit(self, visit_id: int) -> None:
        """Rows and files; a lesion without a patient goes with its last visit."""
        self._erase("visit", visit_id)

    def delete_patient(self, patient_id: int) -> None:
        """Delete a patient with all lesions and visits; text is overwritten in the database, search index and log."""
        self._erase("patient", patient_id)

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
        with self._writing() as db:
            settings.put(db, _ACKNOWLEDGED, DISCLAIMER)
            chain.append(db, "acknowledged", "store")

    def disclaimer_acknowledged_at(self) -> str | None:
        """Time in UTC of the acknowledgment; None if there is none, or if its wording has changed since."""
        acknowledged_at = self.setting(_ACKNOWLEDGED)
        return (
            acknowledged_at.updated_at if acknowledged_at is not None and acknowledged_at.value == DISCLAIMER else None
        )


def _place(db: Database, query: CaseQuery, visit_id: int | None) -> tuple[object, ...] | None:
    """Where the case stands in the order of the query; None for none, and for one that is gone."""
    if visit_id is None or not mapping.is_number(visit_id):
        return None
    row = mapping.first(db, search.place_sql(query), [visit_id])
    return None if row is None else tuple(row.values())
