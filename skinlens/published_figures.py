"""Published evaluation of the model: the JSON files below ``docs/`` that ``python -m skinlens evaluate`` wrote."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skinlens.records import ModelStamp

DOCS = Path(__file__).resolve().parents[1] / "docs"
EXPLANATIONS = "explanations-val.json"
"""What ``python -m skinlens evaluate --explanations`` measured."""


def evaluation(split: str) -> Mapping[str, Any] | None:
    """What ``python -m skinlens evaluate`` measured on ``val`` or ``test``; None if it was not published."""
    return _read(f"evaluation-{split}.json")


def evaluations(model: ModelStamp) -> dict[str, Mapping[str, Any]]:
    """What was measured of this very model, by split; the test set comes first."""
    found = {split: evaluation(split) for split in ("test", "val")}
    return {split: one for split, one in found.items() if one and one["model"]["sha256"] == model.sha256}


def explanations_evaluation() -> Mapping[str, Any] | None:
    """What was measured of the explanation methods on ``val``; None if it was not published."""
    return _read(EXPLANATIONS)


def _read(name: str) -> Mapping[str, Any] | None:
    path = DOCS / name
    if not path.is_file():
        return None
    measured: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return measured
