"""Journey without a browser: the steps of one who looks at the page, in the messages that a browser would send."""

import re
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.clients import journeys, tab
from benchmarks.clients.journeys import LIMIT_S, SITE, TITLES, VERDICT, Expected, Journey, check_photos, check_shares
from benchmarks.clients.tab import Tab

SHARE = re.compile(r"<b>([\d.]+)\u00a0%</b>")


async def journey(address: str, own: Expected, titles: tuple[str, ...] = TITLES) -> Journey:
    """One tab that nobody has used before; ``titles``: the maps that it waits for.

    Raises:
        Mixed: it was shown something of another photo.
        AppError: it was shown an error, or waited too long.
    """
    content = own.path.read_bytes()
    async with tab.opened(address, "/visit", LIMIT_S) as page:
        await page.until(lambda: next(page.shown("file_uploader"), None), "the upload field", LIMIT_S)
        await page.settled(LIMIT_S)
        begun = time.perf_counter()
        await page.upload(own.path.name, content, LIMIT_S)
        await page.until(lambda: page.labeled("button", "Show result"), "the photo", LIMIT_S)
        read_s = time.perf_counter() - begun
        pressed = time.perf_counter()
        await page.press("Show result")
        await page.until(lambda: page.says(VERDICT), "the result", LIMIT_S)
        result_s = time.perf_counter() - pressed
        await page.settled(LIMIT_S)
        check_photos(photos(page), own)
        check_shares(shares(page), own)
        if titles:
            await page.turn_to("Why?")
            await page.until(lambda: set(titles) <= made(page, own), "the maps", LIMIT_S)
        maps_s = time.perf_counter() - begun
        return Journey(own.number, await _save(page, own), read_s, result_s, maps_s, time.perf_counter() - begun)


async def _save(page: Tab, own: Expected) -> int:
    await page.turn_to("Result")
    await page.until(lambda: page.labeled("text_input", "Patient ID"), "the form", LIMIT_S)
    await page.settled(LIMIT_S)
    await page.fill("text_input", "Patient ID", own.patient)
    await page.settled(LIMIT_S)
    await page.fill("selectbox", "Body site and side", SITE)
    await page.settled(LIMIT_S)
    await page.press("Save case")
    said = await page.until(lambda: page.says(r"Saved as case (\d+)"), "the saved case", LIMIT_S)
    await page.settled(LIMIT_S)
    check_photos(photos(page), own)
    return int(said[1])


def photos(page: Tab) -> set[str]:
    """Hashes of the photos that the page shows."""
    return {sha256 for data in _viewers(page) for sha256 in data["photos"]}


def shares(page: Tab) -> list[float]:
    """Shares of the most probable classes, 0 to 1, as they are printed."""
    return [
        float(share) / 100
        for text in page.texts()
        if 'aria-label="The most probable classes"' in text
        for share in SHARE.findall(text)
    ]


def made(page: Tab, own: Expected) -> set[str]:
    """Titles of the maps that the page shows over the photo. Raises Mixed: it is another."""
    panels = [panel for data in _viewers(page) for panel in data["panels"] if panel["heat"]]
    if panels:
        journeys.check_photos({panel["photo"] for panel in panels}, own)
    return {panel["title"] for panel in panels}


def _viewers(page: Tab) -> list[Mapping[str, Any]]:
    return list(page.components("skinlens_viewer"))
