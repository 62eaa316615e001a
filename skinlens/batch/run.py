"""Batch run: entries through readers and engine into the journal, and the journal into a table."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from skinlens import __version__
from skinlens.background import cores
from skinlens.batch import journal, table
from skinlens.batch.journal import Gone, Journal
from skinlens.batch.result_row import Result, Row
from skinlens.batch.scorer import Scorer, Spread, Task
from skinlens.batch.sources import Source
from skinlens.errors import BatchError
from skinlens.formatting import counted, grouped
from skinlens.inference.classifier import Classifier

SHARD = 256
"""Rows of one commit: at most so many are computed again after the computer has stopped."""
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
    made: int
    """Rows of this run."""
    changed: int
    """Rows of an earlier run that were made again, as their photos have changed since."""
    gone: Gone
    """Rows of an earlier run that were removed, as their photos are not there any more."""
    noted: bool = True
    """False: the audit log of the case file, which had to have an entry, could not be written."""

    @property
    def status(self) -> int:
        """0 all photos were read, 1 some were not or the audit log lacks the entry, 2 none was read."""
        if self.failed:
            return 1 if self.failed < self.photos else 2
        return 0 if self.noted else 1

    @property
    def words(self) -> str:
        """Summary in one or two sentences."""
        said = f"{counted(self.photos - self.failed, 'photo')} read"
        if self.failed:
            said += f", {counted(self.failed, 'photo')} not: the column error says why"
        if self.resumed:
            said += f"; {grouped(self.resumed)} of the rows were there from before"
        said += f". {self.seconds:.0f} s" + (f", {self.made / self.seconds:.1f} photos a second." if self.made else ".")
        if self.changed:
            said += f" Read again, as changed since the earlier run: {counted(self.changed, 'photo')}."
        if self.gone.photos:
            more = self.gone.photos - len(self.gone.first)
            named = ", ".join(self.gone.first) + (f" and {grouped(more)} more" if more else "")
            said += (
                f" Removed from the table, as not there any more since the earlier run: "
                f"{counted(self.gone.photos, 'photo')} ({named})."
            )
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
    views: bool = False
    """Whether each row has melanoma's least and most probability over eight orientations of the photo."""
    replace: bool = False
    """Whether it is begun again where it was begun, and written where it is there already."""
    spread: Spread | None = None
    """Scorer on a cluster, in place of this computer's cores: see ``on_ray``."""

    def check(self) -> None:
        """Check all that can be checked before the work.

        Raises:
            BatchError: the file is of no known kind, is there already, or its folder is not there.
        """
        table.check_ending(self.out)
        if not self.out.parent.is_dir():
            raise BatchError(f"There is no folder {self.out.parent} for {self.out.name}. Make it first.")
        if not self.replace and self.out.exists() and not journal.journal_path(self.out).exists():
            raise BatchError(f"{self.out} is there already. Name another file, or replace it with --replace.")

    def run(self, told: Told, opened: Callable[[int, int], None], after: Callable[[Iterator[Row]], None]) -> Summary:
        """Read the photos that are not read yet, and write the table.

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
                f"were expected, and {grouped(self.source.left_out)} others found."
            )
        if not_noted := self.source.note(total):
            print(not_noted, file=sys.stderr)
        with journal.opened(self.out, self._settings(), anew=self.replace) as row_journal:
            before, _ = row_journal.counts()
            opened(total, before)
            shards = _Shards(row_journal, told)
            try:
                for results in self._scored(_not_done(self.source, row_journal)):
                    shards.add(results)
            finally:  # Ctrl+C: what is done is done
                shards.commit()
            gone = row_journal.remove_gone()
            photos, wrong = row_journal.counts()
            width = len(self.classifier.engine.head.hidden_bias) if self.features else 0
            table.write(self.out, row_journal.rows(by_id=self.source.sorts), features=width)
            after(row_journal.rows(by_id=self.source.sorts))
        journal.discard(self.out)
        taken = time.monotonic() - started
        return Summary(
            photos=photos,
            failed=wrong,
            resumed=before,
            left_out=self.source.left_out,
            seconds=max(taken, 1e-3),
            made=shards.made,
            changed=row_journal.changed,
            gone=gone,
            noted=not not_noted,
        )

    def _scored(self, tasks: Iterator[Task]) -> Iterator[list[Result]]:
        if self.spread is not None:
            yield from self.spread(tasks)
            return
        with Scorer(self.classifier, cores(), features=self.features, views=self.views) as scorer:
            yield from scorer.results(tasks)

    def _settings(self) -> dict[str, str]:
        return {
            "source": self.source.name,
            "model": self.classifier.engine.model_ref.sha256,
            "version of SkinLens": __version__,
            "choice of --features": "yes" if self.features else "no",
            "choice of --views": "yes" if self.views else "no",
        }


def _not_done(source: Source, row_journal: Journal) -> Iterator[Task]:
    """The photos without a row, and the photos that changed since their row was made."""
    for entry in source.entries():
        stamp = entry.stamp()  # before it is read: a photo that changes meanwhile is another one the next time
        if not row_journal.has(entry.id, stamp):
            yield Task(entry.id, stamp, entry.job)


class _Shards:
    """Rows that are done and not committed yet."""

    def __init__(self, row_journal: Journal, told: Told) -> None:
        self._journal, self._told = row_journal, told
        self.made = 0
        """Rows of this run."""
        self._results: list[Result] = []
        self._since = time.monotonic()

    def add(self, results: list[Result]) -> None:
        self._results += results
        self.made += len(results)
        self._told(len(results))
        if len(self._results) >= SHARD or time.monotonic() - self._since > SHARD_S:
            self.commit()

    def commit(self) -> None:
        self._journal.add(self._results)
        self._results = []
        self._since = time.monotonic()
