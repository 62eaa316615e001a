"""Segmentation quality: Dice and IoU of the served int8 head against masks drawn by hand."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64
from tqdm import tqdm

from skinlens.evaluation.bootstrap import RESAMPLES, SEED, Estimate, with_ci
from skinlens.evaluation.predictions import photo_at
from skinlens.formatting import estimate, grouped
from skinlens.imaging.preprocess import heatmap_to_photo, to_batch
from skinlens.inference.release import load_engine
from skinlens.quantization.segmentation_release import add_figures, train_segmentation
from skinlens.records import Array, Mask
from skinlens.segmentation.contour import catmull_rom, mask_to_contour, rasterize, view_to_photo
from skinlens.segmentation.head import load_segmentation_head
from skinlens.training.ham10000 import Entry, dataset_folder, load_index
from skinlens.training.ham10000_masks import load_mask, mask_paths

GOOD = 0.8
"""Dice from which an outline needs little correction."""
NAMES = ("dice", "iou", "curve_dice", "dice_median", "good_share")


def train_and_measure(weights: Path) -> Path:
    """Train a head for a release on HAM10000 and add it to that release with its figures on ``val``; its file's path.

    Raises:
        DatasetError, WeightsError: the data set or the release is not there.
    """
    data = dataset_folder()
    path = train_segmentation(weights, load_index(data, "train"), load_index(data, "val"), mask_paths(data))
    measure(weights, "val")
    return path


def measure(weights: Path, split: str) -> None:
    """Measure a release's head on one part of HAM10000, and add the figures to the release.

    Raises:
        DatasetError, WeightsError: the data set, the release or its head is not there.
    """
    data = dataset_folder()
    figures = evaluate_segmentation(weights, load_index(data, split), mask_paths(data))
    add_figures(weights, split, figures)
    print(summary(split, figures))


def evaluate_segmentation(weights: Path, entries: Sequence[Entry], masks: dict[str, Path]) -> dict[str, Any]:
    """Figures ready for JSON, each with its interval over lesions: all 0 to 1, higher is better.

    ``dice`` and ``iou``: of the area above one half, mean over the photos. ``curve_dice``: of the curve through some
    points that the app shows; 0 where no outline is found. ``good_share``: of photos with a Dice of ``GOOD`` or more.

    Raises:
        WeightsError: the release has no outline head, or one of another engine.
        DatasetError: a photo has no mask.
    """
    engine, head = load_engine(weights), load_segmentation_head(weights)
    scores, head_ms = np.zeros((len(entries), 3)), []
    for number, entry in enumerate(tqdm(entries, desc="outlines", mininterval=5)):
        photo, mask = photo_at(entry.path), load_mask(entry.image_id, masks)
        batch = to_batch([photo], engine.spec)
        fused = engine.features(batch)
        started = time.perf_counter()
        probs = head.probs(batch, fused)[0]
        head_ms.append((time.perf_counter() - started) * 1000)
        height, width = mask.shape
        predicted = heatmap_to_photo(probs, height, width, engine.spec) > 0.5
        points = mask_to_contour(probs)
        shown = np.zeros_like(mask)
        if points is not None:
            shown = rasterize(catmull_rom(view_to_photo(points, photo, engine.spec)) * (width, height), height, width)
        scores[number] = dice(predicted, mask), iou(predicted, mask), dice(shown, mask)
    groups = np.unique([entry.group for entry in entries], return_inverse=True)[1]
    figures: list[Estimate] = with_ci(lambda rows: _figures(scores[rows]), groups)
    return {
        "n": len(entries),
        "lesions": int(groups.max()) + 1,
        **dict(zip(NAMES, figures, strict=True)),
        "head_ms": float(np.median(head_ms)),
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "drawn": "lesion", "interval": 0.95},
    }


def _figures(scores: Float64[Array, "n 3"]) -> Float64[Array, " k"]:
    whole = scores[:, 0]
    return np.asarray([*scores.mean(axis=0), np.median(whole), (whole >= GOOD).mean()])


def dice(predicted: Mask, truth: Mask) -> float:
    """Twice the shared area over the sum of both, 0 to 1; 1 for two empty areas.

    Dice, "Measures of the Amount of Ecologic Association Between Species", 1945.
    """
    total = int(predicted.sum() + truth.sum())
    return float(2 * (predicted & truth).sum() / total) if total else 1.0


def iou(predicted: Bool[Array, "h w"], truth: Bool[Array, "h w"]) -> float:
    """The shared area over the area of both together, 0 to 1; 1 for two empty areas."""
    either = int((predicted | truth).sum())
    return float((predicted & truth).sum() / either) if either else 1.0


def summary(split: str, figures: dict[str, Any]) -> str:
    """Summary of the figures in one line for the terminal."""
    parts = [f"{name} {estimate(figure, 4)}" for name in NAMES if (figure := figures[name])]
    return f"{split}, {grouped(figures['n'])} photos: {', '.join(parts)}; head {figures['head_ms']:.1f} ms"
