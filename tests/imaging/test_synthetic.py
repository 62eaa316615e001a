"""The drawn example: the same on every call, and unmistakably a lesion on skin."""

import numpy as np
import pytest
from PIL import Image

from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.quality import assess
from skinlens.imaging.synthetic import draw_synthetic_lesion

RELEASED = [
    [(217, 167, 159), (217, 163, 153), (222, 169, 160), (217, 166, 159)],
    [(220, 169, 161), (178, 117, 99), (167, 114, 101), (223, 171, 163)],
    [(217, 166, 158), (221, 168, 159), (218, 163, 152), (218, 167, 159)],
]


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    return draw_synthetic_lesion()


@pytest.mark.slow
def test_a_seed_always_draws_the_same(drawn: np.ndarray) -> None:
    assert drawn.shape == (450, 600, 3)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(draw_synthetic_lesion.__wrapped__(0), drawn)  # drawn anew


def test_the_drawing_is_the_one_that_was_released(drawn: np.ndarray) -> None:
    """Coarse colors of seed 0 as drawn when it was released; ±2 leaves room for another platform's rounding."""
    coarse = np.asarray(Image.fromarray(drawn).resize((4, 3), Image.Resampling.BOX)).astype(int)
    released = np.array(RELEASED)
    assert np.abs(coarse - released).max() <= 2


def test_another_seed_draws_another_lesion() -> None:
    first, second = draw_synthetic_lesion(1, 200, 150), draw_synthetic_lesion(2, 200, 150)
    assert np.abs(first.astype(int) - second).mean() > 5


def test_the_size_changes_the_detail_and_not_the_scene(drawn: np.ndarray) -> None:
    small = draw_synthetic_lesion(0, 200, 150).astype(float)
    reduced = np.asarray(Image.fromarray(drawn).resize((200, 150), Image.Resampling.BOX)).astype(float)
    assert np.corrcoef(small.ravel(), reduced.ravel())[0, 1] > 0.95


def test_a_dark_lesion_lies_in_the_middle_of_pale_skin(drawn: np.ndarray) -> None:
    luminance = drawn @ np.array([0.299, 0.587, 0.114])
    center, corners = luminance[150:300, 200:400], [luminance[:60, :60], luminance[-60:, -60:]]
    assert center.mean() < 0.75 * min(corner.mean() for corner in corners)
    assert center.min() < 60


def test_a_lesion_is_not_symmetric(drawn: np.ndarray) -> None:
    lesion = drawn[75:375, 100:500].astype(int)
    assert np.abs(lesion - lesion[:, ::-1]).mean() > 15
    assert np.abs(lesion - lesion[::-1]).mean() > 15


def test_the_drawn_lesion_passes_every_check_of_quality(drawn: np.ndarray) -> None:
    assert assess(photo_from_pixels(drawn, "drawn")).passed
