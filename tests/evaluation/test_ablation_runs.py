"""The runs of the table's reduced form: what is missing is trained, and what would stop that is said before."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from skinlens.errors import DatasetError, RecipeError
from skinlens.evaluation import ablation_runs
from skinlens.evaluation.ablation_rows import ROWS
from skinlens.evaluation.ablation_runs import RUNS, SEEDS, STAGES, restore_results, train_missing
from skinlens.training.checkpoints import PREDICTIONS, write_predictions
from skinlens.training.ham10000 import Entry
from skinlens.training.recipe import Recipe, Source, load_recipe
from skinlens.training.sources import load_sources
from tests.tiny_release import RECIPE

pytestmark = pytest.mark.slow


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipes, with a second teacher of one epoch in their results, in a folder to train in."""
    folder = tmp_path / "recipes"
    shutil.copytree(Path("recipes").absolute(), folder, ignore=shutil.ignore_patterns("results"))
    kept = folder / "results" / "companion"
    kept.mkdir(parents=True)
    torch.save({"recipe": asdict(replace(RECIPE, name="companion", epochs=1))}, kept / "float16.pt")
    (kept / "log.jsonl").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ablation_runs, "dataset_folder", lambda: tmp_path)
    monkeypatch.setattr(ablation_runs, "load_sources", lambda sources, recipes: [([], [])] * len(sources))
    return folder


def write_run(folder: Path, recipe: Recipe, epochs: int) -> None:
    """A run that has done so many epochs of its recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"recipe": asdict(recipe)}, folder / "best.pt")
    (folder / "log.jsonl").write_text("{}\n" * epochs)


@pytest.fixture
def asked(recipes: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs that are trained, each in no time."""
    names: list[str] = []

    def trained(path: Path, run: Path, seed: int | None, protocol: str) -> None:
        recipe = load_recipe(path)
        epochs = recipe.paper_epochs if protocol == "paper" else recipe.epochs
        write_run(run, replace(recipe, seed=seed or recipe.seed, epochs=epochs), epochs)
        names.append(run.name)

    monkeypatch.setattr(ablation_runs, "train_recipe", trained)
    return names


def test_what_is_missing_is_trained_first_seeds_first(recipes: Path, asked: list[str]) -> None:
    runs, said = Path("runs"), list[str]()
    settings = {name: load_recipe(recipes / f"{name}.toml") for name in ("kd_single", "hsb")}
    write_run(runs / "kd_single-seed2", replace(settings["kd_single"], seed=2), settings["kd_single"].epochs)
    write_run(runs / "hsb-seed3", replace(settings["hsb"], seed=3), 1)  # under way
    folders = train_missing(recipes, runs, said.append)
    expected = ["teacher_reduced", *(f"{name}-seed{seed}" for seed in SEEDS for name in STAGES)]
    expected += ["leak", "leak-paper", "leak_long", "leak_long-paper", "sources", "robust"]
    expected.remove("kd_single-seed2")
    assert asked == [folder.name for folder in folders] == expected
    assert said[0] == f"{len(expected)} runs to train: {', '.join(expected)}."
    assert said[1] == f"Run 1 of {len(RUNS) - 1}: teacher_reduced"
    assert train_missing(recipes, runs, said.append) == []


def test_other_clinics_are_those_that_a_recipe_validates_on(recipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def both(source: Source, _: Path) -> tuple[list[Entry], list[Entry]]:
        return [], [Entry(source.name, Path("photo.jpg"), 0, "")]

    monkeypatch.setattr(ablation_runs, "load_source", both)
    assert ablation_runs.other_clinics(recipes) == {"isic2017": [Entry("isic2017", Path("photo.jpg"), 0, "")]}
    with (recipes / "leak.toml").open("a") as file:
        file.write("[[sources]]\nfolder = 'b/isic2017'\nvalidation = 'b.txt'\n")
    with pytest.raises(DatasetError, match="found 'isic2017' for 2 sources"):
        ablation_runs.other_clinics(recipes)


def test_a_teacher_whose_weights_were_not_kept_is_trained_again_where_it_is_asked(
    recipes: Path, asked: list[str]
) -> None:
    runs = Path("runs")
    train_missing(recipes, runs)
    asked.clear()
    teacher, logits = runs / "teacher_reduced", np.zeros((1, 7), np.float32)
    write_predictions(
        teacher / PREDICTIONS, load_recipe(recipes / "teacher_reduced.toml"), logits, np.zeros(1, np.int64)
    )
    (teacher / "best.pt").unlink()
    assert train_missing(recipes, runs) == []
    shutil.rmtree(runs / "hsb-seed2")
    assert [folder.name for folder in train_missing(recipes, runs)] == ["hsb-seed2"]
    shutil.rmtree(runs / "kd_multi-seed3")
    assert [folder.name for folder in train_missing(recipes, runs)] == ["teacher_reduced", "kd_multi-seed3"]


def test_a_kept_result_is_put_back_also_after_a_copy_that_was_broken_off(recipes: Path) -> None:
    weights = (recipes / "results" / "companion" / "float16.pt").read_bytes()
    folder = Path("runs") / "companion"
    for half in ((), ("log.jsonl",), ("float16.pt", "log.jsonl")):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in half:
            (folder / name).write_bytes(b"{}\n")
        restore_results(recipes / "results", folder.parent)
        assert (folder / "best.pt").read_bytes() == weights
    (folder / "best.pt").write_bytes(b"mine")
    restore_results(recipes / "results", folder.parent)
    assert (folder / "best.pt").read_bytes() == b"mine"


def spoil(case: str, recipe: Recipe) -> None:
    hsb = Path("runs") / "hsb-seed1"
    match case:
        case "another recipe":
            write_run(hsb, replace(recipe, epochs=8), 8)
        case "second teacher under way":
            write_run(Path("runs") / "companion", replace(recipe, epochs=12), 1)
        case "no log":
            write_run(hsb, recipe, 1)
            (hsb / "log.jsonl").unlink()
        case "no weights":
            write_run(hsb, recipe, 1)
            (hsb / "best.pt").write_bytes(b"x")


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("another recipe", "with other settings than its"),
        ("second teacher under way", "is not a finished run"),
        ("no log", "cannot be read as a run"),
        ("no weights", "cannot be read as a run"),
    ],
)
def test_what_would_stop_it_after_hours_is_said_before_the_first_run(
    recipes: Path, asked: list[str], case: str, message: str
) -> None:
    spoil(case, load_recipe(recipes / "hsb.toml"))
    with pytest.raises(RecipeError, match=message):
        train_missing(recipes, Path("runs"))
    assert asked == []


def test_a_missing_source_or_another_folder_is_said_before_the_first_run(
    recipes: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match="without --runs"):
        train_missing(recipes, Path("elsewhere"))
    monkeypatch.setattr(ablation_runs, "load_sources", load_sources)
    monkeypatch.delenv("SKINLENS_SOURCES", raising=False)
    with pytest.raises(DatasetError, match="SKINLENS_SOURCES"):
        train_missing(recipes, Path("runs"))
    assert asked == []


def test_each_run_of_the_table_has_a_recipe_and_a_row() -> None:
    rows = {row.name for row in ROWS}
    for run in RUNS:
        assert run.recipe in rows
        assert load_recipe(Path("recipes") / f"{run.recipe}.toml").name == run.recipe
