"""Batches of a run: the same with and without worker processes, and the same when a run is taken up again."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from skinlens.training import batches
from skinlens.training.distributed import World
from skinlens.training.photos import PhotoSet
from skinlens.training.recipe import Acquisition, Recipe

pytestmark = pytest.mark.slow  # imports torch

RECIPE = Recipe(name="steps", epochs=2, batch_size=4, acquisition=Acquisition(jpeg=0.8, resample=0.5, blur=0.5))


def run_steps(recipe: Recipe = RECIPE) -> batches.RunSteps:
    generator = torch.Generator().manual_seed(1)
    photos = [
        torch.randint(0, 255, (3, 24, side), dtype=torch.uint8, generator=generator) for side in (32, 40, 32, 40) * 2
    ]
    return batches.RunSteps(recipe, PhotoSet.of(photos), torch.ones(len(photos)), World())


def augmented(step: batches.Step) -> torch.Tensor:
    return step.photos.augmented(step.params, replace(RECIPE.input, size_px=16))


@pytest.mark.filterwarnings("ignore:.*pin_memory.*")
def test_worker_processes_prepare_the_same_steps_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(batches.WORKERS, "2")
    alone = list(batches.prepared(run_steps(), 0, torch.device("cpu")))
    beside = list(batches.prepared(run_steps(), 0, torch.device("cuda")))

    assert len(alone) == len(beside) == 4  # two epochs of two steps
    for one, other in zip(alone, beside, strict=True):
        assert torch.equal(one.rows, other.rows)
        assert torch.equal(one.chosen, other.chosen)
        torch.testing.assert_close(augmented(one), augmented(other))


def test_a_resumed_run_goes_on_with_the_steps_of_the_whole_one() -> None:
    whole = list(batches.prepared(run_steps(), 0, torch.device("cpu")))
    resumed = list(batches.prepared(run_steps(), 1, torch.device("cpu")))

    assert [step.chosen.tolist() for step in resumed] == [step.chosen.tolist() for step in whole[2:]]


def test_another_seed_orders_the_same_photos_and_changes_otherwise() -> None:
    first, second = (run_steps(replace(RECIPE, seed=seed)) for seed in (1, 2))

    def epoch(steps: batches.RunSteps) -> list[batches.Step]:
        return list(islice(batches.prepared(steps, 0, torch.device("cpu")), 2))

    mine, theirs = (torch.cat([step.rows for step in epoch(steps)]) for steps in (first, second))
    assert mine.tolist() != theirs.tolist()
    assert sorted(mine.tolist()) == sorted(theirs.tolist()) == list(range(8))
    by_row = []
    for steps in (first, second):
        drawn = torch.cat([augmented(step) for step in epoch(steps)])
        places = torch.cat([step.rows for step in epoch(steps)]).tolist()
        by_row.append(dict(zip(places, drawn, strict=True)))
    for row in range(8):
        torch.testing.assert_close(by_row[0][row], by_row[1][row])


@pytest.mark.parametrize(("setting", "workers"), [("3", 3), ("0", 0)])
def test_the_number_of_workers_is_a_setting(monkeypatch: pytest.MonkeyPatch, setting: str, workers: int) -> None:
    monkeypatch.setenv(batches.WORKERS, setting)
    assert batches.worker_count() == workers


def test_a_seed_orders_an_epoch_as_it_did_when_the_order_was_drawn_from_the_global_generator() -> None:
    """What a run draws behind its order (dropout) begins at the same place too: see ``loop._epoch``."""
    steps = run_steps()
    torch.manual_seed(steps.recipe.seed * 1_000_003 + 1)
    order = torch.randperm(steps.count)

    assert torch.cat([step.rows for step in batches.prepared(steps, 1, torch.device("cpu"))]).tolist() == order.tolist()
