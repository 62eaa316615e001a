"""Speed of the history with 5,000 cases: ``python -m benchmarks.history [--cases N] [--json FILE]``.

Fills a store in a temporary folder through the same doors as the app (tiny generated pictures; 500 patients, 1,500
lesions, notes of common and rare words), then times what the history page asks for. Each time includes opening and
closing the database, as in the app. Medians in milliseconds; nothing is asserted.
"""

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from skinlens.case_record import Analysis
from skinlens.labels import CODES
from skinlens.records import Explanation, ModelRef, Photo, Prediction, QualityCheck, QualityReport, Threshold
from skinlens.store import CaseQuery, CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit

PATIENTS, LESIONS_EACH, PICTURES = 500, 3, 300
RUNS = 30
SITES = ("back", "chest", "face", "left arm", "left leg", "right arm", "right leg", "scalp", "abdomen", "foot")
WORDS = ("stable", "growing", "itching", "irregular", "border", "pigment", "network", "control", "months", "excision")
MODEL = ModelRef("benchmark", "0", "00" * 32)
QUALITY = QualityReport((QualityCheck("sharpness", "Sharpness", 0.7, 0.5, "at least", "", True, ""),))


def picture(seed: int) -> Photo:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return Photo(pixels, hashlib.sha256(b"64x48:" + pixels.tobytes()).hexdigest(), "PNG")


def prediction(stream: np.random.Generator) -> Prediction:
    probs = stream.dirichlet([0.3, 0.5, 1, 0.2, 0.8, 4, 0.2])
    return Prediction(
        tuple(map(float, probs)), tuple(map(float, np.log(probs + 1e-9))), Threshold(0.2, 0.9, 0.7, "val"), MODEL, 8.0
    )


def maps(photo: Photo, seed: int) -> list[Explanation]:
    heatmap = np.random.default_rng(seed).random((192, 192), dtype=np.float32)
    made = ("2024-01-01T00:00:00+00:00",)
    return [
        Explanation(method, "mel", heatmap, {}, None, photo.sha256, MODEL, 8.0, *made)
        for method in ("grad_cam", "score_cam", "lime")
    ]


def fill(store: CaseStore, cases: int) -> float:
    """Save the cases; the median time of one save in milliseconds."""
    stream = np.random.default_rng(0)
    photos = [picture(seed) for seed in range(PICTURES)]
    people: dict[int, int] = {}
    lesions: dict[int, int] = {}
    times = []
    for number in range(cases):
        slot = int(stream.integers(PATIENTS * LESIONS_EACH))
        person = slot // LESIONS_EACH
        photo = photos[number % PICTURES]
        words = " ".join(stream.choice(WORDS, 12)) + f" rare{number // 5:04d}"
        start = time.perf_counter()
        case = store.save_case(
            Analysis(photo, QUALITY, prediction(stream)),
            NewVisit(
                people.get(person) or NewPatient(f"P-{person:04d}", 1940 + person % 60),
                lesions.get(slot) or NewLesion(SITES[slot % len(SITES)]),
                f"20{stream.integers(15, 25)}-{stream.integers(1, 13):02d}-{stream.integers(1, 29):02d}",
                ClinicianReading(str(stream.choice(CODES)) if number % 2 or number % 3 == 0 else None, notes=words),
                status="signed" if number % 3 == 0 else "draft",
            ),
            maps(photo, 0) if number == 0 else (),
        )
        times.append((time.perf_counter() - start) * 1000)
        lesions[slot] = case.lesion.id
        people[person] = case.patient.id
        if number % 500 == 499:
            print(f"{number + 1} of {cases} saved", flush=True)
    return statistics.median(times)


def median_ms(work: Callable[[], object], runs: int = RUNS) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return round(statistics.median(times), 2)


def measure(store: CaseStore) -> dict[str, float]:
    queries = {
        "first page by date": CaseQuery(),
        "first page by melanoma probability": CaseQuery(sort="melanoma"),
        "first page by patient": CaseQuery(sort="patient", descending=False),
        "first page by top class": CaseQuery(sort="top", descending=False),
        "last page by date": CaseQuery(offset=max(0, store.search().total - 24)),
        "one patient": CaseQuery(patient=store.patients()[42].pseudonym),
        "body site and dates": CaseQuery(body_site="face", taken_from="2020-01-01", taken_until="2021-12-31"),
        "melanoma at least .5, signed": CaseQuery(prob_of="mel", min_prob=0.5, status="signed", sort="melanoma"),
        "text, rare word": CaseQuery(text="rare0123"),
        "text, word of most cases": CaseQuery(text="growing"),
        "text, first letters of two words": CaseQuery(text="gr it", sort="melanoma"),
    }
    result = {name: median_ms(lambda query=query: store.search(query)) for name, query in queries.items()}
    page = [row.visit_id for row in store.search().rows]
    result["thumbnails of a page of 24"] = median_ms(lambda: store.thumbnails(page))
    result["open a case"] = median_ms(lambda: store.case(1))
    result["open a case with photo and three maps"] = median_ms(lambda: (store.case(1), store.load(1)))
    patients = iter(store.patients())
    result["erase a patient, with VACUUM"] = median_ms(lambda: store.delete_patient(next(patients).id), runs=5)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "history.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = CaseStore(Path(folder))
        save_ms = round(fill(store, arguments.cases), 2)
        size_mb = round(store.database.stat().st_size / 1e6, 2)
        times = {"save a case": save_ms} | measure(store)
    report = {"cases": arguments.cases, "database_mb": size_mb, "median_ms": times, "machine": machine()}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
