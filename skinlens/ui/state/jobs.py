"""Maps, and checks of them, in the background: few at a time, shared fairly by all sessions, with progress and cancel.

There are three lines, each with places of its own, so that what is made at once never waits for what takes seconds, and
that never for what may take minutes. The long line gets as many places as leave the processor a core for the pages and
for the rest. A session's queue never holds more than one place of a line, and goes to its end after each piece of work.
So one that asks for many maps waits for its own, and others' come in between.

Whoever looks at a page of maps is served first, then who has maps that are made ahead, then who has checks alone, which
begin by themselves once the maps are there; among these, in the order in which they came. A check that is under way
when a map is asked for stands still until that map is made.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from skinlens.background import cores, give_way
from skinlens.errors import Cancelled, SkinLensError
from skinlens.explain import METHODS
from skinlens.records import Progress

Lane = Literal["instant", "short", "long"]
LANES: Mapping[str, Lane] = {"grad_cam": "instant", "score_cam": "short"}
"""The line of what takes hundredths of a second, and of what takes seconds. All else may take minutes."""

LONG_PLACES = max(1, cores() - 1)
SHORT_PLACES = min(2, LONG_PLACES)
"""Two at once on two cores make all wait for twice as long as one after the other."""
LOOKED_AT, AHEAD, BY_ITSELF = range(3)
"""Ranks of what waits: a map on a page that somebody looks at, another map, a check."""

_LOG = logging.getLogger(__name__)

State = Literal["waiting", "running", "done", "cancelled", "failed"]
Key = tuple[str, str]
"""Key of a job: what is made (a method's map, or the check of the maps) and the class code."""


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
    _between: Callable[[], None] | None = None
    """Called between two steps of a check."""

    @property
    def lane(self) -> Lane:
        """Line in which it waits."""
        return LANES.get(self.key[0], "long")

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

    def run(self, between: Callable[[], None] | None = None) -> None:
        """Make it, on this thread; ``between``: called between two steps, where it is a check."""
        with self._turn:
            if self.state != "waiting":
                return
            self.state = "running"
        self._between = None if self.is_map else between
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
        if self._between is not None:
            self._between()
        if self.stop.is_set():
            raise Cancelled("Stopped by the user.")
        self.fraction = fraction


class FairScheduler:
    """The queues that wait for a place, each once for each line, served in the order in which they came."""

    def __init__(self, long: int = LONG_PLACES, short: int = SHORT_PLACES) -> None:
        self._lock = threading.Lock()
        places: Mapping[Lane, int] = {"instant": 1, "short": short, "long": long}
        self._queues: dict[Lane, deque[SessionQueue]] = {lane: deque() for lane in places}
        self._pools = {
            lane: ThreadPoolExecutor(number, thread_name_prefix=lane, initializer=give_way)
            for lane, number in places.items()
        }

    def join(self, queue: "SessionQueue", *, lane: Lane) -> None:
        with self._lock:
            self._queues[lane].append(queue)
        self._pools[lane].submit(self._run_next, lane)

    def before(self, queue: "SessionQueue", *, lane: Lane) -> int | None:
        """Number of other queues with something to do that are served first; None: this one is not in the line."""
        with self._lock:
            queues = self._in_order(lane)
        if queue not in queues:
            return None
        return sum(other.rank(lane=lane) is not None for other in queues[: queues.index(queue)])

    def others(self, queue: "SessionQueue") -> int:
        """Number of other queues with long work that could be begun."""
        with self._lock:
            queues = list(self._queues["long"])
        return sum(other.rank(lane="long") is not None for other in queues if other is not queue)

    def maps_first(self, checking: "SessionQueue", *, lane: Lane) -> None:
        """Make all maps that wait in a line, on this thread: called by a check of ``checking`` between two steps."""
        while (queue := self._with_map(checking, lane)) is not None:
            if queue.run_next(lane=lane, maps_alone=True) and queue is not checking:
                self.join(queue, lane=lane)

    def _with_map(self, checking: "SessionQueue", lane: Lane) -> "SessionQueue | None":
        """The next queue with a map to be made, taken out of the line; ``checking`` is served, so it is not in it."""
        if checking.rank(lane=lane) in {LOOKED_AT, AHEAD}:
            return checking
        with self._lock:
            ready = (queue for queue in self._in_order(lane) if queue.rank(lane=lane) in {LOOKED_AT, AHEAD})
            if (queue := next(ready, None)) is not None:
                self._queues[lane].remove(queue)
        return queue

    def _in_order(self, lane: Lane) -> "list[SessionQueue]":
        """The line as it is served."""

        def rank(queue: "SessionQueue") -> int:
            urgent = queue.rank(lane=lane)
            return BY_ITSELF if urgent is None else urgent

        return sorted(self._queues[lane], key=rank)

    def _run_next(self, lane: Lane) -> None:
        with self._lock:
            queue = next(iter(self._in_order(lane)), None)
            if queue is None:  # a check has made its map meanwhile
                return
            self._queues[lane].remove(queue)
        if queue.run_next(lane=lane):
            self.join(queue, lane=lane)


SCHEDULER = FairScheduler()


class SessionQueue:
    """The maps that one session has asked for, the latest of each method and class."""

    def __init__(self, scheduler: FairScheduler = SCHEDULER) -> None:
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._jobs: dict[Key, Job] = {}
        self._set_aside: list[Job] = []
        self._served: dict[Lane, bool] = {"instant": False, "short": False, "long": False}
        """Whether it stands in that line, or is served."""
        self._label = ""
        """Class that was asked for last."""
        self._looking = False

    @property
    def busy(self) -> bool:
        with self._lock:
            return any(job.active for job in self._jobs.values())

    def look(self) -> None:
        """Somebody has turned to the maps of the open photo: they are not made ahead any more."""
        self._looking = True

    def rank(self, *, lane: Lane) -> int | None:
        """Rank of the most urgent work of that line that could be begun; None: there is none."""
        with self._lock:
            ranks = [self._rank(job) for job in self._waiting if job.state == "waiting" and job.lane == lane]
        return min(ranks, default=None)

    def _rank(self, job: Job) -> int:
        if not job.is_map:
            return BY_ITSELF
        return LOOKED_AT if self._looking and job.key[1] == self._label and job not in self._set_aside else AHEAD

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
        before = self._scheduler.before(self, lane=job.lane)
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
            self._label = job.key[1] or self._label
            joins, self._served[job.lane] = not self._served[job.lane], True
        if joins:
            self._scheduler.join(self, lane=job.lane)

    def clear(self) -> None:
        """Cancel all and forget them: the page was closed."""
        with self._lock:
            for job in [*self._jobs.values(), *self._set_aside]:
                job.cancel()
            self._jobs.clear()
            self._set_aside.clear()
            self._looking = False

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
            self._looking = False
            self._set_aside = [job for job in self._set_aside if job.active] + finishing
            return len(finishing)

    def run_next(self, *, lane: Lane, maps_alone: bool = False) -> bool:
        """Do one piece of work of that line; whether there may be more."""
        with self._lock:
            self._waiting = deque(job for job in self._waiting if job.state == "waiting")
            ready = [job for job in self._waiting if job.lane == lane]
            able = [job for job in ready if job.is_map] if maps_alone else ready
            if not able:
                if not maps_alone:
                    self._served[lane] = False
                return maps_alone
            # The class asked for last is on the screen: its jobs go before those of other classes, maps before checks.
            job = min(
                able,
                key=lambda candidate: (
                    candidate in self._set_aside,
                    candidate.key[1] != self._label,
                    not candidate.is_map,
                ),
            )
            self._waiting.remove(job)
        job.run(lambda: self._scheduler.maps_first(self, lane=lane))
        return True
