"""One training run by its recipe file: the data that it asks for, its folder, and the loop or the search."""

import json
from dataclasses import replace
from pathlib import Path

from skinlens.training.distributed import process_group
from skinlens.training.grid_search import search
from skinlens.training.ham10000 import dataset_folder, load_index
from skinlens.training.loop import train
from skinlens.training.protocols import PAPER_ENDING, Protocol, paper_split
from skinlens.training.recipe import Recipe, Search, checked, load_recipe
from skinlens.training.sources import keep_lists, with_sources


def run_name(recipe: Path, seed: int | None, protocol: Protocol) -> str:
    """Name of a run's folder under ``runs/``."""
    return recipe.stem + ("" if seed is None else f"-seed{seed}") + (PAPER_ENDING if protocol == "paper" else "")


def run_settings(recipe: Path, seed: int | None, protocol: Protocol) -> Recipe:
    """Settings of a run: those of its recipe file, with its seed and its protocol's epochs. Raises RecipeError."""
    settings = load_recipe(recipe)
    epochs = settings.paper_epochs or settings.epochs if protocol == "paper" else settings.epochs
    return checked(replace(settings, seed=settings.seed if seed is None else seed, epochs=epochs), str(recipe))


def train_recipe(recipe: Path, run: Path, seed: int | None = None, protocol: Protocol = "lesion") -> Path | None:
    """Run or resume a recipe in the folder ``run``; needs the setting SKINLENS_HAM10000.

    Args:
        recipe: The TOML file.
        run: Folder of the run.
        seed: In the place of the recipe's.
        protocol: ``paper`` for the paper's own split, which leaks.

    Returns:
        The best weights, or the result of a search; None in every process of a group but the main one.

    Raises:
        DatasetError: photos or labels are missing.
        RecipeError: the recipe cannot be read, or ``run`` holds a run of another one.
        WeightsError: the initial weights are not installed.
    """
    settings, folder = run_settings(recipe, seed, protocol), dataset_folder()
    parts = [load_index(folder, part) for part in ("train", "val", "test")]
    if protocol == "paper":
        data = paper_split([entry for part in parts for entry in part], settings)
    else:
        data = with_sources(parts[0], parts[1], settings, recipe.parent)
        keep_lists(settings, recipe.parent, run)
    with process_group() as world:
        if settings.search == Search():
            best = train(settings, data, run, world)
            return best if world.is_main_process else None
        result = search(settings, data, run, world)
        if not world.is_main_process:
            return None
        (run / "search.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        return run / "search.json"
