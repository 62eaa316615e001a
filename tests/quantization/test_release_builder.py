"""Which quantized file becomes the release."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from skinlens.errors import RecipeError, WeightsError
from skinlens.inference.release import load_engine
from skinlens.quantization import release_builder
from skinlens.quantization.release_builder import (
    Quantized,
    export,
    fastest_that_agrees,
    fitted_ood,
    run_on,
    teachers,
)
from skinlens.training.ham10000 import Entry, ImageSet
from skinlens.training.recipe import Recipe

pytestmark = pytest.mark.slow  # imports torch

FLOAT = 0.740


def trial(layers: int, agreement: float, accuracy: float, error: float = 0.03) -> dict[str, object]:
    return {
        "float_layers": ["x"] * layers,
        "top1_agreement": agreement,
        "balanced_accuracy": accuracy,
        "logit_mean_abs": error,
    }


@pytest.mark.parametrize(
    ("tried", "chosen"),
    [
        ([trial(2, 0.986, 0.735), trial(4, 0.990, 0.738)], 0),  # close to the best: fewer float layers
        ([trial(2, 0.984, 0.735), trial(4, 0.990, 0.738)], 1),  # agrees too little
        ([trial(2, 0.989, 0.729), trial(4, 0.990, 0.738)], 1),  # loses more than a point of balanced accuracy
        ([trial(2, 0.986, 0.735), trial(2, 0.987, 0.731)], 1),  # as many: the better agreement
        ([trial(2, 0.986, 0.735, 0.04), trial(2, 0.986, 0.735, 0.03)], 1),  # and then the smaller error
        ([trial(2, 0.989, 0.700), trial(4, 0.990, 0.710), trial(3, 0.980, 0.725)], 1),  # none keeps its accuracy
    ],
)
def test_the_fastest_file_that_agrees(tried: list[dict[str, object]], chosen: int) -> None:
    assert fastest_that_agrees(tried, FLOAT) == chosen


def test_a_release_names_the_files_that_its_student_learned_from(tmp_path: Path) -> None:
    best = tmp_path / "best.pt"
    torch.save({"network": {}, "teacher_sha256": "ab", "second_teacher_sha256": "cd"}, best)
    assert teachers(best) == {"teacher": "ab", "second_teacher": "cd"}
    torch.save({"network": {}, "teacher_sha256": "ab", "companion_sha256": "cd"}, best)
    assert teachers(best) == {"teacher": "ab", "second_teacher": "cd"}, "as versions up to 0.4.0 named it"
    torch.save({"network": {}, "teacher_sha256": "ab", "companion_sha256": ""}, best)
    assert teachers(best) == {"teacher": "ab"}
    torch.save({"network": {}}, best)
    assert teachers(best) == {}


def test_photos_of_a_recipes_sources_are_familiar(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos of a source are another world than HAM10000's: they pass because the fit and the limit have seen some."""
    engine, draw = load_engine(release), np.random.default_rng(1)
    size = engine.spec.size_px

    def part(level: int) -> ImageSet:
        images = draw.normal(level, 12, (30, size, size, 3)).clip(0, 255).astype(np.uint8)
        return ImageSet(images, np.zeros(30, dtype=np.int64))

    def entries(title: str) -> list[Entry]:
        return [Entry(title, Path(title), 0)]

    parts = {"train": part(200), "val": part(200), "source": part(60), "source val": part(60)}
    monkeypatch.setattr(release_builder.ImageSet, "of", lambda listed, spec: parts[listed[0].image_id])
    outputs = run_on(engine, parts["val"], "val")
    served = Quantized(engine, outputs, outputs.logits)
    recipe = Recipe(name="two sources", input=engine.spec)
    strange = run_on(engine, parts["source val"], "source").pooled[0]
    with_source = fitted_ood(served, recipe, parts["train"], [(entries("source"), entries("source val"))])
    without = fitted_ood(served, recipe, parts["train"], [])
    assert with_source.distance(strange) <= with_source.limit
    assert without.distance(strange) > without.limit


@pytest.mark.parametrize(("name", "mark"), [("hsb", {"protocol": "paper"}), ("hsb-paper", {})])
def test_a_run_that_learned_from_copies_of_what_measures_it_is_no_release(
    tmp_path: Path, name: str, mark: dict[str, str]
) -> None:
    """What its weights say counts; of a run from before they said it, the name of its folder."""
    (tmp_path / name).mkdir()
    torch.save({"recipe": asdict(Recipe(name="hsb")), "network": {}, **mark}, tmp_path / name / "best.pt")
    with pytest.raises(RecipeError, match=f"{tmp_path / name} was trained under the paper's protocol"):
        export(tmp_path / name, [], [], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_that_are_cut_off_are_named(tmp_path: Path) -> None:
    (tmp_path / "best.pt").write_bytes(b"PK")
    with pytest.raises(WeightsError, match=f"{tmp_path / 'best.pt'} cannot be read as weights"):
        export(tmp_path, [], [], tmp_path / "out")
