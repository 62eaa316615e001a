"""Patient context of a release: fitted, added to its manifest, and compared with the photo alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from skinlens import metrics
from skinlens.evaluation.bootstrap import with_ci
from skinlens.evaluation.ground_truth import read_labels
from skinlens.evaluation.predictions import Predictions, run_model
from skinlens.formatting import grouped
from skinlens.inference.classifier import load_classifier
from skinlens.inference.patient_context import ContextModel
from skinlens.inference.release import load_manifest, write_manifest
from skinlens.records import Array
from skinlens.training.context import fit_context, with_best_weight

FIGURES = ("balanced_accuracy", "macro_f1", "melanoma_auc", "log_loss", "ece")


def fit_release(
    directory: Path, pictures: Mapping[str, Path], labels: Path, say: Callable[[str], None] = print
) -> Path:
    """Fit on the lesions of ``train``, choose the weight on ``val`` by the served model, and add both to the manifest.

    Raises:
        WeightsError: there is no release in ``directory``.
        DatasetError: the label file has no such parts.
        KeyError: ``pictures`` lacks a photo of ``val``.
    """
    manifest, classifier = load_manifest(directory), load_classifier(directory)
    listed = {row.group: row for row in reversed(read_labels(labels, "train").rows)}  # the first photo of each lesion
    rows = [row for row in listed.values() if row.context.known]
    fitted = fit_context(
        [row.context for row in rows],
        np.asarray([row.label for row in rows], dtype=np.int64),
        f"the {grouped(len(rows))} lesions of train of which anything is known",
    )
    predictions = run_model(classifier, read_labels(labels, "val").rows, pictures)
    known = np.flatnonzero([row.context.known for row in predictions.rows])
    contexts = [predictions.rows[place].context for place in known]
    model, losses = with_best_weight(fitted, contexts, predictions.truth[known], predictions.probs[known])
    content = {**model.content(), "chosen_on": f"the {grouped(len(known))} photos of val of which anything is known"}
    content["log_loss_of_weight"] = {f"{weight:.2f}": loss for weight, loss in losses.items()}
    path = write_manifest(directory, {**manifest.content, "patient_context": content})
    say(f"weight {model.weight:.2f}: log loss {losses[model.weight]:.4f} on val, {losses[0.0]:.4f} by the photo alone")
    return path


def with_context(model: ContextModel | None, predictions: Predictions, resamples: int) -> dict[str, Any] | None:
    """Figures of the photo alone and with age, sex and site, on the photos of which anything of these is known."""
    known = np.flatnonzero([row.context.known for row in predictions.rows])
    if model is None or not len(known):
        return None
    truth, groups = predictions.truth[known], np.unique(predictions.groups[known], return_inverse=True)[1]
    alone = predictions.probs[known]
    both = model.adjusted(alone, [predictions.rows[place].context for place in known])

    def figures(rows: Int64[Array, " m"]) -> Float64[Array, " k"]:
        first, second = (_figures(truth[rows], probs[rows]) for probs in (alone, both))
        return np.concatenate([first, second, second - first])

    estimates = with_ci(figures, groups, resamples)
    count = len(FIGURES)
    parts = {"photo": estimates[:count], "with_context": estimates[count : 2 * count], "gain": estimates[2 * count :]}
    return {
        "n": len(known),
        "weight": model.weight,
        "fitted_on": model.fitted_on,
        **{name: dict(zip(FIGURES, part, strict=True)) for name, part in parts.items()},
    }


def _figures(truth: Int64[Array, " n"], probs: Float64[Array, "n 7"]) -> Float64[Array, " k"]:
    matrix = metrics.confusion(truth, probs.argmax(axis=1))
    return np.array(
        [
            metrics.balanced_accuracy(matrix),
            metrics.macro_f1(matrix),
            metrics.melanoma_auc(truth, probs),
            metrics.log_loss(truth, probs),
            metrics.calibration_error(truth, probs),
        ]
    )
