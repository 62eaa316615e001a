"""Batch run: entries through readers and engine into the journal, and the journal into a table."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skinlens import __version__
from skinlens.background import cores
from skinlens.batch import journal, table
from skinlens.batch.journal import Journal
from skinlens.batch.reader import Outcome, ReadPhoto
from skinlens.batch.readers import Readers
from skinlens.batch.result_row import Result, Row, failed, filled
from skinlens.batch.sources import Entry, Source
from skinlens.errors import BatchError
from skinlens.formatting import counted
from skinlens.inference.classifier import Classifier
from skinlens.inference.engine import BATCH

SHARD = 256
"""Rows of one commit: what is done again, at most, after the computer has stopped."""
SHARD_S = 20.0
"""A shard is committed after so long, however few rows it has."""


@dataclass(frozen=True)
class Summary:
    """Summary of a batch."""

    photos: int
    failed: int
    """Photos that could not be read; their rows say why."""
    resumed: int
    """Rows that an earlier, interrupted run had made."""
    left_out: int
    """Files that have no photo's name."""
    seconds: float

    @property
    def status(self) -> int:
        """0 all photos were read, 1 some were not, 2 none was."""
        return 0 if not self.failed else 1 if self.failed < self.photos else 2

    @property
    def words(self) -> str:
        """In one or two sentences."""
        said = f"{counted(self.photos - self.failed, 'photo')} read"
        if self.failed:
            said += f", {counted(self.failed, 'photo')} not: the column error says why"
        if self.resumed:
            said += f"; {self.resumed:,} of the rows were there from before"
        new = self.photos - self.resumed
        said += f". {self.seconds:.0f} s" + (f", {new / self.seconds:.1f} photos a second." if new else ".")
        if self.left_out:
            said += f" Left out, as not named as photos or named twice: {counted(self.left_out, 'file')}."
        return said


Told = Callable[[int], None]
"""Told how many photos are done since it was told last."""


@dataclass(frozen=True)
class Batch:
    """One batch: what is read, by which model, into which file."""

    source: Source
    classifier: Classifier
    out: Path
    features: bool = False
    """Whether each row has the student's feature vector."""
    replace: bool = False
    """Whether it is begun again where it was begun, and written where it is there already."""

    def check(self) -> None:
        """Look at what can be known before the work.

        Raises:
            BatchError: the file is of no known kind, is there already, or its folder is not there.
        """
        table.check_ending(self.out)
        if not self.out.parent.is_dir():
            raise BatchError(f"There is no folder {self.out.parent} for {self.out.name}. Make it first.")
        if not self.replace and self.out.exists() and not journal.journal_path(self.out).exists():
            raise BatchError(f"{self.out} is there already. Name another file, or replace it with --replace.")

    def run(self, told: Told, opened: Callable[[int, int], None], after: Callable[[Iterator[Row]], None]) -> Summary:
        """Read what is not read yet, and write the table.

        Args:
            told: Progress.
            opened: Told before the work how many photos there are, and how many are done.
            after: Given all rows once the table is written.

        Raises:
            BatchError: there is no photo, the journal is of another batch, or nothing can be written.
        """
        started = time.monotonic()
        total = self.source.count()
        if not total:
            raise BatchError(
                f"There is no photo in {self.source.name}: files named as JPEG, PNG, WebP, TIFF, BMP, HEIC or DICOM "
                f"were expected, and {self.source.left_out:,} others found."
            )
        if not_noted := self.source.note(total):
            print(not_noted, file=sys.stderr)
        with journal.opened(self.out, self._settings(), anew=self.replace) as kept:
            before, _ = kept.counts()
            opened(total, before)
            shards = _Shards(kept, told)
            try:
                self._read(kept, shards)
            finally:  # Ctrl+C: what is done is done
                shards.commit()
            photos, wrong = kept.counts()
            width = len(self.classifier.engine.head.hidden_bias) if self.features else 0
            table.write(self.out, kept.rows(by_id=self.source.sorts), features=width)
            after(kept.rows(by_id=self.source.sorts))
        journal.discard(self.out)
        return Summary(photos, wrong, before, self.source.left_out, max(time.monotonic() - started, 1e-3))

    def _settings(self) -> dict[str, str]:
        return {
            "source": self.source.name,
            "model": self.classifier.engine.model_ref.sha256,
            "version of SkinLens": __version__,
            "choice of --features": "yes" if self.features else "no",
        }

    def _read(self, kept: Journal, shards: "_Shards") -> None:
        workers = cores()
        window = BATCH + 2 * workers
        waiting: deque[tuple[Entry, Future[Outcome]]] = deque()
        ready: list[tuple[str, Outcome]] = []

        def take() -> None:
            entry, future = waiting.popleft()
            ready.append((entry.id, future.result()))
            if len(ready) == BATCH:
                shards.add(self._results(ready))
                ready.clear()

        with Readers(workers, self.classifier.engine.spec) as readers:
            for entry in self.source.entries():
                if entry.id in kept:
                    continue
                waiting.append((entry, readers.submit(entry)))
                if len(waiting) >= window:
                    take()
            while waiting:
                take()
        shards.add(self._results(ready))

    def _results(self, ready: list[tuple[str, Outcome]]) -> list[Result]:
        """The rows of some photos, in their order."""
        views = [outcome.view for _, outcome in ready if isinstance(outcome, ReadPhoto)]
        readings = iter(self.classifier.read_views(np.stack(views)) if views else ())
        results = [
            failed(entry_id, outcome, self.classifier)
            if isinstance(outcome, str)
            else filled(entry_id, outcome, next(readings), self.classifier)
            for entry_id, outcome in ready
        ]
        return results if self.features else [one._replace(features=None) for one in results]


class _Shards:
    """Rows that are done and not committed yet."""

    def __init__(self, kept: Journal, told: Told) -> None:
        self._kept, self._told = kept, told
        self._results: list[Result] = []
        self._since = time.monotonic()

    def add(self, results: list[Result]) -> None:
        self._results += results
        self._told(len(results))
        if len(self._results) >= SHARD or time.monotonic() - self._since > SHARD_S:
            self.commit()

    def commit(self) -> None:
        self._kept.add(self._results)
        self._results = []
        self._since = time.monotonic()
