"""Reader processes of a batch: one for each core, fed by as many threads, replaced where one ends at a file."""

import contextlib
import pickle
import queue
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from skinlens import paths
from skinlens.background import start_worker
from skinlens.batch.reader import Job, Outcome, sentence
from skinlens.batch.sources import Entry
from skinlens.errors import SkinLensError
from skinlens.imaging.preprocess import InputSpec

_COMMAND = "import sys; sys.path.insert(0, sys.argv[1]); from skinlens.batch.reader import main; main()"
_ENDED = (
    "The picture could not be read: the program that reads photos ended at this file. Open it in an image program, "
    "save it as a new JPEG or PNG, and read that."
)


class Readers:
    """So many processes that read photos; each is started with its first photo. Used in a ``with`` block."""

    def __init__(self, count: int, spec: InputSpec) -> None:
        self._spec = spec
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="batch")
        self._idle: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(None)
        self._count = count

    def __enter__(self) -> "Readers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)  # each thread is done with its photo
        for _ in range(self._count):
            if process := self._idle.get():
                process.end()

    def submit(self, entry: Entry) -> Future[Outcome]:
        """Begin to read one photo."""
        return self._threads.submit(self._read, entry)

    def _read(self, entry: Entry) -> Outcome:
        try:
            job = entry.job()
        except (SkinLensError, OSError) as problem:
            return sentence(problem)
        process = self._idle.get()
        try:
            process = process or _Process()
            return process.ask(job, self._spec)
        except (EOFError, OSError, pickle.UnpicklingError):
            if process:
                process.end()
            process = None
            return _ENDED
        finally:
            self._idle.put(process)


class _Process:
    """One process. It serves one thread at a time."""

    def __init__(self) -> None:
        self._popen = start_worker(_COMMAND, paths.IMPORT_ROOT)

    def ask(self, job: Job, spec: InputSpec) -> Outcome:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        pickle.dump((job, spec), self._popen.stdin, pickle.HIGHEST_PROTOCOL)
        self._popen.stdin.flush()
        answer: Outcome = pickle.load(self._popen.stdout)  # noqa: S301  of a process of our own
        return answer

    def end(self) -> None:
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
