"""Runs of the ablation table's reduced form: trained where they are missing, first seeds first.

The second teacher was trained on a GPU and is kept in ``recipes/results``; its weights are put into ``runs`` first.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

from skinlens.evaluation.ablation import progress
from skinlens.terminal import Say
from skinlens.training.protocols import Protocol
from skinlens.training.run import run_name, train_recipe

SEEDS = (1, 2, 3)
STAGES = ("hsb", "hsb_fusion", "kd_single", "kd_multi", "kd_multi_fusion")
"""Rows of the method's stages, run with each seed; the distilled ones ask the teacher of the reduced rows."""


class Run(NamedTuple):
    recipe: str
    """Name of the file under ``recipes``."""
    seed: int | None = None
    protocol: Protocol = "lesion"


RUNS = (
    Run("teacher_reduced"),
    *(Run(name, seed) for seed in SEEDS for name in STAGES),
    Run("leak"),
    Run("leak", protocol="paper"),
    Run("sources"),
    Run("robust"),
)


def train_missing(recipes: Path, runs: Path, say: Say = print) -> list[Path]:
    """Train every run of ``RUNS`` that is not finished; returns the folders that were trained.

    To be called in the folder that holds ``runs``: the recipes name their teachers from there.

    Raises:
        DatasetError, RecipeError, WeightsError: see ``train_recipe``.
    """
    restore_results(recipes / "results", runs)
    trained = []
    for number, (name, seed, protocol) in enumerate(RUNS, 1):
        recipe = recipes / f"{name}.toml"
        folder = runs / run_name(recipe, seed, protocol)
        if _finished(folder):
            continue
        say(f"Run {number} of {len(RUNS)}: {folder.name}")
        train_recipe(recipe, folder, seed, protocol)
        trained.append(folder)
    return trained


def restore_results(results: Path, runs: Path) -> None:
    """Put kept results of other computers into ``runs`` where no run of that name is; weights as ``best.pt``."""
    for kept_result in sorted(path for path in results.glob("*") if path.is_dir()):
        folder = runs / kept_result.name
        if folder.exists():
            continue
        shutil.copytree(kept_result, folder)
        if (folder / "float16.pt").is_file():
            shutil.copyfile(folder / "float16.pt", folder / "best.pt")


def _finished(folder: Path) -> bool:
    if not any((folder / name).is_file() for name in ("best.pt", "val_logits.npz")):
        return False
    done, epochs = progress(folder)
    return done == epochs
