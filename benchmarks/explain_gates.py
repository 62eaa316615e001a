"""Closeness of a default map to its limit, ours and the stock libraries': ``python -m benchmarks.explain_gates``.

On 40 seeded photos of ``val``, for the class that SkinLens puts first, by Spearman's rank correlation:

- Score-CAM: the default map and the one over all channels, on the int8 network. pytorch-grad-cam's ScoreCAM has no
  approximation in it, so stock is its own limit: 1 by definition.
- LIME: the coefficients of the superpixels from the default trials and from 10,000 others, and from the default trials
  of two seeds. Ours on the int8 network, as the app makes them; stock as the library does: 1,000 independent samples,
  quickshift, the probability, on the float network. The stock side runs on this project's replay of the library, and
  the float network on ONNX Runtime, which is many times faster than ``explain_instance`` on eager torch; how far both
  are from the originals is measured on the first photo and stands in the result.

Needs the data set (the setting ``SKINLENS_HAM10000``) and takes about an hour on two quiet cores. Figures of each
photo are kept in ``artefacts/gates``, so a run that was ended goes on where it was. Nothing is asserted here:
``python -m skinlens evaluate --explanations`` compares the result with what is asked for.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.explain_sides import quickshift
from benchmarks.machine import machine
from benchmarks.photos import seeded_entries
from skinlens.checks.agreement import spearman
from skinlens.errors import DatasetError
from skinlens.explain import ALL, METHODS, explain, seed_of
from skinlens.explain.lime import (
    Regions,
    Sampling,
    draw_samples,
    fit_surrogate,
    kernel_weights,
    random_masks,
    score_masks,
    superpixels,
    target_score,
)
from skinlens.imaging.intake import read_trusted_photo
from skinlens.imaging.preprocess import model_view, normalize, to_batch
from skinlens.inference.classifier import Classifier, load_classifier
from skinlens.inference.engine import Engine
from skinlens.inference.release import Manifest, load_manifest
from skinlens.labels import INDEX
from skinlens.networks.student import Student, load_released
from skinlens.quantization.ptq import export_backbone, head_of
from skinlens.records import Array, Photo, Target

ROOT = Path(__file__).resolve().parents[1]
PHOTOS, SEED = 40, 20
CONVERGED, STOCK = 10_000, 1_000
Found = dict[str, float]


def ignore(_: float) -> None:
    """Nobody watches the progress of a benchmark."""


def of_score_cam(classifier: Classifier, photo: Photo, label: str) -> Found:
    default = explain("score_cam", classifier, photo, label)
    every = explain("score_cam", classifier, photo, label, params={"stopping": ALL})
    return {"spearman": spearman(default.heatmap, every.heatmap), "tried": default.diagnostics["forwards"]}


def lime_coefficients(
    classifier: Classifier, photo: Photo, label: str, seed: int, **changed: float
) -> tuple[Array, int]:
    """Coefficients of the app's superpixels by the app's trials, and how many trials were made."""
    setting: dict[str, Any] = METHODS["lime"].defaults | changed
    spec = classifier.engine.spec
    view = model_view(photo, spec)
    regions = superpixels(view, setting["segments"])
    score = target_score(classifier, Target(label), setting["target"])
    steady = setting["steady"] / 100
    sampling = Sampling(setting["samples"], steady, seed, setting["design"])
    made = draw_samples(view, regions, spec, score, sampling, ignore)
    return fit_surrogate(*made).coefficients, len(made[0])


def lime_limit(classifier: Classifier, photo: Photo, label: str) -> list[float]:
    found, _ = lime_coefficients(classifier, photo, label, seed_of(photo) ^ 2, samples=CONVERGED, steady=100)
    return [round(one, 6) for one in found.tolist()]


def of_lime(classifier: Classifier, photo: Photo, label: str, limit: list[float]) -> Found:
    """Two seeds as the app makes them, and the limit of a third."""
    seed = seed_of(photo)
    (first, made), (second, _) = (lime_coefficients(classifier, photo, label, one) for one in (seed, seed ^ 1))
    return {
        "spearman": spearman(first, np.asarray(limit)),
        "seed_spearman": spearman(first, second),
        "samples": made,
    }


def of_stock_lime(classifier: Classifier, photo: Photo, label: str) -> Found:
    """``classifier``: on the float network. The limit and one default run of one stream, the second of another."""
    regions, seed = quickshift(model_view(photo, classifier.engine.spec)), seed_of(photo)
    converged, rows = stock_coefficients(
        classifier, photo, label, regions, random_masks(CONVERGED, _count(regions), seed)
    )
    other = random_masks(STOCK, _count(regions), seed ^ 1)
    first, _ = stock_coefficients(classifier, photo, label, regions, other)
    second = fit_surrogate(*(part[:STOCK] for part in rows)).coefficients
    return {"spearman": spearman(first, converged), "seed_spearman": spearman(first, second)}


def _count(regions: Regions) -> int:
    return int(regions.max()) + 1


def stock_coefficients(
    classifier: Classifier, photo: Photo, label: str, regions: Regions, rows: Array
) -> tuple[Array, tuple[Array, Array, Array]]:
    """Coefficients that ``explain_instance`` fits to these rows; and the rows, their scores and weights."""
    spec = classifier.engine.spec
    score = target_score(classifier, Target(label), "probability")
    scores = score_masks(model_view(photo, spec), regions, rows, spec, score, ignore)
    made = rows, scores, kernel_weights(rows)
    return fit_surrogate(*made).coefficients, made


def distance_to_originals(student: Student, float_: Classifier, photo: Photo, label: str) -> Found:
    """Largest difference of the float network on ONNX Runtime from eager torch, and of the replay from the library."""
    import torch
    from lime.lime_image import LimeImageExplainer

    spec, position = float_.engine.spec, INDEX[label]
    batch, regions = to_batch([photo], spec), quickshift(model_view(photo, spec))
    with torch.no_grad():
        logits = student(torch.from_numpy(batch)).logits.numpy()
    theirs = LimeImageExplainer(random_state=0).explain_instance(
        model_view(photo, spec),
        lambda views: float_.probs(normalize(views, spec)),
        labels=[position],
        top_labels=None,
        num_samples=STOCK,
        segmentation_fn=lambda _: regions,
        random_seed=0,
    )
    ours, _ = stock_coefficients(float_, photo, label, regions, random_masks(STOCK, _count(regions), 0))
    coefficients = np.array([weight for _, weight in sorted(theirs.local_exp[position])])
    return {
        "float_logits": float(np.abs(logits - float_.engine.logits(batch)).max()),
        "lime_coefficients": float(np.abs(coefficients - ours).max()),
        "lime_largest_coefficient": float(np.abs(coefficients).max()),
    }


def float_classifier(manifest: Manifest, student: Student, folder: Path, threads: int) -> Classifier:
    path, spec = folder / "float.onnx", manifest.input_spec
    if not path.exists():
        export_backbone(student, path, spec.size_px)
    engine = Engine(path, head_of(student), spec, manifest.model_ref(), threads, turns=manifest.turns)
    return Classifier(engine, manifest.temperature, manifest.melanoma_threshold, manifest.ood())


def kept(name: str, settings: Mapping[str, Any], work: Callable[[], Any]) -> Any:
    """Result of ``work`` from an earlier run with these settings, or from now."""
    path = Path(name)
    known = json.loads(path.read_text()) if path.exists() else {}
    if known.get("settings") != settings:
        known = {"settings": dict(settings), "found": work()}
        path.write_text(json.dumps(known))
    return known["found"]


def measure_score_cam(weights: Path, count: int, threads: int) -> dict[str, Any]:
    """The part of the result that takes minutes and not an hour: Score-CAM alone."""
    classifier = load_classifier(weights, threads)
    photos = [read_trusted_photo(entry.path.read_bytes()) for entry in seeded_entries(count, SEED)]
    maps = [of_score_cam(classifier, photo, classifier.predict(photo).top.code) for photo in photos]
    return of_all_score_cams(maps) | {"release": classifier.engine.model_ref.version}


def of_all_score_cams(found: list[Found]) -> dict[str, Any]:
    tried = round(statistics.fmean(one["tried"] for one in found), 1)
    stock = {"stock_median": 1.0, "stock_worst": 1.0, "stock": "all channels: its own limit by definition"}
    return _near(found) | stock | {"channels_tried_mean": tried}


def measure(weights: Path, count: int, lime_count: int, threads: int) -> dict[str, Any]:
    """Both parts; LIME, of which a photo takes minutes, on the first ``lime_count`` of the photos."""
    manifest, classifier = load_manifest(weights), load_classifier(weights, threads)
    student, model_ref = load_released(manifest), classifier.engine.model_ref
    settings = {name: METHODS[name].defaults for name in ("score_cam", "lime")}
    folder = ROOT / "artefacts" / "gates" / model_ref.sha256[:12]
    folder.mkdir(parents=True, exist_ok=True)
    float_ = float_classifier(manifest, student, folder, threads)
    limit_of = {name: settings["lime"][name] for name in ("segments", "target", "design")}
    found: dict[str, list[Found]] = {"score_cam": [], "lime": [], "stock_lime": []}
    entries = seeded_entries(count, SEED)
    for number, entry in enumerate(entries, 1):
        photo = read_trusted_photo(entry.path.read_bytes())
        case, start = (photo, classifier.predict(photo).top.code), folder / entry.image_id
        parts = [("score_cam", settings["score_cam"], partial(of_score_cam, classifier, *case))]
        if number <= lime_count:
            limit = kept(f"{start}-lime_limit.json", limit_of, partial(lime_limit, classifier, *case))
            parts.append(("lime", settings["lime"], partial(of_lime, classifier, *case, limit)))
            parts.append(("stock_lime", {}, partial(of_stock_lime, float_, *case)))
        for name, setting, work in parts:
            found[name].append(kept(f"{start}-{name}.json", setting, work))
        told = {name: found[name][-1] for name, _, _ in parts}
        print(f"  photo {number} of {count}: {json.dumps(told)}", flush=True)
    case = read_trusted_photo(entries[0].path.read_bytes())
    distance = distance_to_originals(student, float_, case, classifier.predict(case).top.code)
    return {
        "score_cam": of_all_score_cams(found["score_cam"]) | {"release": model_ref.version},
        "lime": {"release": model_ref.version}
        | _near(found["lime"])
        | {f"stock_{name.removeprefix('spearman_')}": value for name, value in _near(found["stock_lime"]).items()}
        | {
            "seed_spearman_median": _median(found["lime"], "seed_spearman"),
            "stock_seed_spearman_median": _median(found["stock_lime"], "seed_spearman"),
            "samples_median": _median(found["lime"], "samples"),
            "samples_mean": round(statistics.fmean(one["samples"] for one in found["lime"]), 1),
        },
        "photos": {"of": "val", "count": count, "lime_count": min(lime_count, count), "seed": SEED},
        "converged": {"score_cam": "all channels", "lime": CONVERGED},
        "defaults": settings,
        "stock": {"samples": STOCK, "superpixels": "quickshift", "target": "probability", "network": "float32"},
        "largest_difference_from_the_originals": distance,
        "model": {"version": model_ref.version, "sha256": model_ref.sha256},
    }


def _near(found: list[Found]) -> Found:
    return {
        "spearman_median": _median(found, "spearman"),
        "spearman_worst": round(min(one["spearman"] for one in found), 4),
    }


def _median(found: list[Found], name: str) -> float:
    return round(statistics.median(one[name] for one in found), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=ROOT / "weights", help="folder with the manifest")
    parser.add_argument("--photos", type=int, default=PHOTOS)
    parser.add_argument("--lime-photos", type=int, default=PHOTOS, help="LIME on the first of them alone")
    parser.add_argument("--threads", type=int, default=2, help="of one run; one where other work needs the processor")
    parser.add_argument("--score-cam", action="store_true", help="Score-CAM alone, into a result that has the rest")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "explain_gates.json")
    arguments = parser.parse_args()
    try:
        if arguments.score_cam:
            measured = measure_score_cam(arguments.weights, arguments.photos, arguments.threads)
            report = json.loads(arguments.json.read_text()) | {"score_cam": measured | {"machine": machine()}}
        else:
            counts = arguments.photos, arguments.lime_photos
            report = measure(arguments.weights, *counts, arguments.threads) | {"machine": machine()}
    except DatasetError as missing:
        raise SystemExit(f"The gates are measured on photos of val. {missing}") from missing
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
