"""Coverage and size of the conformal prediction sets."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skinlens.evaluation.bootstrap import RESAMPLES, finite, with_ci
from skinlens.evaluation.ground_truth import LabelFile
from skinlens.evaluation.predictions import Predictions
from skinlens.inference.calibration import ConformalSets, split_calibration_test
from skinlens.labels import CODES, INDEX, MELANOMA
from skinlens.records import Array


def prediction_sets(
    rule: ConformalSets | None, predictions: Predictions, listed: LabelFile, resamples: int = RESAMPLES
) -> dict[str, Any] | None:
    """Coverage and size, on photos that did not calibrate the rule; None for a release without one."""
    if rule is None:
        return None
    used = _calibrated_on(rule, listed)
    unused = np.asarray([row.image_id not in used for row in predictions.rows])
    members, truth = rule.members(predictions.probs[unused]), predictions.truth[unused]
    figures = with_ci(lambda rows: _figures(truth[rows], members[rows]), predictions.groups[unused], resamples)
    coverage, size, single, ruled_out = figures[:4]
    own_coverage, own_size = figures[4 : 4 + len(CODES)], figures[4 + len(CODES) :]
    return {
        "level": rule.level,
        "calibrated_on": rule.calibrated_on,
        "n": len(truth),
        "left_out": len(unused) - len(truth),
        "coverage": coverage,
        "mean_size": size,
        "single": single,
        "melanoma_ruled_out": ruled_out,
        "sizes": np.bincount(members.sum(axis=1), minlength=len(CODES) + 1)[1:].tolist(),
        "per_class": {
            code: {
                "n": int((truth == position).sum()),
                "floor": finite(rule.class_thresholds[position]),
                "coverage": own_coverage[position],
                "mean_size": own_size[position],
            }
            for position, code in enumerate(CODES)
        },
    }


def _calibrated_on(rule: ConformalSets, listed: LabelFile) -> set[str]:
    """Ids of the listed photos that calibrated the rule: all or none, told by the fingerprint of their lesions."""
    truth = np.asarray([row.label for row in listed.rows])
    half, fingerprint = split_calibration_test([row.group for row in listed.rows], truth)
    if fingerprint != rule.half_sha256:
        return set()
    return {row.image_id for row, used in zip(listed.rows, half, strict=True) if used}


def _figures(truth: Int64[Array, " n"], members: Bool[Array, "n 7"]) -> Float64[Array, " k"]:
    """Coverage, mean size, share of sets of one class; of the other lesions, the share whose set leaves melanoma out;
    then the coverage and the mean size of each class.
    """
    hit, sizes = members[np.arange(len(truth)), truth], members.sum(axis=1)
    harmless = truth != INDEX[MELANOMA]
    with np.errstate(invalid="ignore", divide="ignore"):
        counts = np.bincount(truth, minlength=len(CODES))
        ruled_out = (~members[harmless, INDEX[MELANOMA]]).sum() / harmless.sum()
        own_coverage: Array = np.bincount(truth, weights=hit, minlength=len(CODES)) / counts
        own_size: Array = np.bincount(truth, weights=sizes, minlength=len(CODES)) / counts
    return np.concatenate([[hit.mean(), sizes.mean(), (sizes == 1).mean(), ruled_out], own_coverage, own_size])
