"""The mean of the weights of several runs: what it is, and which runs have none."""

import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from skinlens.errors import RecipeError, WeightsError
from skinlens.networks.student import Student
from skinlens.training.loop import load_student
from skinlens.training.model_soup import average
from skinlens.training.recipe import Recipe
from skinlens.training.tasks import load_network
from tests.faults import files_of_at_most
from tests.tiny_release import RECIPE

pytestmark = pytest.mark.slow


def make_run(folder: Path, recipe: Recipe, seed: int, **changed: object) -> Path:
    torch.manual_seed(seed)
    network = Student(recipe.student).state_dict()
    folder.mkdir()
    torch.save({"recipe": asdict(recipe), "protocol": "lesion", "network": network} | changed, folder / "best.pt")
    return folder


def weights(run: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(run / "best.pt", weights_only=True)["network"])


def test_a_mean_by_hand(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first", RECIPE, 1)
    second = make_run(tmp_path / "second", replace(RECIPE, name="other", epochs=3, seed=2), 2)
    best = average([first, second], [3, 1], tmp_path / "mean")
    name = next(name for name, value in weights(first).items() if value.ndim > 1)
    expected = 0.75 * weights(first)[name] + 0.25 * weights(second)[name]
    assert not torch.equal(weights(first)[name], weights(second)[name])
    torch.testing.assert_close(weights(tmp_path / "mean")[name], expected)
    network, recipe = load_network(best)
    assert recipe == RECIPE
    assert all(value.isfinite().all() for value in network.state_dict().values())
    assert sorted(torch.load(best, weights_only=True)["soup_of"].values()) == [0.25, 0.75]


def test_a_mean_of_one_run_is_that_run(tmp_path: Path) -> None:
    only = make_run(tmp_path / "only", RECIPE, 1)
    average([only], [2], tmp_path / "mean")
    mean = weights(tmp_path / "mean")
    assert all(torch.equal(value, mean[name]) for name, value in weights(only).items())


@pytest.mark.parametrize(
    "shares", [[1.0], [1.0, 0.0], [1.0, -1.0], [], [1.0, math.nan], [math.inf, 1.0], [1e39, 1.0], [1.0, 1e-50]]
)
def test_shares_that_are_none(tmp_path: Path, shares: list[float]) -> None:
    runs = [make_run(tmp_path / name, RECIPE, 1) for name in ("first", "second")]
    with pytest.raises(RecipeError, match=r"for each run one share from 0\.001 to 1000\.0; found"):
        average(runs, shares, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_other_networks_have_no_mean(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first", RECIPE, 1)
    wider = replace(RECIPE, student=replace(RECIPE.student, hidden=16))
    larger = replace(RECIPE, input=replace(RECIPE.input, size_px=96))
    for name, recipe in (("wider", wider), ("larger", larger)):
        other = make_run(tmp_path / name, recipe, 1)
        with pytest.raises(RecipeError, match=f"The network of {other}.*is not of the architecture"):
            average([first, other], [1, 1], tmp_path / "mean")


def test_a_leaky_run_is_not_mixed_in(tmp_path: Path) -> None:
    honest = make_run(tmp_path / "honest", RECIPE, 1)
    leaky = make_run(tmp_path / "leaky", RECIPE, 1, protocol="paper")
    with pytest.raises(RecipeError, match="different protocols"):
        average([honest, leaky], [1, 1], tmp_path / "mean")


def test_no_run_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"best\.pt"):
        average([tmp_path / "nothing"], [1], tmp_path / "mean")


@pytest.mark.parametrize("name", ["best.pt", "checkpoint.pt", "log.jsonl", "val_logits.npz"])
def test_a_run_that_is_there_is_never_overwritten(tmp_path: Path, name: str) -> None:
    run, out = make_run(tmp_path / "run", RECIPE, 1), tmp_path / "mean"
    before = (run / "best.pt").read_bytes()
    with pytest.raises(RecipeError, match=f"{run} holds a run already: .* found best.pt in it"):
        average([run], [1], run)
    assert (run / "best.pt").read_bytes() == before
    out.mkdir()
    (out / name).write_bytes(b"hours of work")
    with pytest.raises(RecipeError, match=f"found {name} in it"):
        average([run], [1], out)
    assert [path.read_bytes() for path in out.iterdir()] == [b"hours of work"]


def test_a_mean_that_cannot_be_written_leaves_no_half(tmp_path: Path) -> None:
    run, out = make_run(tmp_path / "run", RECIPE, 1), tmp_path / "mean"
    with files_of_at_most(4096), pytest.raises(OSError, match="File too large") as refused:
        average([run], [1], out)
    assert refused.value.filename == str(out / "best.pt")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as weights"),
        (b"PK\x03\x04 cut", "cannot be read as weights"),
        ({"weights": 1}, "holds no recipe and no network"),
        ([1], "holds no recipe and no network"),
        ({"recipe": asdict(RECIPE)}, "holds no network"),
        ({"recipe": asdict(RECIPE), "network": {"x": torch.zeros(1)}}, "have no mean"),
    ],
)
def test_a_file_that_is_cut_off_or_no_run_is_named(tmp_path: Path, content: object, message: str) -> None:
    good, bad = make_run(tmp_path / "good", RECIPE, 1), tmp_path / "bad"
    bad.mkdir()
    if isinstance(content, bytes):
        (bad / "best.pt").write_bytes(content)
    else:
        torch.save(content, bad / "best.pt")
    with pytest.raises((RecipeError, WeightsError), match=message) as refused:
        average([good, bad], [1, 1], tmp_path / "mean")
    assert str(bad) in str(refused.value)
    for load in (load_network, load_student):
        with pytest.raises(WeightsError, match=r"cannot be read as weights|holds no|do not fit the recipe"):
            load(bad / "best.pt")


def test_weights_that_diverged_have_no_mean(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", RECIPE, 1, network={"x": torch.tensor([math.nan])})
    with pytest.raises(RecipeError, match="not finite, in x"):
        average([run], [1], tmp_path / "mean")


def test_a_leaky_run_from_before_runs_said_it_is_known_by_its_folder(tmp_path: Path) -> None:
    honest = make_run(tmp_path / "honest", RECIPE, 1)
    leaky = make_run(tmp_path / "hsb-paper", RECIPE, 1, protocol="")
    with pytest.raises(RecipeError, match="different protocols"):
        average([honest, leaky], [1, 1], tmp_path / "mean")
    best = average([leaky], [1], tmp_path / "mean")
    assert torch.load(best, weights_only=True)["protocol"] == "paper"
