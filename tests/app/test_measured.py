"""The page about the model with a real evaluation of its model: every section has its chart, captions and tables."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.evaluate.measure import evaluate
from skinlens.labels import CODES
from skinlens.ui import ablation, curves, rows
from tests.app.conftest import read
from tests.tiny_release import draw_dataset

CHARTS = 11
"""Recall, confusion; subgroups; cut-offs; two of reliability; two of sets; risk and coverage; foreign pictures."""


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
    monkeypatch.setattr(pipeline, "DOCS", tmp_path)
    (tmp_path / "evaluation-val.json").write_text(json.dumps(evaluation))
    return agreed.switch_page("pages/model.py").run()


def test_every_section_has_its_chart(page: AppTest) -> None:
    assert not page.exception
    assert len(page.get("plotly_chart")) == CHARTS
    assert "was not measured" not in read(page)
    assert "Skin tone: not evaluated." in read(page)
    assert "These runs were not made yet" in read(page)


def test_parts_of_the_photos_can_be_chosen(page: AppTest) -> None:
    assert page.selectbox(key="model_trait").options == ["Sex", "Clinic and camera"]
    page.selectbox(key="model_trait").set_value("source").run()
    page.selectbox(key="model_part").set_value("accuracy").run()
    assert not page.exception
    assert "what a new one would do" in read(page).replace("not what", "what")


def test_predictive_values_follow_the_slider_and_the_target(page: AppTest) -> None:
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
    page.run()
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


def test_cut_offs_are_told_apart_without_colour() -> None:
    rows = [{"cut_off": 0.1, "sensitivity": figure(0.9), "specificity": figure(0.7)}]
    sensitivity, specificity, used = curves.cut_offs({"rows": rows, "shipped": 0.1}).data
    assert sensitivity.line.dash != specificity.line.dash
    assert sensitivity.marker.symbol != specificity.marker.symbol
    assert set(used.x) == {0.1}
    assert len(curves.cut_offs({"rows": rows, "shipped": None}).data) == 2


# ---------------------------------------------------------------------------------------------------------- ablation


RUN = {
    "name": "hsb",
    "title": "Hybrid student baseline",
    "status": "measured",
    "figures": {"accuracy": figure(0.7), "balanced_accuracy": figure(0.5), "melanoma_recall": figure(0.6)},
    "size_px": 96,
    "epochs": 6,
    "parameters": 3_922_429.0,
    "macs": None,
    "size_kb": 4980.2,
    "latency_ms": 4.03,
}
OTHER = {"name": "resnet18", "title": "ResNet-18", "status": "not run", "figures": {}}
LEAKY = {**RUN, "figures": {**RUN["figures"], "accuracy": figure(0.9)}, "paper_reports": {"accuracy": 95.88}}


def test_a_row_that_was_not_run_says_so_in_every_place() -> None:
    both = [RUN, OTHER]
    assert ablation.header(both) == [
        *("Model", "Balanced accuracy", "Accuracy", "Melanoma recall"),
        *("Side, px", "Epochs", "Parameters", "Operations", "Size, KB", "Time, ms"),
    ]
    assert ablation.cells(RUN, both) == [
        *("Hybrid student baseline", "0.500 (0.250 to 0.750)", "0.700 (0.250 to 0.750)", "0.600 (0.250 to 0.750)"),
        *("96", "6", "3,922,429", "not measured", "4,980", "4.0"),
    ]
    assert ablation.cells(OTHER, both) == ["ResNet-18", *["not run"] * 9]


def test_what_the_paper_reports_stands_apart_and_is_never_taken_for_ours() -> None:
    both = [LEAKY, {**OTHER, "paper_reports": {"accuracy": 78.13}}]
    place = ablation.header(both).index("The paper reports")
    assert ablation.cells(both[0], both)[place] == "accuracy 95.88 %"
    assert ablation.cells(both[1], both)[place] == "accuracy 78.13 %"
    assert ablation.cells(both[1], both)[1:place] == ["not run"] * (place - 1)


def test_beside_the_paper_a_row_that_neither_has_is_named_below_the_table() -> None:
    assert rows.told([RUN, OTHER]) == ([RUN, OTHER], "")
    reported = {**OTHER, "paper_reports": {"accuracy": 78.13}}
    assert rows.told([LEAKY, reported]) == ([LEAKY, reported], "")
    assert rows.told([LEAKY, OTHER]) == ([LEAKY], "Not run this way, and not in the paper: ResNet-18.")


@pytest.mark.parametrize(
    ("low", "high", "words"), [(0.01, 0.05, "more than chance"), (-0.01, 0.05, "no clear difference")]
)
def test_a_difference_says_whether_it_is_more_than_chance(low: float, high: float, words: str) -> None:
    one = {"of": "a", "minus": "b", "figures": {"balanced_accuracy": {"value": 0.03, "low": low, "high": high}}}
    assert rows.difference(one, {"a": "A", "b": "B"}) == (
        f"A against B: +0.030 in balanced accuracy ({low:+.3f} to {high:+.3f}), {words}."
    )


def test_the_papers_protocol_is_named_leaky_wherever_it_stands(page: AppTest, tmp_path: Path) -> None:
    gathered = {"protocols": {"lesion": {"rows": [RUN, OTHER]}}}
    (tmp_path / "ablation.json").write_text(json.dumps(gathered))
    page.run()
    assert not page.exception
    assert "leaky" not in read(page).lower()
    assert "not run" in read(page)
    gathered["protocols"]["paper"] = {"rows": [LEAKY]}
    (tmp_path / "ablation.json").write_text(json.dumps(gathered))
    page.run()
    assert not page.exception
    assert "The paper's way of dividing: leaky" in read(page)
    assert "an accuracy of 90.0\u00a0% by the leaky division and of 70.0\u00a0% on lesions" in read(page)
    assert len(page.get("plotly_chart")) == CHARTS + 2
    charts = [chart for chart in page.get("plotly_chart") if chart.key != "impact_chart"]
    titles = [json.loads(chart.proto.spec)["layout"]["xaxis"]["title"]["text"] for chart in charts]
    assert titles[-2:] == ["balanced accuracy", "balanced accuracy, leaky"]
