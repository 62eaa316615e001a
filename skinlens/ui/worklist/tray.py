"""The tray of one browser tab: photos that were dropped together, read one after another in the background.

It is held in memory alone, under a random token in the page's address, so that a reload loses neither the photos nor
what was typed for them. Each file has its row until it is filed or discarded, also one that cannot be read.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from skinlens.case_record import Analysis
from skinlens.errors import SkinLensError
from skinlens.imaging.intake.patient import PatientFields
from skinlens.labels import MELANOMA
from skinlens.records import Outline, Prediction, QualityReport
from skinlens.ui.state.draft_cache import new_token
from skinlens.wording.naming import PATIENT_UNREADABLE

if TYPE_CHECKING:
    from skinlens.ui.worklist.filing import Run

State = Literal["waiting", "reading", "read", "refused", "filing", "filed"]
MOST_FILES = 60
MOST_BYTES = 200_000_000
"""Of all files of a tray as they were dropped; the pixels are held only while one is read."""
FULL = (
    f"This file was not taken in: a tray holds at most {MOST_FILES} files and {MOST_BYTES // 1_000_000} MB. File or "
    "discard some, then drop it again."
)

_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class TrayItem:
    """One dropped file and what was found in it."""

    name: str
    """As it was dropped: shown in its row, never stored."""
    data: bytes
    state: State = "waiting"
    problem: str = ""
    """Why it could not be read, as a sentence."""
    discarded: bool = False
    """Taken out of the list; it can be put back until the next photos are filed."""
    photo_sha256: str = ""
    thumbnail: bytes = b""
    """JPEG."""
    quality: QualityReport | None = None
    prediction: Prediction | None = None
    outline: Outline | None = None
    """The model's; None where it found no lesion, or the release draws none."""
    not_filed: str = ""
    """Why it did not become a case when it was to, as a sentence."""
    visit_id: int | None = None
    """The case that it was filed as."""
    impression: str | None = None
    """What the clinician said before the result was shown, one of ``labels.IMPRESSIONS``."""
    revealed: bool = False
    """Whether the result was shown."""
    received: str = ""
    """Token by which the store keeps it until it is filed; empty for a file that was dropped."""
    remark: str = ""
    """What is proposed for it, as a sentence; empty where nothing is."""
    said: PatientFields | None = None
    """What a dropped DICOM file says of its patient, until it is proposed in its row."""
    token: str = field(default_factory=new_token)

    def reveal(self, impression: str | None = None) -> None:
        """Have the result shown, after this impression or none. What was said first stays."""
        if not self.revealed:
            self.impression, self.revealed = impression, True

    @property
    def result_first(self) -> bool:
        """Whether the result was shown before any impression was given."""
        return self.revealed and self.impression is None

    def key(self, name: str) -> str:
        """Key of one of its fields on the page."""
        return f"tray_{name}-{self.token}"

    @property
    def melanoma_prob(self) -> float:
        """Probability by which the list is ordered; -1 (last) if unreliable, not read, or not to be shown yet."""
        if not self.revealed or self.prediction is None or self.quality is None or not self.quality.reliable:
            return -1.0
        return self.prediction.prob(MELANOMA)


class Tray:
    """Tray of dropped and received photos, until they are filed; any thread may use it."""

    def __init__(
        self,
        read: Callable[[bytes], Analysis],
        thumbnail: Callable[[Analysis], bytes],
        outline: Callable[[Analysis], Outline | None] = lambda _: None,
        said: Callable[[bytes], PatientFields | None] = lambda _: None,
    ) -> None:
        self._read, self._thumbnail, self._outline, self._said = read, thumbnail, outline, said
        self._lock = threading.Lock()
        self._items: list[TrayItem] = []
        self._worker: threading.Thread | None = None
        self.tab = ""
        """Where it is open, see ``tabs.here``."""
        self.typed: Mapping[str, object] = {}
        """What stands in the fields of its rows, by their keys."""
        self.run: Run | None = None
        """The filing that is under way, or was the last."""

    @property
    def items(self) -> tuple[TrayItem, ...]:
        """Items in the order in which they were dropped, without those that were discarded."""
        with self._lock:
            return tuple(item for item in self._items if not item.discarded)

    @property
    def rows(self) -> tuple[TrayItem, ...]:
        """Rows of all items, with those that were discarded, each where it was dropped."""
        with self._lock:
            return tuple(self._items)

    @property
    def discarded(self) -> tuple[TrayItem, ...]:
        with self._lock:
            return tuple(item for item in self._items if item.discarded)

    @property
    def held_bytes(self) -> int:
        with self._lock:
            return sum(len(item.data) for item in self._items)

    @property
    def busy(self) -> bool:
        """Whether one is still to be read."""
        return any(item.state in {"waiting", "reading"} for item in self.items)

    def add(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Take files in, by name and content, and have them read; each that is too many says so in its row."""
        with self._lock:
            for name, data in files:
                taken = self._has_room(len(data))
                self._items.append(TrayItem(name, data) if taken else TrayItem(name, b"", "refused", FULL))
            self._start()

    def has_room(self, size: int) -> bool:
        """Whether it takes one more file of so many bytes."""
        with self._lock:
            return self._has_room(size)

    def _has_room(self, size: int) -> bool:
        held = sum(len(item.data) for item in self._items)
        return sum(not item.discarded for item in self._items) < MOST_FILES and held + size <= MOST_BYTES

    def add_received(self, name: str, data: bytes, received: str) -> TrayItem:
        """Take a photo in that came from another system, and have it read."""
        item = TrayItem(name, data, received=received)
        with self._lock:
            self._items.append(item)
            self._start()
        return item

    def leave_received(self, waiting: Collection[str]) -> None:
        """Let go of received photos that wait no more: another window filed or discarded them."""
        with self._lock:
            self._items = [
                item
                for item in self._items
                if not item.received or item.received in waiting or item.state in {"filing", "filed"}
            ]

    def discard(self, item: TrayItem) -> None:
        item.discarded = True

    def put_back(self, item: TrayItem) -> None:
        with self._lock:
            item.discarded = False
            self._start()

    def begin_filing(self, items: Collection[TrayItem]) -> tuple[TrayItem, ...]:
        """Mark the items that can be filed as on their way and return them: nobody else files or discards them."""
        with self._lock:
            begun = tuple(item for item in self._items if item in items and item.state == "read" and not item.discarded)
            for item in begun:
                item.state, item.not_filed = "filing", ""
            return begun

    def holds(self, item: TrayItem) -> bool:
        """Whether it is still in the list: what is erased for good leaves it."""
        with self._lock:
            return item in self._items

    def not_filed(self, item: TrayItem, why: str) -> None:
        """Put an item back that was not filed: it stays in the list, and its row says why."""
        with self._lock:
            item.state, item.not_filed = "read", why

    def filed(self, item: TrayItem, visit_id: int) -> None:
        """Mark an item as a case that the store has now."""
        with self._lock:
            item.state, item.visit_id, item.data, item.not_filed = "filed", visit_id, b"", ""
            self._items = [row for row in self._items if not row.discarded]

    def take_out_filed(self) -> None:
        """The rows of what was filed go."""
        with self._lock:
            self._items = [item for item in self._items if item.state != "filed"]

    def forget(self, visit_ids: Collection[int], photos: Collection[str]) -> None:
        """Let go of the rows of these cases and of these photos (SHA-256): they were erased for good."""
        with self._lock:
            self._items = [
                item for item in self._items if item.visit_id not in visit_ids and item.photo_sha256 not in photos
            ]

    def wait(self) -> None:
        """Wait until all are read; for tests and for the end of a process."""
        worker = self._worker
        if worker is not None:
            worker.join()

    def _start(self) -> None:
        if self._worker is None or not self._worker.is_alive():
            self._worker = threading.Thread(target=self._work, name="tray", daemon=True)
            self._worker.start()

    def _next(self) -> TrayItem | None:
        with self._lock:
            for item in self._items:
                if item.state == "waiting" and not item.discarded:
                    item.state = "reading"
                    return item
            self._worker = None
            return None

    def _work(self) -> None:
        while (item := self._next()) is not None:
            try:
                analysis = self._read(item.data)
                item.thumbnail = self._thumbnail(analysis)
                item.photo_sha256 = analysis.photo.sha256
                item.quality, item.prediction = analysis.quality, analysis.prediction
                item.outline = self._outline(analysis)
                self._ask_patient(item)
                item.state = "read"
            except SkinLensError as error:
                item.problem, item.state, item.data = str(error), "refused", b""
            except Exception:  # noqa: BLE001  a fault of ours is said in its row, and the others are read
                _LOG.exception("a file of the worklist could not be read")
                item.problem = "A fault in SkinLens kept this file from being read. Try it as a single new photo."
                item.state = "refused"

    def _ask_patient(self, item: TrayItem) -> None:
        """Of a received photo the receiver did, and its file names nobody."""
        if item.received:
            return
        try:
            item.said = self._said(item.data)
        except SkinLensError:
            item.remark = PATIENT_UNREADABLE
