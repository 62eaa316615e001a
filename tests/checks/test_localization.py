"""The two figures by hand, and which maps and outlines belong together."""

from dataclasses import replace

import numpy as np
import pytest

from skinlens.checks.contract import Subject
from skinlens.checks.localization import (
    Localization,
    LocalizationCheck,
    measure,
    pointing_game,
    relevance_mass,
)
from skinlens.errors import SkinLensError
from skinlens.explain import explain
from skinlens.records import ModelRef
from skinlens.segmentation.contour import drawn_by_clinician

STAMP = ModelRef("tiny, outline", "0", "0" * 64)
HEAT = np.array([[0, 1, 2], [3, 8, 2], [0, 4, 0]], np.float32) / 8
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)


def test_the_share_inside_by_hand():
    assert relevance_mass(HEAT, CROSS) == pytest.approx((1 + 3 + 8 + 2 + 4) / 20)
    assert relevance_mass(HEAT, ~CROSS) == pytest.approx(2 / 20)
    assert relevance_mass(HEAT, np.ones_like(CROSS)) == 1


def test_even_heat_is_inside_as_far_as_the_lesion_reaches():
    even = measure(np.full((3, 3), 0.7, np.float32), CROSS)
    assert even.relevance_mass == pytest.approx(even.area) == pytest.approx(5 / 9)
    assert even.verdict == "not focused on the lesion"


def test_the_hottest_point_is_a_hit_or_a_miss():
    assert pointing_game(HEAT, CROSS) == 1
    assert pointing_game(HEAT, ~CROSS) == 0


def test_points_that_tie_count_alike():
    heatmap = np.where(CROSS, 0.25, 1).astype(np.float32)
    heatmap[0, 1] = 1  # four corners and one place of the cross
    assert pointing_game(heatmap, CROSS) == pytest.approx(1 / 5)


def test_neither_figure_depends_on_the_scale_of_the_map():
    assert measure(HEAT / 4, CROSS) == measure(HEAT, CROSS)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Localization(0.8, 0.3, 1.0), "focused on the lesion"),
        (Localization(0.8, 0.3, 0.5), "focused on the lesion"),
        (
            Localization(0.8, 0.3, 0.0),
            "focused on the lesion, but hottest at a point outside of it",
        ),
        (Localization(0.2, 0.3, 1.0), "not focused on the lesion"),
    ],
)
def test_the_verdict(found, words):
    assert found.verdict == words


# --------------------------------------------------------------------------------------------------- on real records


@pytest.fixture(scope="module")
def made(classifier, photos):
    return explain("grad_cam", classifier, photos[0], "mel")


def localization(classifier, photo, explanation, outline):
    (found,) = LocalizationCheck().compute(Subject(classifier, photo, (explanation,), outline))
    return found


def ring(photo, across=0.5, reach=0.25):
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    points = np.stack([across + reach * np.cos(angles), 0.5 + reach * np.sin(angles)], axis=1)
    return drawn_by_clinician(points.tolist(), photo, STAMP)


def test_an_outline_around_everything_has_all_the_heat(classifier, photos, made):
    corners = drawn_by_clinician([[0, 0], [0.5, 0], [1, 0], [1, 1], [0.5, 1], [0, 1]], photos[0], STAMP)
    found = localization(classifier, photos[0], made, corners).figures
    assert found["area"] > 0.95
    assert found["relevance_mass"] > 0.9


def test_the_check_says_of_which_map_and_which_outline(classifier, photos, made):
    outline = ring(photos[0])
    check = localization(classifier, photos[0], made, outline)
    assert (check.kind, check.label, check.method, check.seed) == ("focus", "mel", "grad_cam", None)
    assert check.model == classifier.engine.model_ref
    assert check.settings["outline"]["made_by"] == "clinician"
    assert check.identity != localization(classifier, photos[0], made, ring(photos[0], reach=0.2)).identity
    assert check.identity == localization(classifier, photos[0], made, outline).identity


def test_what_does_not_belong_together_is_refused(classifier, photos, made):
    with pytest.raises(SkinLensError, match="expected the outline"):
        localization(classifier, photos[0], made, ring(photos[1]))
    with pytest.raises(SkinLensError, match="expected a map of the photo"):
        localization(classifier, photos[1], made, ring(photos[1]))
    with pytest.raises(SkinLensError, match="points nowhere"):
        localization(classifier, photos[0], replace(made, heatmap=np.zeros_like(made.heatmap)), ring(photos[0]))
    with pytest.raises(SkinLensError, match="Draw one over the photo"):
        localization(classifier, photos[0], made, None)


def test_the_report_says_it_in_one_sentence(classifier, photos, made):
    check = localization(classifier, photos[0], made, ring(photos[0]))
    found = replace(check, figures={"relevance_mass": 0.714, "area": 0.22, "pointing_game": 1.0, "verdict": ""})
    assert LocalizationCheck().summary(found) == (
        "71\u00a0% of the heat lies inside the clinician's outline of the lesion, which takes up 22\u00a0% of the "
        "picture; the hottest point is inside."
    )
