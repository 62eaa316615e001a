"""Rows of the ablation table on photos of other clinics: melanoma's AUC, and the differences of the compared rows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from skinlens import metrics
from skinlens.evaluation.ablation import measure
from skinlens.evaluation.ablation_rows import COMPARED, ROWS, Measured
from skinlens.evaluation.bootstrap import Estimate, with_ci
from skinlens.labels import INDEX, MELANOMA
from skinlens.records import Array
from skinlens.terminal import Say
from skinlens.training.ham10000 import Entry

FIGURE = "melanoma_auc"
Photos = Int64[Array, " m"]


def measure_elsewhere(
    runs: Path, entries: Mapping[str, list[Entry]], photos: Mapping[str, Sequence[Entry]], resamples: int, say: Say
) -> dict[str, Any]:
    """Size of each set of photos, each row's AUC of melanoma there, and the differences, with their intervals.

    A row is measured where the weights of its runs are at hand: answers that were kept are those to ``val``.

    Args:
        runs: Folder of the runs.
        entries: Photos of HAM10000 by part.
        photos: Name → validation photos of other clinics.
        resamples: Of the bootstrap, which draws lesions where they are known, otherwise photos.
        say: Gets a line for each set of photos.
    """
    result = {}
    for name, theirs in photos.items():
        say(f"Photos of other clinics: {name}, {len(theirs)} photos")
        result[name] = _of_photos(runs, {**entries, "val": list(theirs)}, resamples)
    return result


def _of_photos(runs: Path, entries: dict[str, list[Entry]], resamples: int) -> dict[str, Any]:
    measured = {row.name: probs for row in ROWS if (probs := measure(row, runs, "lesion", entries, _unsaid))}
    return {
        "n": len(entries["val"]),
        "melanomas": sum(entry.label == INDEX[MELANOMA] for entry in entries["val"]),
        "rows": {
            name: {FIGURE: with_ci(_auc(row), row.groups, resamples)[0], "seeds": row.seeds}
            for name, row in measured.items()
        },
        "differences": [
            {
                "of": first,
                "minus": second,
                "figures": {FIGURE: _difference(measured[first], measured[second], resamples)},
            }
            for first, second in COMPARED
            if first in measured and second in measured
        ],
    }


def _auc(row: Measured) -> Callable[[Photos], Float64[Array, "1"]]:
    """The mean over the seeds, of some of the photos."""

    def of_photos(photos: Photos) -> Float64[Array, "1"]:
        return np.array([np.mean([metrics.melanoma_auc(row.truth[photos], probs[photos]) for probs in row.probs])])

    return of_photos


def _difference(first: Measured, second: Measured, resamples: int) -> Estimate:
    auc, other_auc = _auc(first), _auc(second)
    return with_ci(lambda photos: auc(photos) - other_auc(photos), first.groups, resamples)[0]


def _unsaid(_: str) -> None:
    """The table on ``val`` has said it of these runs already."""


def _sides(difference: Mapping[str, Any]) -> tuple[str, str]:
    return difference["of"], difference["minus"]


def merge_previous(result: dict[str, Any], previous: Mapping[str, Any]) -> None:
    """Put into ``result``, in place, the rows of an earlier one that it lacks, and the differences of such rows."""
    for name, before in previous.items():
        now = result.setdefault(name, before)
        if now is before or now["n"] != before["n"]:
            continue
        made = set(map(_sides, now["differences"]))
        now["differences"] += [
            difference
            for difference in before["differences"]
            if _sides(difference) not in made
            and all(now["rows"].get(name, before["rows"][name]) == before["rows"][name] for name in _sides(difference))
        ]
        now["rows"] = {**before["rows"], **now["rows"]}
