"""A check that is registered stands on the page with its button, and what it finds is kept and printed."""

from collections.abc import Callable, Sequence
from pathlib import Path

from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.checks.contract import Check, Found, MapCheck, Row, Subject
from skinlens.explain import METHODS
from skinlens.records import CheckResult, Explanation, Progress
from skinlens.report import pdf
from skinlens.store import CaseStore, NewLesion, NewVisit
from tests.app.conftest import press, read, turn, words

Until = Callable[[AppTest, Callable[[], bool]], None]


class PeakCheck(MapCheck):
    kind, title, question = "peak", "Peak", "How hot is the hottest place?"
    help = "From 0 to 1."
    button, hint = "Measure the peak", "It takes no time."
    columns = ("Map", "Most")

    def measure(self, subject: Subject, explanation: Explanation, progress: Progress) -> Found:
        return Found({"most": float(explanation.heatmap.max())})

    def row(self, result: CheckResult) -> Row:
        return (f"{result.figures['most']:.3f} at most",)

    def note(self, results: Sequence[CheckResult]) -> str:
        return f"Of {len(results)} maps."

    def summary(self, result: CheckResult) -> str:
        return f"At most {result.figures['most']:.3f}."


def test_a_registered_check_is_asked_for_shown_kept_and_printed(
    agreed: AppTest, until: Until, skinlens_home: Path, registry: dict[str, Check]
) -> None:
    registry["peak"] = PeakCheck()
    press(agreed, "Try the example")
    press(agreed, "Show result")
    turn(agreed, "why")
    opened = agreed.session_state["open_case"]
    until(agreed, lambda: len(opened.maps) == len(METHODS))
    agreed.toggle(key="technical_details").set_value(True).run()
    assert "Peak" in [heading.value for heading in agreed.subheader]
    assert "How hot is the hottest place?" in [caption.value for caption in agreed.caption]
    assert "It takes no time." in read(agreed)
    press(agreed, "Measure the peak")
    until(agreed, lambda: "1.000 at most" in words(agreed))
    telling = [one for one in opened.maps if one.heatmap.any()]
    assert words(agreed).count("<td>1.000 at most</td>") == len(telling)
    assert f"Of {len(telling)} maps." in read(agreed)
    assert "Measure the peak" not in [button.label for button in agreed.button]
    assert not agreed.exception

    store = CaseStore(skinlens_home)
    number = opened.save(store, NewVisit(None, NewLesion("back"), "2024-05-31")).visit.id
    assert [one.kind for one in store.load(number).checks].count("peak") == len(telling)
    report, problems = pipeline.report_content(store, number)
    assert pdf.render(report).startswith(b"%PDF")
    assert problems == ()

    del registry["peak"]
    assert "How hot is the hottest place?" not in read(agreed.run())
    assert not agreed.exception
