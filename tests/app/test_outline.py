"""The lesion's outline on the page: proposed by itself, measured against every map, kept and corrected."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens.checks.contract import Subject
from skinlens.checks.localization import LocalizationCheck
from skinlens.errors import Conflict, InvalidEntry
from skinlens.inference.classifier import load_classifier
from skinlens.segmentation.contour import drawn_by_clinician
from skinlens.store import CaseStore, NewLesion, NewVisit
from skinlens.ui.visit import outline as ui
from tests.app.conftest import map_example, press, read, turn, words

Until = Callable[[AppTest, Callable[[], bool]], None]
HEADING = "Do the maps look at the lesion?"


@pytest.fixture
def mapped(agreed: AppTest, until: Until, outlined_release: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page with all three maps of the example, on a release that draws outlines."""
    monkeypatch.setenv("SKINLENS_WEIGHTS", str(outlined_release))
    return map_example(agreed, until)


def test_the_focus_of_every_map_is_measured_by_itself(mapped: AppTest, outlined_release: Path) -> None:
    assert not mapped.exception
    opened, text = mapped.session_state["open_case"], words(mapped)
    assert HEADING in text
    (outline,) = opened.outlines
    assert outline.made_by == "model"
    assert "outline by the model" in text.lower()
    telling = tuple(one for one in opened.maps if one.heatmap.any())
    subject = Subject(load_classifier(outlined_release), opened.analysis.photo, telling, outline)
    assert len(opened.checks_of("focus")) == len(telling) > 0
    for result in LocalizationCheck().compute(subject):
        found = result.figures
        assert f"{100 * found['relevance_mass']:.0f}\u00a0% (lesion: {100 * found['area']:.0f}\u00a0%)" in text
        assert found["verdict"] in text


def test_a_stored_case_keeps_both_outlines_and_their_checks(mapped: AppTest, until: Until, skinlens_home: Path) -> None:
    opened = mapped.session_state["open_case"]
    store = CaseStore(skinlens_home)
    case = opened.save(store, NewVisit(None, NewLesion("back"), "2024-05-31"))
    (model,) = opened.outlines
    assert store.outlines(case.visit.id) == (model,)
    moved = [[min(1, across + 0.05), down] for across, down in model.points]
    clinician = drawn_by_clinician(moved, opened.analysis.photo, model.model)
    opened.keep_outlines([model, clinician])
    press(mapped.run(), "Measure where the maps look")
    telling = [one for one in opened.maps if one.heatmap.any()]
    until(mapped, lambda: len(opened.checks_of("focus")) == 2 * len(telling))
    kept = [check for check in store.load(case.visit.id).checks if check.kind == "focus"]
    assert {check.settings["outline"]["made_by"] for check in kept} == {"model", "clinician"}
    assert "outline by the clinician" in words(mapped).lower()
    assert store.outlines(case.visit.id) == (model, clinician)


def test_without_a_head_it_says_so_and_nothing_fails(agreed: AppTest, until: Until) -> None:
    press(agreed, "Try the example")
    press(agreed, "Show result")
    turn(agreed, "why")
    agreed.toggle(key="technical_details").set_value(True).run()
    until(agreed, lambda: HEADING in words(agreed))
    assert not agreed.exception
    assert "released without an outline" in words(agreed)
    assert "Draw one over the photo" in words(agreed)


def test_what_the_browser_sends_is_points_or_refused() -> None:
    assert ui.points_of("[[0.1, 0.2], [0.3, 0.4], [0.5, 1]]") == [[0.1, 0.2], [0.3, 0.4], [0.5, 1.0]]
    for sent in ("", "[1, 2]", '[["a", "b"]]', json.dumps([[None, 1]]), "[[0.1, 0.2], 3]"):
        with pytest.raises(InvalidEntry):
            ui.points_of(sent)


def test_an_outline_of_another_window_is_shown_beside_mine_and_i_choose(mapped: AppTest, skinlens_home: Path) -> None:
    opened = mapped.session_state["open_case"]
    store = CaseStore(skinlens_home)
    number = opened.save(store, NewVisit(None, NewLesion("back"), "2024-05-31")).visit.id
    (model,) = opened.outlines
    mapped.run()
    there = drawn_by_clinician([[0.1, 0.1], [0.5, 0.1], [0.3, 0.5]], opened.analysis.photo, model.model)
    mine = drawn_by_clinician([[0.2, 0.2], [0.8, 0.2], [0.5, 0.9]], opened.analysis.photo, model.model)
    for button, holds in (("Keep the one above", there), ("Keep mine", mine)):
        store.keep_outlines(number, [model, there], expected=store.outlines(number))
        opened.outlines = (model,)  # as this window read it
        with pytest.raises(Conflict):
            opened.keep_outlines([model, mine])
        mapped.session_state[opened.key("outline_refused")] = [model, mine]
        mapped.run()
        assert not mapped.exception
        assert "yours is below" in read(mapped)
        press(mapped, button)
        assert store.outlines(number) == (model, holds)
        assert "yours is below" not in read(mapped)
