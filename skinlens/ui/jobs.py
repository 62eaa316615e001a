"""Maps, and checks of them, in the background: a bounded pool that all sessions share fairly, with progress and cancel.

A session's ``Desk`` never holds more than one worker, and hands it back after each map. So a session that asks for
many maps waits for its own, and the others' come in between.
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

_POOL = ThreadPoolExecutor(WORKERS, thread_name_prefix="explain")
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

    @property
    def active(self) -> bool:
        return self.state in {"waiting", "running"}

    def cancel(self) -> None:
        self.stop.set()

    def run(self) -> None:
        try:
            self._report(0.0)
            self.state = "running"
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


class Desk:
    """The maps that one session has asked for, the latest of each method and class."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._jobs: dict[Key, Job] = {}
        self._served = False
        self._looked_at = ""

    @property
    def busy(self) -> bool:
        with self._lock:
            return any(job.active for job in self._jobs.values())

    def job(self, key: Key) -> Job | None:
        with self._lock:
            return self._jobs.get(key)

    def submit(self, job: Job) -> None:
        """Queue it; an unfinished one of the same method and class is cancelled."""
        with self._lock:
            if earlier := self._jobs.get(job.key):
                earlier.cancel()
            self._jobs[job.key] = job
            self._waiting.append(job)
            if not self._served:
                self._served = True
                _POOL.submit(self._serve)
            self._looked_at = job.key[1]

    def clear(self) -> None:
        """Cancel all and forget them: another case was opened."""
        with self._lock:
            for job in self._jobs.values():
                job.cancel()
            self._jobs.clear()

    def _serve(self) -> None:
        with self._lock:
            if not self._waiting:
                self._served = False
                return
            # The class that was asked for last is the one on the screen: its maps come before what still waits.
            job = next((one for one in self._waiting if one.key[1] == self._looked_at), self._waiting[0])
            self._waiting.remove(job)
        job.run()
        _POOL.submit(self._serve)
