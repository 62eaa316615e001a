"""Evaluation of a batch: the figures of ``evaluate`` from rows that are made already."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from skinlens.errors import DatasetError
from skinlens.evaluation.bootstrap import RESAMPLES
from skinlens.evaluation.evaluate import evaluation_of
from skinlens.evaluation.ground_truth import LabelFile
from skinlens.evaluation.predictions import Predictions
from skinlens.inference.classifier import Classifier
from skinlens.labels import CODES


def evaluate_rows(
    classifier: Classifier,
    rows: Iterable[Mapping[str, Any]],
    listed: LabelFile,
    labels: Path,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """The figures of ``evaluate`` for the rows that have a label; a row is found by its id without folder and ending.

    Raises:
        DatasetError: two photos have one name, or none has a label.
    """
    wanted = {row.image_id for row in listed.rows}
    probs: dict[str, list[float]] = {}
    distances: dict[str, float] = {}
    unreadable, seen = list[str](), set[str]()
    for row in rows:
        name = PurePosixPath(row["id"].replace("\\", "/")).stem
        if name not in wanted:
            continue
        if name in seen:
            raise DatasetError(
                f"Two photos are named {name}: which one {labels} means cannot be known. The table is written; to "
                "measure, read the folder that holds the labeled photos alone."
            )
        seen.add(name)
        if row["error"] is not None:
            unreadable.append(name)
        else:
            probs[name] = [row[f"prob_{code}"] for code in CODES]
            distances[name] = row["ood_distance"]
    answered_rows = tuple(row for row in listed.rows if row.image_id in probs)
    if not answered_rows:
        raise DatasetError(
            f"None of the {len(listed.rows)} photos of {labels} was read: expected files such as "
            f"{listed.rows[0].image_id}.jpg. The table is written. Check --labels."
        )
    predictions = Predictions(
        rows=answered_rows,
        truth=np.asarray([row.label for row in answered_rows], dtype=np.int64),
        probs=np.asarray([probs[row.image_id] for row in answered_rows], dtype=np.float64),
        distances=np.asarray([distances[row.image_id] for row in answered_rows], dtype=np.float64),
        groups=np.unique([row.group for row in answered_rows], return_inverse=True)[1],
        unreadable=tuple(unreadable),
    )
    missing = [row.image_id for row in listed.rows if row.image_id not in seen]
    return evaluation_of(classifier, predictions, listed, missing, labels, None, resamples)
