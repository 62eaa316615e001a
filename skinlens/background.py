"""Thread priority: background threads yield to whoever looks at the screen."""

import os
import sys
import threading
from contextlib import suppress

NICE = 5
"""Steps below the priority of the process; 19 would be the lowest."""


def give_way() -> None:
    """Lower the priority of the calling thread for good, and of the threads that it starts.

    Linux alone has a priority for each thread (setpriority(2), "C library/kernel differences"); elsewhere, and where it
    is not allowed, nothing happens.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
