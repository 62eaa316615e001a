"""What was measured of the explanation methods, on the page about the model and beside each map."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import published_figures
from skinlens.evaluation.model_randomization import STAGES
from skinlens.explain import METHODS
from skinlens.inference.release import load_manifest
from skinlens.labels import CODES
from skinlens.records import ModelRef
from skinlens.ui.performance import explanations
from tests.app.conftest import topic, turn, words

ONE: dict[str, Any] = {
    **{
        figure: {"value": 0.31, "low": 0.22, "high": 0.4}
        for figure in ("gain_over_random", "relevance_mass", "area", "relevance_mass_over_area", "pointing_game")
    },
    "per_class": {code: {"n": 2, "relevance_mass": 0.62, "area": 0.3, "pointing_game": 0.5} for code in CODES},
    "model_randomization": [
        {"stage": stage, "spearman_median": 0.2, "quarter": 0.1, "three_quarters": 0.3} for stage in STAGES
    ],
    "float": {"spearman_median": 0.991, "spearman_worst": 0.95},
    "verdicts": {"faithful": True, "focused": True, "learned": True, "quantized": True},
}


@pytest.fixture
def measured(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """As the command writes it, for the tiny release; Score-CAM fails one test."""
    methods = {method: deepcopy(ONE) for method in METHODS}
    methods["score_cam"]["verdicts"]["learned"] = False
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    content = {
        "n": 14,
        "classes": dict.fromkeys(CODES, 2),
        "methods": methods,
        "agreement": [{"methods": ["grad_cam", "lime"], "spearman": figure, "hottest_iou": figure}],
        "networks": {"photos": 2, "stages": list(STAGES)},
        "model": {"sha256": load_manifest(release).model_ref().sha256},
    }
    path = tmp_path / "explanations-val.json"
    path.write_text(json.dumps(content))
    monkeypatch.setattr(published_figures, "weights_directory", lambda: tmp_path)
    return content


def test_the_page_says_what_may_be_concluded(agreed: AppTest, measured: dict[str, Any]) -> None:
    turn(agreed, "performance")
    topic(agreed, "Maps")
    assert not agreed.exception
    text = words(agreed)
    assert "Tested on 14 validation photos" in text
    assert "Score-CAM fails: its maps look much the same on a network that has learned nothing." in text
    assert "The model follows the maps of all three methods." in text
    assert "depend on what was learned." not in text
    assert "62\u00a0%, 50\u00a0%" in text
    assert "0.991" in text


def test_without_a_measurement_of_this_model_it_says_so(agreed: AppTest, measured: dict[str, Any]) -> None:
    measured["model"]["sha256"] = "f" * 64
    (published_figures.weights_directory() / published_figures.EXPLANATIONS).write_text(json.dumps(measured))
    turn(agreed, "performance")
    topic(agreed, "Maps")
    assert not agreed.exception
    assert "were not tested on this model yet" in words(agreed)


def test_a_method_that_was_not_measured_is_named_and_keeps_nothing_else_from_the_page(
    agreed: AppTest, measured: dict[str, Any]
) -> None:
    """As after a method was added: its measurement is the last thing that is made."""
    del measured["methods"]["lime"]
    measured["agreement"] = []
    (published_figures.weights_directory() / published_figures.EXPLANATIONS).write_text(json.dumps(measured))
    turn(agreed, "performance")
    topic(agreed, "Maps")
    assert not agreed.exception
    text = words(agreed)
    assert "What could be measured passes. Not tested yet: LIME." in text
    assert "Score-CAM fails: its maps look much the same on a network that has learned nothing. Not tested" in text
    assert "all three methods" not in text
    model = ModelRef("tiny", "0", measured["model"]["sha256"])
    assert explanations.remarks("lime", model) == ()


def test_a_failing_method_says_so_beside_its_map(release: Path, measured: dict[str, Any]) -> None:
    model = load_manifest(release).model_ref()
    assert explanations.remarks("grad_cam", model) == ()
    (remark,) = explanations.remarks("score_cam", model)
    assert remark == "Caution: its maps look much the same on a network that has learned nothing."
    assert explanations.remarks("score_cam", ModelRef("other", "0", "f" * 64)) == ()
