"""The way into the network and back: geometry by hand, and an upload's agreement with its reduced copy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import (
    InputSpec,
    crop_box,
    detail_view,
    heatmap_to_photo,
    model_view,
    normalize,
    to_batch,
)
from skinlens.records import Photo

SPEC = InputSpec()
COMPRESSING = InputSpec(size_px=192, detail_px=150, detail_jpeg_quality=75)
"""As the manifests of releases up to 0.3.0 say."""


def flat(height_px: int, width_px: int, color: tuple[int, int, int] = (10, 128, 250)) -> Photo:
    return photo_from_pixels(np.full((height_px, width_px, 3), color, np.uint8), "PNG")


@pytest.mark.parametrize(
    ("height_px", "width_px", "box"),
    [
        (150, 200, (0, 0, 150, 200)),  # 4:3 is seen whole
        (450, 600, (0, 0, 450, 600)),
        (200, 200, (0, 0, 200, 200)),
        (300, 600, (0, 100, 300, 400)),  # 2:1 loses 100 px at either side
        (600, 300, (100, 0, 400, 300)),
    ],
)
def test_the_seen_region(height_px: int, width_px: int, box: tuple[int, int, int, int]) -> None:
    assert crop_box(height_px, width_px, SPEC) == box


@given(st.integers(32, 4000), st.integers(32, 4000))
def test_the_seen_region_lies_inside_and_is_no_longer_than_allowed(height_px: int, width_px: int) -> None:
    top, left, height, width = crop_box(height_px, width_px, SPEC)
    assert top >= 0
    assert left >= 0
    assert top + height <= height_px
    assert left + width <= width_px
    assert max(height, width) <= round(min(height, width) * SPEC.max_aspect)
    assert min(height, width) == min(height_px, width_px)
    assert top == height_px - height - top
    assert left == width_px - width - left


@pytest.mark.parametrize(("height_px", "width_px"), [(450, 600), (767, 1022), (481, 640), (1000, 1501), (333, 900)])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_photo_gives_the_turned_view(height_px: int, width_px: int, quarters: int) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    turned = photo_from_pixels(np.ascontiguousarray(np.rot90(pixels, quarters)), "PNG")
    upright = model_view(photo_from_pixels(pixels, "PNG"), SPEC)
    assert np.array_equal(model_view(turned, SPEC), np.rot90(upright, quarters))


def test_a_training_photo_keeps_its_pixels_and_a_large_one_comes_to_its_size() -> None:
    random = np.random.default_rng(0)
    small = photo_from_pixels(random.integers(0, 256, (300, 400, 3), dtype=np.uint8), "PNG")
    assert np.array_equal(np.asarray(detail_view(small, SPEC)), small.pixels)
    assert detail_view(flat(450, 600), SPEC).size == (400, 300)
    assert detail_view(flat(3000, 4000), COMPRESSING).size == (200, 150)


def test_serving_only_reduces_unless_the_manifest_says_that_it_compresses() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (450, 600, 3), dtype=np.uint8)
    large = photo_from_pixels(pixels, "PNG")
    reduced = Image.fromarray(pixels).resize((400, 300), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(detail_view(large, SPEC)), np.asarray(reduced))
    compressed = np.asarray(detail_view(large, COMPRESSING))
    assert not np.array_equal(
        compressed, np.asarray(Image.fromarray(pixels).resize((200, 150), Image.Resampling.BICUBIC))
    )


def test_normalization_by_hand() -> None:
    views = np.zeros((1, 2, 2, 3), np.uint8)
    views[0, 0, 1] = (255, 51, 0)
    batch = normalize(views, SPEC)
    assert batch.shape == (1, 3, 2, 2)
    np.testing.assert_allclose(batch[0, :, 0, 1], [1, -0.6, -1], atol=1e-6)
    np.testing.assert_allclose(batch[0, :, 1, 0], [-1, -1, -1], atol=1e-6)


def test_a_flat_photo_of_any_shape_gives_the_same_input() -> None:
    """Up to two gray levels, which is what the compression of a reduced photo may shift a flat color by."""
    expected = to_batch([flat(150, 200)], SPEC)
    for size in ((450, 600), (600, 450), (170, 900), (33, 33)):
        np.testing.assert_allclose(to_batch([flat(*size)], SPEC), expected, atol=2.01 / 127.5)


def test_heat_comes_back_to_where_the_network_saw_it() -> None:
    """A photo with one bright quarter: the network's view of it, used as heat, falls on that quarter again."""
    pixels = np.zeros((300, 400, 3), np.uint8)
    pixels[:150, 200:] = 255
    view = model_view(photo_from_pixels(pixels, "PNG"), SPEC)
    placed = heatmap_to_photo(view[..., 0].astype(np.float32) / 255, 300, 400, SPEC)
    error = np.abs(placed - (pixels[..., 0] / 255))
    assert error.mean() < 0.02


def test_nothing_lies_outside_the_seen_region() -> None:
    placed = heatmap_to_photo(np.ones((24, 24), np.float32), 100, 400, SPEC)
    _, left, _, width = crop_box(100, 400, SPEC)
    assert placed[:, left : left + width].min() == 1
    assert placed[:, :left].max() == 0
    assert placed[:, left + width :].max() == 0


def test_an_antialiased_reduction_does_not_alias() -> None:
    """A chequerboard finer than the detail comes out gray, not as a pattern."""
    board = ((np.indices((900, 1200)).sum(axis=0) % 2) * 255).astype(np.uint8)
    view = model_view(photo_from_pixels(np.repeat(board[..., None], 3, axis=2), "PNG"), SPEC)
    assert view.min() > 100
    assert view.max() < 155


def test_the_resize_is_the_one_that_is_stated() -> None:
    photo = photo_from_pixels(np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8), "PNG")
    stated = Image.fromarray(photo.pixels).resize((224, 224), Image.Resampling.BILINEAR)
    assert np.array_equal(model_view(photo, SPEC), np.asarray(stated))
