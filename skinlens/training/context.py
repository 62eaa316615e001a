"""Patient-context model: multinomial regression fitted on the lesions of ``train``, its weight chosen on ``val``."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from jaxtyping import Float64, Int64

from skinlens.inference.patient_context import FEATURES, ContextModel, PatientContext, features
from skinlens.labels import CODES
from skinlens.metrics import log_loss
from skinlens.records import Array

INVERSE_REGULARIZATION = 1.0
"""scikit-learn's ``C`` of the L2 penalty."""
WEIGHTS = tuple(round(0.05 * step, 2) for step in range(21))
"""Tried on ``val``: 0 (the photo alone) to 1 (Bayes' rule)."""


def fit_context(contexts: Sequence[PatientContext], labels: Int64[Array, " n"], fitted_on: str) -> ContextModel:
    """Fit p(class | context) to one row a lesion; the weight is 1 until ``with_best_weight`` chooses it.

    Each lesion is seen with every part of what is known of it, so that an age alone, or a site alone, is read as well
    as all three together.
    """
    from sklearn.linear_model import LogisticRegression

    rows, classes, shares = [], [], []
    for context, label in zip(contexts, labels.tolist(), strict=True):
        parts = [
            PatientContext(
                context.age_years if age else None, context.sex if sex else None, context.site if site else None
            )
            for age, sex, site in product((True, False), repeat=3)
        ]
        distinct = list(dict.fromkeys(part for part in parts if part.known))
        rows += distinct
        classes += [label] * len(distinct)
        shares += [1 / len(distinct)] * len(distinct)
    regression = LogisticRegression(C=INVERSE_REGULARIZATION, fit_intercept=False, max_iter=2000)
    regression.fit(features(rows), classes, sample_weight=shares)
    coefficients = np.zeros((len(FEATURES), len(CODES)))
    # Of two classes scikit-learn gives the difference alone.
    class_coefficients = (
        regression.coef_ if len(regression.coef_) > 1 else np.vstack([-regression.coef_ / 2, regression.coef_ / 2])
    )
    coefficients[:, regression.classes_] = class_coefficients.T
    coefficients[0, np.setdiff1d(np.arange(len(CODES)), regression.classes_)] = -30.0  # a class that was never seen
    prior = np.bincount(labels, minlength=len(CODES)) + 1.0
    return ContextModel(coefficients, prior / prior.sum(), 1.0, fitted_on)


def with_best_weight(
    model: ContextModel,
    contexts: Sequence[PatientContext],
    labels: Int64[Array, " n"],
    probs: Float64[Array, "n 7"],
) -> tuple[ContextModel, dict[float, float]]:
    """The model with the weight of the lowest log loss on these photos, and the log loss of each weight."""
    losses = {}
    for weight in WEIGHTS:
        adjusted = replace(model, weight=weight).adjusted(probs, contexts)
        losses[weight] = log_loss(labels, adjusted)
    return replace(model, weight=min(losses, key=losses.__getitem__)), losses
