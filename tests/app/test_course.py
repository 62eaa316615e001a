"""Two visits of a lesion lie in one frame where they can be aligned, and their change is said in numbers."""

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.phantom import draw_phantom
from skinlens.store import CaseStore, NewLesion, NewPatient
from tests.app.conftest import press, read, turn


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


def test_photos_of_two_lesions_are_not_aligned(agreed: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    lesion = saved(store, 5, 0, None, "2024-01-10")
    saved(store, 9, 0, lesion, "2024-05-06")
    turn(agreed, "worklist")
    press(agreed, "Open case 1")
    turn(agreed, "compare")
    assert "could not be aligned" in read(agreed)
    assert overlaid(agreed) == []
