"""The search: every point of the grid once, finished runs are not run again, the best one first."""

from dataclasses import replace
from pathlib import Path

import pytest

from skinlens.training.grid_search import candidates, search
from skinlens.training.protocols import lesion_disjoint_split
from skinlens.training.recipe import Search, Weights, load_recipe
from tests.tiny_release import RECIPE, draw_dataset

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def test_every_point_of_the_grid_once() -> None:
    recipe = load_recipe(ROOT / "recipes" / "search_weights.toml")
    found = candidates(recipe)
    assert len(found) == len(recipe.search.temperatures) * len(recipe.search.weights) == 6
    points = {(one.distillation.temperature, one.distillation.weights) for one in found}
    assert len(points) == len({one.name for one in found}) == 6
    assert (10.0, Weights(0.3, 0.3, 0.4)) in points
    alike = {replace(one, name="", distillation=recipe.distillation) for one in found}
    assert alike == {replace(recipe, name="", search=Search())}


def test_the_best_comes_first_and_nothing_runs_twice(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1, search=Search(temperatures=(2.0, 5.0)))
    data = lesion_disjoint_split(draw_dataset(tmp_path / "a", 1, 2), draw_dataset(tmp_path / "b", 2, 1), recipe)
    found = search(recipe, data, tmp_path / "runs")
    scores = [row["balanced_accuracy"] for row in found["rows"]]
    assert scores == sorted(scores, reverse=True)
    assert {row["temperature"] for row in found["rows"]} == {2.0, 5.0}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("best.pt")}
    assert search(recipe, data, tmp_path / "runs") == found
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("best.pt")} == before
