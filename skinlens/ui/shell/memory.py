"""Garbage collection of reference cycles, at most once in some seconds and only after somebody used the app.

Streamlit collects after every run of a page or of a part of it (``runner.postScriptGC``), which takes 50 ms here while
no other thread runs: a page that waits for its maps is run several times a second. ``.streamlit/config.toml`` switches
that off.

A full collection looks at every object there is, and nothing else runs meanwhile: 0.1 s for what the program itself is
made of. So what a thorough one has found alive is set aside (``gc.freeze``), and those in between look at the rest.
What has died of it goes with the next thorough one.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

PERIOD_S = 5.0
THOROUGH_EVERY = 12
"""Collections, of which one is thorough, the first as well; another one follows after the last use."""
_used = False
_since_thorough = THOROUGH_EVERY


def note_use() -> None:
    """A browser sent something: pages are run for it, and leave cycles behind."""
    global _used  # noqa: PLW0603  written and read on the server's event loop alone
    _used = True


def collect_if_used() -> bool:
    """Collect the cycles, unless nobody used the app since the last thorough time; whether it was done."""
    global _used, _since_thorough  # noqa: PLW0603
    if not _used and not _since_thorough:
        return False
    _since_thorough += 1
    if _since_thorough > THOROUGH_EVERY or not _used:
        _since_thorough = 0
        gc.unfreeze()
    _used = False
    gc.collect()
    if not _since_thorough:
        gc.freeze()
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
