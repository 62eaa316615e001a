"""Reader processes of a batch: one for each core, fed by as many threads, replaced where one ends at a file."""

import pickle
import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from skinlens import paths
from skinlens.background import Worker
from skinlens.batch.reader import Job, Outcome, sentence
from skinlens.errors import SkinLensError
from skinlens.imaging.intake.isolation import MAX_WAIT_S
from skinlens.imaging.intake.sniffing import TOO_MUCH_TIME
from skinlens.imaging.preprocess import InputSpec

JobOf = Callable[[], Job]
"""Function that gives a reader its job, called just before, in any thread. Raises SkinLensError, OSError."""
_COMMAND = "import sys; sys.path.insert(0, sys.argv[1]); from skinlens.batch.reader import main; main()"
_ENDED = (
    "The picture could not be read: the program that reads photos ended at this file. Open it in an image program, "
    "save it as a new JPEG or PNG, and read that."
)


class Readers:
    """Pool of ``count`` processes that read photos; each is started with its first photo, and ``close`` ends them."""

    def __init__(self, count: int, spec: InputSpec) -> None:
        self._spec = spec
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="batch")
        self._idle: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(None)
        self._count = count

    def close(self) -> None:
        """End the processes, each once it is done with its photo; what no thread has begun is not read any more."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for _ in range(self._count):
            if process := self._idle.get():
                process.end()

    def submit(self, job: JobOf) -> Future[Outcome]:
        """Begin to read one photo."""
        return self._threads.submit(self._read, job)

    def _read(self, job_of: JobOf) -> Outcome:
        try:
            job = job_of()
        except (SkinLensError, OSError) as problem:
            return sentence(problem)
        process = self._idle.get()
        try:
            process = process or _Process()
            return process.ask(job, self._spec)
        except (EOFError, OSError, pickle.UnpicklingError):
            words = process.why() if process else _ENDED
            process = None
            return words
        finally:
            self._idle.put(process)


class _Process(Worker):
    """One process. It serves one thread at a time."""

    def __init__(self) -> None:
        super().__init__(_COMMAND, paths.IMPORT_ROOT, MALLOC_ARENA_MAX="2")

    def ask(self, job: Job, spec: InputSpec) -> Outcome:
        """Raises EOFError, OSError or UnpicklingError where the process ended at the photo."""
        with self.at_most(MAX_WAIT_S):
            pickle.dump((job, spec), self.requests, pickle.HIGHEST_PROTOCOL)
            self.requests.flush()
            answer: Outcome = pickle.load(self.answers)  # noqa: S301  of a process of our own
            return answer

    def why(self) -> str:
        """The refusal of the photo at which the process ended."""
        _, too_long = self.post_mortem()
        return TOO_MUCH_TIME if too_long else _ENDED
