"""How close the app's maps come to what they approximate, beside how close the stock way comes to its own limit.

::

    SKINLENS_HAM10000=… python -m benchmarks.explain_gates

On 40 photos of ``val``, for the most probable class, by rank correlation (Spearman) of the maps as they are drawn:

- LIME: the default against 10,000 trials of the same design and another seed; and two defaults that differ in the seed.
- Stock LIME (1,000 trials, quickshift, probability, lime's own random stream and fit) against its own 10,000. Its
  coefficients are made by the app's code, which gives lime's own to 4e-7 (``tests/explain/test_lime.py``), on the int8
  engine: so the two sides differ in their design alone.
- Score-CAM: the default against all channels. Stock has all channels too, so its figure is 1.

Each photo's figures are kept in ``artefacts/explain_gates/``; a run that was stopped goes on.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from skimage.segmentation import quickshift
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402
from skinlens import pipeline  # noqa: E402
from skinlens.distill.data import Entry, dataset_folder, load_index  # noqa: E402
from skinlens.explain import METHODS, explain, seed_of  # noqa: E402
from skinlens.explain.lime import (  # noqa: E402
    draw_rows,
    fit_surrogate,
    kernel_weights,
    score_rows,
    target_score,
)
from skinlens.intake import read_photo  # noqa: E402
from skinlens.predict import Classifier  # noqa: E402
from skinlens.preprocess import model_view  # noqa: E402
from skinlens.records import Photo, Target  # noqa: E402

PHOTOS, SEED = 40, 7
CONVERGED, STOCK = 10_000, 1_000
OUT = ROOT / "benchmarks" / "results" / "explain_gates.json"
KEPT = ROOT / "artefacts" / "explain_gates"


def chosen(entries: list[Entry]) -> list[Entry]:
    places = np.random.default_rng(SEED).choice(len(entries), PHOTOS, replace=False)
    return [entries[place] for place in sorted(places)]


def rank(one: np.ndarray, other: np.ndarray) -> float:
    return float(spearmanr(one.ravel(), other.ravel()).statistic)


def ours(classifier: Classifier, photo: Photo, label: str) -> dict[str, float]:
    seed = seed_of(photo)
    default = explain("lime", classifier, photo, label)
    converged = explain("lime", classifier, photo, label, params={"samples": CONVERGED, "steady": 100})
    other = explain("lime", classifier, photo, label, params={"seed": (seed + 1) % 2**32})
    found = {
        "lime": rank(other.heat, converged.heat),
        "lime_seed": rank(default.heat, other.heat),
        "lime_samples": default.diagnostics["samples"],
        "score_cam": 1.0,
    }
    channels = classifier.engine.head.hidden_weight.shape[1]
    parameter = next(one for one in METHODS["score_cam"].parameters if one.name == "channels")
    if parameter.default != channels:
        whole = explain("score_cam", classifier, photo, label, params={"channels": channels})
        found["score_cam"] = rank(explain("score_cam", classifier, photo, label).heat, whole.heat)
    return found


def stock(classifier: Classifier, photo: Photo, label: str) -> dict[str, float]:
    spec = classifier.engine.spec
    view = model_view(photo, spec)
    regions = quickshift(view, kernel_size=4, max_dist=200, ratio=0.2, rng=0)  # as lime calls it
    score = target_score(classifier, Target(label), "probability")
    maps = []
    for seed in (0, 1):
        count = CONVERGED if seed == 0 else STOCK
        rows = draw_rows(count, int(regions.max()) + 1, seed)
        scores = score_rows(view, regions, rows, spec, score, lambda _: None)
        for some in (STOCK, CONVERGED) if seed == 0 else (STOCK,):
            fitted = fit_surrogate(rows[:some], scores[:some], kernel_weights(rows[:some]))
            maps.append(np.maximum(fitted.coefficients, 0)[regions])
    return {"stock_lime": rank(maps[2], maps[1]), "stock_lime_seed": rank(maps[0], maps[2])}


def measure(classifier: Classifier, entry: Entry) -> dict[str, float]:
    kept = KEPT / classifier.engine.stamp.sha256[:12] / f"{entry.image_id}.json"
    if not kept.is_file():
        photo = read_photo(entry.path.read_bytes())
        label = classifier.predict(photo).top.code
        found = ours(classifier, photo, label) | stock(classifier, photo, label)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found))
    content: dict[str, float] = json.loads(kept.read_text())
    return content


def summarise(rows: list[dict[str, float]]) -> dict[str, Any]:
    def median(name: str) -> float:
        return float(np.median([row[name] for row in rows]))

    def worst(name: str) -> float:
        return min(row[name] for row in rows)

    return {
        "score_cam": {
            "spearman_median": median("score_cam"),
            "spearman_worst": worst("score_cam"),
            "stock_median": 1.0,
            "stock_worst": 1.0,
        },
        "lime": {
            "spearman_median": median("lime"),
            "spearman_worst": worst("lime"),
            "stock_median": median("stock_lime"),
            "stock_worst": worst("stock_lime"),
            "seed_spearman_median": median("lime_seed"),
            "stock_seed_spearman_median": median("stock_lime_seed"),
            "samples_median": median("lime_samples"),
        },
    }


def main() -> None:
    classifier = pipeline.load_classifier()
    entries = chosen(load_index(dataset_folder(), "val"))
    rows = [measure(classifier, entry) for entry in tqdm(entries, desc="photos")]
    stamp = classifier.engine.stamp
    content = {
        **summarise(rows),
        "photos": len(rows),
        "photos_from": "val",
        "seed": SEED,
        "converged_samples": CONVERGED,
        "model": {"version": stamp.version, "sha256": stamp.sha256},
        "machine": machine(),
    }
    OUT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=2))


if __name__ == "__main__":
    main()
