"""Garbage collection of reference cycles, at most once in some seconds and only after somebody used the app.

Streamlit collects after every run of a page or of a part of it (``runner.postScriptGC``), which takes 50 ms here while
no other thread runs: a page that waits for its maps is run several times a second. ``.streamlit/config.toml`` switches
that off.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

PERIOD_S = 5.0
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


@asynccontextmanager
async def collected() -> AsyncIterator[None]:
    """Collect again and again, until the block is left."""

    async def again() -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            collect_if_used()

    task = asyncio.create_task(again())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
