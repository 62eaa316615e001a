"""Two visits of a lesion lie in one frame where they can be aligned, and their change is said in numbers."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.followup.trend import MelanomaTrend, TrendPoint, with_views
from skinlens.imaging.preprocess import model_view, normalize
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.release import weights_directory
from skinlens.records import ModelRef
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from skinlens.ui.compare import course
from tests.app.conftest import press, read, turn, typed
from tests.closeness import NETWORK, assert_near
from tests.store.edits import edit


def overlaid(app: AppTest) -> list[dict[str, Any]]:
    """What each viewer with two photos over each other was given."""
    given = [json.loads(one.proto.json) for one in app.get("bidi_component")
             if one.proto.component_name.endswith("skinlens_viewer")]  # fmt: skip
    return [one for one in given if one["overlaid"]]


def saved(store: CaseStore, seed: int, turned: int, lesion: int | None, day: str) -> int:
    """A drawn lesion, turned by some degrees, as a visit; the number of its lesion."""
    file = io.BytesIO()
    picture = Image.fromarray(draw_synthetic_lesion(seed)).rotate(turned, Image.Resampling.BICUBIC)
    picture.crop((60, 45, 540, 405)).save(file, "PNG")
    analysis = pipeline.analyze(file.getvalue(), pipeline.load_classifier(weights_directory()))
    patient = NewPatient("P-7", 1961, "female") if lesion is None else store.patients()[0].id
    place = NewLesion("forearm") if lesion is None else lesion
    case = store.save_case(analysis, NewVisit(patient, place, day))
    return case.lesion.id


def test_a_turned_photo_is_aligned_and_the_course_is_drawn(agreed: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    lesion = saved(store, 5, 0, None, "2024-01-10")
    saved(store, 5, 8, lesion, "2024-05-06")
    turn(agreed, "worklist")
    press(agreed, "Open case 1")
    turn(agreed, "compare")
    said = read(agreed)
    assert "Aligned: " in said
    assert "turned by 8°" in said
    assert "Case 1 has no outline of the lesion" in said
    assert "(2 visits read by the same model)" in said or "Unfamiliar image" in said
    assert len(agreed.get("plotly_chart")) == 1
    (pair,) = overlaid(agreed)
    assert [panel["title"] for panel in pair["panels"]] == ["2024-01-10", "2024-05-06"]
    earlier, later = pair["photos"].values()
    assert [later[side] for side in ("x", "y", "width", "height")] == [0, 0, earlier["width"], earlier["height"]]
    later = typed(agreed, "compare Later visit")
    assert [agreed.selectbox(key=typed(agreed, f"compare {side} visit")).value for side in ("Earlier", "Later")] == [
        1,
        2,
    ]
    agreed.selectbox(key=later).set_value(1).run()
    assert "Choose two different visits." in read(agreed)
    saved(store, 5, 3, lesion, "2024-09-06")
    agreed.run()
    agreed.selectbox(key=later).set_value(3).run()
    assert "2024-09-06 (case 3)" in agreed.selectbox(key=later).options
    assert "turned by 3°" in read(agreed)
    assert not agreed.exception


def test_photos_of_two_lesions_are_not_aligned(agreed: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    lesion = saved(store, 5, 0, None, "2024-01-10")
    saved(store, 9, 0, lesion, "2024-05-06")
    turn(agreed, "worklist")
    press(agreed, "Open case 1")
    turn(agreed, "compare")
    assert "could not be aligned" in read(agreed)
    assert overlaid(agreed) == []


def test_the_bars_of_the_course_reach_from_the_lowest_to_the_highest_view() -> None:
    model_ref = ModelRef("hsb", "2.0", "bb" * 32)
    points = tuple(
        TrendPoint(number, f"2026-0{number}-01", prob, 0.1, model_ref, reliable=True, comparable=True)
        for number, prob in ((1, 0.2), (2, 0.3))
    )
    bare = course.chart(MelanomaTrend(points)).data[0].error_y
    assert not bare.visible
    known = with_views(MelanomaTrend(points), {1: (0.05, 0.25), 2: (0.31, 0.4)})  # below the mean of none of the views
    assert [one.over_views for one in known.points] == [(0.05, 0.25), (0.31, 0.4)]
    bars = course.chart(known).data[0].error_y
    assert bars.visible
    assert list(bars.array) == pytest.approx([5, 10])
    assert list(bars.arrayminus) == pytest.approx([15, 0])


def test_photos_of_one_day_stand_side_by_side_and_the_cut_off_is_drawn_all_the_same() -> None:
    model_ref = ModelRef("hsb", "2.0", "bb" * 32)
    first = TrendPoint(1, "2026-01-01", 0.3, 0.1, model_ref, reliable=True, comparable=True)
    one_day = course.chart(MelanomaTrend((first, replace(first, visit_id=2, prob=0.2))))
    assert list(one_day.data[0].x) == ["Case 1", "Case 2"]
    assert (one_day.data[0].mode, one_day.layout.xaxis.type) == ("markers", "category")
    (line,) = one_day.layout.shapes
    assert (line.type, line.xref, line.y0) == ("line", "x domain", pytest.approx(10))  # across the whole chart
    assert line.name == "cut-off 10.0\u00a0%"
    assert one_day.layout.yaxis.range[1] > 30


def test_a_day_that_two_visits_share_is_told_apart_and_a_short_course_is_divided_into_days() -> None:
    model_ref = ModelRef("hsb", "2.0", "bb" * 32)
    first = TrendPoint(1, "2026-01-01", 0.3, 0.1, model_ref, reliable=True, comparable=True)
    again = replace(first, visit_id=2)
    drawn = course.chart(MelanomaTrend((first, again, replace(first, visit_id=3, taken_on="2026-01-03"))))
    assert (drawn.data[0].mode, list(drawn.data[0].text)) == ("lines+markers+text", ["case 1", "case 2", ""])
    assert drawn.layout.xaxis.dtick == course.DAY_MS
    far = course.chart(MelanomaTrend((first, replace(first, visit_id=3, taken_on="2027-01-03"))))
    assert far.layout.xaxis.dtick is None


def test_widths_that_contradict_the_alignment_are_warned_of_without_an_outline(
    agreed: AppTest, skinlens_home: Path
) -> None:
    store = CaseStore(skinlens_home)
    lesion = saved(store, 5, 0, None, "2024-01-10")
    saved(store, 5, 8, lesion, "2024-01-10")
    for number, width in ((1, 12.0), (2, 20.0)):
        edit(store, number, field_width_mm=width, expected_version=store.case(number).visit.version)
    turn(agreed, "worklist")
    press(agreed, "Open case 1")
    turn(agreed, "compare")
    (warned,) = [one.value for one in agreed.warning if "do not agree" in one.value]
    assert "12.0\u00a0mm and 20.0\u00a0mm of skin" in warned.replace("\\", "")
    (pair,) = overlaid(agreed)
    assert [panel["title"] for panel in pair["panels"]] == ["2024-01-10 (case 1)", "2024-01-10 (case 2)"]
    assert "Any difference in probability comes from light" in read(agreed)
    assert "Photos of the same day cannot show a change over time" in read(agreed)
    edit(store, 2, field_width_mm=12.0, expected_version=store.case(2).visit.version)
    agreed.run()
    assert not [one for one in agreed.warning if "do not agree" in one.value]


def test_the_first_of_the_eight_views_is_the_photo_as_it_is() -> None:
    """In one orientation alone, also where the release answers with the mean over four."""
    classifier = pipeline.load_classifier(weights_directory())
    photo = pipeline.example(classifier).photo
    turned = classifier.turned_probs(photo)
    classifier.engine.turns = 1
    assert turned.shape == (8, 7)
    assert_near(turned[0], classifier.predict(photo).probs, NETWORK)
    spec = classifier.engine.spec
    upside_down = np.ascontiguousarray(model_view(photo, spec)[::-1, ::-1])
    assert_near(turned[2:3], classifier.probs(normalize(upside_down[np.newaxis], spec)), NETWORK)
    assert len({row.tobytes() for row in turned}) == 8
