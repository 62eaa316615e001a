"""Runs that cannot be read, or are of another protocol than their folder says: left out with a word."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from skinlens.errors import RecipeError
from skinlens.evaluation.ablation import _search, measure, run_finished, run_state
from skinlens.evaluation.ablation_rows import Row
from skinlens.evaluation.ablation_runs import finished
from skinlens.training.checkpoints import PREDICTIONS, write_predictions
from skinlens.training.protocols import Protocol
from tests.tiny_release import RECIPE

pytestmark = pytest.mark.slow  # imports torch

SETTINGS = replace(RECIPE, name="hsb", epochs=1)


def make_run(folder: Path, **more: object) -> Path:
    folder.mkdir()
    torch.save({"recipe": asdict(SETTINGS), "network": {}, **more}, folder / "best.pt")
    (folder / "log.jsonl").write_text("{}\n")
    return folder


def make_answers(folder: Path) -> Path:
    folder.mkdir()
    write_predictions(folder / PREDICTIONS, SETTINGS, np.zeros((2, 7), np.float32), np.zeros(2, np.int64))
    (folder / "log.jsonl").write_text("{}\n")
    return folder


def spoil(case: str, runs: Path) -> str:
    """Make a run that has this fault; returns what is said of it."""
    run = make_answers(runs / "hsb") if "answers" in case else make_run(runs / "hsb")
    whole = run / (PREDICTIONS if "answers" in case else "best.pt")
    match case:
        case "cut weights" | "cut answers":
            whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        case "empty weights" | "empty answers":
            whole.write_bytes(b"")
        case "changed answers":  # the archive opens, and a part of it is not what was written
            content = whole.read_bytes()
            whole.write_bytes(content.replace(b"{'descr'", b"{'xxxxx'", 1))
        case "foreign answers":
            np.savez(whole, other=np.zeros(1))
        case "foreign weights":
            torch.save([1], whole)
            return f"{whole} holds no recipe"
        case "other weights":
            return "do not fit the recipe that stands beside them"
        case "weights, no log":
            (run / "log.jsonl").unlink()
            return f"How far {run} is cannot be told"
    return f"{whole} cannot be read as weights" if whole.suffix == ".pt" else f"{whole} is not the whole file of a run"


@pytest.mark.parametrize(
    "case",
    [
        *("cut weights", "empty weights", "foreign weights", "other weights", "weights, no log"),
        *("cut answers", "empty answers", "changed answers", "foreign answers"),
    ],
)
def test_a_run_that_is_half_there_is_left_out_with_a_word(tmp_path: Path, case: str) -> None:
    words, said = spoil(case, tmp_path), list[str]()
    assert measure(Row("hsb", "HSB"), tmp_path, "lesion", {"val": []}, said.append) is None
    assert f"HSB: {tmp_path / 'hsb'}, left out: " in said[-1]
    assert words in said[-1]


@pytest.mark.parametrize(
    ("name", "mark", "protocol"),
    [("hsb", "paper", "lesion"), ("hsb-paper", "lesion", "paper")],
)
def test_a_run_of_the_other_protocol_is_not_in_the_table_of_this_one(
    tmp_path: Path, name: str, mark: str, protocol: Protocol
) -> None:
    said: list[str] = []
    run = make_run(tmp_path / name, protocol=mark)
    assert run_finished("HSB", run, protocol, {"val": []}, said.append) is None
    assert said == [
        f"HSB: {run}, left out: it was trained under the protocol {mark}, and its folder's name says {protocol}. "
        "Rename it"
    ]
    with pytest.raises(RecipeError, match="other settings than its recipe"):
        finished(run, SETTINGS)


def test_a_run_from_before_runs_said_their_protocol_counts_by_its_folder(tmp_path: Path) -> None:
    assert run_state(make_run(tmp_path / "hsb")).protocol == "lesion"
    assert run_state(make_run(tmp_path / "hsb-paper")).protocol == "paper"
    assert finished(tmp_path / "hsb", SETTINGS)


def test_the_result_of_a_search_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / "search.json"
    assert _search(path, said.append) is None
    assert said == []
    path.write_text('{"rows": [')
    assert _search(path, said.append) is None
    assert said[0].startswith(f"{path}, left out: ")
    path.write_text(json.dumps({"rows": []}))
    assert _search(path, said.append) == {"rows": []}
