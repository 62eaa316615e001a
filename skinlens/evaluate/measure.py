"""Run the served model over a labelled data set; every figure with its bootstrap 95 % interval."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from tqdm import tqdm

from skinlens import metrics
from skinlens.distill.data import picture_paths
from skinlens.errors import DatasetError, UnreadableImage
from skinlens.evaluate.labels_file import Labelled, read_labels
from skinlens.intake import read_photo
from skinlens.labels import CODES
from skinlens.models.engine import BATCH
from skinlens.predict import Classifier
from skinlens.preprocess import model_view, normalise
from skinlens.records import Array

RESAMPLES = 1000
SEED = 20180814
"""Of the bootstrap, stored beside the figures."""
Figure = dict[str, float | None]


def evaluate(classifier: Classifier, images: Path, labels: Path, split: str | None = None) -> dict[str, Any]:
    """Everything that ``python -m skinlens evaluate`` writes, ready for JSON.

    Pictures are found below ``images`` by their id. Missing and unreadable ones are named, and not counted in ``n``.

    Raises:
        DatasetError: the label file is of no known kind, or not one picture of it is there.
    """
    listed = read_labels(labels, split)
    pictures = picture_paths(images)
    present = [row for row in listed.rows if row.image_id in pictures]
    missing = [row.image_id for row in listed.rows if row.image_id not in pictures]
    if not present:
        raise DatasetError(
            f"None of the {len(listed.rows)} pictures of {labels} is below {images}: expected files such as "
            f"{listed.rows[0].image_id}.jpg. Check --images."
        )
    kept, probs, unreadable = _predict(classifier, present, pictures)
    truth = np.asarray([row.label for row in kept], dtype=np.int64)
    groups = np.unique([row.group for row in kept], return_inverse=True)[1]
    return {
        "n": len(kept),
        "missing": len(missing),
        "missing_ids": missing,
        "unreadable_ids": unreadable,
        "other_classes": listed.other_classes,
        "labels": list(CODES),
        "split": split,
        "confusion": metrics.confusion(truth, probs.argmax(axis=1)).tolist(),
        **_figures(truth, probs, groups),
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "drawn": listed.grouped_by, "interval": 0.95},
        "model": {
            "name": classifier.engine.stamp.name,
            "version": classifier.engine.stamp.version,
            "sha256": classifier.engine.stamp.sha256,
            "temperature": classifier.temperature,
        },
        "label_file": labels.name,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _predict(
    classifier: Classifier, rows: Sequence[Labelled], pictures: dict[str, Path]
) -> tuple[list[Labelled], Float64[Array, "n 7"], list[str]]:
    kept: list[Labelled] = []
    unreadable: list[str] = []
    parts: list[Array] = []
    spec = classifier.engine.spec
    for start in tqdm(range(0, len(rows), BATCH), desc="photos, in batches of 16", mininterval=2):
        views = []
        for row in rows[start : start + BATCH]:
            try:
                views.append(model_view(read_photo(pictures[row.image_id].read_bytes()), spec))
            except (UnreadableImage, OSError):
                unreadable.append(row.image_id)
            else:
                kept.append(row)
        if views:
            parts.append(classifier.probs(normalise(np.stack(views), spec)).astype(np.float64))
    return kept, np.concatenate(parts), unreadable


def _all_figures(truth: Int64[Array, " n"], probs: Float64[Array, "n 7"]) -> Float64[Array, " k"]:
    """Six figures of the whole, then recall and precision of each class."""
    matrix = metrics.confusion(truth, probs.argmax(axis=1))
    whole = (
        metrics.accuracy(matrix),
        metrics.balanced_accuracy(matrix),
        metrics.macro_f1(matrix),
        metrics.macro_auc(truth, probs),
        metrics.melanoma_auc(truth, probs),
        metrics.calibration_error(truth, probs),
    )
    return np.concatenate([whole, metrics.recalls(matrix), metrics.precisions(matrix)])


def _figures(truth: Int64[Array, " n"], probs: Float64[Array, "n 7"], groups: Int64[Array, " n"]) -> dict[str, Any]:
    values = _all_figures(truth, probs)
    samples = bootstrap(lambda rows: _all_figures(truth[rows], probs[rows]), groups)
    with np.errstate(invalid="ignore"):
        low, high = (np.nanpercentile(samples[:, ~np.isnan(values)], share, axis=0) for share in (2.5, 97.5))
    figures: list[Figure] = [{"value": None, "low": None, "high": None} for _ in values]
    for place, position in enumerate(np.flatnonzero(~np.isnan(values))):
        figures[position] = {
            "value": float(values[position]),
            "low": float(low[place]),
            "high": float(high[place]),
        }
    names = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "melanoma_auc", "ece")
    count = len(CODES)
    recall, precision = figures[len(names) : len(names) + count], figures[len(names) + count :]
    return {
        **dict(zip(names, figures, strict=False)),
        "per_class": {
            code: {"n": int((truth == index).sum()), "recall": recall[index], "precision": precision[index]}
            for index, code in enumerate(CODES)
        },
    }


def bootstrap(
    figure: Callable[[Int64[Array, " m"]], Float64[Array, " k"]],
    groups: Int64[Array, " n"],
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Float64[Array, "r k"]:
    """The figures over samples drawn with replacement: whole groups, so photos of one lesion stay together."""
    generator = np.random.default_rng(seed)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(groups))[:-1])
    drawn = (generator.integers(0, len(members), len(members)) for _ in range(resamples))
    return np.stack([figure(np.concatenate([members[group] for group in sample])) for sample in drawn])


def summary(result: dict[str, Any]) -> str:
    """The figures as a table for the terminal."""
    lines = [f"{result['n']} photos, {result['missing']} missing; model {result['model']['sha256'][:12]}"]
    for name in ("balanced_accuracy", "accuracy", "macro_f1", "macro_auc", "melanoma_auc", "ece"):
        lines.append(f"  {name:<18} {_words(result[name])}")
    lines.append(f"  {'':<18} {'recall':<24} precision")
    for code, entry in result["per_class"].items():
        lines.append(f"  {code:<6}{entry['n']:>6}      {_words(entry['recall']):<24} {_words(entry['precision'])}")
    return "\n".join(lines)


def _words(figure: Figure) -> str:
    if figure["value"] is None:
        return "–"
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
