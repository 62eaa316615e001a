"""Rows of the released model in the ablation table: as it is served, by other views, and with the patient's context."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from skinlens.evaluation.ablation_rows import (
    INT8,
    INT8_CONTEXT,
    INT8_EIGHT_VIEWS,
    INT8_ONE_VIEW,
    Measured,
    lesions,
    median_ms,
    scaled,
)
from skinlens.imaging.preprocess import normalize
from skinlens.inference.calibration import softmax
from skinlens.inference.classifier import Classifier, load_classifier
from skinlens.inference.patient_context import PatientContext
from skinlens.inference.release import load_manifest
from skinlens.records import Array
from skinlens.training.ham10000 import Entry, labels_of, load_images

BATCH = 16


def measure_released(
    weights: Path, val: Sequence[Entry], contexts: Mapping[str, PatientContext] | None = None
) -> dict[str, Measured]:
    """The int8 engine of a release in the place of a run: row name → predictions on ``val``.

    ``contexts``: image id → what is known of the patient; without it, or where the release has no context model, that
    row is missing. The rows of other views are scaled by a temperature of their own, as every run is.
    """
    classifier, content = load_classifier(weights), load_manifest(weights).content
    spec = classifier.engine.spec
    images, truth, groups = load_images(val, spec), labels_of(val), lesions(val)
    parts = [normalize(images[at : at + BATCH], spec) for at in range(0, len(images), BATCH)]
    served = np.concatenate([classifier.probs(part) for part in parts]).astype(np.float64)
    cost = _cost(classifier, content)
    views = view_logits(classifier, images)
    mean = np.log(softmax(views.reshape(-1, 7)).reshape(views.shape).mean(axis=0)).astype(np.float32)
    probs = {INT8.name: served}
    other_views = {INT8_ONE_VIEW.name: scaled(views[0], truth), INT8_EIGHT_VIEWS.name: scaled(mean, truth)}
    model = classifier.context_model
    if contexts is not None and model is not None:
        nothing = PatientContext(None, None, None)
        probs[INT8_CONTEXT.name] = model.adjusted(served, [contexts.get(entry.image_id, nothing) for entry in val])
    not_served = {name: value for name, value in cost.items() if name != "latency_ms"}
    return {name: Measured([], [each], truth, groups, cost) for name, each in probs.items()} | {
        name: Measured([], [each], truth, groups, not_served) for name, each in other_views.items()
    }


def view_logits(classifier: Classifier, images: UInt8[Array, "n s s 3"]) -> Float32[Array, "8 n 7"]:
    """Logits of each photo in each of its eight orientations alone: four quarter turns, and these mirrored."""
    spec, orientations = classifier.engine.spec, []
    for mirrored in (False, True):
        for quarters in range(4):
            logits = []
            for at in range(0, len(images), BATCH):
                batch = normalize(images[at : at + BATCH, :, ::-1] if mirrored else images[at : at + BATCH], spec)
                logits.append(classifier.engine.logits_in_turn(batch, np.full(len(batch), quarters)))
            orientations.append(np.concatenate(logits))
    return np.stack(orientations)


def _cost(classifier: Classifier, content: Mapping[str, Any]) -> dict[str, float]:
    spec = classifier.engine.spec
    serving = [content["head"], content["ood"], content["backbones"]["int8"]]
    blank: Float64[Array, "1 s s 3"] = np.zeros((1, spec.size_px, spec.size_px, 3))
    view = normalize(blank.astype(np.uint8), spec)
    return {
        "size_px": spec.size_px,
        "detail_px": spec.detail_px,
        "epochs": content["recipe"]["epochs"],
        "parameters": float(content["parameters"]),
        "size_kb": sum(content["files"][name]["bytes"] for name in serving) / 1024,
        "latency_ms": median_ms(lambda: classifier.probs(view)),
    }
