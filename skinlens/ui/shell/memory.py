"""Memory of the app: reference cycles are collected at most once in some seconds and only after somebody used it, and
what is free goes back to the system once nobody does.

Streamlit collects after every run of a page or of a part of it (``runner.postScriptGC``), which takes 50 ms here while
no other thread runs: a page that waits for its maps is run several times a second. ``.streamlit/config.toml`` switches
that off.

GNU's C library has up to eight heaps a core for threads, and each keeps some tens of megabytes that are free: six
maps that were made at once left 300 MB behind. With two heaps, and what is free given back, they leave 30.
"""

import asyncio
import ctypes
import gc
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from skinlens.ui.state.tabs import CLOSED_S

PERIOD_S = 5.0
LOOKS = (1, int(CLOSED_S / PERIOD_S) + 1, int(2 * CLOSED_S / PERIOD_S) + 2)
"""Periods without use after which memory is given back: at once, and after a closed tab's session and photos went."""
MANY = max(LOOKS) + 1
HEAPS, _M_ARENA_MAX = 2, -8
"""Of all threads, and what ``mallopt`` calls that."""
_used = False


def note_use() -> None:
    """A browser sent something: pages are run for it, and leave cycles behind."""
    global _used  # noqa: PLW0603  written and read on the server's event loop alone
    _used = True


def collect_if_used() -> bool:
    """Collect the cycles, unless nobody used the app since the last time; whether it was done."""
    global _used  # noqa: PLW0603
    if not _used:
        return False
    _used = False
    gc.collect()
    return True


def limit_heaps() -> bool:
    """Have the threads that begin from now on share ``HEAPS`` heaps; whether this C library can."""
    limit = _of_gnu("mallopt")
    return bool(limit and limit(_M_ARENA_MAX, HEAPS))


def give_back() -> bool:
    """Give free memory back to the system; whether there was any, and this C library can."""
    trim = _of_gnu("malloc_trim")
    return bool(trim and trim(0))


def _of_gnu(name: str) -> Callable[..., int] | None:
    """A function of GNU's C library; None where that is another."""
    return getattr(ctypes.CDLL(None), name, None) if platform.libc_ver()[0] == "glibc" else None


@asynccontextmanager
async def collected() -> AsyncIterator[None]:
    """Collect again and again, until the block is left. Memory is given back once nobody uses the app, and again once
    what closed tabs held is let go.
    """

    async def again() -> None:
        unused = MANY
        while True:
            await asyncio.sleep(PERIOD_S)
            unused = 0 if collect_if_used() else min(unused + 1, MANY)
            if unused in LOOKS:
                gc.collect()
                give_back()

    limit_heaps()
    task = asyncio.create_task(again())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
