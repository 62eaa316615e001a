"""The rectangle of the photo where a map is hottest, worked out by hand on a square of 10 × 10 places."""

import hashlib

import numpy as np
import pytest

from skinlens.explain.hot_region import Region, peak_region
from skinlens.imaging.preprocess import InputSpec
from skinlens.records import Heatmap, Photo

SPEC = InputSpec()


def spots(*places: tuple[slice, slice, float]) -> Heatmap:
    heatmap = np.zeros((10, 10), dtype=np.float32)
    for down, right, value in places:
        heatmap[down, right] = value
    return heatmap


def test_a_spot_is_framed_with_a_margin_in_the_pixels_of_the_photo() -> None:
    heatmap = spots((slice(4, 6), slice(2, 5), 1.0))  # 2 × 3 places, each 40 px wide and 30 px high
    assert peak_region(heatmap, 300, 400, SPEC) == Region(80 - 12, 120 - 12, 120 + 24, 60 + 24)


def test_of_two_spots_the_one_with_more_heat_is_framed() -> None:
    small, large, cool = (slice(0, 1), slice(0, 1), 1.0), (slice(6, 9), slice(6, 9), 0.8), (slice(3, 5), slice(10), 0.7)
    assert peak_region(spots(small, large, cool), 100, 100, SPEC) == Region(57, 57, 36, 36)


def test_a_single_place_is_shown_with_what_surrounds_it() -> None:
    assert peak_region(spots((slice(5, 6), slice(5, 6), 1.0)), 120, 120, SPEC) == Region(56, 56, 20, 20)


def test_the_frame_ends_where_the_photo_does() -> None:
    assert peak_region(spots((slice(0, 2), slice(8, 10), 1.0)), 100, 100, SPEC) == Region(78, 0, 22, 22)


def test_places_that_touch_at_a_corner_belong_together() -> None:
    heatmap = spots((slice(2, 3), slice(2, 3), 1.0), (slice(3, 4), slice(3, 4), 1.0))
    assert peak_region(heatmap, 100, 100, SPEC) == Region(18, 18, 24, 24)


def test_what_the_network_does_not_see_is_left_out_of_the_scale() -> None:
    """Of 800 × 300 px it sees the middle 400, so the map's left edge lies at 200."""
    assert peak_region(spots((slice(0, 10), slice(0, 1), 1.0)), 300, 800, SPEC) == Region(170, 0, 100, 300)


def test_an_empty_map_has_no_region() -> None:
    assert peak_region(np.zeros((10, 10), dtype=np.float32), 300, 400, SPEC) is None


@pytest.mark.parametrize("size", [(3, 3), (1, 400), (37, 1200)])
def test_the_region_is_cut_from_the_photo_as_it_is(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    photo = Photo(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), "PNG")
    heatmap = np.random.default_rng(2).random((24, 24), dtype=np.float32)
    region = peak_region(heatmap, *size, SPEC)
    assert region is not None
    cut = region.of(photo)
    assert cut.shape == (region.height_px, region.width_px, 3)
    assert min(cut.shape) > 0
    np.testing.assert_array_equal(
        cut[-1, -1], pixels[region.top_px + cut.shape[0] - 1, region.left_px + cut.shape[1] - 1]
    )
