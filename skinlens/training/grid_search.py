"""Grid search over the loss weights and the temperature: short runs that differ in these alone."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from skinlens.training.distributed import World
from skinlens.training.loop import SINGLE_PROCESS, train
from skinlens.training.protocols import TrainingData
from skinlens.training.recipe import Recipe


def candidates(recipe: Recipe) -> list[Recipe]:
    """One recipe for each point of the grid, named by it; the recipe itself where it searches nothing."""
    search = recipe.search
    recipes = []
    for weights in search.weights or (recipe.distillation.weights,):
        for temperature in search.temperatures or (recipe.distillation.temperature,):
            triple = "-".join(f"{weight:g}" for weight in (weights.intermediate, weights.logit, weights.classification))
            recipes.append(
                replace(
                    recipe,
                    name=f"T{temperature:g}-{triple}",
                    search=type(search)(),
                    distillation=replace(recipe.distillation, weights=weights, temperature=temperature),
                )
            )
    return recipes


def search(recipe: Recipe, data: TrainingData, folder: Path, world: World = SINGLE_PROCESS) -> dict[str, Any]:
    """Run every candidate below ``folder``, finished ones at once; the last epoch of each on ``val``, best first.

    The last epoch and not the best one: the maximum over epochs rewards the run that jumps most.
    """
    rows = []
    for candidate in candidates(recipe):
        train(candidate, data, folder / candidate.name, world)
        last = json.loads((folder / candidate.name / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        weights = candidate.distillation.weights
        rows.append(
            {
                "intermediate": weights.intermediate,
                "logit": weights.logit,
                "classification": weights.classification,
                "temperature": candidate.distillation.temperature,
                **{name: last[name] for name in ("val_loss", "balanced_accuracy", "macro_f1", "melanoma_auc")},
            }
        )
    rows.sort(key=lambda row: -row["balanced_accuracy"])
    return {"recipe": recipe.name, "epochs": recipe.epochs, "photos": "val", "rows": rows}
