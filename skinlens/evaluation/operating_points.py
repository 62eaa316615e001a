"""Operating points: counts, sensitivity and specificity at each threshold, whatever the prevalence."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skinlens.evaluation.bootstrap import RESAMPLES, Groups, with_ci
from skinlens.labels import CODES, INDEX, LABELS, MELANOMA
from skinlens.records import Array

CUT_OFFS = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Fixed beforehand, so that none is chosen on the photos that it is measured on."""
TARGETS: dict[str, tuple[str, ...]] = {
    "melanoma": (MELANOMA,),
    "malignant": tuple(label.code for label in LABELS if label.risk != "benign"),
}
"""What is looked for; of several classes the probabilities are added up."""


def thresholds(
    truth: Int64[Array, " n"],
    probs: Float64[Array, "n 7"],
    groups: Groups,
    shipped: float,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """A table for melanoma, with the ``shipped`` cut-off in it, and one for malignant or pre-malignant."""
    tables = {}
    for name, codes in TARGETS.items():
        members = [INDEX[code] for code in codes]
        values = sorted({*CUT_OFFS, shipped}) if codes == (MELANOMA,) else list(CUT_OFFS)
        positive = np.isin(truth, members)
        tables[name] = {
            "codes": [code for code in CODES if code in codes],
            "shipped": shipped if codes == (MELANOMA,) else None,
            "positives": int(positive.sum()),
            "negatives": int((~positive).sum()),
            "rows": table(positive, probs[:, members].sum(axis=1), groups, np.asarray(values), resamples),
        }
    return tables


def table(
    positive: Bool[Array, " n"],
    prob: Float64[Array, " n"],
    groups: Groups,
    values: Float64[Array, " k"],
    resamples: int = RESAMPLES,
) -> list[dict[str, Any]]:
    """One row for each cut-off; a photo at or above it is flagged."""
    flagged = prob[:, None] >= values

    def rates(rows: Int64[Array, " m"]) -> Float64[Array, " r"]:
        ill = positive[rows]
        with np.errstate(invalid="ignore", divide="ignore"):
            sensitivity = (flagged[rows] & ill[:, None]).sum(axis=0) / ill.sum()
            specificity = (~flagged[rows] & ~ill[:, None]).sum(axis=0) / (~ill).sum()
        both: Array = np.concatenate([sensitivity, specificity])
        return both

    figures, count = with_ci(rates, groups, resamples), len(values)
    return [
        {
            "threshold": float(threshold),
            "true_positives": int((flagged[:, place] & positive).sum()),
            "false_negatives": int((~flagged[:, place] & positive).sum()),
            "false_positives": int((flagged[:, place] & ~positive).sum()),
            "true_negatives": int((~flagged[:, place] & ~positive).sum()),
            "sensitivity": figures[place],
            "specificity": figures[count + place],
        }
        for place, threshold in enumerate(values)
    ]
