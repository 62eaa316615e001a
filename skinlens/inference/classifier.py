"""Classifier: engine, calibration and threshold of one released model, from photo to ``Prediction``."""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skinlens.imaging.preprocess import View, Views, model_view, normalize, to_batch
from skinlens.inference.calibration import ConformalSets, softmax
from skinlens.inference.engine import Engine
from skinlens.inference.ood import MahalanobisOOD
from skinlens.inference.patient_context import ContextModel, PatientContext
from skinlens.inference.release import BUNDLED, load_engine, load_manifest
from skinlens.records import Array, Batch, Features, Photo, Prediction, Threshold


class Reading(NamedTuple):
    """Result of one run of the network on a photo."""

    prediction: Prediction
    distance: float
    """Distance from the training photos: 1 is typical, larger is stranger."""
    features: Features


class Classifier:
    """One released model, ready to predict. Holds no state of any photo, so all sessions share one."""

    def __init__(
        self,
        engine: Engine,
        temperature: float,
        threshold: Threshold,
        ood: MahalanobisOOD,
        set_rule: ConformalSets | None = None,
        context_model: ContextModel | None = None,
    ) -> None:
        self.engine, self.temperature, self.melanoma_threshold = engine, temperature, threshold
        self.ood, self.set_rule, self.context_model = ood, set_rule, context_model

    def probs(self, batch: Batch) -> Array:
        """Calibrated probabilities of a batch of network input: float32, shape (n, 7), rows sum to 1."""
        return softmax(self.engine.logits(batch), self.temperature).astype(np.float32)

    def predict(self, photo: Photo) -> Prediction:
        return self.read(photo).prediction

    def read(self, photo: Photo) -> Reading:
        started = time.perf_counter()
        return self._readings(to_batch([photo], self.engine.spec), started)[0]

    def read_views(self, views: Views) -> list[Reading]:
        """Readings of several views in one run; the latency of each is its share of the time."""
        started = time.perf_counter()
        return self._readings(normalize(views, self.engine.spec), started)

    def _readings(self, batch: Batch, started: float) -> list[Reading]:
        of_turns = self.engine.pooled_of_turns(batch)
        pooled = of_turns.mean(axis=0)
        logits = self.engine.head.logits_of_pooled(pooled)
        probs = softmax(logits, self.temperature)
        turned = [softmax(self.engine.head.logits_of_pooled(turn), self.temperature) for turn in of_turns]
        latency_ms = (time.perf_counter() - started) * 1000 / len(batch)
        features = self.engine.head.hidden(pooled)
        return [
            Reading(
                Prediction(
                    probs=tuple(probs[at].tolist()),
                    logits=tuple(logits[at].tolist()),
                    melanoma_threshold=self.melanoma_threshold,
                    model=self.engine.model_ref,
                    latency_ms=latency_ms,
                    prediction_set=None if self.set_rule is None else self.set_rule.predict_set(probs[at]),
                    turned_probs=tuple(tuple(turn[at].tolist()) for turn in turned) if len(turned) > 1 else (),
                ),
                self.ood.distance(pooled[at]),
                features[at],
            )
            for at in range(len(batch))
        ]

    def turned_probs(self, photo: Photo) -> Array:
        """Calibrated probabilities of the photo in its eight orientations: as it is, turned by 90°, 180° and 270°, and
        each of these mirrored. Float32, shape (8, 7), rows sum to 1.
        """
        return self.turned_probs_of_view(model_view(photo, self.engine.spec))

    def turned_probs_of_view(self, view: View) -> Array:
        """Probabilities of the network's view of a photo in its eight orientations, as of ``turned_probs``."""
        (upright,) = normalize(view[np.newaxis], self.engine.spec)
        # A mirrored photo that is turned to the right is the photo turned to the left, mirrored.
        quarters = np.array([0, 1, 2, 3, 0, -1, -2, -3])
        logits = self.engine.logits_in_turn(np.stack([upright] * 4 + [upright[:, :, ::-1]] * 4), quarters)
        return softmax(logits, self.temperature).astype(np.float32)

    def features(self, photo: Photo) -> Features:
        return self.read(photo).features

    def with_context(self, prediction: Prediction, context: PatientContext) -> tuple[float, ...] | None:
        """The seven probabilities of a prediction with what is known of the patient.

        None where nothing is known, or where this release cannot tell.
        """
        if self.context_model is None or not context.known:
            return None
        adjusted = self.context_model.adjusted(np.array([prediction.probs], dtype=np.float64), [context])
        return tuple(adjusted[0].tolist())


def load_classifier(directory: Path = BUNDLED, threads: int = 2) -> Classifier:
    """The released model of a weights folder, verified against its manifest.

    Raises:
        WeightsError: a file is missing, altered, or of another version.
    """
    manifest = load_manifest(directory)
    engine = load_engine(directory, threads=threads)
    return Classifier(
        engine,
        manifest.temperature,
        manifest.melanoma_threshold,
        manifest.ood(),
        manifest.set_rule,
        manifest.context_model,
    )
