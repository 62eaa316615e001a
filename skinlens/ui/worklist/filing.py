"""Photos of the tray on their way to cases: one after another, whatever becomes of the page that asked for it."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from skinlens.background import start_finishing
from skinlens.case_record import Analysis
from skinlens.errors import CaseNotFound, InvalidEntry, SkinLensError, StoreError
from skinlens.formatting import counted
from skinlens.records import BodyPosition, Case
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from skinlens.ui.state.draft_cache import new_token
from skinlens.ui.worklist.tray import Tray, TrayItem

GONE = (
    "The patient or the lesion was deleted in this or in another window while the photos were filed. Choose again in "
    "this row whose photo it is."
)
TAKEN = "This received photo was filed or discarded in another window. Look there, or on the patient's page."
FAULT = "A fault in SkinLens kept it from being filed. The details are in the program's log."
_LOG = logging.getLogger(__name__)
_UNDER_WAY: set[str] = set()


@dataclass(frozen=True)
class Filing:
    """One photo, and what it is to be filed as."""

    item: TrayItem
    patient: NewPatient | int | None
    """As it was typed, or the number of a stored one; None: a photo without a patient."""
    lesion: NewLesion | int
    taken_on: date
    label: str | None = None
    sign: bool = False
    position: BodyPosition | None = None
    """Of a new lesion, on the body map."""


class Run:
    """One filing. The worker writes what came of it, the page reads it; no photo and no name is held after its end."""

    def __init__(
        self, store: CaseStore, tray: Tray, filings: Sequence[Filing], signer: str, read: Callable[[bytes], Analysis]
    ) -> None:
        begun = tray.begin_filing([filing.item for filing in filings])
        self._store, self._tray, self._read = store, tray, read
        self._filings = tuple(filing for filing in filings if filing.item in begun)
        self._token = new_token()
        self.signer = signer
        self.total = len(self._filings)
        self.done = 0
        self.visit_ids: list[int] = []
        self.patient_ids: list[int] = []
        """Whose photos became cases, each once."""
        self.added: int | None = None
        """The patient that it stored last."""
        self.problems: list[str] = []
        """Why photos did not become cases, each once."""
        self.remarks: list[str] = []
        """What of a case that was filed is not as it was asked for."""
        self.seen = False
        """Whether a page has taken over what came of it."""
        _UNDER_WAY.add(self._token)
        tray.run = self
        self._worker = start_finishing(self._work, "filing")

    @property
    def active(self) -> bool:
        return self._worker.is_alive()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether it is at its end, at the latest after that time."""
        self._worker.join(timeout_s)
        return not self.active

    def _work(self) -> None:
        added: dict[NewPatient, int] = {}
        for filing in self._filings:
            with suppress(StoreError):  # a disk that is full: the photo itself says so
                self._store.note_filing(self._token, self.total, self.visit_ids)
            if self._tray.holds(filing.item):
                self._file(filing, added)
            self.done += 1
        self._filings = ()
        with suppress(StoreError):
            self._store.filing_is_over(self._token)
        _UNDER_WAY.discard(self._token)

    def _file(self, filing: Filing, added: dict[NewPatient, int]) -> None:
        try:
            case = self._save(filing, added)
        except CaseNotFound:
            self._failed(filing, GONE)
        except SkinLensError as error:  # the others may do
            self._failed(filing, str(error))
        except Exception:  # noqa: BLE001  a fault of ours is said in its row, and the others are filed
            _LOG.exception("a photo of the worklist could not be filed")
            self._failed(filing, FAULT)
        else:
            try:
                self._finish(filing, case)
            except SkinLensError as error:
                self.remarks.append(f"Case {case.visit.id} is filed, but not as a whole. {error}")

    def _failed(self, filing: Filing, why: str) -> None:
        self._tray.not_filed(filing.item, why)
        if why not in self.problems:
            self.problems.append(why)

    def _save(self, filing: Filing, added: dict[NewPatient, int]) -> Case:
        """``added``: the new patients so far, with their numbers; a second photo of one is of the same patient."""
        if filing.item.received and self._store.received_photo(filing.item.received) is None:
            raise InvalidEntry(TAKEN)
        typed = filing.patient
        patient = added.get(typed, typed) if isinstance(typed, NewPatient) else typed
        case = self._store.save_case(
            self._read(filing.item.data),
            NewVisit(
                patient,
                filing.lesion,
                filing.taken_on,
                ClinicianReading(filing.label),
                filing.item.impression,
                result_first=filing.item.result_first,
            ),
            outlines=[filing.item.outline] if filing.item.outline else (),
        )
        self._tray.filed(filing.item, case.visit.id)  # it is a case now, whatever becomes of signature and place
        if filing.item.received:
            with suppress(StoreError):  # it then waits on, and its row says that it is a case already
                self._store.received_filed(filing.item.received)
        self.visit_ids.append(case.visit.id)
        if case.patient is not None and case.patient.id not in self.patient_ids:
            self.patient_ids.append(case.patient.id)
        if isinstance(typed, NewPatient) and case.patient is not None:
            added[typed] = self.added = case.patient.id
        return case

    def _finish(self, filing: Filing, case: Case) -> None:
        if filing.sign:
            self._store.annotate(
                case.visit.id,
                ClinicianReading(filing.label),
                status="signed",
                expected_version=case.visit.version,
                signer=self.signer,
            )
        if filing.position is not None and isinstance(filing.lesion, NewLesion):
            self._store.place_lesion(case.lesion.id, filing.position, expected_version=case.lesion.version)


def interrupted(store: CaseStore) -> tuple[tuple[str, str], ...]:
    """Filing that an end of the app cut short: for each filing its token, and a sentence. Raises StoreError."""
    return tuple(
        (filing.token, words(filing.total, filing.visit_ids)) for filing in store.unfinished_filings(_UNDER_WAY)
    )


def words(total: int, visit_ids: Sequence[int]) -> str:
    """Progress of a filing that was cut short."""
    filed, left = len(visit_ids), total - len(visit_ids)
    if not left:
        return f"SkinLens was ended just after {counted(total, 'photo')} had been filed. Nothing is missing."
    which = f", as {numbered(visit_ids)}" if filed else ""
    wait = "The other one is" if left == 1 and filed else f"The other {left} are" if filed else "They are"
    photos = f"{filed} of {counted(total, 'photo')} {'was' if filed == 1 else 'were'}"
    return (
        f"{photos} filed before SkinLens was ended{which}. {wait} not stored, for a photo is held in memory alone "
        "until it is filed: drop the same files here again. A photo that came by DICOM is in the list again, and one "
        "that is a case already says so in its row."
    )


def numbered(visit_ids: Sequence[int]) -> str:
    """Cases by number, as "case 4" or "cases 4 to 7 and 9"."""
    spans: list[list[int]] = []
    for number in sorted(visit_ids):
        if spans and number == spans[-1][-1] + 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    parts = [f"{span[0]} to {span[-1]}" if span[-1] > span[0] + 1 else " and ".join(map(str, span)) for span in spans]
    return f"case{'' if len(visit_ids) == 1 else 's'} {', '.join(parts)}"
