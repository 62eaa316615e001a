"""What the served model says of each photo of a labelled data set: every figure is worked out of this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64
from tqdm import tqdm

from skinlens.calibration import softmax
from skinlens.errors import UnreadableImage
from skinlens.evaluate.labels_file import Labelled
from skinlens.intake import read_photo
from skinlens.models.engine import BATCH, pool
from skinlens.predict import Classifier
from skinlens.preprocess import View, model_view, normalise
from skinlens.records import Array


@dataclass(frozen=True, eq=False)
class Answers:
    """One line a photo, in the order of ``rows``."""

    rows: tuple[Labelled, ...]
    truth: Int64[Array, " n"]
    probs: Float64[Array, "n 7"]
    distances: Float64[Array, " n"]
    """From the training photos: ``Familiarity.distance``."""
    groups: Int64[Array, " n"]
    """One number for each lesion."""
    unreadable: tuple[str, ...]
    """Ids of the pictures that could not be read; they have no line."""


def ask(classifier: Classifier, rows: Sequence[Labelled], pictures: Mapping[str, Path]) -> Answers:
    """Read and classify each photo as the app does."""
    kept: list[Labelled] = []
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
                kept.append(row)
        if views:
            parts.append(answer(classifier, views))
    return Answers(
        rows=tuple(kept),
        truth=np.asarray([row.label for row in kept], dtype=np.int64),
        probs=np.concatenate([probs for probs, _ in parts]),
        distances=np.concatenate([distances for _, distances in parts]),
        groups=np.unique([row.group for row in kept], return_inverse=True)[1],
        unreadable=tuple(unreadable),
    )


def answer(classifier: Classifier, views: Sequence[View]) -> tuple[Float64[Array, "n 7"], Float64[Array, " n"]]:
    """Calibrated probabilities of some views, and their distances from the training photos."""
    engine = classifier.engine
    pooled = pool(engine.features(normalise(np.stack(views), engine.spec)))
    probs = softmax(engine.head.logits_of_pooled(pooled), classifier.temperature)
    return probs, np.asarray([classifier.familiarity.distance(one) for one in pooled])
