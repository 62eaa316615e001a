"""Background work: the cores there are, threads that yield to whoever looks at the screen, and worker processes."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

NICE = 5
"""Steps below the priority of the process; 19 would be the lowest."""


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def give_way() -> None:
    """Lower the priority of the calling thread for good, and of the threads that it starts.

    Linux alone has a priority for each thread (setpriority(2), "C library/kernel differences"); elsewhere, and where it
    is not allowed, nothing happens.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
