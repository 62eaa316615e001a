"""Maps, and checks of them, in the background: few at a time, shared fairly by all sessions, with progress and cancel.

Short work never waits for long: it has places of its own. Long work gets as many places as leave the processor a core
for the pages and for what is short. A session's queue never holds more than one place of each kind, and goes to the end
of the line after each piece of work. So one that asks for many maps waits for its own, and others' come in between.

Somebody waits for a map, while checks begin by themselves once it is there. So whoever has a map to be made is served
before those who have checks alone, in the order in which they came.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from skinlens.background import cores, give_way
from skinlens.errors import Cancelled, SkinLensError
from skinlens.explain import METHODS
from skinlens.records import Progress

SHORT = frozenset({"grad_cam", "score_cam"})
"""What takes well under a second. All else may take minutes."""


LONG_PLACES = max(1, cores() - 1)
SHORT_PLACES = 2

_LOG = logging.getLogger(__name__)

State = Literal["waiting", "running", "done", "cancelled", "failed"]
Key = tuple[str, str]
"""What is made (a method's map, or the check of the maps) and the class code."""


@dataclass(eq=False)
class Job:
    """One map, or one check, on its way. ``state`` and ``fraction`` are written by the worker and read by the page."""

    key: Key
    compute: Callable[[Progress], Any]
    on_result: Callable[[Any], None]
    """Takes what ``compute`` made."""
    state: State = "waiting"
    fraction: float = 0.0
    problem: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def long(self) -> bool:
        """Whether it may take long."""
        return self.key[0] not in SHORT

    @property
    def is_map(self) -> bool:
        """Whether it is a map and no check."""
        return self.key[0] in METHODS

    @property
    def active(self) -> bool:
        return self.state in {"waiting", "running"}

    def cancel(self) -> None:
        """Cancel the job: at once while it waits, at its next step while it runs."""
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
            self.on_result(made)
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


class FairScheduler:
    """The queues that wait for a place, each once for each kind of work, served in the order in which they came."""

    def __init__(self, long: int = LONG_PLACES, short: int = SHORT_PLACES) -> None:
        self._lock = threading.Lock()
        self._queues: dict[bool, deque[SessionQueue]] = {True: deque(), False: deque()}
        self._pools = {
            True: ThreadPoolExecutor(long, thread_name_prefix="long", initializer=give_way),
            False: ThreadPoolExecutor(short, thread_name_prefix="short", initializer=give_way),
        }

    def join(self, queue: "SessionQueue", *, long: bool) -> None:
        with self._lock:
            self._queues[long].append(queue)
        self._pools[long].submit(self._run_next, long)

    def before(self, queue: "SessionQueue", *, long: bool) -> int | None:
        """Number of other queues with something to do that are served first; None: this one is not in the line."""
        with self._lock:
            queues = self._in_order(long)
        return sum(other.waits(long=long) for other in queues[: queues.index(queue)]) if queue in queues else None

    def others(self, queue: "SessionQueue") -> int:
        """Number of other queues with long work that could be begun."""
        with self._lock:
            queues = list(self._queues[True])
        return sum(other.waits(long=True) for other in queues if other is not queue)

    def _in_order(self, long: bool) -> "list[SessionQueue]":
        """The line as it is served: who has a map to be made goes first."""
        return sorted(self._queues[long], key=lambda queue: not queue.waits(long=long, for_map=True))

    def _run_next(self, long: bool) -> None:
        with self._lock:
            queue = self._in_order(long)[0]
            self._queues[long].remove(queue)
        if queue.run_next(long=long):
            self.join(queue, long=long)


SCHEDULER = FairScheduler()


class SessionQueue:
    """The maps that one session has asked for, the latest of each method and class."""

    def __init__(self, scheduler: FairScheduler = SCHEDULER) -> None:
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._jobs: dict[Key, Job] = {}
        self._set_aside: list[Job] = []
        self._served = {True: False, False: False}
        """Whether it stands in the line, or is served, for long work and for short."""
        self._looked_at = ""

    @property
    def busy(self) -> bool:
        with self._lock:
            return any(job.active for job in self._jobs.values())

    def waits(self, *, long: bool, for_map: bool = False) -> bool:
        """Whether there is something of that kind that could be begun; ``for_map``: and is a map."""
        with self._lock:
            return any(
                job.state == "waiting" and job.long == long and (job.is_map or not for_map) for job in self._waiting
            )

    def others(self) -> int:
        """Number of other sessions that wait for a place for long work."""
        return self._scheduler.others(self)

    def job(self, key: Key) -> Job | None:
        with self._lock:
            return self._jobs.get(key)

    def standing(self, job: Job, doing: str = "Computing …") -> str:
        """Progress of an active job, in words; ``doing`` while it runs."""
        if job.stop.is_set():
            return "Stopping …"
        if job.state != "waiting":
            return doing
        before = self._scheduler.before(self, long=job.long)
        if before is None:
            return "Waiting"
        others = {0: "You are next.", 1: "1 job is ahead of yours."}.get(before, f"{before} jobs are ahead of yours.")
        return f"Waiting for a free place. {others}"

    def submit(self, job: Job) -> None:
        """Queue it; an unfinished one of the same method and class is cancelled."""
        with self._lock:
            if earlier := self._jobs.get(job.key):
                earlier.cancel()
            self._jobs[job.key] = job
            self._waiting.append(job)
            self._looked_at = job.key[1]
            joins, self._served[job.long] = not self._served[job.long], True
        if joins:
            self._scheduler.join(self, long=job.long)

    def clear(self) -> None:
        """Cancel all and forget them: the page was closed."""
        with self._lock:
            for job in [*self._jobs.values(), *self._set_aside]:
                job.cancel()
            self._jobs.clear()
            self._set_aside.clear()

    def change(self, going_on: Callable[[Job], bool]) -> int:
        """Another case is opened: cancel and forget the jobs of the one before, except those that are to be finished.

        Returns the number of jobs that go on. They run after all that is asked for from now on.
        """
        with self._lock:
            active = [job for job in self._jobs.values() if job.active and not job.stop.is_set()]
            finishing = [job for job in active if going_on(job)]
            for job in self._jobs.values():
                if job not in finishing:
                    job.cancel()
            self._jobs.clear()
            self._set_aside = [job for job in self._set_aside if job.active] + finishing
            return len(finishing)

    def run_next(self, *, long: bool) -> bool:
        """Do one piece of that kind of work; whether there may be more."""
        with self._lock:
            self._waiting = deque(job for job in self._waiting if job.state == "waiting")
            ready = [job for job in self._waiting if job.long == long]
            if not ready:
                self._served[long] = False
                return False
            # The class asked for last is on the screen: its jobs go before those of other classes, maps before checks.
            job = min(
                ready,
                key=lambda candidate: (
                    candidate in self._set_aside,
                    candidate.key[1] != self._looked_at,
                    not candidate.is_map,
                ),
            )
            self._waiting.remove(job)
        job.run()
        return True
