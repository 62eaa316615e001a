"""Load: many tabs at once, each from the upload over result and maps to the saved case, again and again.

    PYTHONPATH=. python -m benchmarks.load --tabs 20 --minutes 3

The app is served with the shipped weights and asked on loopback, as a rule by clients that speak its protocol and draw
nothing: browsers on the same two cores would be measured instead. ``--clients chromium`` makes the same journeys in
Chromium; with one tab each, the two show that they ask the server for the same work. Each journey has a photo, a
patient and a tab of its own. What it is shown, and what was saved, is compared with what this photo gives when it is
read alone. It stops by itself, and its server ends with it, however it ends.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from benchmarks.clients import chromium, journeys, websocket
from benchmarks.clients.journeys import TITLES, Expected, Journey, Mixed
from benchmarks.clients.processes import busy_s, cpu_s, memory_mb, processes
from benchmarks.machine import ROOT, machine
from benchmarks.photos import DRAWN_LESIONS, OF_VAL, kind_at_hand, photo_files
from skinlens import pipeline
from skinlens.inference.classifier import load_classifier
from skinlens.serve import free_port
from skinlens.store import CaseStore
from tests.browser.serving import printed, serving

RESULT = ROOT / "benchmarks" / "results" / "load.json"
DRAIN_S = 180.0
"""No journey is begun after the minutes; those under way have so long."""
SETTLE_S = 45.0
"""After the last tab has gone, before the memory is looked at: a closed tab is held for 30 s, for it may come back."""
LOOK_S = 1.0
"""Interval between two looks at the memory while the tabs are there."""
YIELDS = 10
MOST_A_MINUTE = 30
"""Journeys for which photos are there; when there are none left, none is begun."""
WARM_UP = 2
"""Tabs before the measured ones: for what is made once."""
MARK = f"--skinlens-load={os.getpid()}"

Clients = Literal["websocket", "chromium"]
Go = Callable[[str, Expected], Awaitable[Journey]]
"""Makes the journey of a photo at an address."""


class Driven(NamedTuple):
    """Outcome of the journeys."""

    done: list[Journey]
    mixed: list[str]
    """A sentence for each that was shown something of another photo."""
    errors: list[str]
    """A sentence for each that failed otherwise."""
    unfinished: int
    """Journeys that were under way when the time was up."""
    cpu_s: float
    """Of the clients."""
    peak_mb: float
    """Most memory of the server that was seen."""


@asynccontextmanager
async def going(clients: Clients, folder: Path, tabs: int) -> AsyncIterator[Go]:
    """Client of that kind, ready to go."""
    if clients == "websocket":
        yield websocket.journey
    else:
        async with chromium.browsers(folder, tabs, YIELDS, MARK) as go:
            yield go


async def drive(
    address: str,
    photos: Sequence[Expected],
    clients: Clients,
    tabs: int,
    minutes: float,
    server: Callable[[], list[int]],
) -> Driven:
    """Journeys of so many tabs, begun for so many minutes and at least one each, until there are no photos left."""
    queued = iter(photos)
    done, mixed, errors = list[Journey](), list[str](), list[str]()
    used, end = time.process_time(), time.monotonic() + 60 * minutes
    async with going(clients, photos[0].path.parent, tabs) as go:

        async def tab() -> None:
            for own in queued:
                try:
                    done.append(await go(address, own))
                except Mixed as error:
                    mixed.append(str(error))
                except Exception as error:  # noqa: BLE001  it is counted and told
                    words = " ".join(str(error).split())[:300]
                    errors.append(f"photo {own.number}: {type(error).__name__}: {words}")
                if time.monotonic() > end:
                    return

        begun = [asyncio.create_task(tab()) for _ in range(tabs)]
        peak = memory_mb(server())
        while (left := end + DRAIN_S - time.monotonic()) > 0:
            _, pending = await asyncio.wait(begun, timeout=min(LOOK_S, left))
            peak = max(peak, memory_mb(server()))
            if not pending:
                break
        unfinished = [one for one in begun if not one.done()]
        for one in unfinished:
            one.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        of_browsers = cpu_s(processes(MARK))
    return Driven(done, mixed, errors, len(unfinished), time.process_time() - used + of_browsers, peak)


def wrongly_stored(store: CaseStore, done: Sequence[Journey], photos: Sequence[Expected], maps: int) -> Iterator[str]:
    """A sentence for each case that does not hold what its photo gives, with so many maps."""
    own = {photo.number: photo for photo in photos}
    for journey in done:
        photo, record = own[journey.photo], store.load(journey.case)
        if record.photo.sha256 != photo.sha256 or any(
            each.photo_sha256 != photo.sha256 for each in record.explanations
        ):
            yield f"case {journey.case} holds another photo than {journey.photo}"
        if record.case.patient is None or record.case.patient.pseudonym != photo.patient:
            yield f"case {journey.case} is of another patient"
        if len(record.explanations) < maps:
            yield f"case {journey.case} has {len(record.explanations)} maps"
        probs = sorted(record.visit.prediction.probs, reverse=True)
        if not np.allclose(probs, photo.probs, rtol=0, atol=1e-4):
            yield f"case {journey.case} has another prediction than its photo"


def prepared(folder: Path, count: int, release: Path | None = None, kind: str = DRAWN_LESIONS) -> list[Expected]:
    """List of ``count`` photos, with what each gives alone. Of ``val`` none whose result is unreliable: a page would
    have no shares to be compared by.
    """
    folder.mkdir()
    classifier = load_classifier() if release is None else load_classifier(release)
    spare = 5 + count // 10 if kind == OF_VAL else 0
    each = ((path, pipeline.analyze_file(path, classifier)) for path in photo_files(folder, count + spare, kind))
    shown = (one for one in each if kind != OF_VAL or one[1].quality.reliable)
    return [journeys.expected(number, *one) for number, one in enumerate(islice(shown, count))]


def ending_with_this_process(command: list[str]) -> list[str]:
    """Command that ends as soon as this process does, also where this one is killed."""
    ends = shutil.which("setpriv")
    return [ends, "--pdeathsig", "TERM", *command] if ends else command


@contextmanager
def served(home: Path, release: Path | None = None) -> Iterator[tuple[str, Callable[[], list[int]]]]:
    """The address of an app of its own, as it prints it, and what finds its processes. It ends with this process."""
    CaseStore(home).acknowledge_disclaimer()
    port = free_port("127.0.0.1", 8801)
    command = ending_with_this_process([sys.executable, "-m", "skinlens", "serve", "--port", str(port)])
    with serving(command[1:], port, home, release, program=Path(command[0])):
        yield printed(home / "log"), lambda: processes("streamlit", str(port))  # as which ``skinlens serve`` goes on


def measured(clients: Clients, tabs: int, minutes: float, folder: Path) -> dict[str, Any]:
    """The figures of a run."""
    kind, count = kind_at_hand(), WARM_UP + tabs + int(MOST_A_MINUTE * minutes)
    photos, store = prepared(folder / "photos", count, kind=kind), CaseStore(folder / "home")
    with served(folder / "home") as (address, server):
        nice = {"server": os.nice(0), "clients": os.nice(YIELDS)}  # in a clinic, the browsers are on other computers
        before = asyncio.run(drive(address, photos[:WARM_UP], clients, WARM_UP, 0.0, server))
        time.sleep(SETTLE_S)
        cpu, busy, memory, begun = cpu_s(server()), busy_s(), memory_mb(server()), time.monotonic()
        driven = asyncio.run(drive(address, photos[WARM_UP:], clients, tabs, minutes, server))
        seconds, used, busy = time.monotonic() - begun, cpu_s(server()) - cpu, busy_s() - busy
        time.sleep(SETTLE_S)
        after = memory_mb(server())
    wrong = [*before.mixed, *driven.mixed, *wrongly_stored(store, driven.done, photos, len(TITLES))]
    for words in (*before.errors, *driven.errors, *wrong):
        print(words)
    return {
        "clients": clients,
        "photos": kind,
        "tabs": tabs,
        "minutes": minutes,
        "nice": nice,
        "seconds": round(seconds, 1),
        "journeys": len(driven.done),
        "errors": len(before.errors) + len(driven.errors),
        "unfinished": driven.unfinished,
        "mixed": len(wrong),
        **{name: _spread([getattr(one, name) for one in driven.done]) for name in TIMES},
        "cpu_s_a_journey": round(used / max(1, len(driven.done)), 2),
        "cpu_s": {"server": round(used, 1), "clients": round(driven.cpu_s, 1),
                  "others": round(max(0.0, busy - used - driven.cpu_s), 1)},
        "memory_mb": {"start": round(memory), "peak": round(driven.peak_mb), "end": round(after)},
    }  # fmt: skip


TIMES = ("read_s", "result_s", "answer_s", "maps_s", "whole_s")


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 2),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 2),
    }


def main() -> None:
    """Write ``benchmarks/results/load.json``, where a run takes the place of one with as many tabs of such clients."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", choices=("websocket", "chromium"), default="websocket")
    parser.add_argument("--tabs", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", type=Path, default=RESULT)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as folder:
        result = {"machine": machine(), **measured(given.clients, given.tabs, given.minutes, Path(folder))}
    print(json.dumps(result, indent=2))
    others = json.loads(given.json.read_text(encoding="utf-8"))["runs"] if given.json.is_file() else []
    runs = [one for one in others if "before" in one or (one["clients"], one["tabs"]) != (given.clients, given.tabs)]
    runs = sorted([*runs, result], key=lambda one: (str(one["clients"]), int(one["tabs"])))
    given.json.write_text(json.dumps({"runs": runs}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
