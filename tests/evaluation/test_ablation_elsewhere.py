"""Rows of the ablation on photos of other clinics: measured from the weights, merged with earlier ones, and shown."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skinlens import metrics
from skinlens.evaluation.ablation import run_model
from skinlens.evaluation.ablation_elsewhere import measure_elsewhere, merge_previous
from skinlens.evaluation.ablation_rows import scaled
from skinlens.training.loop import train
from skinlens.training.protocols import lesion_disjoint_split
from tests.tiny_release import RECIPE, draw_dataset

pytestmark = pytest.mark.slow


def test_each_row_with_weights_is_measured_and_compared(tmp_path: Path) -> None:
    entries = {part: draw_dataset(tmp_path / part, seed, 2) for seed, part in enumerate(("train", "val", "test"))}
    theirs = draw_dataset(tmp_path / "theirs", 9, 3)
    runs, recipe = tmp_path / "runs", replace(RECIPE, name="hsb", epochs=1)
    data = lesion_disjoint_split(entries["train"], entries["val"], recipe)
    train(recipe, data, runs / "hsb-seed1")
    shutil.copytree(runs / "hsb-seed1", runs / "hsb-seed2")
    train(replace(recipe, name="kd_single", seed=5), data, runs / "kd_single")
    shutil.copytree(runs / "kd_single", runs / "kd_multi")
    (runs / "kd_multi" / "best.pt").unlink()  # its answers to val alone were kept
    said: list[str] = []
    found = measure_elsewhere(runs, entries, {"theirs": theirs}, 20, said.append)["theirs"]
    assert said == ["Photos of other clinics: theirs, 21 photos"]
    assert (found["n"], found["melanomas"], set(found["rows"])) == (21, 3, {"hsb", "kd_single"})
    assert len(found["rows"]["hsb"]["seeds"]) == 2
    auc = {}
    for name, folder in (("hsb", "hsb-seed1"), ("kd_single", "kd_single")):
        asked = run_model(runs / folder, "lesion", {**entries, "val": theirs})
        auc[name] = metrics.melanoma_auc(asked.truth, scaled(asked.logits, asked.truth))
        assert found["rows"][name]["melanoma_auc"]["value"] == pytest.approx(auc[name])
    (difference,) = found["differences"]
    assert (difference["of"], difference["minus"]) == ("kd_single", "hsb")
    assert difference["figures"]["melanoma_auc"]["value"] == pytest.approx(auc["kd_single"] - auc["hsb"])


def test_earlier_rows_stay_and_their_differences_only_among_themselves() -> None:
    def pair(of: str, minus: str, value: float) -> dict[str, Any]:
        return {"of": of, "minus": minus, "figures": value}

    before = {
        "n": 5,
        "rows": {"a": 1, "b": 2, "c": 3},
        "differences": [pair("a", "b", 1), pair("b", "c", 2), pair("a", "c", 3)],
    }
    result = {"theirs": {"n": 5, "rows": {"a": 9}, "differences": []}}
    merge_previous(result, {"theirs": before, "others": before})
    assert result["theirs"] == {"n": 5, "rows": {"a": 9, "b": 2, "c": 3}, "differences": [pair("b", "c", 2)]}
    assert result["others"] == before
    fewer: dict[str, Any] = {"theirs": {"n": 4, "rows": {"a": 9}, "differences": []}}
    merge_previous(fewer, {"theirs": before})
    assert fewer["theirs"]["rows"] == {"a": 9}
