"""On the Explain page: one class rather than another, when the network made up its mind, the reference check."""

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.checks.early_exits import TITLES
from skinlens.explain import METHODS
from skinlens.formatting import percent
from skinlens.labels import CODES
from skinlens.records import Target
from skinlens.report import pdf
from skinlens.store import CaseStore, NewLesion, NewVisit
from skinlens.wording.naming import name
from skinlens.wording.records import target_words
from tests.app.conftest import press, read, words

Until = Callable[[AppTest, Callable[[], bool]], None]
CHECK, CANCEL = "Compare with the published libraries", "Cancel: Agreement with published libraries"
ASK = "Ask the network's early answers"


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def on_performance(app: AppTest) -> AppTest:
    """The part of the page "Performance" on which the open case's maps are compared with the libraries'."""
    app.switch_page("pages/performance.py").run()
    app.session_state["topic"] = app.query_params["topic"] = "Maps"
    return app.run()


def choose_other(app: AppTest, code: str) -> AppTest:
    """Choose the class that the explained one is contrasted with."""
    (box,) = [one for one in app.selectbox if one.label == "Compare with"]
    return box.select(code).run()


def test_a_contrast_is_made_shown_and_stored_like_any_map(mapped: AppTest, until: Until, skinlens_home: Path) -> None:
    opened = mapped.session_state["open_case"]
    other = next(code for code in CODES if code != opened.label)
    choose_other(mapped, other)
    target = Target(opened.label, other)
    assert opened.target == target
    until(mapped, lambda: sum(one.target == target for one in opened.maps) == len(METHODS))
    mapped.run()
    assert len(opened.maps) == 2 * len(METHODS)
    assert f"The maps show what supports {target_words(target)}." in read(mapped)

    store = CaseStore(skinlens_home)
    case = opened.save(store, NewVisit(None, NewLesion("back"), "2024-05-01"))
    assert [one.target for one in store.load(case.visit.id).explanations].count(target) == len(METHODS)
    report, problems = pipeline.report_content(store, case.visit.id)
    assert pdf.render(report).startswith(b"%PDF")
    assert problems == ()

    choose_other(mapped, "none")
    assert opened.target == Target(opened.label)
    assert "The maps show what supports" not in read(mapped)


def test_the_class_itself_is_not_offered_as_its_own_contrast(mapped: AppTest) -> None:
    opened = mapped.session_state["open_case"]
    (box,) = [one for one in mapped.selectbox if one.label == "Compare with"]
    offered = [f"{name(code)}, {percent(opened.analysis.prediction.prob(code))}" for code in CODES]
    assert set(box.options) == {"None", *offered} - {offered[CODES.index(opened.label)]}


def test_the_early_answers_of_a_new_photo_are_shown_and_kept(mapped: AppTest) -> None:
    opened = mapped.session_state["open_case"]
    (check,) = opened.checks_of("depth")
    text = read(mapped)
    assert check.figures["verdict"] in text
    for answer in check.figures["answers"]:
        top = answer["top"]
        assert f"**{TITLES[answer['stage']]}**: {name(top)}, {percent(answer['probs'][top])}" in text
    mapped.run()
    assert opened.checks_of("depth") == (check,)


def test_those_of_a_stored_case_are_asked_for_only_on_request(
    mapped: AppTest, until: Until, skinlens_home: Path
) -> None:
    opened, store = mapped.session_state["open_case"], CaseStore(skinlens_home)
    opened.checks = []
    case = opened.save(store, NewVisit(None, NewLesion("back"), "2024-05-01"))
    mapped.run()
    assert "depth" not in [one.kind for one in store.load(case.visit.id).checks]
    press(mapped, ASK)
    until(mapped, lambda: ASK not in buttons(mapped) and "Cancel: Early-exit predictions" not in buttons(mapped))
    assert "depth" in [one.kind for one in store.load(case.visit.id).checks]


def test_the_maps_are_recomputed_with_the_libraries_and_the_figures_stay_with_the_case(
    mapped: AppTest, until: Until, skinlens_home: Path
) -> None:
    opened, store = mapped.session_state["open_case"], CaseStore(skinlens_home)
    case = opened.save(store, NewVisit(None, NewLesion("back"), "2024-05-01"))
    telling = [one for one in opened.maps if one.heatmap.any()]
    assert CHECK not in buttons(mapped), "it is among the figures of the model, not among the details of the case"
    press(on_performance(mapped), CHECK)
    until(mapped, lambda: len(opened.checks_of("reference")) == 1 + len(telling))
    mapped.run()
    text = words(mapped)
    for check in opened.checks_of("reference", opened.label):
        assert f"<td>{100 * check.figures['hottest_iou']:.0f}\u00a0%</td>" in text
    assert "The reduction of the network to eight bits moved" in read(mapped)
    assert CHECK not in buttons(mapped)
    assert not mapped.exception
    assert {one.identity for one in store.load(case.visit.id).checks} == {one.identity for one in opened.checks}

    mapped.session_state["case_references"] = {}  # as after the case was opened again: the figures alone are kept
    mapped.run()
    assert CHECK in buttons(mapped)
    assert "The pictures of the differences are not kept with the case." in read(mapped)
    assert (
        f"<td>{100 * opened.checks_of('reference', opened.label)[0].figures['hottest_iou']:.0f}\u00a0%</td>"
        in words(mapped)
    )


def test_the_reference_check_is_cancelled(mapped: AppTest, until: Until) -> None:
    press(on_performance(mapped), CHECK)
    if CANCEL in buttons(mapped):
        press(mapped, CANCEL)
    until(mapped, lambda: CANCEL not in buttons(mapped))
    assert not mapped.exception
    opened = mapped.session_state["open_case"]
    assert (CHECK in buttons(mapped)) == (opened.checks_of("reference") == ())
