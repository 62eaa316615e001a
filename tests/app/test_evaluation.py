"""The page about the model with a real evaluation of its model: every section has its chart, captions and tables."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline, published_figures
from skinlens.evaluation.evaluate import evaluate
from skinlens.labels import CODES
from skinlens.ui.performance import curves
from skinlens.ui.performance.page import TOPICS
from tests.app.conftest import read, topic, turn
from tests.tiny_release import draw_dataset

CHARTS = {"Errors": 4, "Subgroups": 1, "Cut-off": 1, "Calibration": 4, "Your practice": 1}
"""Sensitivity, confusion, risk and coverage, foreign pictures; two each of reliability and of lists; the calculator."""


@pytest.fixture(scope="module")
def evaluation(release: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of the tiny release, on drawn photos of two cameras."""
    folder = tmp_path_factory.mktemp("photos")
    rows = [
        f"{one.image_id},L{number // 2},{CODES[one.label]},{'male' if number % 3 else 'female'},rosendahl,val"
        for number, one in enumerate(draw_dataset(folder, 5, 2))
    ]
    labels = folder / "labels.csv"
    labels.write_text("\n".join(["image_id,lesion_id,dx,sex,source,split", *rows]))
    return evaluate(pipeline.load_classifier(release), folder, labels, "val", resamples=20)


@pytest.fixture
def page(agreed: AppTest, evaluation: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr(published_figures, "weights_directory", lambda: tmp_path)
    (tmp_path / "evaluation-val.json").write_text(json.dumps(evaluation))
    return turn(agreed, "performance")


@pytest.mark.parametrize("name", TOPICS)
def test_every_part_has_its_charts(page: AppTest, name: str) -> None:
    topic(page, name)
    assert not page.exception
    assert len(page.get("plotly_chart")) == CHARTS.get(name, 0)
    assert "was not measured" not in read(page)
    assert ("Skin tone: not evaluated." in read(page)) == (name == "Subgroups")


def test_parts_of_the_photos_can_be_chosen(page: AppTest) -> None:
    topic(page, "Subgroups")
    assert page.selectbox(key="model_trait").options == ["Sex", "Clinic and camera"]
    page.selectbox(key="model_trait").set_value("source").run()
    page.selectbox(key="model_part").set_value("accuracy").run()
    assert not page.exception
    assert "a new camera would do" in read(page)


def test_predictive_values_follow_the_slider_and_the_target(page: AppTest) -> None:
    topic(page, "Cut-off")
    before = read(page)
    page.slider(key="prevalence_percent").set_value(40.0).run()
    assert "both where 40.0\u00a0% of the lesions have it" in read(page)
    assert read(page) != before
    page.segmented_control(key="model_target").select("malignant").run()
    assert not page.exception
    assert "both where 20.0\u00a0% of the lesions have it" in read(page)
    assert "(in use)" not in read(page)


def test_an_evaluation_of_another_model_is_not_shown(page: AppTest, evaluation: dict[str, Any], tmp_path: Path) -> None:
    other = {**evaluation, "model": {**evaluation["model"], "sha256": "0" * 64}}
    (tmp_path / "evaluation-val.json").write_text(json.dumps(other))
    for name in ("Subgroups", "Cut-off", "Calibration"):
        topic(page, name)
        assert not page.exception
        assert len(page.get("plotly_chart")) == 0
        assert "This was not measured for this model." in read(page)


# ----------------------------------------------------------------------------------------------------------- charts


def figure(value: float | None) -> dict[str, float | None]:
    return {"value": value, "low": None if value is None else 0.25, "high": None if value is None else 0.75}


def test_dots_stand_in_order_with_their_ranges_and_leave_out_what_was_not_computed() -> None:
    chart = curves.dots(["a", "b", "c"], [figure(0.5), figure(None), figure(0.7)], "share", 0.9)
    assert list(chart.data[0].y) == ["a", "c"]
    assert list(chart.layout.yaxis.categoryarray) == ["c", "a"], "the first on top"
    assert chart.data[0].error_x.array == pytest.approx((0.25, 0.05))
    assert chart.data[0].error_x.arrayminus == pytest.approx((0.25, 0.45))
    assert chart.layout.shapes[0].x0 == 0.9
    assert chart.layout.xaxis.range == pytest.approx((0.19, 0.92)), "the tenths around all ranges and the goal"


def test_larger_bins_have_larger_dots() -> None:
    bins = [{"n": n, "stated": 0.5, "happened": figure(0.5)} for n in (4, 400)]
    few, many = curves.reliability(bins).data[1].marker.size
    assert few < many <= 20


def test_cut_offs_are_told_apart_without_color() -> None:
    rows = [{"threshold": 0.1, "sensitivity": figure(0.9), "specificity": figure(0.7)}]
    sensitivity, specificity, used = curves.threshold_curve({"rows": rows, "shipped": 0.1}).data
    assert sensitivity.line.dash != specificity.line.dash
    assert sensitivity.marker.symbol != specificity.marker.symbol
    assert set(used.x) == {0.1}
    assert len(curves.threshold_curve({"rows": rows, "shipped": None}).data) == 2
