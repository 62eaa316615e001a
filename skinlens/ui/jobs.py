"""Maps, and checks of them, in the background: a bounded pool that all sessions share fairly, with progress and cancel.

A session's ``Desk`` never holds more than one worker, and goes to the end of the line after each piece of work. So a
session that asks for many maps waits for its own, and the others' come in between.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from skinlens.errors import Cancelled, SkinLensError
from skinlens.records import Progress

WORKERS = 4
"""More than a clinic's sessions at one time; the engine shares the processor's cores among them."""

_LOG = logging.getLogger(__name__)

State = Literal["waiting", "running", "done", "cancelled", "failed"]
Key = tuple[str, str]
"""What is made (a method's map, or the check of the maps) and the class code."""


@dataclass(eq=False)
class Job:
    """One map, or one check, on its way. ``state`` and ``fraction`` are written by the worker and read by the page."""

    key: Key
    compute: Callable[[Progress], Any]
    keep: Callable[[Any], None]
    """Takes what ``compute`` made."""
    state: State = "waiting"
    fraction: float = 0.0
    problem: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def active(self) -> bool:
        return self.state in {"waiting", "running"}

    def cancel(self) -> None:
        """What waits is cancelled at once; what runs, at its next step."""
        with self._turn:
            self.stop.set()
            if self.state == "waiting":
                self.state = "cancelled"

    def run(self) -> None:
        with self._turn:
            if self.state != "waiting":
                return
            self.state = "running"
        try:
            made = self.compute(self._report)
            self._report(1.0)
            self.keep(made)
            self.state = "done"
        except Cancelled:
            self.state = "cancelled"
        except SkinLensError as error:
            self.problem, self.state = str(error), "failed"
        except Exception:  # noqa: BLE001  a worker's exception would be lost with it, and its page would wait for ever
            _LOG.exception("The job %s for %s failed", *self.key)
            self.problem = "This could not be done. The details are in the program's log; the other maps stand."
            self.state = "failed"

    def _report(self, fraction: float) -> None:
        if self.stop.is_set():
            raise Cancelled("Stopped by the user.")
        self.fraction = fraction


class Line:
    """The desks that wait for a worker, each once, served in the order in which they came."""

    def __init__(self, workers: int) -> None:
        self._lock = threading.Lock()
        self._desks: deque[Desk] = deque()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="explain")

    def join(self, desk: "Desk") -> None:
        with self._lock:
            self._desks.append(desk)
        self._pool.submit(self._serve)

    def before(self, desk: "Desk") -> int | None:
        """How many other desks with something to do are served first; None: this one is not in the line."""
        with self._lock:
            desks = list(self._desks)
        return sum(one.waits for one in desks[: desks.index(desk)]) if desk in desks else None

    def _serve(self) -> None:
        with self._lock:
            desk = self._desks.popleft()
        if desk.serve():
            self.join(desk)


LINE = Line(WORKERS)


class Desk:
    """The maps that one session has asked for, the latest of each method and class."""

    def __init__(self, line: Line = LINE) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._jobs: dict[Key, Job] = {}
        self._served = False
        self._looked_at = ""

    @property
    def busy(self) -> bool:
        with self._lock:
            return any(job.active for job in self._jobs.values())

    @property
    def waits(self) -> bool:
        """Whether there is something that a worker could begin."""
        with self._lock:
            return any(job.state == "waiting" for job in self._waiting)

    def job(self, key: Key) -> Job | None:
        with self._lock:
            return self._jobs.get(key)

    def standing(self, job: Job, doing: str = "Being made …") -> str:
        """How far an active job is, in words; ``doing`` while it runs."""
        if job.stop.is_set():
            return "Stopping …"
        if job.state != "waiting":
            return doing
        before = self._line.before(self)
        if before is None:
            return "Next, after what you asked for before."
        others = {0: "You are next.", 1: "1 other is before you."}.get(before, f"{before} others are before you.")
        return f"Waiting for a free place. {others}"

    def submit(self, job: Job) -> None:
        """Queue it; an unfinished one of the same method and class is cancelled."""
        with self._lock:
            if earlier := self._jobs.get(job.key):
                earlier.cancel()
            self._jobs[job.key] = job
            self._waiting.append(job)
            self._looked_at = job.key[1]
            joins, self._served = not self._served, True
        if joins:
            self._line.join(self)

    def clear(self) -> None:
        """Cancel all and forget them: another case was opened, or the page was closed."""
        with self._lock:
            for job in self._jobs.values():
                job.cancel()
            self._jobs.clear()

    def serve(self) -> bool:
        """Do one piece of work; whether there may be more."""
        with self._lock:
            self._waiting = deque(job for job in self._waiting if job.state == "waiting")
            if not self._waiting:
                self._served = False
                return False
            # The class that was asked for last is the one on the screen: its maps come before what still waits.
            job = next((one for one in self._waiting if one.key[1] == self._looked_at), self._waiting[0])
            self._waiting.remove(job)
        job.run()
        return True
