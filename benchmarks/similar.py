"""Speed of the search for similar cases among 50,000 visits: ``python -m benchmarks.similar [--visits N]``.

A hundred cases are saved through the same doors as the app and copied by SQL, each copy a visit of a lesion and patient
of its own with random features; a fifth is signed with a diagnosis. Times include opening and closing the database.
Medians in milliseconds; nothing is asserted.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.history import QUALITY, picture, prediction
from benchmarks.machine import ROOT, machine
from skinlens.case_record import Analysis
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit, SimilarQuery

MODEL, WIDTH, SAVED, RUNS = "aa" * 32, 256, 100, 20
RESULT = ROOT / "benchmarks" / "results" / "similar.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=50_000)
    visits = parser.parse_args().visits
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        store = CaseStore(Path(folder) / "home")
        fill(store, visits, random)
        query = SimilarQuery(np.maximum(random.standard_normal(WIDTH), 0).astype(np.float32), MODEL, 1, 1)
        first = timed(lambda: store.similar_cases(query), 1)
        again = timed(lambda: store.similar_cases(query), RUNS)
        store.keep_features(1, MODEL, query.features)
        after_a_replacement = timed(lambda: store.similar_cases(query), 1)
    result = {
        "machine": machine(),
        "visits": visits,
        "width": WIDTH,
        "first_ms": first,
        "again_ms": again,
        "after_a_replacement_ms": after_a_replacement,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def timed(ask: object, runs: int) -> float:
    assert callable(ask)
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        assert len(ask()) == 6
        taken.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(taken), 1)


def fill(store: CaseStore, visits: int, random: np.random.Generator) -> None:
    fill_visits(store, visits, random)
    with store._writing() as db:
        drawn = np.maximum(random.standard_normal((visits, WIDTH)), 0).astype("<f2")
        db.conn.executemany(
            "INSERT INTO visit_features (visit_id, model_sha256, features) VALUES (?, ?, ?)",
            ((number + 1, MODEL, vector.tobytes()) for number, vector in enumerate(drawn)),
        )


def fill_visits(store: CaseStore, visits: int, random: np.random.Generator) -> None:
    """Fill the store with visits, each of a patient and lesion of its own; a fifth is signed."""
    for number in range(SAVED):
        visit = NewVisit(NewPatient(f"P-{number}"), NewLesion("back"), "2025-01-01")
        if number % 5 == 0:
            visit = replace(visit, reading=ClinicianReading("nv"), status="signed")
        store.save_case(Analysis(picture(number), QUALITY, prediction(random)), visit)
    copy(store, SAVED, visits)


def copy(store: CaseStore, saved: int, visits: int) -> None:
    """Copy the first ``saved`` cases, each of a patient and lesion of its own, by SQL until there are ``visits``."""
    with store._writing() as db:
        for table, own in (("patient", "'P-' || (:n + id)"), ("lesion", None), ("visit", None)):
            columns = [row["name"] for row in db.query(f"PRAGMA table_info({table})") if row["name"] != "seal"]
            moved = {"id": ":n + id", "patient_id": ":n + patient_id", "lesion_id": ":n + lesion_id", "pseudonym": own}
            values = ", ".join(moved.get(name) or name for name in columns)
            for start in range(saved, visits, saved):
                sql = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} WHERE id <= {saved}"
                db.execute(sql, {"n": start})


if __name__ == "__main__":
    main()
