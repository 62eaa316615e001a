"""Scoring of photos on one computer: readers and engine side by side, entries in, rows out, in their order.

This is all the work of a batch; ``run`` spreads it over the cores of this computer, ``on_ray`` over those of several.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import NamedTuple

import numpy as np

from skinlens.batch.reader import Outcome, ReadPhoto
from skinlens.batch.readers import JobOf, Readers
from skinlens.batch.result_row import Result, failed, filled
from skinlens.inference.classifier import Classifier
from skinlens.inference.engine import BATCH
from skinlens.records import Array


class Task(NamedTuple):
    """One photo to be scored."""

    id: str
    stamp: str
    """Stamp of the photo, just before it is read: see ``sources.Entry``."""
    job: JobOf


Spread = Callable[[Iterable[Task]], Iterator[list[Result]]]
"""The work of ``Scorer.results``, wherever it is done."""


def reading_ahead(workers: int) -> int:
    """Most photos that are read, or being read, before the engine takes them: two rounds of it, so that the readers go
    on while it is at work.
    """
    return 2 * BATCH + 2 * workers


class Scorer:
    """Readers and one engine. Used in a ``with`` block, by one thread."""

    def __init__(self, classifier: Classifier, workers: int, *, features: bool, views: bool = False) -> None:
        """``workers``: processes that read; ``features``: whether rows have the student's feature vector; ``views``:
        whether they have the spread over eight orientations.
        """
        self._classifier, self._workers, self._features, self._views = classifier, workers, features, views
        self._readers = Readers(workers, classifier.engine.spec)

    def __enter__(self) -> "Scorer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._readers.close()

    def results(self, tasks: Iterable[Task]) -> Iterator[list[Result]]:
        """The rows of ``engine.BATCH`` photos at a time. No more tasks are drawn ahead than ``reading_ahead`` says."""
        waiting: deque[tuple[Task, Future[Outcome]]] = deque()
        ready: list[tuple[Task, Outcome]] = []
        most = reading_ahead(self._workers)
        for task in tasks:
            waiting.append((task, self._readers.submit(task.job)))
            if len(waiting) < most:
                continue
            while waiting and len(ready) < BATCH:
                ready.append(_done(waiting))
            yield self._rows(ready)
            ready = []
        while waiting:
            ready.append(_done(waiting))
            if len(ready) == BATCH or not waiting:
                yield self._rows(ready)
                ready = []

    def _rows(self, ready: list[tuple[Task, Outcome]]) -> list[Result]:
        views = [outcome.view for _, outcome in ready if isinstance(outcome, ReadPhoto)]
        readings = iter(self._classifier.read_views(np.stack(views)) if views else ())
        results = [
            failed(task.id, outcome, self._classifier)
            if isinstance(outcome, str)
            else filled(task.id, outcome, next(readings), self._classifier, self._turned(outcome))
            for task, outcome in ready
        ]
        return [
            result._replace(stamp=task.stamp, features=result.features if self._features else None)
            for result, (task, _) in zip(results, ready, strict=True)
        ]

    def _turned(self, photo: ReadPhoto) -> Array | None:
        return self._classifier.turned_probs_of_view(photo.view) if self._views else None


def _done(waiting: "deque[tuple[Task, Future[Outcome]]]") -> tuple[Task, Outcome]:
    task, future = waiting.popleft()
    return task, future.result()
