"""Two visits of a lesion lie in one frame where they can be aligned, and their change is said in numbers."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.followup.trend import MelanomaTrend, TrendPoint, with_views
from skinlens.phantom import draw_phantom
from skinlens.preprocess import model_view, normalise
from skinlens.records import ModelStamp
from skinlens.store import CaseStore, NewLesion, NewPatient
from skinlens.ui import course
from tests.app.conftest import press, read, turn, typed
from tests.closeness import NETWORK, assert_near


def overlaid(app: AppTest) -> list[dict[str, Any]]:
    """What each viewer with two photos over each other was given."""
    given = [json.loads(one.proto.json) for one in app.get("bidi_component")
             if one.proto.component_name.endswith("skinlens_viewer")]  # fmt: skip
    return [one for one in given if one["overlaid"]]


def saved(store: CaseStore, seed: int, turned: int, lesion: int | None, day: str) -> int:
    """A drawn lesion, turned by some degrees, as a visit; the number of its lesion."""
    file = io.BytesIO()
    picture = Image.fromarray(draw_phantom(seed)).rotate(turned, Image.Resampling.BICUBIC)
    picture.crop((60, 45, 540, 405)).save(file, "PNG")
    analysis = pipeline.analyse(file.getvalue(), pipeline.load_classifier(pipeline.weights_directory()))
    patient = NewPatient("P-7", 1961, "female") if lesion is None else store.patients()[0].id
    place = NewLesion("forearm") if lesion is None else lesion
    case = pipeline.save(store, analysis, (), patient=patient, lesion=place, taken_on=day)
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
    stamp = ModelStamp("hsb", "2.0", "bb" * 32)
    points = tuple(
        TrendPoint(number, f"2026-0{number}-01", prob, 0.1, stamp, reliable=True, comparable=True)
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


def test_the_first_of_the_eight_views_is_the_photo_as_it_is() -> None:
    classifier = pipeline.load_classifier(pipeline.weights_directory())
    photo = pipeline.example(classifier).photo
    turned = classifier.turned_probs(photo)
    assert turned.shape == (8, 7)
    assert_near(turned[0], classifier.predict(photo).probs, NETWORK)
    spec = classifier.engine.spec
    upside_down = np.ascontiguousarray(model_view(photo, spec)[::-1, ::-1])
    assert_near(turned[2:3], classifier.probs(normalise(upside_down[np.newaxis], spec)), NETWORK)
    assert len({row.tobytes() for row in turned}) == 8
