"""Result of one photo as JSON: what ``predict --json`` prints and the API sends, with the same names."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from skinlens.case_record import Analysis
from skinlens.explain import METHODS
from skinlens.explain.overlay import captioned, overlay
from skinlens.inference.classifier import Classifier
from skinlens.labels import CODES, DISCLAIMER
from skinlens.records import LIKENESS, Array, Explanation, Photo, Pixels, Prediction
from skinlens.wording.maps import supports
from skinlens.wording.records import target_words
from skinlens.wording.verdict import verdict


def of_photo(analysis: Analysis, *, bundled: bool) -> dict[str, Any]:
    """Probabilities, verdict, quality, distance from the training photos, prediction set and model of one photo.

    ``bundled``: whether the model is the release that came with this version.
    """
    prediction = analysis.prediction
    return {
        "photo_sha256": analysis.photo.sha256,
        "top": prediction.top.code,
        "reliable": analysis.quality.reliable,
        "probs": dict(zip(CODES, prediction.probs, strict=True)),
        "melanoma": {
            "prob": prediction.melanoma_prob,
            "above_threshold": prediction.above_melanoma_threshold,
            "threshold": asdict(prediction.melanoma_threshold),
        },
        "prediction_set": prediction.prediction_set and asdict(prediction.prediction_set),
        "turns": _turns(prediction),
        "verdict": list(verdict(analysis.quality, prediction)),
        "quality": {
            "passed": analysis.quality.passed,
            "checks": [asdict(check) for check in analysis.quality.checks],
        },
        "out_of_distribution": _out_of_distribution(analysis),
        "notes": list(analysis.photo.notes),
        "model": asdict(prediction.model),
        "bundled_release": bundled,
        "latency_ms": round(prediction.latency_ms, 2),
        "disclaimer": DISCLAIMER,
    }


def _turns(prediction: Prediction) -> dict[str, Any] | None:
    """Least and most probability of each class among the orientations whose mean was served; None for only one."""
    if not prediction.turned_probs:
        return None
    return _least_and_most(np.array(prediction.turned_probs))


def of_views(classifier: Classifier, photo: Photo) -> dict[str, Any]:
    """Spread of the probabilities over the photo's eight orientations: least and most of each class.

    An answer that changes as the photo is turned or mirrored is less sure than its probability says.
    """
    return _least_and_most(classifier.turned_probs(photo))


def _least_and_most(probs: Array) -> dict[str, Any]:
    least, most = probs.min(axis=0).tolist(), probs.max(axis=0).tolist()
    return {
        "count": len(probs),
        "least": dict(zip(CODES, least, strict=True)),
        "most": dict(zip(CODES, most, strict=True)),
    }


def of_explanation(explanation: Explanation) -> dict[str, Any]:
    """Provenance of a map, without the map."""
    return {
        "method": explanation.method,
        "label": explanation.label,
        "params": dict(explanation.params),
        "seed": explanation.seed,
        "duration_ms": round(explanation.duration_ms, 1),
        "diagnostics": dict(explanation.diagnostics),
    }


def picture_of(explanation: Explanation, photo: Photo, classifier: Classifier) -> Pixels:
    """The map over its photo, with what it shows and the disclaimer in words below."""
    words = supports(METHODS[explanation.method].title, target_words(explanation.target))
    return np.asarray(captioned(overlay(photo, explanation.heatmap, classifier.engine.spec), (words, DISCLAIMER)))


def _out_of_distribution(analysis: Analysis) -> Mapping[str, Any] | None:
    """Distance from the training photos and its limit; None where it was not measured."""
    for check in analysis.quality.checks:
        if check.name == LIKENESS:
            return {"distance": check.value, "limit": check.limit, "beyond": not check.passed}
    return None
