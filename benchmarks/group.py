"""A group's store: 20 writers at once until it holds 100,000 visits: ``python -m benchmarks.group [--minutes N]``.

To measure at that size alone, fill a folder first, and go on in it:
``--home FOLDER --writers 1 --visits 90000``, then ``--home FOLDER``.

Each writer is a process with an actor of its own, and saves, opens and searches through the doors that the app uses;
pictures are small and generated. Afterwards everything that was acknowledged must be there, the audit log must verify,
and the queries of ``benchmarks/history.py`` are timed on the whole. It stops by itself.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Mapping
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import history
from benchmarks.machine import ROOT, machine
from skinlens.case_record import Analysis
from skinlens.errors import SkinLensError
from skinlens.labels import CODES
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit

RESULT = ROOT / "benchmarks" / "results" / "group.json"
VISITS_A_PATIENT, READ_EVERY = 10, 20


class Work(NamedTuple):
    """What one writer has done."""

    save_ms: list[float]
    read_ms: list[float]
    """A page of the list and a case, each time."""
    refused: list[str]
    """Sentences of what was refused."""


def write(home: Path, writer: int, visits: int, there: int, stop: Event) -> Work:
    """Save so many visits beside those that are there, ten for each patient, and look at the list now and then."""
    store, stream = CaseStore(home, actor=f"writer {writer}"), np.random.default_rng(writer)
    photos = [history.picture(seed) for seed in range(history.PICTURES)]
    work, known = Work([], [], []), (0, 0)
    for number in range(visits):
        if stop.is_set():
            break
        new = number % VISITS_A_PATIENT == 0 or known == (0, 0)
        who = NewPatient(f"P-{there}-{writer}-{number}", 1940 + number % 60) if new else known[0]
        words = f"{' '.join(stream.choice(history.WORDS, 12))} rare{number:05d}"
        visit = NewVisit(
            who,
            NewLesion(history.SITES[number % len(history.SITES)]) if number % 5 == 0 or new else known[1],
            f"20{stream.integers(15, 25)}-{stream.integers(1, 13):02d}-{stream.integers(1, 29):02d}",
            ClinicianReading(str(stream.choice(CODES)), notes=words),
            status="signed" if number % 3 == 0 else "draft",
        )
        analysis = Analysis(photos[number % len(photos)], history.QUALITY, history.prediction(stream))
        begun = time.perf_counter()
        try:
            case = store.save_case(analysis, visit)
        except SkinLensError as error:
            work.refused.append(str(error))
            continue
        work.save_ms.append((time.perf_counter() - begun) * 1000)
        assert case.patient is not None
        known = case.patient.id, case.lesion.id
        if number % READ_EVERY == 0:
            begun = time.perf_counter()
            store.search()
            store.load(case.visit.id)
            work.read_ms.append((time.perf_counter() - begun) * 1000)
    return work


def together(home: Path, writers: int, visits: int, there: int, minutes: float) -> list[Work]:
    """Work of all writers, at once: so many visits more than are there."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(writers) as pool:
        stop: Any = manager.Event()
        shares = [visits // writers + (one < visits % writers) for one in range(writers)]
        given = [(home, one, share, there, stop) for one, share in enumerate(shares)]
        found = pool.starmap_async(write, given, chunksize=1)
        end = time.monotonic() + 60 * minutes
        for turn in count(1):
            found.wait(30)
            if found.ready():
                break
            if turn % 4 == 0:
                print(f"{CaseStore(home).search().total:,} visits", flush=True)
            if time.monotonic() > end:
                stop.set()
        return found.get()


def wrong(store: CaseStore, acknowledged: int) -> list[str]:
    """A sentence for each thing that is not as it was acknowledged."""
    found = [*store.verify_audit().problems, *store.damage(), *store.lost_files()]
    if (there := store.search().total) != acknowledged:
        found.append(f"{acknowledged} visits were acknowledged, {there} are there")
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95th and 99th of a hundred, and the longest."""
    ordered = sorted(values)
    at = {f"p{share}": ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in (95, 99)}
    all_of_them = {"median": statistics.median(ordered), **at, "longest": ordered[-1]}
    return {name: round(value, 2) for name, value in all_of_them.items()}


def measured(writers: int, visits: int, minutes: float, home: Path) -> Mapping[str, Any]:
    """The figures of a run."""
    store = CaseStore(home)
    store.acknowledge_disclaimer()
    there = store.search().total
    begun = time.monotonic()
    done = together(home, writers, visits - there, there, minutes)
    seconds = time.monotonic() - begun
    saves = [one for work in done for one in work.save_ms]
    refused = [words for work in done for words in work.refused]
    amiss = wrong(store, there + len(saves))
    for words in (*refused[:20], *amiss):
        print(words)
    return {
        "writers": writers,
        "visits": there + len(saves),
        "saved": len(saves),
        "seconds": round(seconds, 1),
        "save_ms": spread(saves),
        "read_ms": spread([one for work in done for one in work.read_ms]),
        "refused": len(refused),
        "wrong": len(amiss),
        "database_mb": round(store.database.stat().st_size / 1e6, 1),
        "median_ms": history.measure(store),
    }


def main() -> None:
    """Write ``benchmarks/results/group.json``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--writers", type=int, default=20)
    parser.add_argument("--visits", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=30.0, help="No visit is begun after so long.")
    parser.add_argument("--json", type=Path, default=RESULT)
    parser.add_argument("--home", type=Path, help="A folder that is kept; a temporary one without it.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(given.writers, given.visits, given.minutes, given.home or Path(folder) / "home")
    given.json.write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
