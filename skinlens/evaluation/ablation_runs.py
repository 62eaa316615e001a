"""Runs of the ablation table's reduced form: trained where they are missing, first seeds first.

The second teacher was trained on a GPU and is kept in ``recipes/results``; its weights are put into ``runs`` first.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

from skinlens.errors import RecipeError, WeightsError
from skinlens.evaluation.ablation import run_state
from skinlens.formatting import counted
from skinlens.terminal import Say
from skinlens.training.checkpoints import PREDICTIONS
from skinlens.training.ham10000 import Entry, dataset_folder
from skinlens.training.protocols import Protocol, protocol_of
from skinlens.training.recipe import Recipe, load_recipe
from skinlens.training.run import run_name, run_settings, train_recipe
from skinlens.training.sources import check_names, load_source, load_sources, source_name

TEACHERS = "runs"
"""Folder in which the recipes name their teachers."""
SECOND_TEACHER = "companion"
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
    Run("leak_long"),
    Run("leak_long", protocol="paper"),
    Run("sources"),
    Run("robust"),
)


def train_missing(recipes: Path, runs: Path, say: Say = print) -> list[Path]:
    """Train every run of ``RUNS`` that is not finished; returns the folders that were trained.

    All that a later run needs is looked at before the first one begins: it would stop after hours otherwise.

    Raises:
        DatasetError: HAM10000 or a source is missing.
        RecipeError: a recipe cannot be read, ``runs`` is not the folder that the recipes name, or a folder in it holds
            no run, or one of another recipe.
        WeightsError: see ``train_recipe``.
    """
    if runs.resolve() != Path(TEACHERS).resolve():
        raise RecipeError(
            f"The recipes look for their teachers in {Path(TEACHERS).resolve()}, and the runs would be trained in "
            f"{runs}. Call this in the folder that holds {TEACHERS}/, without --runs."
        )
    settings = {run: run_settings(recipes / f"{run.recipe}.toml", run.seed, run.protocol) for run in RUNS}
    dataset_folder()
    for recipe in settings.values():
        load_sources(recipe.sources, recipes)
    restore_results(recipes / "results", runs)
    if not finished(runs / SECOND_TEACHER):
        raise RecipeError(
            f"{runs / SECOND_TEACHER} is not a finished run: the distilled rows learn from it. Finish it, or move it "
            "away, and the one that is kept in recipes/results takes its place."
        )
    missing = [run for run in RUNS if not finished(folder_of(runs, run), settings[run])]
    asked = {settings[run].distillation.teacher for run in missing}
    missing = [run for run in RUNS if run in missing or _is_without_weights(folder_of(runs, run), asked)]
    if missing:
        say(f"{counted(len(missing), 'run')} to train: {', '.join(folder_of(runs, run).name for run in missing)}.")
    for number, run in enumerate(missing, 1):
        say(f"Run {number} of {len(missing)}: {folder_of(runs, run).name}")
        train_recipe(recipes / f"{run.recipe}.toml", folder_of(runs, run), run.seed, run.protocol)
    return [folder_of(runs, run) for run in missing]


def other_clinics(recipes: Path) -> dict[str, list[Entry]]:
    """Photos that validate beside ``val``, by the name of their source, as the recipes of ``RUNS`` say.

    Raises:
        DatasetError: a source is missing, or two that are not alike have one name.
        RecipeError: a recipe cannot be read.
    """
    loaded = [load_recipe(recipes / f"{run.recipe}.toml") for run in RUNS]
    distinct = dict.fromkeys(source for recipe in loaded for source in recipe.sources if source.validation)
    check_names(tuple(distinct))
    return {source_name(source): load_source(source, recipes)[1] for source in distinct}


def _is_without_weights(folder: Path, asked: set[str]) -> bool:
    """Whether a finished run teaches one that is missing, and its weights were not kept."""
    weights = folder / "best.pt"
    return weights.resolve() in {Path(path).resolve() for path in asked if path} and not weights.is_file()


def folder_of(runs: Path, run: Run) -> Path:
    """Folder of a run."""
    return runs / run_name(Path(run.recipe), run.seed, run.protocol)


def restore_results(results: Path, runs: Path) -> None:
    """Put kept results of other computers into ``runs`` where no run of that name is; weights as ``best.pt``.

    A copy that was broken off is made again.
    """
    for kept_result in sorted(path for path in results.glob("*") if path.is_dir()):
        folder = runs / kept_result.name
        if any((folder / name).exists() for name in ("best.pt", "checkpoint.pt")):
            continue
        shutil.copytree(kept_result, folder, dirs_exist_ok=True)
        if (kept_result / "float16.pt").is_file():
            shutil.copyfile(kept_result / "float16.pt", folder / "best.part")
            (folder / "best.part").replace(folder / "best.pt")


def finished(folder: Path, settings: Recipe | None = None) -> bool:
    """Whether a run was trained to its end; ``settings``: of which recipe it has to be.

    Raises:
        RecipeError: the folder holds something else, or a run of another recipe.
    """
    if not folder.exists() or not any((folder / name).is_file() for name in ("best.pt", PREDICTIONS)):
        return False
    try:
        state = run_state(folder)
        recipe = state.recipe
    except (RecipeError, WeightsError) as problem:
        raise RecipeError(f"{folder} cannot be read as a run: {problem} Delete it, and it is trained again.") from None
    named = protocol_of(folder, {})
    if settings is not None and (recipe != settings or state.protocol != named):
        raise RecipeError(f"{folder} is a run with other settings than its recipe has now. Delete it or move it away.")
    return state.done == state.epochs
