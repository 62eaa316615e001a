"""Files of a run: it goes on after a kill to the same end, from the same recipe, photos and labels alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from skinlens.errors import RecipeError
from skinlens.training import checkpoints
from skinlens.training import loop as training
from skinlens.training.photos import PhotoSet
from skinlens.training.protocols import TrainingData
from tests.tiny_release import RECIPE

pytestmark = pytest.mark.slow


def test_another_recipe_does_not_go_on_from_this_checkpoint(photos: TrainingData, tmp_path: Path) -> None:
    training.train(replace(RECIPE, epochs=1), photos, tmp_path)
    with pytest.raises(RecipeError, match="belongs to a run with other settings"):
        training.train(replace(RECIPE, epochs=1, seed=9), photos, tmp_path)


@pytest.mark.parametrize("length", [0, 1000])
def test_a_checkpoint_that_is_not_whole_is_named(photos: TrainingData, tmp_path: Path, length: int) -> None:
    training.train(replace(RECIPE, epochs=1), photos, tmp_path)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(RecipeError, match=r"checkpoint\.pt is not a whole checkpoint .* Delete it"):
        training.train(replace(RECIPE, epochs=2), photos, tmp_path)


def test_a_run_of_an_earlier_version_goes_on(photos: TrainingData, tmp_path: Path) -> None:
    """Its checkpoint has other names for the recipe's fields and for a part of the state."""
    recipe = replace(RECIPE, epochs=1)
    training.train(recipe, photos, tmp_path)
    path = tmp_path / "checkpoint.pt"
    saved = torch.load(path, weights_only=True)
    saved["learner"] = saved.pop("task")
    del saved["data_sha256"]
    for old, new in (("average_decay", "ema_decay"), ("sampling_power", "class_balance_power")):
        saved["recipe"][old] = saved["recipe"].pop(new)
    saved["recipe"]["distillation"]["companion"] = saved["recipe"]["distillation"].pop("second_teacher")
    torch.save(saved, path)
    best = training.train(recipe, photos, tmp_path)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1, "it is done, and no epoch is added"
    assert training.load_student(best)[1] == recipe
    state = training._initial_state(recipe, torch.device("cpu"), 1)
    origin = checkpoints.Origin.of(recipe, photos, {})
    assert [line["epoch"] for line in checkpoints.restore(tmp_path, origin, state)] == [1]


def darker(photos: PhotoSet) -> PhotoSet:
    return replace(photos, groups=tuple(group // 2 for group in photos.groups))


@pytest.mark.parametrize(
    "changed",
    [
        lambda data: replace(data, train_labels=np.roll(data.train_labels, 1)),
        lambda data: replace(data, train_images=darker(data.train_images)),
        lambda data: replace(data, val_labels=np.roll(data.val_labels, 1)),
        lambda data: replace(data, val_images=data.val_images // 2),
    ],
    ids=["labels", "photos", "labels of val", "photos of val"],
)
def test_other_photos_or_labels_do_not_go_on_from_a_checkpoint(
    photos: TrainingData, tmp_path: Path, changed: Callable[[TrainingData], TrainingData]
) -> None:
    training.train(replace(RECIPE, epochs=1), photos, tmp_path)
    with pytest.raises(RecipeError, match="on other photos or labels than those that are there now"):
        training.train(replace(RECIPE, epochs=1), changed(photos), tmp_path)


def test_another_teacher_does_not_go_on_from_a_checkpoint(photos: TrainingData) -> None:
    first, second = (checkpoints.Origin.of(RECIPE, photos, {"teacher_sha256": digit * 64}) for digit in "ab")
    first.must_be_that_of(first.content(), Path("checkpoint.pt"))
    with pytest.raises(RecipeError, match="with another teacher than the one that is there now"):
        first.must_be_that_of(second.content(), Path("checkpoint.pt"))
    earlier = {name: value for name, value in second.content().items() if name != "teacher_sha256"}
    first.must_be_that_of(earlier, Path("checkpoint.pt"))  # of a version that did not say it


class KilledError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("last_step", ["write_predictions", "save", "write_log"])
def test_a_run_that_is_killed_while_it_saves_ends_with_the_files_of_one_that_was_not(
    photos: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last_step: str
) -> None:
    recipe = replace(RECIPE, epochs=2)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    training.train(recipe, photos, whole)

    def killed(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr(checkpoints, last_step, killed)
    with pytest.raises(KilledError):
        training.train(recipe, photos, broken)
    monkeypatch.undo()
    training.train(recipe, photos, broken)
    assert [line | {"seconds": 0} for line in log(broken)] == [line | {"seconds": 0} for line in log(whole)]
    answers = [np.load(run / checkpoints.PREDICTIONS, allow_pickle=False)["logits"] for run in (whole, broken)]
    np.testing.assert_array_equal(*answers)
    networks = [torch.load(run / "best.pt", weights_only=True)["network"] for run in (whole, broken)]
    assert all(torch.equal(value, networks[1][name]) for name, value in networks[0].items())
    assert not list(broken.glob("*.part"))


def log(run: Path) -> list[checkpoints.EpochLog]:
    return list(map(json.loads, (run / checkpoints.LOG).read_text().splitlines()))


def test_a_log_that_lacks_the_last_epoch_is_completed_from_the_checkpoint(photos: TrainingData, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    training.train(recipe, photos, tmp_path)
    expected = (tmp_path / checkpoints.LOG).read_text()
    (tmp_path / checkpoints.LOG).write_text("")
    training.train(recipe, photos, tmp_path)
    assert (tmp_path / checkpoints.LOG).read_text() == expected


def test_two_trainings_do_not_share_a_folder(photos: TrainingData, tmp_path: Path) -> None:
    with checkpoints.run_lock(tmp_path), pytest.raises(RecipeError, match="Another process is training in"):
        training.train(replace(RECIPE, epochs=1), photos, tmp_path)
    training.train(replace(RECIPE, epochs=1), photos, tmp_path)
    with checkpoints.run_lock(tmp_path), checkpoints.run_lock(tmp_path, wanted=False):
        assert (tmp_path / "best.pt").is_file()
