"""Waiting time of a dermatologist: ``python -m benchmarks.screen [--runs N] [--skip-lists]``.

The app is served with the shipped weights, and driven in Chromium at 1440 × 900 through Playwright. Each time runs from
the press of a key or button until what was asked for is seen, the browser's drawing included. Every run has a photo of
its own, so that nothing is found in a cache (``benchmarks/photos.py``). Medians in seconds beside the bars that were
set; nothing is asserted.
"""

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Locator, Page

from benchmarks.machine import ROOT, machine
from benchmarks.photos import DRAWN_LESIONS, kind_at_hand, photo_files
from benchmarks.similar import fill_visits
from skinlens.serve import free_port
from skinlens.store import CaseStore
from tests.browser.serving import launched, program, serving

RUNS = 10
LISTS = (5_000, 100_000)
RESULT = ROOT / "benchmarks" / "results" / "screen.json"
LIMIT_MS = 120_000
BARS_S = {
    "first text, new browser": 1.5,
    "photo chosen to photo shown": 0.6,
    "show result to result": 0.4,
    "Why? to Grad-CAM": 0.6,
    "photo chosen to all three maps": 4.0,
    "save to saved": 0.5,
    "report": 1.5,
    "Performance": 1.5,
    "list of 5,000 visits": 0.8,
    "list of 100,000 visits": 1.5,
}
"""What was asked for, on two cores with AVX2."""
DRAWN = """[...document.querySelectorAll("[role=img][aria-label^='Photo of the lesion'] canvas")].some((one) =>
  one.width && one.getContext("2d").getImageData(one.width / 2, one.height / 2, 1, 1).data[3])"""
"""Whether the photo is seen: a point in its middle is drawn, not only its frame."""
Times = dict[str, list[float]]


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The app on a free port, with that folder for its cases; its address."""
    port = free_port("127.0.0.1", 8701)
    with serving(["-m", "skinlens", "serve", "--no-token", "--port", str(port)], port, home) as address:
        yield address


@contextmanager
def chromium() -> Iterator[Browser]:
    path = program()
    if path is None:
        raise SystemExit("Chromium is not installed. Install Debian's chromium-headless-shell.")
    with launched(path) as browser:
        yield browser


@contextmanager
def opened(browser: Browser) -> Iterator[Page]:
    """A page of a browser that has not seen the app before."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(LIMIT_MS)
    yield page
    context.close()


def settled(page: Page) -> None:
    """Wait until the app stands still, so that the next time has nothing of the step before in it."""
    page.wait_for_timeout(500)
    page.wait_for_function(
        "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'", timeout=LIMIT_MS
    )


def timed(do: Callable[[], object], until: Callable[[], object]) -> float:
    """Seconds from ``do`` until ``until`` returns."""
    started = time.perf_counter()
    do()
    until()
    return time.perf_counter() - started


def heading(page: Page, words: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("heading", level=1, name=words)


def made(page: Page, title: str) -> None:
    """Wait until the map is drawn: its figure has no note over the picture any more."""
    figure = page.locator("figure", has=page.get_by_role("heading", name=title, exact=True))
    figure.wait_for()
    figure.locator(".sl-note:not(.sl-quiet)").wait_for(state="hidden")


def case_times(browser: Browser, address: str, photo: Path, number: int) -> dict[str, float]:
    """One photo from the upload to the report, as fast as the buttons can be pressed, and once at leisure."""
    times = {}
    with opened(browser) as page:
        first = heading(page, "Worklist")
        times["first text, new browser"] = timed(lambda: page.goto(address, wait_until="commit"), first.wait_for)
        page.goto(f"{address}/visit")
        settled(page)
        chosen = time.perf_counter()
        page.locator("input[type=file]").first.set_input_files(photo)
        page.wait_for_function(DRAWN)
        times["photo chosen to photo shown"] = time.perf_counter() - chosen
        show = page.get_by_role("button", name="Show result")
        show.wait_for()
        times["show result to result"] = timed(show.click, page.get_by_text(re.compile("cut-off")).first.wait_for)
        why = page.get_by_role("tab", name="Why?", exact=True)
        times["Why? to Grad-CAM"] = timed(why.click, lambda: made(page, "Grad-CAM"))
        for title in ("Score-CAM", "LIME"):
            made(page, title)
        times["photo chosen to all three maps"] = time.perf_counter() - chosen
        page.get_by_role("tab", name="Result", exact=True).click()
        settled(page)
        page.get_by_role("textbox", name="Patient ID").fill(f"B-{number:03d}")
        page.keyboard.press("Tab")
        settled(page)
        page.get_by_label("Body site and side").press_sequentially("forearm")
        page.keyboard.press("Enter")
        settled(page)
        save = page.get_by_role("button", name="Save case")
        times["save to saved"] = timed(save.click, page.get_by_text(re.compile("Saved as case")).wait_for)
        settled(page)
        report = page.get_by_role("tab", name="Report", exact=True)
        times["report"] = timed(report.click, page.get_by_alt_text(re.compile("Page 1 of")).wait_for)
        settled(page)
        performance = page.get_by_role("link", name="Performance", exact=True).first
        figure = page.get_by_text("Balanced accuracy").first
        times["Performance"] = timed(performance.click, figure.wait_for)
    return times


def list_times(browser: Browser, visits: int, folder: Path, runs: int) -> list[float]:
    """The worklist with so many stored visits: from the link on another page to the first row."""
    home = folder / f"home-{visits}"
    store = CaseStore(home)
    store.acknowledge_disclaimer()
    fill_visits(store, visits, np.random.default_rng(0))
    times = []
    with served(home) as address, opened(browser) as page:
        for _ in range(runs + 1):  # the first warms the server, and does not count
            page.goto(f"{address}/help")
            heading(page, "Help").wait_for()
            settled(page)
            link = page.get_by_role("link", name="Worklist", exact=True).first
            row = page.get_by_role("button", name=re.compile(r"^Open case \d+"))
            times.append(timed(link.click, row.first.wait_for))
            page.get_by_text(f"{visits:,} visits").wait_for()
    return times[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--skip-lists", action="store_true", help="without the two long lists, which take minutes")
    parser.add_argument(
        "--drawn",
        action="store_const",
        dest="kind",
        const=DRAWN_LESIONS,
        default=kind_at_hand(),
        help="drawn lesions anyway",
    )
    parser.add_argument("--json", type=Path, default=RESULT)
    arguments = parser.parse_args()
    times: Times = {}
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder, home = Path(name), Path(name) / "home"
        CaseStore(home).acknowledge_disclaimer()
        photos = photo_files(folder, arguments.runs + 1, arguments.kind)
        with served(home) as address:
            for number, photo in enumerate(photos):  # the first warms the server, and does not count
                for step, seconds in case_times(browser, address, photo, number).items():
                    times.setdefault(step, []).extend([seconds] if number else [])
                print(f"{number} of {arguments.runs} cases", flush=True)
        write(arguments.json, arguments.runs, arguments.kind, times)
        for visits in () if arguments.skip_lists else LISTS:
            times[f"list of {visits:,} visits"] = list_times(browser, visits, folder, arguments.runs)
            write(arguments.json, arguments.runs, arguments.kind, times)


def write(path: Path, runs: int, photos: str, times: Times) -> None:
    """The steps that were measured so far: the long lists take minutes, and a run that is ended has the others."""
    seconds = {
        step: {"median": round(statistics.median(taken), 2), "most": round(max(taken), 2), "bar": BARS_S[step]}
        for step, taken in times.items()
    }
    report = json.dumps({"machine": machine(), "runs": runs, "photos": photos, "seconds": seconds}, indent=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report + "\n")
    print(report)


if __name__ == "__main__":
    main()
