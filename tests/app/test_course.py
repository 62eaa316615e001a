"""Two visits of a lesion lie in one frame where they can be aligned, and their change is said in numbers."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.phantom import draw_phantom
from skinlens.store import CaseStore, NewLesion, NewPatient
from skinlens.ui import course
from tests.app.conftest import press, read, turn


def test_the_later_photo_is_swiped_in_from_the_right() -> None:
    before, after = np.zeros((2, 10, 3), np.uint8), np.full((2, 10, 3), 200, np.uint8)
    assert np.array_equal(course.swiped(before, after, 0), before)
    assert np.array_equal(course.swiped(before, after, 100), after)
    assert course.swiped(before, after, 30)[0, :, 0].tolist() == [0] * 6 + [255] * 2 + [200] * 2


def test_both_photos_are_blended() -> None:
    before, after = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 200, np.uint8)
    assert course.blended(before, after, 25).tolist() == np.full((2, 2, 3), 50).tolist()


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
    agreed.segmented_control(key="case_overlay_way").set_value("Blend").run()
    assert not agreed.exception


def test_photos_of_two_lesions_are_not_aligned(agreed: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    lesion = saved(store, 5, 0, None, "2024-01-10")
    saved(store, 9, 0, lesion, "2024-05-06")
    turn(agreed, "worklist")
    press(agreed, "Open case 1")
    turn(agreed, "compare")
    assert "could not be aligned" in read(agreed)
    assert not [one for one in agreed.segmented_control if one.key == "case_overlay_way"]
