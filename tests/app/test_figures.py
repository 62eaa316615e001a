"""The charts of the page about the model, and the page with figures that were measured on its model."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline, published_figures
from skinlens.labels import CODES
from skinlens.ui.components import figures
from skinlens.wording.evaluation import HEADLINES, data_set
from tests.app.conftest import read, topic, turn


def figure(value: float | None) -> dict[str, float | None]:
    return {
        "value": value,
        "low": None if value is None else value - 0.1,
        "high": None if value is None else value + 0.05,
    }


@pytest.fixture
def measured() -> dict[str, Any]:
    """Seven classes; of dermatofibroma there was no photo."""
    recalls = dict(zip(CODES, (0.5, 0.6, 0.7, None, 0.8, 0.9, 0.3), strict=True))
    return {
        "n": 42,
        "split": "val",
        "labels": list(CODES),
        "confusion": [[6 if row == column and row != 3 else 0 for column in range(7)] for row in range(7)],
        **dict.fromkeys(HEADLINES, figure(0.7)),
        "per_class": {code: {"n": 6, "recall": figure(one), "precision": figure(one)} for code, one in recalls.items()},
    }


def test_recalls_are_drawn_with_their_intervals_and_a_symbol_for_each_risk(measured: dict[str, Any]) -> None:
    chart = figures.recall_chart(measured)
    risks = {risk.name: risk for risk in chart.data}
    assert list(risks["malignant"].x) == [0.6, 0.8]
    assert risks["malignant"].error_x.array == pytest.approx((0.05, 0.05))
    assert risks["malignant"].error_x.arrayminus == pytest.approx((0.1, 0.1))
    assert len({risk.marker.symbol for risk in chart.data}) == 3
    assert "Dermatofibroma (6)" not in chart.layout.yaxis.categoryarray
    assert chart.layout.yaxis.categoryarray[-1] == "Melanocytic<br>nevus (6)"


def test_the_confusion_is_colored_by_shares_of_each_row(measured: dict[str, Any]) -> None:
    chart = figures.confusion_chart(measured)
    assert [row[place] for place, row in enumerate(chart.data[0].z)] == [1, 1, 1, 0, 1, 1, 1]
    assert chart.data[0].text[4][4] == "6"


def test_the_model_page_shows_figures_of_its_own_model_alone(
    agreed: AppTest, measured: dict[str, Any], release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_figures, "weights_directory", lambda: tmp_path)
    model_ref = pipeline.load_classifier(release).engine.model_ref
    for sha256, shown in ((model_ref.sha256, True), ("0" * 64, False)):
        content = {**measured, "model": {"name": model_ref.name, "version": model_ref.version, "sha256": sha256}}
        (tmp_path / "evaluation-val.json").write_text(json.dumps(content))
        turn(agreed, "performance")
        assert not agreed.exception
        assert ("0.700 (0.600–0.750)" in read(agreed)) is shown
        assert ("figures were not measured yet" in read(agreed)) is not shown
        topic(agreed, "Errors")
        assert len(agreed.get("plotly_chart")) == (2 if shown else 0)
        topic(agreed, "Overview")


def test_photos_of_other_clinics_have_their_own_table(
    agreed: AppTest, measured: dict[str, Any], release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_figures, "weights_directory", lambda: tmp_path)
    classifier = pipeline.load_classifier(release)
    cutoff, model_ref = classifier.melanoma_threshold.value, classifier.engine.model_ref
    turn(agreed, "performance")
    assert "no figures of this model on photos of other clinics" in read(agreed)
    row = {"threshold": cutoff, "sensitivity": figure(0.6), "specificity": figure(0.3)}
    content = {
        **measured,
        "melanoma_auc": figure(0.81),
        "thresholds": {"melanoma": {"positives": 9, "rows": [row | {"threshold": 0.99, "sensitivity": None}, row]}},
        "model": {"name": model_ref.name, "version": model_ref.version, "sha256": model_ref.sha256},
    }
    (tmp_path / "evaluation-other_clinic.json").write_text(json.dumps(content))
    turn(agreed, "performance")
    said = read(agreed)
    for part in ("other clinic: 42 photos, 9 melanomas", "0.810 (0.710–0.860)", "0.600 (0.500–0.650)", "0.300 ("):
        assert part in said


def test_further_photos_have_the_name_that_their_publisher_gave_them() -> None:
    assert data_set("isic2018_val_400x300") == "ISIC 2018 challenge, validation photos"
    assert data_set("clinic_b_512x512") == "clinic b"
