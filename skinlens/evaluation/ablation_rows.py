"""Rows of the ablation table: which there are, which are compared, and what is measured of one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from jaxtyping import Float32, Float64, Int64

from skinlens import metrics
from skinlens.evaluation.evaluate import of_the_whole
from skinlens.inference.calibration import fit_temperature, softmax
from skinlens.labels import INDEX, MELANOMA
from skinlens.records import Array
from skinlens.training.ham10000 import Entry

FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "weighted_f1",
    "macro_auc",
    "melanoma_auc",
    "melanoma_recall",
    "ece",
)
TIMED = 15
"""Predictions of which the median is taken."""


@dataclass(frozen=True)
class Row:
    name: str
    """Name of the recipe, and so of its run's folder."""
    title: str
    paper: dict[str, float] | None = None
    """What the paper reports for its row of this kind, in percent."""
    ensemble_of: tuple[str, ...] = ()
    """Instead of a run of its own: the mean of these rows' distributions."""


ROWS = (
    Row("teacher", "Teacher: ViT + EfficientNet-Lite2"),
    Row("companion", "Second teacher: HSB + layer fusion, at full size"),
    Row("mean", "What the students learn from: the mean of both", ensemble_of=("teacher", "companion")),
    Row("teacher_convnext", "Teacher: ViT + ConvNeXt without initial weights"),
    Row("teacher_reduced", "Teacher of the reduced rows: ViT + EfficientNet-Lite2"),
    Row(
        "mean_reduced",
        "What the reduced students learn from: the mean of it and the second teacher",
        ensemble_of=("teacher_reduced", "companion"),
    ),
    Row("plain_cnn", "Plain CNN, from random weights", {"accuracy": 73.82, "f1": 74.20, "auc": 95.92}),
    Row("resnet18", "ResNet-18, from random weights"),
    Row("densenet121", "DenseNet-121, from random weights"),
    Row("efficientnet_b0", "EfficientNet-B0, from random weights"),
    Row("mobilevit_xs", "MobileViT-XS, from random weights"),
    Row("vit_tiny", "ViT-Tiny, from random weights"),
    Row("convnext_atto", "ConvNeXt-Atto, from random weights"),
    Row("leak", "HSB at 64 px"),
    Row("leak_long", "HSB at 64 px, longer, hardly augmented"),
    Row("hsb", "Hybrid student baseline (HSB)"),
    Row("hsb_fusion", "HSB + layer fusion"),
    Row("kd_single", "Single-stage distillation", {"accuracy": 90.06, "f1": 90.02, "auc": 98.59}),
    Row("kd_multi", "Multi-stage distillation", {"accuracy": 92.22, "f1": 92.29, "auc": 98.81}),
    Row(
        "kd_multi_fusion",
        "Multi-stage distillation + layer fusion",
        {"accuracy": 95.88, "f1": 95.91, "auc": 99.02},
    ),
    Row("sources", "… on more sources"),
    Row("robust", "… on more sources and robust views"),
    Row("release", "Multi-stage distillation + layer fusion, at full size"),
    Row("averaged", "The mean of its weights and the second teacher's, 1 to 3"),
)
INT8 = Row("int8", "The released model: int8", {"accuracy": 78.13})
INT8_ONE_VIEW = Row("int8_one_view", "… in one orientation")
INT8_EIGHT_VIEWS = Row("int8_eight_views", "… the mean of its answers in eight orientations")
INT8_CONTEXT = Row("int8_context", "… with age, sex and site")
RELEASED = (INT8, INT8_ONE_VIEW, INT8_EIGHT_VIEWS, INT8_CONTEXT)
"""Row of the served model, measured without a run."""
COMPARED = (
    ("kd_multi_fusion", "hsb"),
    ("kd_multi_fusion", "hsb_fusion"),
    ("kd_single", "hsb"),
    ("kd_multi", "hsb"),
    ("kd_multi", "kd_single"),
    ("kd_multi_fusion", "kd_multi"),
    ("hsb_fusion", "hsb"),
    ("sources", "kd_multi_fusion"),
    ("robust", "sources"),
    ("release", "companion"),
    ("averaged", "release"),
    ("int8_one_view", "release"),
    ("int8", "int8_one_view"),
    ("int8_eight_views", "int8"),
    ("int8_context", "int8"),
)
"""Pairs of rows whose difference gets an interval."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Predictions of the runs of one row, one array of probabilities a seed, all on the same photos."""

    seeds: list[int]
    probs: list[Float64[Array, "n 7"]]
    truth: Int64[Array, " n"]
    groups: Int64[Array, " n"]
    """Photos that are drawn together."""
    cost: dict[str, float]

    def figures(self, rows: Int64[Array, " m"]) -> Float64[Array, " k"]:
        """The mean over the seeds."""
        return np.asarray(np.mean([all_figures(self.truth[rows], probs[rows]) for probs in self.probs], axis=0))


def scaled(logits: Float32[Array, "n 7"], truth: Int64[Array, " n"]) -> Float64[Array, "n 7"]:
    """Probabilities at the temperature that fits these photos best."""
    return softmax(logits, fit_temperature(logits, truth))


def lesions(entries: Sequence[Entry]) -> Int64[Array, " n"]:
    return np.unique([entry.group for entry in entries], return_inverse=True)[1]


def median_ms(once: Callable[[], object]) -> float:
    times = []
    for _ in range(TIMED):
        started = perf_counter()
        once()
        times.append((perf_counter() - started) * 1000)
    return float(np.median(times))


def all_figures(truth: Int64[Array, " n"], probs: Float64[Array, "n 7"]) -> Float64[Array, " k"]:
    """All figures of a row, in the order of ``FIGURES``."""
    matrix = metrics.confusion(truth, probs.argmax(axis=1))
    melanomas_found = metrics.recalls(matrix)[INDEX[MELANOMA]]
    return np.asarray([*of_the_whole(truth, probs, matrix), melanomas_found, metrics.calibration_error(truth, probs)])
