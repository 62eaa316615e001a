"""Sanity checks of the explanation methods on a seeded sample of ``val``, in four questions.

1. Do the maps agree? (``checks.agreement``)
2. Does the model follow them, compared with random maps of the same photo? (``checks.faithfulness``)
3. Do they look at the lesion, whose outline was drawn by hand? (``checks.localization``)
4. Do they depend on what the model has learned, and are they those of the float network? (``model_randomization``)

The explained class is the most probable one, as in the app. The photos are drawn evenly from the
classes, so that what is rare counts as much as what is common. All figures are means over photos with a bootstrap
interval over lesions.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64
from PIL import Image
from tqdm import tqdm

from skinlens import clock
from skinlens.atomic_file import replace_json
from skinlens.checks.agreement import hottest_iou, spearman
from skinlens.checks.faithfulness import BLUR, blur, deletion_insertion, order_of, random_maps, score_of
from skinlens.checks.localization import measure
from skinlens.errors import DatasetError
from skinlens.evaluation.approximation_gates import gates_summary
from skinlens.evaluation.bootstrap import RESAMPLES, SEED, Estimate, finite, with_ci
from skinlens.evaluation.model_randomization import compare_networks
from skinlens.explain import METHODS, explain, seed_of
from skinlens.formatting import estimate, grouped
from skinlens.imaging.preprocess import crop_box, to_batch
from skinlens.inference.classifier import Classifier, load_classifier
from skinlens.inference.release import Manifest, load_manifest
from skinlens.labels import CODES
from skinlens.records import Array, Explanation, Mask, Photo, Target
from skinlens.training.ham10000 import Entry, dataset_folder, load_index, photo_at
from skinlens.training.ham10000_masks import load_mask, mask_paths

SAMPLE, SAMPLE_SEED = 200, 20201231
RANDOM_MAPS = 2
"""Number of random maps for each map. Their noise is spread over the whole sample, so that few are enough here."""
NETWORKS = 10
"""Photos on which networks are compared: each needs fifteen maps."""
FIGURES = (
    *("deletion", "insertion", "random_deletion", "random_insertion", "gain", "random_gain", "gain_over_random"),
    *("relevance_mass", "area", "relevance_mass_over_area", "pointing_game"),
)
"""Of each method. ``gain`` is insertion less deletion."""
MOST_LIKE_RANDOM = 0.5
"""Rank correlation with the map of an untrained network: from here on a method does not tell the two apart."""
LEAST_LIKE_FLOAT = 0.9
PAIRS = tuple(combinations(METHODS, 2))


def evaluate_release(weights: Path, sample: int, path: Path) -> str:
    """Measure a release on HAM10000's ``val`` and write the figures to ``path``; what decides, in words.

    Raises:
        DatasetError, WeightsError: the data set or the release is not there.
    """
    data, manifest = dataset_folder(), load_manifest(weights)
    result = evaluate_explanations(
        load_classifier(weights), manifest, load_index(data, "val"), mask_paths(data), sample
    )
    replace_json(path, result)
    return f"{summary(result)}\n{gates_summary()}"


def evaluate_explanations(
    classifier: Classifier,
    manifest: Manifest,
    entries: Sequence[Entry],
    masks: dict[str, Path],
    sample: int = SAMPLE,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Everything that ``python -m skinlens evaluate --explanations`` writes, ready for JSON.

    Raises:
        WeightsError: the release does not hold its float network.
        DatasetError: a photo has no mask, or there are not so many photos.
    """
    if not 1 <= sample <= len(entries):
        raise DatasetError(f"Expected a sample of 1 to {grouped(len(entries))} photos, found {grouped(sample)}.")
    chosen = choose(entries, sample, SAMPLE_SEED)
    figures, agreements, explained = [], [], []
    for entry in tqdm(chosen, desc="explanations", mininterval=5):
        photo = photo_at(entry.path)
        maps = explain_all(classifier, photo)
        lesion = mask_of_view(load_mask(entry.image_id, masks), photo, classifier)
        figures.append([figures_of(classifier, photo, explanation, lesion) for explanation in maps])
        agreements.append(agreements_of(maps))
        explained.append((photo, maps))
    groups = np.unique([entry.group for entry in chosen], return_inverse=True)[1]
    table: Array = np.asarray(figures)
    pairs: Array = np.asarray(agreements)
    whole = _means(table, groups, resamples)
    networks = compare_networks(classifier, manifest, explained[:: max(1, len(explained) // NETWORKS)][:NETWORKS])
    truth = np.asarray([entry.label for entry in chosen])
    methods = {
        method: {
            **whole[place],
            "empty": int(np.isnan(table[:, place, 0]).sum()),
            "per_class": _per_class(table[:, place], truth),
            **networks["methods"][method],
        }
        for place, method in enumerate(METHODS)
    }
    return {
        "n": len(chosen),
        "classes": {code: int((truth == index).sum()) for index, code in enumerate(CODES)},
        "split": "val",
        "sample_seed": SAMPLE_SEED,
        "random_maps": RANDOM_MAPS,
        "methods": {method: {**result, "verdicts": verdicts(result)} for method, result in methods.items()},
        "agreement": [
            {"methods": list(pair), "spearman": means[0], "hottest_iou": means[1]}
            for pair, means in zip(PAIRS, _pair_means(pairs, groups, resamples), strict=True)
        ],
        "networks": {key: value for key, value in networks.items() if key != "methods"},
        "bootstrap": {"resamples": resamples, "seed": SEED, "drawn": "lesion", "interval": 0.95},
        "model": asdict(classifier.engine.model_ref),
        "created_at": clock.utc_now(),
    }


def choose(entries: Sequence[Entry], count: int, seed: int) -> list[Entry]:
    """``count`` photos, as evenly from the classes as they allow; the same photos for a seed."""
    order = np.random.default_rng(seed).permutation(len(entries))
    turns: Counter[int] = Counter()
    ranked = []
    for position in order:
        label = entries[position].label
        ranked.append((turns[label], label, int(position)))  # the first photo of each class, then the second, …
        turns[label] += 1
    return [entries[position] for _, _, position in sorted(ranked)[:count]]


def explain_all(classifier: Classifier, photo: Photo) -> list[Explanation]:
    """One map of each method, with the app's defaults, for the most probable class."""
    label = classifier.predict(photo).top.code
    return [explain(method, classifier, photo, label) for method in METHODS]


def mask_of_view(mask: Mask, photo: Photo, classifier: Classifier) -> Bool[Array, "s s"]:
    """A mask in the photo's frame as the network's square sees it."""
    spec = classifier.engine.spec
    top, left, height, width = crop_box(photo.height_px, photo.width_px, spec)
    seen = Image.fromarray(np.ascontiguousarray(mask[top : top + height, left : left + width]))
    return np.asarray(seen.resize((spec.size_px, spec.size_px), Image.Resampling.NEAREST), dtype=bool)


def figures_of(
    classifier: Classifier, photo: Photo, explanation: Explanation, lesion: Bool[Array, "s s"]
) -> Float64[Array, " f"]:
    """``FIGURES`` of one map; NaN throughout for one that points nowhere."""
    heatmap = explanation.heatmap
    if np.ptp(heatmap) == 0:
        return np.full(len(FIGURES), np.nan)
    sharp = to_batch([photo], classifier.engine.spec)[0]
    blurred = blur(sharp, BLUR * sharp.shape[-1])
    target = Target(explanation.label)
    ends = score_of(classifier, target, np.stack([sharp, blurred]))
    own, *random = (
        deletion_insertion(
            sharp,
            blurred,
            order_of(ranking),
            (float(ends[0]), float(ends[1])),
            lambda batch: score_of(classifier, target, batch),
        )
        for ranking in (heatmap, *random_maps(heatmap, seed_of(photo), RANDOM_MAPS))
    )
    chance_deletion = float(np.mean([curve.deletion for curve in random]))
    chance_insertion = float(np.mean([curve.insertion for curve in random]))
    chance_gain = chance_insertion - chance_deletion
    localization = measure(heatmap, lesion)
    mass = localization.relevance_mass
    curves = (own.deletion, own.insertion, chance_deletion, chance_insertion)
    return np.asarray(
        [
            *(*curves, own.auc_gain, chance_gain, own.auc_gain - chance_gain),
            *(mass, localization.area, mass - localization.area, localization.pointing_game),
        ]
    )


def agreements_of(maps: Sequence[Explanation]) -> Float64[Array, "p 2"]:
    """Rank correlation and shared hottest fifth of each of ``PAIRS``; NaN where a map points nowhere."""
    by_method = {explanation.method: explanation.heatmap for explanation in maps}
    similarities = np.full((len(PAIRS), 2), np.nan)
    for place, pair in enumerate(PAIRS):
        first, second = (by_method[method] for method in pair)
        if np.ptp(first) and np.ptp(second):
            similarities[place] = spearman(first, second), hottest_iou(first, second)
    return similarities


def verdicts(figures: dict[str, Any]) -> dict[str, bool | None]:
    """Tests that a method passes, for the page where its maps are read; None where it could not be measured."""
    return {
        "faithful": _above(figures["gain_over_random"], 0),
        "focused": _above(figures["relevance_mass_over_area"], 0),
        "learned": figures["model_randomization"][-1]["spearman_median"] < MOST_LIKE_RANDOM,
        "quantized": figures["float"]["spearman_median"] >= LEAST_LIKE_FLOAT,
    }


def _above(figure: Estimate, limit: float) -> bool | None:
    """Whether the whole interval is."""
    return None if figure["low"] is None else figure["low"] > limit


def _means(table: Float64[Array, "n m f"], groups: Array, resamples: int) -> list[dict[str, Estimate]]:
    estimates = with_ci(lambda rows: mean_of_rows(table[rows]).ravel(), groups, resamples)
    size = len(FIGURES)
    return [
        dict(zip(FIGURES, estimates[place * size : (place + 1) * size], strict=True)) for place in range(table.shape[1])
    ]


def _pair_means(pairs: Float64[Array, "n p 2"], groups: Array, resamples: int) -> list[tuple[Estimate, Estimate]]:
    estimates = with_ci(lambda rows: mean_of_rows(pairs[rows]).ravel(), groups, resamples)
    return list(zip(estimates[::2], estimates[1::2], strict=True))


def mean_of_rows(table: Float64[Array, "n ..."]) -> Float64[Array, "..."]:
    """Mean over the photos whose map points somewhere; NaN where none does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a sample without any such photo
        return np.asarray(np.nanmean(table, axis=0))


def _per_class(table: Float64[Array, "n f"], truth: Array) -> dict[str, dict[str, float | int | None]]:
    """Means for the photos of each class, by diagnosis."""
    shown = [FIGURES.index(name) for name in ("gain_over_random", "relevance_mass", "area", "pointing_game")]
    by_class = {}
    for index, code in enumerate(CODES):
        own = table[truth == index]
        means = mean_of_rows(own) if len(own) else np.full(len(FIGURES), np.nan)
        by_class[code] = {"n": len(own), **{FIGURES[place]: finite(float(means[place])) for place in shown}}
    return by_class


def summary(result: dict[str, Any]) -> str:
    """The figures that decide, as a table for the terminal."""
    lines = [f"{result['n']} photos of {result['split']}, model {result['model']['sha256'][:12]}"]
    for method, figures in result["methods"].items():
        failed = [name for name, passed in figures["verdicts"].items() if passed is False]
        lines += [
            f"  {METHODS[method].title}: {'fails: ' + ', '.join(failed) if failed else 'passes all four tests'}",
            f"    gain over random maps   {estimate(figures['gain_over_random'])}",
            f"    heat inside the lesion  {estimate(figures['relevance_mass'])}, even heat {estimate(figures['area'])}",
            f"    hottest point inside    {estimate(figures['pointing_game'])}",
            "    like the untrained      "
            + ", ".join(f"{stage['stage']} {stage['spearman_median']:.2f}" for stage in figures["model_randomization"]),
            f"    like the float network  {figures['float']['spearman_median']:.3f}, "
            f"worst {figures['float']['spearman_worst']:.3f}",
        ]
    for pair in result["agreement"]:
        names = " and ".join(METHODS[method].title for method in pair["methods"])
        lines.append(f"  {names}: rank correlation {estimate(pair['spearman'])}")
    return "\n".join(lines)
