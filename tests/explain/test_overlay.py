"""The overlay pictures: identities at the ends, values worked out by hand in between, and no rescaling."""

import hashlib

import numpy as np
import plotly.colors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skinlens.explain import overlay
from skinlens.imaging.preprocess import InputSpec
from skinlens.records import Photo
from skinlens.wording.maps import LEGEND

HEATS = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.floats(0, 1, width=32)
)


def gray(height: int, width: int, level: int = 100) -> np.ndarray:
    return np.full((height, width, 3), level, dtype=np.uint8)


def rise(height: int, width: int) -> np.ndarray:
    """Heat that rises evenly from 0 on the left to 1 on the right."""
    return np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))


def test_the_scale_is_plotlys_viridis() -> None:
    assert list(overlay.ANCHORS) == [plotly.colors.hex_to_rgb(text) for text in plotly.colors.sequential.Viridis]


def test_plotly_interpolates_the_scale_as_we_do() -> None:
    heatmaps = [0.0, 0.05, 0.31, 0.5, 0.77, 1.0]
    theirs = plotly.colors.sample_colorscale(plotly.colors.sequential.Viridis, heatmaps, colortype="tuple")
    ours = overlay.color(np.array([heatmaps], dtype=np.float32))[0]
    assert np.abs(ours - 255 * np.array(theirs)).max() <= 1


def test_colors_worked_out_by_hand() -> None:
    heatmap = np.array([[0, 1 / 9, 1 / 36, 1]], dtype=np.float32)
    # 1/36 lies a quarter of the way from the first anchor to the second: 68 + 1, 1 + 9.75, 84 + 9
    assert overlay.color(heatmap)[0].tolist() == [[68, 1, 84], [72, 40, 120], [69, 11, 93], [253, 231, 37]]


def test_values_outside_the_range_get_the_end_colors() -> None:
    assert overlay.color(np.array([[-3, 7]], dtype=np.float32))[0].tolist() == [[68, 1, 84], [253, 231, 37]]


def test_the_scale_rises_in_lightness_so_that_it_reads_in_gray() -> None:
    colors = overlay.color(rise(1, 101))[0].astype(float) / 255
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    assert (np.diff(linear @ [0.2126, 0.7152, 0.0722]) > -1e-4).all()


def test_a_level_of_an_even_rise_is_one_upright_line() -> None:
    (line,) = overlay.level_lines(rise(5, 11), 0.45)
    assert line[:, 0] == pytest.approx([5 / 11] * 5)  # between the middles of columns 4 (0.4) and 5 (0.5)
    assert sorted(line[:, 1]) == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert overlay.level_lines(rise(5, 11) / 4, 0.45) == []


@given(heatmap=HEATS)
def test_opacity_0_is_the_photo_and_1_the_map(heatmap: np.ndarray) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*heatmap.shape, 3)).astype(np.uint8)
    assert np.array_equal(overlay.blend(pixels, heatmap, 0.0), pixels)
    assert np.array_equal(overlay.blend(pixels, heatmap, 1.0), overlay.color(heatmap))
    assert np.array_equal(overlay.contour(pixels, heatmap, 0.0), pixels)


def test_the_colors_of_a_difference_by_hand() -> None:
    """Where the maps are the same the photo in gray, halfway the mean of it and orange, at the other end purple."""
    pixels = np.full((1, 3, 3), 100, dtype=np.uint8)
    drawn = overlay.difference(pixels, np.array([[0, 0.5, -1]], dtype=np.float32))
    assert drawn.tolist() == [[[100, 100, 100], [165, 98, 50], [94, 60, 153]]]


def test_heat_0_is_veiled_evenly() -> None:
    blended = overlay.blend(gray(2, 3), np.zeros((2, 3), dtype=np.float32), 0.25)
    assert (blended == [92, 75, 96]).all()  # 0.75 · 100 + 0.25 · (68, 1, 84), rounded


def test_the_blend_does_not_depend_on_the_rest_of_the_map() -> None:
    heatmap = rise(4, 8)
    assert np.array_equal(
        overlay.blend(gray(4, 4), np.ascontiguousarray(heatmap[:, :4]), 0.6),
        overlay.blend(gray(4, 8), heatmap, 0.6)[:, :4],
    )


@pytest.mark.parametrize("level", [0.0, 0.25, 0.6, 1.0])
def test_a_flat_map_has_no_contours(level: float) -> None:
    flat = np.full((20, 30), level, dtype=np.float32)
    assert np.array_equal(overlay.contour(gray(20, 30), flat), gray(20, 30))


def test_contours_lie_at_their_levels_and_carry_their_colors() -> None:
    drawn = overlay.contour(gray(40, 101), rise(40, 101))
    line = overlay.color(np.array([[0.25, 0.5, 0.75]], dtype=np.float32))[0]
    assert drawn[:, [25, 50, 75]].tolist() == [line.tolist()] * 40
    # 40 px high: the lines are 1.5 px wide with a halo of 1.5 px on either side, so 3 px away is photo again.
    assert (drawn[:, [20, 22, 28, 35, 47, 53, 60, 72, 78, 90]] == 100).all()


def test_a_contour_is_equally_wide_on_any_slope() -> None:
    rows = np.linspace(-1, 1, 200, dtype=np.float32)[:, np.newaxis]
    radius = np.hypot(rows, rows.T)
    widths = []
    for steepness in (0.7, 2.1):
        cone = np.clip(1 - steepness * radius, 0, 1).astype(np.float32)
        changed = (overlay.contour(gray(200, 200), cone, levels=(0.5,)) != 100).any(axis=2)
        widths.append(changed.sum() / (2 * np.pi * (0.5 / steepness) * 100))
    assert widths[0] == pytest.approx(widths[1], rel=0.12)


@given(heatmap=HEATS)
def test_contours_of_any_map_can_be_drawn(heatmap: np.ndarray) -> None:
    assert overlay.contour(gray(*heatmap.shape), heatmap).shape == (*heatmap.shape, 3)


def test_the_overlay_leaves_alone_what_the_network_did_not_see() -> None:
    pixels = gray(300, 900)
    photo = Photo(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), "PNG")
    heatmap = np.ones((14, 14), dtype=np.float32)
    blended = overlay.overlay(photo, heatmap, InputSpec(), opacity=1.0)
    assert (blended[:, :250] == overlay.ANCHORS[0]).all()  # the seen region is 400 px wide, from 250 to 650
    assert (blended[:, 250:650] == overlay.ANCHORS[-1]).all()
    assert (blended[:, 650:] == overlay.ANCHORS[0]).all()
    outlined = overlay.overlay(photo, heatmap, InputSpec(), style="contour", opacity=1.0)
    assert (outlined[:, 300:600] == 100).all()


def test_the_legend_runs_from_none_on_the_left_to_most_on_the_right() -> None:
    bar = overlay.legend_bar(5, 19)
    assert bar.shape == (5, 19, 3)
    assert bar[0, 0].tolist() == [68, 1, 84]
    assert bar[-1, -1].tolist() == [253, 231, 37]
    assert bar[2, 2].tolist() == [72, 40, 120]  # 2/18 is the second anchor
    assert LEGEND == "0 = none, 1 = most"


@pytest.mark.parametrize(("height_px", "width_px"), [(450, 600), (150, 200), (900, 3000)])
def test_a_caption_leaves_the_picture_alone_and_shows_the_whole_scale(height_px: int, width_px: int) -> None:
    picture = gray(height_px, width_px)
    lines = ["Grad-CAM: how much each part of the photo spoke for melanoma", "Not for diagnosis."]
    made = overlay.captioned(picture, lines)
    np.testing.assert_array_equal(made[:height_px], picture)
    strip = made[height_px:]
    assert strip.shape[1] == width_px
    for anchor in (overlay.ANCHORS[0], overlay.ANCHORS[-1]):
        assert (np.abs(strip.astype(int) - anchor).sum(axis=2) <= 6).any()
    for edge in (strip[0], strip[-1], strip[:, 0], strip[:, -1]):
        assert (edge == 255).all()  # no word reaches the edge
    without = overlay.captioned(picture, lines[:1])
    assert len(without) < len(made)
