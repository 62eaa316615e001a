"""Reader processes of a batch: one for each core, fed by as many threads, replaced where one ends at a file."""

import contextlib
import pickle
import queue
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from skinlens import paths
from skinlens.background import start_worker
from skinlens.batch.reader import Job, Outcome, sentence
from skinlens.errors import SkinLensError
from skinlens.imaging.intake.isolation import MAX_WAIT_S
from skinlens.imaging.intake.sniffing import TOO_MUCH_TIME
from skinlens.imaging.preprocess import InputSpec

JobOf = Callable[[], Job]
"""What a reader is given, asked for just before, in any thread. Raises SkinLensError, OSError."""
_COMMAND = "import sys; sys.path.insert(0, sys.argv[1]); from skinlens.batch.reader import main; main()"
_ENDED = (
    "The picture could not be read: the program that reads photos ended at this file. Open it in an image program, "
    "save it as a new JPEG or PNG, and read that."
)


class Readers:
    """So many processes that read photos; each is started with its first photo, and ``close`` ends them."""

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


class _Process:
    """One process. It serves one thread at a time."""

    def __init__(self) -> None:
        self._popen = start_worker(_COMMAND, paths.IMPORT_ROOT, MALLOC_ARENA_MAX="2")
        self._overran = False

    def ask(self, job: Job, spec: InputSpec) -> Outcome:
        """Raises EOFError, OSError or UnpicklingError where the process ended at the photo."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        clock = threading.Timer(MAX_WAIT_S, self._overrun)
        clock.daemon = True
        clock.start()
        try:
            pickle.dump((job, spec), self._popen.stdin, pickle.HIGHEST_PROTOCOL)
            self._popen.stdin.flush()
            answer: Outcome = pickle.load(self._popen.stdout)  # noqa: S301  of a process of our own
            return answer
        finally:
            clock.cancel()

    def why(self) -> str:
        """The refusal of the photo at which the process ended; nothing is left of the process."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # it may be on its way out, with a status that says why
            self._popen.wait(1)
        self.end()
        took_too_long = hasattr(signal, "SIGPROF") and self._popen.returncode == -signal.SIGPROF
        return TOO_MUCH_TIME if self._overran or took_too_long else _ENDED

    def _overrun(self) -> None:
        self._overran = True
        self._popen.kill()

    def end(self) -> None:
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
