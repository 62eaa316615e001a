"""A recipe that is wrong says where."""

from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from skinlens.errors import RecipeError
from skinlens.training.recipe import (
    RANGES,
    Distillation,
    Recipe,
    Search,
    SizeStep,
    Source,
    Weights,
    load_recipe,
    recipe_from_dict,
)

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
        ("epochs = 0", r"epochs must lie in \[1, 100000\], found 0"),
        ("learning_rate = -1e-3", r"learning_rate must lie in \(0, 1000\], found -0\.001"),
        ("learning_rate = inf", r"learning_rate must lie in \(0, 1000\], found inf"),
        ("class_balance_power = nan", r"class_balance_power must lie in \[0, 2\], found nan"),
        ("warm_up = 1.0", r"warm_up must lie in \[0, 1\), found 1\.0"),
        ("warm_up = 5.0", r"warm_up must lie in \[0, 1\), found 5\.0"),
        ("ema_decay = 2.0", r"ema_decay must lie in \[0, 1\], found 2\.0"),
        ("ema_decay = -1.0", r"ema_decay must lie in \[0, 1\], found -1\.0"),
        ("label_smoothing = 3.0", r"label_smoothing must lie in \[0, 1\), found 3\.0"),
        ("frozen_stages = 99", r"frozen_stages must lie in \[0, 7\], found 99"),
        ("seed = 9223372036854775807", r"seed must lie in \[0, 9e\+12\], found 9223372036854775807"),
        (f"weight_decay = 1{'0' * 400}", r"weight_decay must be of the kind of 0\.02 \(float\), found 1000"),
        ("[distillation]\ntemperature = 0.0", r"\[distillation\]: temperature must lie in \(0, 1000\], found 0\.0"),
        ("[augmentation]\nscale_low = -1.0", r"\[augmentation\]: scale_low must lie in \(0, 10\], found -1\.0"),
        ("[augmentation]\nscale_low = 2.0", r"scale_low must be at most scale_high, found 2\.0 and 1\.05"),
        ("[acquisition]\njpeg_low = 96", r"\[acquisition\]: jpeg_low must be at most jpeg_high, found 96 and 95"),
        ("[input]\ndetail_px = 0", r"\[input\]: detail_px must lie in \[8, 100000\], found 0"),
        ("[input]\nsize_px = 33", "size_px must be a multiple of 32 for a student, found 33"),
        ("[[progressive]]\nepochs = 1\nsize_px = 65", "size_px must be a multiple of 32 for a student, found 65"),
        ("[[progressive]]\nepochs = 1", r"\[\[progressive\]\]: size_px must lie in \[32, 4096\], found 0"),
        ("[teacher]\nvit_px = 200", r"\[teacher\]: vit_px must be a multiple of 14, found 200"),
        ("[input]\nstd = [0, 1, 1]", r"std must lie in \(0, 1\], found 0\.0"),
        ("[input]\nmean = ['a', 'b', 'c']", "mean must be of the kind of 0.5 .float., found 'a'"),
        ("sources = ['a']", r"\[\[sources\]\]: expected a table of fields and values, found 'a'"),
        ("[sources]\nfolder = 'a'", r"sources must be a list, found \{'folder': 'a'\}"),
        ("[[sources]]\nname = 'a'", r"\[\[sources\]\]: folder is missing"),
        (
            "[[sources]]\nfolder = 'a'\nclasses = [['mel']]",
            r"classes must be of the kind of '' \(str\), found \['mel'\]",
        ),
        (
            "[search]\ntemperatures = ['a']",
            r"\[search\]: temperatures must be of the kind of 1\.0 \(float\), found 'a'",
        ),
        ("[search]\ntemperatures = [0]", r"\[search\]: temperatures must lie in \(0, 1000\], found 0\.0"),
        ("[search]\nweights = [1]", r"\[search\] \[\[weights\]\]: expected a table of fields and values, found 1"),
        ("[[distillation.weights]]\nlogit = 0.3", r"\[weights\]: expected a table of fields and values, found \["),
        ("extends = ''", "extends must name another|No recipe can be read at"),
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


@pytest.mark.parametrize("content", [b"epochs = 1 # \xe9", b"\xff\xfee\x00", b"a = " + b"[" * 100_000])
def test_what_is_no_text_of_tables_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wrong.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"wrong\.toml is not valid TOML: .*\. Expected a text file in UTF-8\."):
        load_recipe(path)
    path.write_bytes(b"\xef\xbb\xbfepochs = 3")  # as Windows' editor writes it
    assert load_recipe(path).epochs == 3


def test_recipes_that_extend_each_other_are_named(tmp_path: Path) -> None:
    for name, base in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.toml").write_text(f"extends = '{base}.toml'")
    with pytest.raises(RecipeError, match=r"c\.toml: extends must name another recipe .* found 'a\.toml'"):
        load_recipe(tmp_path / "a.toml")


def test_every_number_of_a_recipe_has_a_range_that_holds_its_default() -> None:
    tables: list[Any] = [Recipe(name="x", sources=(Source("a"),), search=Search((1.0,), (Weights(),)))]
    for table in tables:
        for name, value in ((setting.name, getattr(table, setting.name)) for setting in fields(table)):
            for item in value if isinstance(value, tuple) else (value,):
                if is_dataclass(item):
                    tables.append(item)
                elif type(item) in {int, float}:
                    assert RANGES[name].holds(item), name
    assert set(RANGES) >= {setting.name for setting in fields(SizeStep)}


def test_a_checkpoint_is_read_whatever_its_values_are() -> None:
    """Also one of a version that refused less: its figures are still shown."""
    recipe = Recipe(name="old", warm_up=1.0, ema_decay=1.5, frozen_stages=99)
    assert recipe_from_dict(asdict(recipe)) == recipe


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
