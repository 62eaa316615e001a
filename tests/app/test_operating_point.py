"""What stands beside the distribution: the set of classes, and the threshold at a prevalence that the reader sets."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from skinlens import published_figures
from skinlens.inference.classifier import load_classifier
from skinlens.inference.ood import MahalanobisOOD
from skinlens.records import ModelRef, Threshold
from skinlens.ui.state import cache
from skinlens.ui.visit.operating_point import Rates, predictive_statements, rates
from skinlens.wording.quality import UNRELIABLE
from skinlens.wording.verdict import set_words, turns_statement
from tests.app.conftest import html, press, read, turn, typed

MODEL = ModelRef("hsb", "1", "ab" * 32)
THRESHOLD = Threshold(0.2, 0.9, 0.7, "100 photos of val")


def plainly(sentences: tuple[str, ...]) -> str:
    return " ".join(sentences).replace("\u00a0", " ")


def test_a_thousand_lesions_by_hand() -> None:
    """Of 100 melanomas 90 are flagged and 10 missed; of 900 others 270 are flagged, 630 are not."""
    said = plainly(predictive_statements(Rates(0.9, 0.7, None, None, "some"), 0.1))
    assert "melanoma in 25.0 % (positive predictive value)" in said  # 90 of 360
    assert "no melanoma in 98.4 % (negative predictive value)" in said  # 630 of 640
    assert "Of 1,000 lesions, 100 are melanomas: 90 are flagged, 10 missed; 270 other lesions are flagged too." in said


def test_the_range_holds_the_value_and_comes_from_both_ends() -> None:
    said = plainly(predictive_statements(Rates(0.9, 0.7, (0.8, 0.6), (1.0, 0.8), "some"), 0.1))
    assert "25.0 % (18.2 % to 35.7 %)" in said  # 80 of 440, 100 of 280
    assert "98.4 % (96.4 % to 100.0 %)" in said  # 540 of 560, all of 720


def test_a_threshold_that_flags_everything_says_so() -> None:
    assert "no lesion falls on this side" in plainly(predictive_statements(Rates(1.0, 0.0, None, None, "some"), 0.1))


def evaluation(split: str, sha256: str, threshold: float, sensitivity: float) -> str:
    figure = {"value": sensitivity, "low": sensitivity - 0.1, "high": sensitivity + 0.1}
    row = {"threshold": threshold, "sensitivity": figure, "specificity": {"value": 0.5, "low": 0.4, "high": 0.6}}
    return json.dumps(
        {"n": 1502, "split": split, "model": {"sha256": sha256}, "thresholds": {"melanoma": {"rows": [row]}}}
    )


def test_rates_are_those_of_photos_kept_aside_if_this_model_was_measured_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_figures, "weights_directory", lambda: tmp_path)
    chosen_on = Rates(0.9, 0.7, None, None, "100 photos of the validation set")
    assert rates(MODEL, THRESHOLD) == chosen_on
    (tmp_path / "evaluation-val.json").write_text(evaluation("val", MODEL.sha256, 0.2, 0.85))
    assert rates(MODEL, THRESHOLD).sensitivity == 0.85
    (tmp_path / "evaluation-test.json").write_text(evaluation("test", MODEL.sha256, 0.2, 0.8))
    found = rates(MODEL, THRESHOLD)
    assert (found.sensitivity, found.least, found.most) == (0.8, (pytest.approx(0.7), 0.4), (0.9, 0.6))
    assert found.measured_on == "1,502 photos of the test set"
    for changed in (("ab" * 31 + "cd", 0.2), (MODEL.sha256, 0.3)):  # another model; another cut-off
        for split in ("val", "test"):
            (tmp_path / f"evaluation-{split}.json").write_text(evaluation(split, *changed, 0.8))
        assert rates(MODEL, THRESHOLD) == chosen_on


def test_of_an_unreliable_photo_the_reading_says_only_that(agreed: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the page, on its card, in the list, in the stored case: no class in bold, no set, no threshold, no slider."""
    strict = MahalanobisOOD(np.zeros(16, np.float32), np.eye(16, dtype=np.float32), -1.0)  # nothing is near enough
    monkeypatch.setattr(cache.classifier(), "ood", strict)
    press(agreed, "Try the example")
    press(agreed, "Show result")
    unsure(agreed)
    agreed.segmented_control(key=typed(agreed, "kind")).select("No patient").run()
    agreed.selectbox(key=typed(agreed, "site")).select("back, midline").run()
    press(agreed, "Save case")
    unsure(agreed)
    turn(agreed, "why")
    assert UNRELIABLE in read(agreed)
    turn(agreed, "worklist")
    agreed.segmented_control(key="look").select("Cards").run()
    card = next(words for words in html(agreed) if "sl-card" in words)
    assert "Unreliable: unfamiliar image" in card
    assert "%" not in card
    assert "elanoma" not in card
    agreed.segmented_control(key="look").select("List").run()
    assert "Unreliable: unfamiliar image" in read(agreed)
    assert "Below the melanoma cut-off" not in read(agreed)
    press(agreed, "Open case 1")
    unsure(agreed)


def unsure(app: AppTest) -> None:
    words = read(app)
    assert UNRELIABLE in words
    assert "confidence)" not in words
    assert "cut-off" not in words
    rows = "".join(words for words in html(app) if "sl-rows" in words)
    assert rows.count('class="sl-gray"') == 7
    assert not any(f'class="sl-{risk}"' in rows for risk in ("malignant", "pre-malignant", "benign"))
    assert "<b>" not in rows
    assert not [slider for slider in app.slider if slider.key == "prevalence_percent"]


def test_the_reading_says_how_far_its_orientations_lie_apart(agreed: AppTest) -> None:
    press(agreed, "Try the example")
    press(agreed, "Show result")
    analysis = agreed.session_state["open_case"].analysis
    assert "orientation" not in read(agreed)
    turned = replace(analysis.prediction, turned_probs=(analysis.prediction.probs,) * 4)
    agreed.session_state["open_case"].analysis = replace(analysis, prediction=turned)
    agreed.run()
    assert turns_statement(turned) in read(agreed)


def test_the_reading_says_its_set_and_the_slider_is_kept(agreed: AppTest, release: Path) -> None:
    press(agreed, "Try the example")
    assert "confidence)" not in read(agreed)
    press(agreed, "Show result")
    prediction = agreed.session_state["open_case"].analysis.prediction
    assert prediction.prediction_set.level == 0.9
    assert set_words(prediction, prediction.prediction_set) in read(agreed)
    assert "Calibrated on 14 photos of the validation set; for other photos this may not hold" in read(agreed)
    assert agreed.slider(key="prevalence_percent").value == pytest.approx(7.4)
    agreed.slider(key="prevalence_percent").set_value(20.0).run()
    threshold = load_classifier(release).melanoma_threshold
    expected = predictive_statements(Rates(threshold.sensitivity, threshold.specificity, None, None, ""), 0.2)
    assert all(sentence.replace("\u00a0", " ") in read(agreed).replace("\u00a0", " ") for sentence in expected)
    turn(agreed, "worklist")
    turn(agreed, "result")
    assert agreed.slider(key="prevalence_percent").value == 20.0


def test_what_the_report_cannot_print_is_said_when_it_is_typed(agreed: AppTest) -> None:
    """Sinhala has no font; Thai has one."""
    press(agreed, "Try the example")
    press(agreed, "Show result")
    agreed.text_input(key=typed(agreed, "pseudonym")).set_value("สมชาย 7").run()
    assert "cannot print" not in read(agreed)
    agreed.text_input(key=typed(agreed, "pseudonym")).set_value("P \u0dc3\u0dd2").run()
    assert "The report cannot print these characters of the pseudonym" in read(agreed)
    assert "in their place: \u0dc3 \u0dd2." in read(agreed)
