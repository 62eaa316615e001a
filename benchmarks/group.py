"""A group's store: 20 writers at once until it holds 100,000 visits: ``python -m benchmarks.group [--minutes N]``.

The first 90,000 are put there by one process, many in one transaction; the others are what is measured.

Each writer is a process with an actor of its own, and saves, opens and searches through the doors that the app uses;
pictures are small and generated. Afterwards everything that was acknowledged must be there, the audit log must verify,
and the queries of ``benchmarks/history.py`` are timed on the whole. It stops by itself.
"""

import argparse
import json
import multiprocessing
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sqlite_utils.db import Database

from benchmarks import history
from benchmarks.machine import ROOT, machine
from skinlens.case_record import Analysis
from skinlens.errors import SkinLensError
from skinlens.labels import CODES
from skinlens.records import Case
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit

RESULT = ROOT / "benchmarks" / "results" / "group.json"
READ_EVERY, A_TRANSACTION = 20, 500


class Work(NamedTuple):
    """Work that one writer has done."""

    save_ms: list[float]
    read_ms: list[float]
    """A page of the list and a case, each time."""
    refused: list[str]
    """Sentences of what was refused."""


class Filling(CaseStore):
    """A store that saves many visits in one transaction: the rows, seals and entries are as always."""

    db: Database

    @contextmanager
    def many(self) -> Iterator[None]:
        """One transaction for all saves in the block."""
        with self._writing() as self.db:
            yield

    @contextmanager
    def _writing_with(self, contents: Mapping[str, bytes]) -> Iterator[Database]:
        self.files.write(contents)
        yield self.db


class Made:
    """Visits of one writer, ten for each patient, five for each lesion."""

    def __init__(self, writer: str) -> None:
        self._own, self._stream = secrets.token_hex(4), np.random.default_rng(list(writer.encode()))
        self._photos = [history.picture(seed) for seed in range(history.PICTURES)]
        self._patient, self._lesion = 0, 0

    def save(self, store: CaseStore, number: int) -> Case:
        """Save the next."""
        stream, new = self._stream, number % 10 == 0 or not self._patient
        who = NewPatient(f"P-{self._own}-{number}", 1940 + number % 60) if new else self._patient
        site = history.SITES[number // 5 % len(history.SITES)]
        visit = NewVisit(
            who,
            NewLesion(site) if new or number % 5 == 0 else self._lesion,
            f"20{stream.integers(15, 25)}-{stream.integers(1, 13):02d}-{stream.integers(1, 29):02d}",
            ClinicianReading(
                str(stream.choice(CODES)), notes=f"{' '.join(stream.choice(history.WORDS, 12))} rare{number:05d}"
            ),
            status="signed" if number % 3 == 0 else "draft",
        )
        photo = self._photos[number % len(self._photos)]
        case = store.save_case(Analysis(photo, history.QUALITY, history.prediction(stream)), visit)
        assert case.patient is not None
        self._patient, self._lesion = case.patient.id, case.lesion.id
        return case


def fill(home: Path, visits: int) -> None:
    """Put so many visits there."""
    store, made = Filling(home), Made("before")
    for first in range(0, visits, A_TRANSACTION):
        with store.many():
            for number in range(first, min(visits, first + A_TRANSACTION)):
                made.save(store, number)
        if first % 10_000 == 0:
            print(f"{first + A_TRANSACTION:,} visits", flush=True)


def write(home: Path, writer: int, visits: int, stop: Event) -> Work:
    """Save so many visits, and look at the list and at a case now and then."""
    store, made, work = CaseStore(home, actor=f"writer {writer}"), Made(str(writer)), Work([], [], [])
    for number in range(visits):
        if stop.is_set():
            break
        begun = time.perf_counter()
        try:
            case = made.save(store, number)
        except SkinLensError as error:
            work.refused.append(str(error))
            continue
        work.save_ms.append((time.perf_counter() - begun) * 1000)
        if number % READ_EVERY == 0:
            begun = time.perf_counter()
            store.search()
            store.load(case.visit.id)
            work.read_ms.append((time.perf_counter() - begun) * 1000)
    return work


def together(home: Path, writers: int, visits: int, minutes: float) -> list[Work]:
    """Work of all writers, at once."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(writers) as pool:
        stop: Any = manager.Event()
        shares = [visits // writers + (one < visits % writers) for one in range(writers)]
        given = [(home, one, share, stop) for one, share in enumerate(shares)]
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
    """The figures of the writers in the store that is there, until it holds so many visits."""
    store = CaseStore(home)
    there = store.search().total
    begun = time.monotonic()
    done = together(home, writers, visits - there, minutes)
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
    parser.add_argument("--fill", type=int, default=90_000, help="Of these: there before the writers begin.")
    parser.add_argument("--minutes", type=float, default=30.0, help="No visit is begun after so long.")
    parser.add_argument("--json", type=Path, default=RESULT)
    parser.add_argument("--home", type=Path, help="A folder that is kept; where it is filled, that is done.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = given.home or Path(folder) / "home"
        fill(home, given.fill - CaseStore(home).search().total)
        if given.visits <= given.fill:
            return
        figures = measured(given.writers, given.visits, given.minutes, home)
    given.json.write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
