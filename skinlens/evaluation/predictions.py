"""Predictions of the served model for each photo of a labeled data set: the input of every figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64
from tqdm import tqdm

from skinlens.errors import DatasetError, UnreadableImage
from skinlens.evaluation.ground_truth import LabeledImage
from skinlens.imaging.intake import read_photo
from skinlens.imaging.preprocess import View, model_view, normalize
from skinlens.inference.calibration import softmax
from skinlens.inference.classifier import Classifier
from skinlens.inference.engine import BATCH, pool
from skinlens.records import Array


@dataclass(frozen=True, eq=False)
class Predictions:
    """One line a photo, in the order of ``rows``."""

    rows: tuple[LabeledImage, ...]
    truth: Int64[Array, " n"]
    probs: Float64[Array, "n 7"]
    distances: Float64[Array, " n"]
    """From the training photos: ``Familiarity.distance``."""
    groups: Int64[Array, " n"]
    """One number for each lesion."""
    unreadable: tuple[str, ...]
    """Ids of the pictures that could not be read; they have no line."""


def run_model(classifier: Classifier, rows: Sequence[LabeledImage], pictures: Mapping[str, Path]) -> Predictions:
    """Read and classify each photo as the app does.

    Raises:
        DatasetError: not one can be read.
    """
    readable: list[LabeledImage] = []
    unreadable: list[str] = []
    parts: list[tuple[Array, Array]] = []
    for start in tqdm(range(0, len(rows), BATCH), desc="photos, in batches of 16", mininterval=2):
        views = []
        for row in rows[start : start + BATCH]:
            try:
                views.append(model_view(read_photo(pictures[row.image_id].read_bytes()), classifier.engine.spec))
            except (UnreadableImage, OSError):
                unreadable.append(row.image_id)
            else:
                readable.append(row)
        if views:
            parts.append(answer(classifier, views))
    if not parts:
        first = f", the first is {pictures[unreadable[0]]}" if unreadable else ""
        raise DatasetError(
            f"None of the {len(rows)} pictures can be read{first}: expected photos as JPEG or PNG. Check --images."
        )
    return Predictions(
        rows=tuple(readable),
        truth=np.asarray([row.label for row in readable], dtype=np.int64),
        probs=np.concatenate([probs for probs, _ in parts]),
        distances=np.concatenate([distances for _, distances in parts]),
        groups=np.unique([row.group for row in readable], return_inverse=True)[1],
        unreadable=tuple(unreadable),
    )


def answer(classifier: Classifier, views: Sequence[View]) -> tuple[Float64[Array, "n 7"], Float64[Array, " n"]]:
    """Calibrated probabilities of some views, and their distances from the training photos."""
    engine = classifier.engine
    pooled = pool(engine.features(normalize(np.stack(views), engine.spec)))
    probs = softmax(engine.head.logits_of_pooled(pooled), classifier.temperature)
    return probs, np.asarray([classifier.ood.distance(features) for features in pooled])
