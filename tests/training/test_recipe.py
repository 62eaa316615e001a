"""A recipe that is wrong says where."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from skinlens.errors import RecipeError
from skinlens.training.recipe import Distillation, Recipe, SizeStep, load_recipe, recipe_from_dict

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.rglob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_loads_and_survives_a_checkpoint(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe_from_dict(asdict(recipe)) == recipe


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epoks = 3", r"unknown field 'epoks'\. Known here: .*epochs"),
        ("epochs = 'many'", r"epochs must be of the kind of 16 \(int\), found 'many'"),
        ("epochs = 0", "epochs must be more than 0, found 0"),
        ("learning_rate = -1e-3", r"learning_rate must be more than 0, found -0\.001"),
        ("epochs = 2.5", r"epochs must be of the kind of 16 \(int\), found 2\.5"),
        ("compile = 1", "compile must be of the kind of True"),
        ("[augmentation]\nhues = 1", r"\[augmentation\]: unknown field 'hues'"),
        ("[student]\ncnn_channels = [1, 2, 3]", "cnn_channels must be of the kind of"),
        ("epochs =", "is not valid TOML"),
        ("[[sources]]\nfolders = 'a'", r"\[\[sources\]\]: unknown field 'folders'"),
        (
            "[[sources]]\nfolder = 'a'\nclasses = ['mel', 'scc']",
            r"classes must be some of akiec, .*found \['mel', 'scc'\]",
        ),
        ("[[progressive]]\nepochs = 'x'", r"\[\[progressive\]\]: epochs must be of the kind of 0"),
    ],
)
def test_a_wrong_recipe_says_what_and_where(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(content)
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_progressive_sizes_by_epoch() -> None:
    recipe = Recipe(name="x", epochs=6, progressive=(SizeStep(2, 96), SizeStep(1, 128)))
    assert [recipe.size_at(epoch) for epoch in range(6)] == [96, 96, 128, 224, 224, 224]


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="No recipe can be read at"):
        load_recipe(tmp_path / "none.toml")


def test_a_whole_number_may_stand_for_a_fraction(tmp_path: Path) -> None:
    path = tmp_path / "whole.toml"
    path.write_text("weight_decay = 1\n[student]\nfusion = false")
    recipe = load_recipe(path)
    assert recipe == Recipe(name="whole", weight_decay=1.0, student=recipe.student)
    assert isinstance(recipe.weight_decay, float)
    assert not recipe.student.fusion


def test_recipes_and_checkpoints_of_earlier_versions_have_other_names(tmp_path: Path) -> None:
    recipe = Recipe(
        name="old", ema_decay=0.9, class_balance_power=0.25, distillation=Distillation("a/best.pt", "b/best.pt")
    )
    saved = asdict(recipe)
    saved["average_decay"], saved["sampling_power"] = saved.pop("ema_decay"), saved.pop("class_balance_power")
    saved["distillation"]["companion"] = saved["distillation"].pop("second_teacher")
    assert recipe_from_dict(saved) == recipe
    path = tmp_path / "old.toml"
    path.write_text(
        "average_decay = 0.9\nsampling_power = 0.25\n[distillation]\nteacher = 'a/best.pt'\ncompanion = 'b/best.pt'"
    )
    assert load_recipe(path) == replace(recipe, distillation=Distillation("a/best.pt", "b/best.pt"))
