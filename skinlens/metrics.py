"""Classification metrics in numpy. ``truth`` holds class numbers in the order of ``labels.CODES``.

A class without a photo takes no part in a mean over classes. Where nothing can be computed, a figure is NaN.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from skinlens.labels import CODES, INDEX, MELANOMA
from skinlens.records import Array

Truth = Int[Array, " n"]
Probs = Float[Array, "n 7"]


def confusion(truth: Truth, chosen: Truth) -> Int[Array, "7 7"]:
    """Rows: the true class, columns: the class chosen."""
    count = len(CODES)
    return np.bincount(truth * count + chosen, minlength=count * count).reshape(count, count)


def recalls(matrix: Int[Array, "7 7"]) -> Float[Array, " 7"]:
    """Per class; NaN for a class without a photo."""
    return _ratio(np.diag(matrix), matrix.sum(axis=1))


def precisions(matrix: Int[Array, "7 7"]) -> Float[Array, " 7"]:
    """Per class; NaN for a class that was never chosen."""
    return _ratio(np.diag(matrix), matrix.sum(axis=0))


def accuracy(matrix: Int[Array, "7 7"]) -> float:
    total = int(matrix.sum())
    return int(np.trace(matrix)) / total if total else float("nan")


def balanced_accuracy(matrix: Int[Array, "7 7"]) -> float:
    """Mean recall over the classes that occur: 1/7 by chance when all seven do."""
    return _mean(recalls(matrix))


def f1_scores(matrix: Int[Array, "7 7"]) -> Float[Array, " 7"]:
    """Per class; 0 where the class occurs but has no true positive, NaN where it neither occurs nor is chosen."""
    return _ratio(2 * np.diag(matrix), matrix.sum(axis=0) + matrix.sum(axis=1))


def macro_f1(matrix: Int[Array, "7 7"]) -> float:
    return _mean(f1_scores(matrix)[matrix.sum(axis=1) > 0])


def weighted_f1(matrix: Int[Array, "7 7"]) -> float:
    """Mean of the classes' F1 by their number of photos: mostly that of the commonest class."""
    photos = matrix.sum(axis=1)
    occurs = photos > 0
    return float(f1_scores(matrix)[occurs] @ photos[occurs] / photos.sum()) if occurs.any() else float("nan")


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, float]:
    """Predictive values by Bayes' rule: share of those flagged that has it (PPV), of the others that does not (NPV).

    NaN where nobody is flagged, or everybody.
    """
    true_flagged, false_flagged = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    true_passed, false_passed = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    flagged, passed = true_flagged + false_flagged, true_passed + false_passed
    return true_flagged / flagged if flagged else float("nan"), true_passed / passed if passed else float("nan")


def auc(positive: Bool[Array, " n"], score: Float[Array, " n"]) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting one half."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def macro_auc(truth: Truth, probs: Probs) -> float:
    """Mean over the classes of each class against the rest."""
    return _mean(np.asarray([auc(truth == index, probs[:, index]) for index in range(len(CODES))]))


def melanoma_auc(truth: Truth, probs: Probs) -> float:
    return auc(truth == INDEX[MELANOMA], probs[:, INDEX[MELANOMA]])


def log_loss(truth: Truth, probs: Probs) -> float:
    """Mean of −log of the true class's probability, in nats; a probability of 0 counts as 1e-12."""
    return float(-np.log(probs[np.arange(len(truth)), truth] + 1e-12).mean())


def calibration_error(truth: Truth, probs: Probs, bins: int = 15) -> float:
    """ECE: mean distance between the largest probability and how often it is right, over equally wide bins.

    0 is perfect. Guo et al., "On Calibration of Modern Neural Networks", 2017, equation 3.
    """
    top = probs.max(axis=1)
    right = probs.argmax(axis=1) == truth
    place = np.minimum((top * bins).astype(np.int64), bins - 1)
    gap = np.bincount(place, weights=right - top, minlength=bins)
    return float(np.abs(gap).sum() / len(truth)) if len(truth) else float("nan")


def _ratio(above: Array, below: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Array = above / below
        return ratio


def _mean(values: Float[Array, " k"]) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else float("nan")
