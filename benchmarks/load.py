"""Load: many browsers at once, each from the upload over result and maps to the saved case, again and again.

    PYTHONPATH=. python -m benchmarks.load --tabs 20 --minutes 3

The app is served with the shipped weights and driven on loopback. Each journey has a photo, a patient and a browser
context of its own; what was saved is compared with what this photo gives when it is read here. It stops by itself.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from benchmarks.machine import ROOT, machine
from skinlens.imaging.intake import read_photo_file
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import load_classifier
from skinlens.serve import free_port
from skinlens.store import CaseStore
from tests.browser.serving import SWITCHES, program, serving

RESULT = ROOT / "benchmarks" / "results" / "load.json"
LIMIT_MS = 300_000
DRAIN_S = 180.0
"""No journey is begun after the minutes; those under way have so long."""
TITLES = ("Grad-CAM", "Score-CAM", "LIME")
SETTLE_S = 20.0
"""After the last browser has gone, before the memory is looked at."""
TABS_A_CHROMIUM, YIELDS = 10, 10
WARM_UP = 2
"""Browsers before the measured ones: for what is made once."""
MARK = f"--skinlens-load={os.getpid()}"
"""A switch that Chromium does not know, by which its processes are found."""


class Journey(NamedTuple):
    """One way from the upload to the saved case."""

    photo: int
    case: int
    result_s: float
    """From the press of “Show result” to the result."""
    maps_s: float
    """From the upload to all three maps."""
    whole_s: float


class Driven(NamedTuple):
    """What came of the journeys."""

    done: list[Journey]
    errors: list[str]
    """A sentence for each that failed."""
    unfinished: int
    """Journeys that were under way when the time was up."""
    cpu_s: float
    """Of the browsers."""


def processes(*words: str) -> list[int]:
    """Numbers of the processes whose command line has all these words, and of all that they started."""
    parents, found = dict[int, int](), set[int]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):  # it has just ended
            continue
        if all(word in line for word in words):
            found.add(int(folder.name))
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def cpu_s(pids: Iterable[int]) -> float:
    """Their processor time, with that of children that have ended."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(one) for one in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pids: Iterable[int]) -> float:
    """Their proportional set size: pages that processes share are counted once."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(found[1]) if found else 0
    return total / 1024


def yielding(folder: Path) -> Path:
    """Chromium at a lower priority than the server: in a clinic, the browsers are on other computers."""
    path = folder / "chromium.sh"
    path.write_text(f'#!/bin/sh\nexec nice -n {YIELDS} {program()} "$@"\n', encoding="utf-8")
    path.chmod(0o700)
    return path


def drawn(folder: Path, number: int) -> Path:
    """A photo that no other journey has."""
    path = folder / f"{number}.jpg"
    pixels = draw_synthetic_lesion(number)
    Image.fromarray(np.asarray(pixels)).save(path, "JPEG", quality=92)
    return path


async def journey(browser: Browser, address: str, folder: Path, number: int) -> Journey:
    """One browser that nobody has used before."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    try:
        page = await context.new_page()
        page.set_default_timeout(LIMIT_MS)
        await page.goto(f"{address}/visit")
        await _settled(page)
        begun = time.perf_counter()
        await page.locator("input[type=file]").first.set_input_files(folder / f"{number}.jpg")
        show = page.get_by_role("button", name="Show result")
        await show.wait_for()
        pressed = time.perf_counter()
        await show.click()
        await page.get_by_text(re.compile("cut-off")).first.wait_for()
        result_s = time.perf_counter() - pressed
        await page.get_by_role("tab", name="Why?", exact=True).click()
        for title in TITLES:
            figure = page.locator("figure", has=page.get_by_role("heading", name=title, exact=True))
            await figure.wait_for()
            await figure.locator(".sl-note:not(.sl-quiet)").wait_for(state="hidden")
        maps_s = time.perf_counter() - begun
        return Journey(number, await _save(page, number), result_s, maps_s, time.perf_counter() - begun)
    finally:
        await context.close()


async def _save(page: Page, number: int) -> int:
    await page.get_by_role("tab", name="Result", exact=True).click()
    await _settled(page)
    await page.get_by_role("textbox", name="Patient ID").fill(f"L-{number:05d}")
    await page.keyboard.press("Tab")
    await _settled(page)
    await page.get_by_label("Body site and side").press_sequentially("forearm")
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


async def drive(address: str, folder: Path, tabs: int, minutes: float, first: int) -> Driven:
    """Journeys of so many browsers, begun for so many minutes; ``first``: number of the first photo."""
    numbers = iter(range(first, first + 100_000))
    done, errors = list[Journey](), list[str]()
    async with async_playwright() as play:
        several = -(-tabs // TABS_A_CHROMIUM)
        path = yielding(folder)
        browsers = [await play.chromium.launch(executable_path=path, args=[*SWITCHES, MARK]) for _ in range(several)]
        end = time.monotonic() + 60 * minutes

        async def tab(browser: Browser) -> None:
            while True:  # once at least
                number = next(numbers)
                await asyncio.to_thread(drawn, folder, number)
                try:
                    done.append(await journey(browser, address, folder, number))
                except Exception as error:  # noqa: BLE001  it is counted and told
                    errors.append(f"photo {number}: {' '.join(str(error).split())[:300]}")
                if time.monotonic() > end:
                    return

        begun = [asyncio.create_task(tab(browsers[one % several])) for one in range(tabs)]
        _, unfinished = await asyncio.wait(begun, timeout=60 * minutes + DRAIN_S)
        for one in unfinished:
            one.cancel()
        await asyncio.wait(begun)
        used = cpu_s(pid for pid in processes(MARK))
        for browser in browsers:
            await browser.close()
    return Driven(done, errors, len(unfinished), used)


def mixed(store: CaseStore, journeys: list[Journey], folder: Path) -> Iterator[str]:
    """A sentence for each case that does not hold what its photo gives."""
    classifier = load_classifier()
    for one in journeys:
        photo, record = read_photo_file(folder / f"{one.photo}.jpg"), store.load(one.case)
        if record.photo.sha256 != photo.sha256 or any(
            each.photo_sha256 != photo.sha256 for each in record.explanations
        ):
            yield f"case {one.case} holds another photo than {one.photo}"
        if record.case.patient is None or record.case.patient.pseudonym != f"L-{one.photo:05d}":
            yield f"case {one.case} is of another patient"
        if len(record.explanations) != len(TITLES):
            yield f"case {one.case} has {len(record.explanations)} maps"
        expected = np.array(classifier.predict(photo).probs)
        if not np.allclose(np.array(record.visit.prediction.probs), expected, atol=1e-4):
            yield f"case {one.case} has another prediction than its photo"


def measured(tabs: int, minutes: float, home: Path) -> dict[str, Any]:
    """The figures of a run."""
    photos = home.parent / "photos"
    photos.mkdir()
    store = CaseStore(home)
    store.acknowledge_disclaimer()
    port = free_port("127.0.0.1", 8801)
    command = ["-m", "skinlens", "serve", "--no-token", "--port", str(port)]
    with serving(command, port, home) as address:

        def server() -> list[int]:
            return processes("streamlit", str(port))  # as which ``skinlens serve`` goes on

        before = asyncio.run(drive(address, photos, WARM_UP, 0.0, 0))
        time.sleep(SETTLE_S)
        cpu, memory, begun = cpu_s(server()), memory_mb(server()), time.monotonic()
        driven = asyncio.run(drive(address, photos, tabs, minutes, WARM_UP))
        seconds = time.monotonic() - begun
        used = cpu_s(server()) - cpu
        time.sleep(SETTLE_S)
        after = memory_mb(server())
    journeys, wrong = driven.done, list(mixed(store, driven.done, photos))
    for words in (*before.errors, *driven.errors, *wrong):
        print(words)
    return {
        "tabs": tabs,
        "nice": {"server": os.nice(0), "browsers": os.nice(0) + YIELDS},
        "minutes": minutes,
        "seconds": round(seconds, 1),
        "journeys": len(journeys),
        "errors": len(driven.errors),
        "unfinished": driven.unfinished,
        "mixed": len(wrong),
        **{name: _spread([getattr(one, name) for one in journeys]) for name in ("result_s", "maps_s", "whole_s")},
        "cpu_s_a_journey": round(used / max(1, len(journeys)), 2),
        "browsers_cpu_s_a_journey": round(driven.cpu_s / max(1, len(journeys)), 2),
        "memory_mb": {"start": round(memory), "end": round(after)},
    }


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 2),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 2),
    }


def main() -> None:
    """Write ``benchmarks/results/load.json``, where a run takes the place of one with as many browsers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tabs", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", type=Path, default=RESULT)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = {"machine": machine(), **measured(given.tabs, given.minutes, Path(folder) / "home")}
    print(json.dumps(result, indent=2))
    others = json.loads(given.json.read_text(encoding="utf-8"))["runs"] if given.json.is_file() else []
    runs = [one for one in others if one["tabs"] != given.tabs]
    runs = sorted([*runs, result], key=lambda one: int(one["tabs"]))
    given.json.write_text(json.dumps({"runs": runs}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
