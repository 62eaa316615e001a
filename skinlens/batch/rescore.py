"""Rescoring: every stored case is scored again by a release, and the result kept beside the stored one.

It goes on where it was interrupted: a case that the release has scored is not scored again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from skinlens.background import cores
from skinlens.batch.reader import CaseJob
from skinlens.batch.result_row import Result
from skinlens.batch.run import SHARD, Told
from skinlens.batch.scorer import Scorer, Task
from skinlens.formatting import counted
from skinlens.inference.classifier import Classifier
from skinlens.store import CaseStore
from skinlens.store.rescores import of_batch_row


@dataclass(frozen=True)
class Rescoring:
    """Outcome of a run."""

    scored: int
    problems: tuple[str, ...]
    """A sentence for each case whose photo could not be read."""

    @property
    def status(self) -> int:
        """0 all were scored, 1 some could not be read, 2 none could."""
        return 0 if not self.problems else 1 if self.scored else 2

    @property
    def words(self) -> str:
        """Outcome in a sentence."""
        said = f"{counted(self.scored, 'case')} scored again"
        return f"{said}, {counted(len(self.problems), 'case')} not." if self.problems else f"{said}."


def rescore(
    store: CaseStore, classifier: Classifier, release_sha256: str, told: Told, opened: Callable[[int], None]
) -> Rescoring:
    """Score the stored cases again. What is stored of a case stays as it is.

    Args:
        release_sha256: Of the manifest of the release that ``classifier`` is.
        told: Progress.
        opened: Told before the work how many cases there are to do.

    Raises:
        NotAllowed: the role of the store's actor does not allow it.
        StoreError: the store cannot be read or written.
    """
    store.must_be_allowed("settings")
    opened(sum(1 for _ in store.visits_to_score(release_sha256)))
    home, waiting, problems, scored = str(store.home), list[Result](), list[str](), 0
    tasks = (Task(str(number), "", partial(CaseJob, home, number)) for number in store.visits_to_score(release_sha256))

    def keep() -> None:
        store.keep_rescored([of_batch_row(result.row, release_sha256) for result in waiting])
        waiting.clear()

    with Scorer(classifier, cores(), features=False) as scorer:
        for results in scorer.results(tasks):
            problems += [f"Case {result.row['id']}: {result.row['error']}" for result in results if result.row["error"]]
            waiting += [result for result in results if not result.row["error"]]
            scored += sum(not result.row["error"] for result in results)
            told(len(results))
            if len(waiting) >= SHARD:
                keep()
    keep()
    if scored:
        store.note_rescoring(classifier.engine.model_ref)
    return Rescoring(scored, tuple(problems))
