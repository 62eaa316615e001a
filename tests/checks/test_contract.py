"""Every check keeps the contract; what the contract does for all; and the how-to's example goes all the way."""

import gc
import json
import re
import weakref
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skinlens.case_record import Analysis
from skinlens.checks.agreement import spearman
from skinlens.checks.contract import Check, Comparison, Found, MapCheck, PhotoCheck, Subject
from skinlens.checks.registry import CHECKS
from skinlens.explain import explain, explain_again
from skinlens.formatting import percent
from skinlens.imaging.intake import photo_from_pixels
from skinlens.labels import CODES
from skinlens.records import CheckResult, Explanation
from skinlens.report.checks import check_rows
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import checks as ui
from skinlens.ui.visit import checks_panel
from skinlens.ui.visit.management import change
from tests.store import samples

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-check.md"


@pytest.mark.parametrize("kind", CHECKS)
def test_a_check_has_its_words_and_its_kind(kind: str) -> None:
    check = CHECKS[kind]
    assert check.kind == kind
    assert re.fullmatch(r"[a-z_]+", kind)
    assert check.title[:1].isupper()
    assert check.question.endswith("?")
    assert check.help.strip()
    assert len({one.title for one in CHECKS.values()}) == len(CHECKS)


def test_the_kinds_of_stored_cases_are_known() -> None:
    """Cases hold these names for good."""
    assert {"faithfulness", "stability", "focus", "reference", "artefacts", "depth"} <= set(CHECKS)


def test_only_known_checks_have_a_screen_of_their_own() -> None:
    assert set(checks_panel.SECTIONS) < set(CHECKS)


def test_wide_checks_stand_alone_and_the_others_in_twos(registry: dict[str, Check]) -> None:
    rows = [["agreement", "faithfulness"], ["focus"], ["stability", "artefacts"], ["peak"], ["depth"]]
    for kind in set(registry) - {kind for row in rows for kind in row}:
        del registry[kind]
    registry["peak"] = Peak()
    registry["depth"] = registry.pop("depth")  # the last
    assert [[one.kind for one in row] for row in checks_panel.rows()] == rows


def test_the_same_maps_are_compared_once_and_others_anew() -> None:
    """A page asks at each look, some times a second while it waits."""
    compared: list[int] = []

    class Counting(Comparison):
        kind, title, question, help = "counting", "Counting", "How many?", "Their number."

        def compare(self, maps: Sequence[Explanation]) -> Found:
            compared.append(len(maps))
            return Found({"maps": len(maps)})

        def summary(self, result: CheckResult) -> str:
            return str(result.figures["maps"])

    check, maps = Counting(), list(samples.three_explanations(samples.photo()))
    first = check.of(maps)
    assert check.of(tuple(maps)) is first
    assert compared == [3]
    again = [*maps[:2], samples.explanation(samples.photo(), "lime", seed=9)]
    assert check.of(again).figures == {"maps": 3}
    assert check.of(maps[1:]).figures == {"maps": 2}
    assert compared == [3, 3, 2]
    gone = weakref.ref(maps[2])
    del maps, first
    gc.collect()
    assert gone() is None  # what was compared does not keep them


class Brightness(PhotoCheck):
    kind, title, question, help, version = "brightness", "Brightness", "How bright is it?", "Its mean.", 2

    def measure(self, subject, progress):
        progress(0.5)
        return Found({"mean": float(subject.photo.pixels.mean())}, {"channels": 3}, seed=5)

    def summary(self, result):
        return f"Brightness {result.figures['mean']:.0f}."


class Peak(MapCheck):
    kind, title, question, help = "peak", "Peak", "How hot is it?", "Its most."

    def measure(self, subject, explanation, progress):
        progress(0.5)
        return Found({"most": float(explanation.heatmap.max())})

    def row(self, result):
        return (f"{result.figures['most']:.1f}",)

    def summary(self, result):
        return "Hot."


@pytest.fixture(scope="module")
def small(int8_classifier, photos):
    made = (explain("grad_cam", int8_classifier, photos[0], code) for code in CODES)
    return int8_classifier, photos[0], next(one for one in made if one.heatmap.any())


def test_a_result_says_of_what_it_is_and_by_which_version(small) -> None:
    classifier, photo, _ = small
    told: list[float] = []
    (result,) = Brightness().compute(Subject(classifier, photo), told.append)
    assert (result.kind, result.label, result.method, result.seed) == ("brightness", "", "", 5)
    assert (result.photo_sha256, result.model) == (photo.sha256, classifier.engine.model_ref)
    assert result.settings == {"channels": 3, "version": 2}
    assert result.figures == {"mean": pytest.approx(photo.pixels.mean())}
    assert result.duration_ms >= 0
    assert result.created_at.endswith("+00:00")
    assert told == [0, 0.5, 1]


def test_each_map_has_a_result_and_an_equal_share_of_the_progress(small) -> None:
    classifier, photo, explanation = small
    other = replace(explanation, heatmap=explanation.heatmap / 2, method="score_cam", params={"channels": 4})
    told: list[float] = []
    results = Peak().compute(Subject(classifier, photo, (explanation, other)), told.append)
    assert [(one.method, one.label, one.settings) for one in results] == [
        ("grad_cam", explanation.label, {"map": dict(explanation.params)}),
        ("score_cam", explanation.label, {"map": {"channels": 4}}),
    ]
    assert Peak().rows(results) == [("Grad-CAM", "1.0"), ("Score-CAM", "0.5")]
    assert told == [0, 0.25, 0.5, 0.75, 1]


def test_a_result_of_an_earlier_version_is_shown_and_can_be_made_anew(small) -> None:
    classifier, photo, _ = small
    opened = OpenCase(Analysis(photo, samples.QUALITY, classifier.predict(photo)))
    now = Brightness().compute(Subject(classifier, photo))
    before = replace(now[0], settings={"channels": 3})
    assert (Brightness().current(before), Brightness().current(now[0])) == (False, True)
    opened.keep_checks([before])
    assert list(ui.known(Brightness(), opened)) == [before]
    assert ui.unchecked(Brightness(), opened, classifier) is not None
    opened.keep_checks(now)
    assert list(ui.known(Brightness(), opened)) == list(now)
    assert ui.unchecked(Brightness(), opened, classifier) is None
    assert ui.unchecked(Brightness(), opened, None) is None


def test_a_check_in_the_line_needs_a_claim() -> None:
    with pytest.raises(NotImplementedError, match="brightness: a check with in_line needs a claim"):
        Brightness().claim(())


# -------------------------------------------------------------------------------------------------------- the how-to


def shown(holding: str) -> dict[str, Any]:
    """The names of the one block of the how-to that holds this line."""
    blocks = re.findall(r"^```python\n(.*?)^```", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (block,) = (block for block in blocks if f"\n{holding}" in block)
    module: dict[str, Any] = {}
    exec(block, module)
    return module


@pytest.fixture
def added(registry: dict[str, Check]) -> Any:
    """The check of the how-to, registered for one test."""
    module = shown("class SparsenessCheck(")
    registry["sparseness"] = module["SparsenessCheck"]()
    return module


def test_the_check_of_the_how_to_is_on_the_page_in_report_store_export_and_log(small, added, tmp_path) -> None:
    classifier, photo, explanation = small
    check = CHECKS["sparseness"]
    results = check.compute(Subject(classifier, photo, (explanation,)))
    gini = added["gini"](explanation.heatmap)
    said = f"The heat is {'gathered' if gini >= 0.6 else 'spread'}: its Gini index is {gini:.2f}."
    assert any(check in row for row in checks_panel.rows())
    assert check.rows(results)[0][:2] == ("Grad-CAM", f"{gini:.2f}")

    (row,) = check_rows(results, classifier.predict(photo))
    assert (row.title, row.question, row.result) == ("Sparseness", "Is the heat of a map in few places?", said)

    store = CaseStore(tmp_path)
    case = store.save_case(
        Analysis(photo, samples.QUALITY, samples.prediction()),
        NewVisit(patient=NewPatient("P-1"), lesion=NewLesion("back"), taken_on="2024-05-31"),
        checks=results,
    )
    assert store.load(case.visit.id).checks == results
    assert case.patient is not None
    with zipfile.ZipFile(BytesIO(store.export_patient(case.patient.id))) as archive:
        (exported,) = json.loads(archive.read("patient.json"))["lesions"][0]["visits"][0]["checks"]
    assert (exported["kind"], exported["title"], exported["summary"]) == ("sparseness", "Sparseness", said)
    logged = change("checks", (None, f"sparseness grad_cam {explanation.label}"), "mm")
    assert logged.startswith("Sparseness (Grad-CAM, ")


def test_the_figures_of_the_how_to_by_hand(added) -> None:
    assert added["gini"](np.full((2, 2), 0.5, np.float32)) == pytest.approx(0)
    assert added["gini"](np.array([[0, 0], [0, 1]], np.float32)) == pytest.approx(3 / 4)


def test_the_map_of_a_mirrored_photo_as_the_how_to_makes_it(small) -> None:
    """Mirroring changes nothing of a photo of two like halves: its map is compared with its own mirror image."""
    classifier, photo, explanation = small
    half = photo.pixels[:, : photo.width_px // 2]
    even = photo_from_pixels(np.concatenate([half, half[:, ::-1]], axis=1), photo.source_format)
    of_even = explain_again(explanation, classifier, even)
    assert of_even.heatmap.any()
    finding = shown("def measure(self")["measure"](None, Subject(classifier, even), of_even, lambda _: None)
    assert finding.figures == {"order": spearman(of_even.heatmap, of_even.heatmap[:, ::-1])}
    assert -1 <= finding.figures["order"] < 1
    assert finding.seed is None


def test_the_check_of_a_photo_in_the_how_to(small) -> None:
    """A photo of two like halves stays the same when left and right change places."""
    classifier, photo, _ = small
    half = photo.pixels[:, : photo.width_px // 2]
    even = photo_from_pixels(np.concatenate([half, half[:, ::-1]], axis=1), photo.source_format)
    check = shown("class MirrorCheck(")["MirrorCheck"]()
    (result,) = check.compute(Subject(classifier, even))
    before, (sideways, upside_down) = result.figures["before"], result.figures["changed"]
    assert (result.label, result.method, result.seed) == ("mel", "", None)
    assert sideways == {"mirrored": "left and right", "prob": before}
    flipped = photo_from_pixels(even.pixels[::-1], even.source_format)
    assert upside_down["prob"] == classifier.predict(flipped).prob("mel")
    assert [row[0] for row in check.rows([result])] == ["left and right", "top and bottom"]
    assert len(check.rows([result])[0]) == len(check.columns)
    moved = percent(abs(upside_down["prob"] - before))
    assert check.summary(result) == f"Mirrored, the probability of melanoma changes by at most {moved}."


def test_a_case_with_a_check_that_is_not_known_any_more_opens_and_prints(small, tmp_path) -> None:
    """The check was taken out of the registry again: what it found stays stored, and is no line of the report."""
    classifier, photo, explanation = small
    results = Peak().compute(Subject(classifier, photo, (explanation,)))
    store = CaseStore(tmp_path)
    case = store.save_case(
        Analysis(photo, samples.QUALITY, samples.prediction()),
        NewVisit(patient=None, lesion=NewLesion("back"), taken_on="2024-05-31"),
        checks=results,
    )
    assert store.load(case.visit.id).checks == results
    assert check_rows(results, classifier.predict(photo)) == ()
