"""Published evaluation of a release: the JSON files that ``skinlens evaluate`` wrote, kept in the release's folder."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from skinlens.inference.release import weights_directory
from skinlens.records import ModelRef
from skinlens.renamed_keys import with_present_keys

EXPLANATIONS = "explanations-val.json"
"""Written by ``skinlens evaluate --explanations``."""
OLD_KEYS = {
    "cut_off": "threshold",
    "foreign": "ood",
    "own_refused": "in_distribution_rejection",
    "refused": "rejection_rate",
    "inside": "relevance_mass",
    "inside_over_area": "relevance_mass_over_area",
    "pointing": "pointing_game",
    "randomised": "model_randomization",
}
"""Keys of evaluations that earlier versions wrote → their names now."""
_PRESENT = partial(with_present_keys, now=OLD_KEYS)


def evaluation(split: str) -> Mapping[str, Any] | None:
    """Figures on ``val`` or ``test``; None where they were not published."""
    return _read(f"evaluation-{split}.json")


def evaluations(model: ModelRef) -> dict[str, Mapping[str, Any]]:
    """Figures of this very model, by split; the test set comes first."""
    results = {split: evaluation(split) for split in ("test", "val")}
    return {split: result for split, result in results.items() if result and result["model"]["sha256"] == model.sha256}


def elsewhere(model: ModelRef) -> dict[str, Mapping[str, Any]]:
    """Figures of this very model on photos of other sources than HAM10000, by the name of their list, sorted."""
    prefix = "evaluation-"
    names = sorted(path.stem.removeprefix(prefix) for path in weights_directory().glob(f"{prefix}*.json"))
    results = {name: result for name in names if name not in {"val", "test"} and (result := evaluation(name))}
    return {name: result for name, result in results.items() if result["model"]["sha256"] == model.sha256}


def at_cutoff(measured: Mapping[str, Any], cutoff: float) -> Mapping[str, Any]:
    """Row of an evaluation at one cut-off for melanoma; empty where it was not measured at that."""
    rows = measured.get("thresholds", {}).get("melanoma", {}).get("rows", ())
    return next((row for row in rows if abs(row["threshold"] - cutoff) < 1e-12), {})


def explanations_evaluation() -> Mapping[str, Any] | None:
    """Figures of the explanation methods on ``val``; None where they were not published."""
    return _read(EXPLANATIONS)


def read(path: Path) -> dict[str, Any]:
    """An evaluation under the keys of this version, whichever wrote it."""
    measured: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), object_hook=_PRESENT)
    return measured


def _read(name: str) -> Mapping[str, Any] | None:
    path = weights_directory() / name
    return read(path) if path.is_file() else None
