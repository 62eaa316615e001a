"""Background work: the cores there are, threads that yield to whoever looks at the screen, and worker processes."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

HOLD_S = 0.25
"""Longest that a step of work in the background is held back: it goes on, slowly, whatever happens at the screens."""
NICE, LOWEST = 10, 19
"""Steps below the priority of the process, and the lowest priority that there is."""
GRACE_S = 5
"""Seconds that what is under way gets after a server was told to end."""
_FINISHING: set[threading.Thread] = set()


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_finishing(work: Callable[[], None], name: str) -> threading.Thread:
    """Start a thread whose work a server that is told to end finishes before; told again, it ends in the middle of it.

    Args:
        work: What the thread does.
        name: Of the thread.
    """
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    _FINISHING.add(thread)
    return thread


def is_finishing() -> bool:
    """Whether such work is under way."""
    for thread in tuple(_FINISHING):
        if not thread.is_alive():
            _FINISHING.discard(thread)
    return bool(_FINISHING)


class Worker:
    """A worker process of ``start_worker``. It serves one caller at a time, and is killed where it overruns."""

    def __init__(self, code: str, import_root: Path, *, bufsize: int = -1, **environment: str) -> None:
        self._popen = start_worker(code, import_root, bufsize=bufsize, **environment)
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self.requests, self.answers = self._popen.stdin, self._popen.stdout
        self._overran = False

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._popen.poll() is None

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Kill it where the block lasts longer."""
        clock = threading.Timer(seconds, self._overrun)
        clock.daemon = True
        clock.start()
        try:
            yield
        finally:
            clock.cancel()

    def post_mortem(self) -> tuple[int, bool]:
        """Exit status of a worker that ended at its work, and whether it took too long; nothing is left of it."""
        with suppress(subprocess.TimeoutExpired):  # it may be on its way out, with a status that says why
            self._popen.wait(1)
        self.end()
        status = int(self._popen.returncode)
        return status, self._overran or (hasattr(signal, "SIGPROF") and status == -signal.SIGPROF)

    def end(self) -> None:
        """End it now, and leave nothing of it in the list of processes."""
        self._popen.kill()
        self._popen.wait()
        self._close()

    def let_go(self) -> None:
        """Close the pipes in a child forked from this process, and leave the worker alone: it belongs to the parent."""
        self._popen.returncode = 0  # not ours to wait for
        self._close()

    def _close(self) -> None:
        for pipe in (self.requests, self.answers):
            with suppress(OSError):
                pipe.close()

    def _overrun(self) -> None:
        self._overran = True
        self._popen.kill()


def start_worker(code: str, import_root: Path, *, bufsize: int = -1, **environment: str) -> "subprocess.Popen[bytes]":
    """A Python process of one thread that answers on its standard output what it is asked on its standard input.

    Args:
        code: What it runs; ``sys.argv[1]`` is the folder from which it imports the package.
        import_root: That folder.
        bufsize: Of the pipes, as in ``subprocess.Popen``.
        environment: Further variables.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, str(import_root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=bufsize,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment},
        start_new_session=True,  # Ctrl+C is for the program that started it, which then ends it
    )


class _Screens:
    """Threads at whose end somebody waits at a screen."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._number = 0
        self._here = threading.local()

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        outer = self.here
        with self._free:
            self._number += 1
        self._here.yes = True
        try:
            yield
        finally:
            self._here.yes = outer
            with self._free:
                self._number -= 1
                if not self._number:
                    self._free.notify_all()

    @property
    def here(self) -> bool:
        return getattr(self._here, "yes", False)

    def hold_back(self) -> None:
        if self._number:
            with self._free:
                self._free.wait_for(lambda: not self._number, HOLD_S)


_SCREENS = _Screens()


def waited_for() -> AbstractContextManager[None]:
    """Context in which a page is drawn for somebody on this thread: work in the background is held back meanwhile."""
    return _SCREENS.waited_for()


def is_waited_for() -> bool:
    """Whether this thread is within such a block."""
    return _SCREENS.here


def hold_back() -> None:
    """Wait, in a step of work in the background, until no page is drawn for anybody, but not for longer than
    ``HOLD_S``.
    """
    _SCREENS.hold_back()


def give_way() -> None:
    """Lower the priority of the calling thread for good, and of the threads that it starts.

    Linux alone has a priority for each thread (setpriority(2), "C library/kernel differences"); elsewhere, and where it
    is not allowed, nothing happens.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            lower = min(LOWEST, os.getpriority(os.PRIO_PROCESS, os.getpid()) + NICE)
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), lower)
