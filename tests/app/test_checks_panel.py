"""Below the maps: how far they agree, and the check of each against the model, on request and with cancel."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from skinlens.checks.agreement import agree
from skinlens.checks.registry import CHECKS
from skinlens.checks.robustness import verdict
from skinlens.explain import METHODS
from skinlens.formatting import percent
from skinlens.records import CheckResult, Explanation, ModelRef
from skinlens.store import CaseStore, NewLesion, NewVisit
from skinlens.ui.components.text import plain
from skinlens.ui.state.jobs import Job
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import checks_panel
from skinlens.ui.visit.artifacts import chart
from tests.app.conftest import map_example, press, read, turn, words

Until = Callable[[AppTest, Callable[[], bool]], None]
CHECK, CANCEL = "Check the maps against the model", "Cancel: Faithfulness"
STEADY, TRY = "Check how robust the maps are", "Try ink, ruler, hair, dark corners and bubbles"
FOLLOWED = "Faithfulness"


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_agreement_is_said_as_soon_as_there_are_two_maps(mapped: AppTest) -> None:
    opened = mapped.session_state["open_case"]
    found = agree(sorted(opened.maps, key=lambda one: list(METHODS).index(one.method)))
    text = words(mapped)
    for pair in found.pairs:
        assert f"<td>{METHODS[pair.first].title} and {METHODS[pair.second].title}</td>" in text
        assert f"<td>{pair.spearman:.2f}</td>" in text
    assert plain(found.verdict) in text

    opened.maps = opened.maps[:1]
    assert "Do the maps agree?" not in words(mapped.run())


def test_the_maps_are_checked_when_asked_and_the_checks_stay_with_the_case(
    mapped: AppTest, until: Until, skinlens_home: Path
) -> None:
    assert "better than chance</td>" not in words(mapped)
    press(mapped, CHECK)
    until(mapped, lambda: "better than chance</td>" in words(mapped))
    opened = mapped.session_state["open_case"]
    telling = [one for one in opened.maps if one.heatmap.any()]
    assert {one.method for one in opened.checks_of("faithfulness")} == {one.method for one in telling}
    assert words(mapped).count("better than chance</td>") == len(telling) > 0
    assert CHECK not in buttons(mapped)
    assert not mapped.exception

    turn(mapped, "result")
    turn(mapped, "why")
    assert "better than chance</td>" in words(mapped)

    store = CaseStore(skinlens_home)
    case = opened.save(store, NewVisit(None, NewLesion("back"), "2024-05-31"))
    assert store.load(case.visit.id).checks == tuple(opened.checks)
    again = replace(opened.checks[0], kind="stability")
    opened.keep_checks([again])
    assert store.load(case.visit.id).checks[-1] == again

    mapped.query_params["case"] = str(case.visit.id)
    del mapped.session_state["open_case"]
    mapped.run()
    reopened = mapped.session_state["open_case"]
    assert reopened is not opened
    assert tuple(reopened.checks) == store.load(case.visit.id).checks
    assert words(mapped).count("better than chance</td>") == len(telling)
    assert CHECK not in buttons(mapped)


def test_a_check_is_cancelled_and_can_be_asked_for_again(mapped: AppTest, until: Until) -> None:
    press(mapped, CHECK)
    if CANCEL in buttons(mapped):
        press(mapped, CANCEL)
    until(mapped, lambda: CANCEL not in buttons(mapped))
    assert not mapped.exception
    assert CHECK in buttons(mapped) or "better than chance</td>" in words(mapped)


def test_a_map_of_a_case_kept_elsewhere_is_not_checked_without_its_model(
    mapped: AppTest, skinlens_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SKINLENS_WEIGHTS", str(tmp_path / "nothing"))
    mapped.run()
    assert "Do the maps agree?" in words(mapped)
    assert FOLLOWED not in words(mapped)
    assert CHECK not in buttons(mapped)
    assert CaseStore(skinlens_home).search().total == 0


def test_robustness_and_artifacts_are_checked_without_being_asked_for_and_kept(mapped: AppTest, until: Until) -> None:
    """Of the two quick methods; LIME's stability takes long, and is tried when it is asked for."""
    opened = mapped.session_state["open_case"]
    until(mapped, lambda: {"stability", "artefacts"} <= {one.kind for one in opened.checks})
    mapped.run()
    assert "Robustness: not checked yet" not in read(mapped)
    assert "Sensitivity to artifacts: not checked yet" not in read(mapped)
    press(mapped, STEADY)
    until(mapped, lambda: STEADY not in buttons(mapped) and "Cancel: Robustness" not in buttons(mapped))
    mapped.run()
    telling = [one for one in opened.maps if one.heatmap.any()]
    stable = opened.checks_of("stability")
    assert {one.method for one in stable} == {one.method for one in telling}
    for one in stable:
        assert f"<td>{verdict(one.figures['least_shared'])}</td>" in words(mapped)
    (stress,) = opened.checks_of("artefacts")
    assert plain(CHECKS["artefacts"].summary(stress)) in words(mapped)
    assert STEADY not in buttons(mapped)
    assert TRY not in buttons(mapped)

    assert not [caption for caption in captions(mapped) if "melanoma" in caption]
    mapped.toggle(key="case_artefact_pictures").set_value(True).run()
    mapped.selectbox(key="case_artefact_shown").select("hair").run()
    hair = next(one for one in stress.figures["effects"] if one["artifact"] == "hair")
    shown = [caption for caption in captions(mapped) if caption.startswith("Hair")]
    assert shown == [f"Hair: melanoma {percent(prob)}" for prob in hair["probs"]]
    assert not mapped.exception


def captions(page: AppTest) -> list[str]:
    return [caption for picture in page.image for caption in picture.captions]


def test_the_bars_are_the_changes_and_their_lines_reach_the_extremes() -> None:
    effects = [
        {"artifact": "ink", "probs": [0.3, 0.5, 0.4], "change": 0.2},
        {"artifact": "hair", "probs": [0.1, 0.1, 0.1], "change": -0.1},
    ]
    model_ref = ModelRef("tiny", "0", "0" * 64)
    found = {"prob": 0.2, "threshold": 0.1, "effects": effects}
    bars = chart(
        CheckResult("artefacts", "mel", "", "a" * 64, model_ref, 7, {"draws": 3, "drawing": 1}, found, 1.0, "")
    ).data[0]
    assert list(bars.y) == ["Ink of a skin marker", "Hair"]
    assert list(bars.x) == pytest.approx([20, -10])
    assert list(np.add(bars.x, bars.error_x.array)) == pytest.approx([30, -10])
    assert list(np.subtract(bars.x, bars.error_x.arrayminus)) == pytest.approx([10, -10])
    assert bars.marker.color[0] != bars.marker.color[1]


def test_check_now_makes_the_maps_of_a_stored_case_that_are_missing_and_then_checks(
    mapped: AppTest, until: Until, skinlens_home: Path
) -> None:
    opened = mapped.session_state["open_case"]
    until(mapped, lambda: {"stability", "artefacts"} <= {one.kind for one in opened.checks})
    opened.maps, opened.checks = [one for one in opened.maps if one.method == "grad_cam"], []
    case = opened.save(CaseStore(skinlens_home), NewVisit(None, NewLesion("back"), "2024-05-31"))
    mapped.query_params["case"] = str(case.visit.id)
    del mapped.session_state["open_case"]
    mapped.session_state["queue"].clear()
    mapped.run()
    assert "Robustness: not checked yet" in read(mapped)
    press(mapped, "Check now")
    until(mapped, lambda: "not checked yet" not in read(mapped) and "computing …" not in read(mapped))
    stored = CaseStore(skinlens_home).load(case.visit.id)
    assert {one.method for one in stored.explanations} == set(METHODS)
    assert {one.kind for one in stored.checks} >= {"stability", "artefacts"}


def test_the_line_waits_for_all_that_it_judges(mapped: AppTest, until: Until) -> None:
    """Two of three maps agree: nothing is said of "the maps" before the third is there."""
    opened = mapped.session_state["open_case"]
    until(mapped, lambda: {"stability", "artefacts"} <= {one.kind for one in opened.checks})
    kept = {kind: opened.checks_of(kind) for kind in ("artefacts", "stability")}
    whole = checks_panel.words(checks_shown(opened), kept)
    assert checks_panel.UNKNOWN not in whole
    assert checks_panel.COMPUTING not in whole
    two = [one for one in checks_shown(opened) if one.method != "lime"]
    running = checks_panel.words(two, {}, frozenset({"maps", "stability", "artefacts"}))
    assert running == "Agreement: computing … · Robustness: computing … · Sensitivity to artifacts: computing …"
    assert checks_panel.words(two, {}).startswith("Agreement: not checked yet · Robustness: not checked yet · ")
    one_checked = opened.checks_of("stability", opened.label)[:1]
    if len([one for one in two if one.heatmap.any()]) == 2:
        assert "Robustness: not checked yet" in checks_panel.words(checks_shown(opened), {"stability": one_checked})


def test_a_map_that_is_made_anew_is_waited_for(mapped: AppTest, until: Until) -> None:
    opened = mapped.session_state["open_case"]
    until(mapped, lambda: {"stability", "artefacts"} <= {one.kind for one in opened.checks})
    mapped.run()
    assert "Agreement: computing …" not in read(mapped)
    gate = threading.Event()
    session_queue = mapped.session_state["queue"]
    session_queue.submit(Job(("lime", opened.target.code), lambda _: gate.wait() and None, lambda _: None))
    try:
        assert "Agreement: computing …" in read(mapped.run())
    finally:
        gate.set()


@pytest.mark.parametrize("blind", [1, 2])
def test_a_map_that_points_nowhere_keeps_no_check_waiting(
    agreed: AppTest, until: Until, monkeypatch: pytest.MonkeyPatch, blind: int
) -> None:
    """The other quick map and the photo are tried by themselves, and the line says why a part has no verdict."""
    flat = ["score_cam", "grad_cam"][:blind]
    keep = OpenCase.keep

    def kept(opened: OpenCase, made: Explanation) -> None:
        of = replace(made, heatmap=np.zeros_like(made.heatmap)) if made.method in flat else made
        keep(opened, of)

    monkeypatch.setattr(OpenCase, "keep", kept)
    app = map_example(agreed, until)
    opened = app.session_state["open_case"]
    until(app, lambda: "artefacts" in {one.kind for one in opened.checks})
    until(app, lambda: "computing" not in read(app))
    made = {one.method for one in opened.checks_of("stability")}
    assert made == ({"grad_cam"} if blind == 1 else set())
    assert ("Robustness: no quick map points to a place" in read(app.run())) == (blind == 2)
    assert "not checked yet" not in read(app)


def checks_shown(opened: Any) -> list[Explanation]:
    return sorted(
        (one for one in opened.maps if one.target == opened.target), key=lambda one: list(METHODS).index(one.method)
    )
