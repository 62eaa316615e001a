"""The curve and its filling by hand, the way to the view and back, and what is no outline."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skinlens.errors import InvalidEntry
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import InputSpec
from skinlens.records import ModelRef, Outline
from skinlens.segmentation.contour import (
    PIECES,
    POINTS,
    at_equal_distances,
    catmull_rom,
    drawn_by_clinician,
    mask_in_view,
    mask_to_contour,
    rasterize,
    signed_area,
    view_to_photo,
)

SQUARE = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
STAMP = ModelRef("tiny, outline", "0", "0" * 64)


def blank(height_px=120, width_px=160):
    return photo_from_pixels(np.zeros((height_px, width_px, 3), np.uint8), "PNG")


def outline(points, photo):
    return Outline(tuple(map(tuple, points)), "model", photo.sha256, STAMP, "2026-01-01T00:00:00+00:00")


# ----------------------------------------------------------------------------------------------------------- curves


def test_the_area_and_its_sign_by_hand():
    assert signed_area(SQUARE) == 16
    assert signed_area(SQUARE[::-1]) == -16
    assert signed_area(np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 2.0]])) == 6


def test_the_curve_runs_through_its_points_and_bulges_by_the_spline():
    found = catmull_rom(SQUARE)
    assert found.shape == (4 * PIECES, 2)
    np.testing.assert_allclose(found[::PIECES], SQUARE)
    # Half way between (0, 0) and (4, 0) with neighbours (0, 4) and (4, 4): (−p₀ + 9 p₁ + 9 p₂ − p₃) / 16.
    np.testing.assert_allclose(found[PIECES // 2], [2, -0.5])


def test_the_curve_is_the_bezier_that_a_browser_draws():
    points = np.array([[0.1, 0.2], [0.8, 0.1], [0.9, 0.7], [0.5, 0.95], [0.2, 0.6]])
    before, after, second = (np.roll(points, step, axis=0) for step in (1, -1, -2))
    first, last = points + (after - before) / 6, after - (second - points) / 6
    way = 3 / PIECES
    bezier = (1 - way) ** 3 * points + 3 * way * (1 - way) ** 2 * first + 3 * way**2 * (1 - way) * last + way**3 * after
    np.testing.assert_allclose(catmull_rom(points)[3::PIECES], bezier)


def test_points_at_equal_distances():
    np.testing.assert_allclose(
        at_equal_distances(SQUARE, 8), [[0, 0], [2, 0], [4, 0], [4, 2], [4, 4], [2, 4], [0, 4], [0, 2]]
    )


def test_filling_counts_the_pixels_whose_centers_are_inside():
    filled = rasterize(np.add(SQUARE, (1, 2)), 8, 7)
    assert filled.sum() == 16
    assert filled[2:6, 1:5].all()
    bow_tie = np.array([[0.0, 0.0], [4.0, 4.0], [4.0, 0.0], [0.0, 4.0]])
    # (0.5, 0.5) and its like lie on the crossing lines; what is between them above and below is outside.
    assert not rasterize(bow_tie, 4, 4)[0, 1:3].any()
    assert not rasterize(bow_tie, 4, 4)[3, 1:3].any()


@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.integers(5, 60), st.integers(3, 20))
def test_filling_covers_the_area_that_is_enclosed(seed, height, width, corners):
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0, 2 * np.pi, corners))
    reach = random.uniform(0.1, 0.5, corners) * min(height, width)
    loop = np.stack([width / 2 + reach * np.cos(angles), height / 2 + reach * np.sin(angles)], axis=1)
    length = np.hypot(*(loop - np.roll(loop, 1, axis=0)).T).sum()
    # Pixels are counted whole: the error is at most those that the line passes through.
    assert abs(rasterize(loop, height, width).sum() - abs(signed_area(loop))) <= 2 * length + 4


def test_a_disc_is_traced_and_filled_again():
    side = 96
    down, right = np.mgrid[0:side, 0:side] + 0.5
    distance = np.hypot(down - 40, right - 52)
    probs = (1 / (1 + np.exp(distance - 20))).astype(np.float32)
    points = mask_to_contour(probs)
    assert points is not None
    assert points.shape == (POINTS, 2)
    np.testing.assert_allclose(np.hypot(*(points * side - (52, 40)).T), 20, atol=0.1)
    filled, inside = rasterize(catmull_rom(points) * side, side, side), distance < 20
    assert 2 * (filled & inside).sum() / (filled.sum() + inside.sum()) > 0.98


def test_an_area_that_leaves_the_picture_is_closed_along_its_border():
    probs = np.zeros((64, 64), np.float32)
    probs[:32] = 1
    points = mask_to_contour(probs)
    assert points is not None
    assert points.min() >= 0
    assert points.max() <= 1
    assert rasterize(catmull_rom(points) * 64, 64, 64).sum() == pytest.approx(32 * 64, rel=0.05)


def test_the_larger_of_two_areas_is_traced_and_a_speck_is_not():
    probs = np.zeros((64, 64), np.float32)
    probs[2:4, 2:4] = 1
    assert mask_to_contour(probs) is None
    probs[30:50, 30:50] = 1
    points = mask_to_contour(probs)
    assert points is not None
    assert points.min() > 0.4
    assert mask_to_contour(np.zeros((64, 64), np.float32)) is None


# ----------------------------------------------------------------------------------------------------------- frames


@pytest.mark.parametrize(("height_px", "width_px"), [(120, 160), (160, 120), (100, 300), (300, 100), (90, 90)])
def test_from_the_view_to_the_photo_and_back(height_px, width_px):
    photo, spec = blank(height_px, width_px), InputSpec(size_px=64)
    in_view = np.array([[0.2, 0.2], [0.8, 0.2], [0.8, 0.9], [0.2, 0.9]])
    dense = at_equal_distances(in_view, 400)
    there = view_to_photo(dense, photo, spec)
    back = mask_in_view(outline(there, photo), photo, spec)
    np.testing.assert_array_equal(back, rasterize(in_view * 64, 64, 64))


def test_the_crop_is_taken_off():
    """Of a photo three times as wide as high the network sees the middle 4:3: shares of the width are not its own."""
    photo, spec = blank(100, 300), InputSpec(size_px=64)
    corners = view_to_photo(np.array([[0.0, 0.0], [1.0, 1.0]]), photo, spec)
    left, width = 84, 132  # 133 would leave 167: an odd number, of which a side would have one more
    np.testing.assert_allclose(corners, [[left / 300, 0], [(left + width) / 300, 1]])


# ------------------------------------------------------------------------------------------------------ corrections

RING = [[0.5 + 0.3 * np.cos(angle), 0.5 + 0.3 * np.sin(angle)] for angle in np.linspace(0, 2 * np.pi, 12, False)]


def test_a_clinicians_outline_says_so():
    photo = blank()
    made = drawn_by_clinician(RING, photo, STAMP)
    assert (made.made_by, made.photo_sha256, made.model) == ("clinician", photo.sha256, STAMP)
    np.testing.assert_allclose(made.points, RING, atol=5e-5)
    assert mask_in_view(made, photo, InputSpec(size_px=64)).mean() == pytest.approx(np.pi * 0.3**2, rel=0.02)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (RING[:2], "3 to 64 points"),
        (RING * 6, "3 to 64 points"),
        ([[0.1, 0.2, 0.3]] * 5, "3 to 64 points"),
        ([], "3 to 64 points"),
        ([*RING[:-1], [1.2, 0.5]], "outside of the photo"),
        ([*RING[:-1], [float("nan"), 0.5]], "outside of the photo"),
        ([[0.4, 0.4]] * 6, "encloses next to nothing"),
    ],
)
def test_what_is_no_outline_is_refused(points, words):
    with pytest.raises(InvalidEntry, match=words):
        drawn_by_clinician(points, blank(), STAMP)


@given(st.lists(st.lists(st.floats(allow_nan=True), min_size=0, max_size=3), max_size=70))
def test_whatever_a_browser_sends_is_an_outline_or_refused(points):
    try:
        made = drawn_by_clinician(points, blank(), STAMP)
    except InvalidEntry:
        return
    assert all(0 <= share <= 1 for point in made.points for share in point)
    assert replace(made, points=made.points) == made
