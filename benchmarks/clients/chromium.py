"""Journey in Chromium, which draws the pages: a cross-check of the client that does not."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from benchmarks.clients.journeys import LIMIT_S, SITE, TITLES, VERDICT, Expected, Journey
from tests.browser.serving import SWITCHES, program

TABS_A_CHROMIUM = 10


def yielding(folder: Path, steps: int) -> Path:
    """Chromium at a lower priority than the server: in a clinic, the browsers are on other computers."""
    path = folder / "chromium.sh"
    path.write_text(f'#!/bin/sh\nexec nice -n {steps} {program()} "$@"\n', encoding="utf-8")
    path.chmod(0o700)
    return path


@asynccontextmanager
async def browsers(
    folder: Path, tabs: int, steps: int, mark: str
) -> AsyncIterator[Callable[[str, Expected], Awaitable[Journey]]]:
    """Journeys in so many tabs; ``mark``: a switch that Chromium does not know, by which its processes are found."""
    async with async_playwright() as play:
        path, several = yielding(folder, steps), -(-tabs // TABS_A_CHROMIUM)
        started = [await play.chromium.launch(executable_path=path, args=[*SWITCHES, mark]) for _ in range(several)]
        try:
            yield lambda address, own: journey(started[own.number % several], address, own)
        finally:
            await asyncio.gather(*(browser.close() for browser in started))


async def journey(browser: Browser, address: str, own: Expected) -> Journey:
    """One browser that nobody has used before."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    try:
        page = await context.new_page()
        page.set_default_timeout(1000 * LIMIT_S)
        await page.goto(address)  # the token becomes a cookie
        await page.goto(f"{address.partition('?')[0].rstrip('/')}/visit")
        await _settled(page)
        begun = time.perf_counter()
        await page.locator("input[type=file]").first.set_input_files(own.path)
        show = page.get_by_role("button", name="Show result")
        await show.wait_for()
        read_s = time.perf_counter() - begun
        pressed = time.perf_counter()
        await show.click()
        await page.get_by_text(re.compile(VERDICT)).first.wait_for()
        result_s = time.perf_counter() - pressed
        await page.get_by_role("tab", name="Why?", exact=True).click()
        for title in TITLES:
            figure = page.locator("figure", has=page.get_by_role("heading", name=title, exact=True))
            await figure.wait_for()
            await figure.locator(".sl-note:not(.sl-quiet)").wait_for(state="hidden")
        maps_s = time.perf_counter() - begun
        return Journey(own.number, await _save(page, own), read_s, result_s, maps_s, time.perf_counter() - begun)
    finally:
        await context.close()


async def _save(page: Page, own: Expected) -> int:
    await page.get_by_role("tab", name="Result", exact=True).click()
    await _settled(page)
    await page.get_by_role("textbox", name="Patient ID").fill(own.patient)
    await page.keyboard.press("Tab")
    await _settled(page)
    await page.get_by_label("Body site and side").press_sequentially(SITE)
    await page.keyboard.press("Enter")
    await _settled(page)
    await page.get_by_role("button", name="Save case").click()
    said = page.get_by_text(re.compile(r"Saved as case \d+")).first
    await said.wait_for()
    found = re.search(r"Saved as case (\d+)", await said.inner_text())
    assert found is not None
    return int(found[1])


async def _settled(page: Page) -> None:
    await page.wait_for_timeout(200)
    await page.wait_for_function(
        "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
    )
