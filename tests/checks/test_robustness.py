"""Turning back undoes turning, by identity; the likeness by hand; the whole on a small int8 model."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skinlens.checks.agreement import spearman
from skinlens.checks.contract import Subject
from skinlens.checks.robustness import (
    SEEDS,
    RobustnessCheck,
    brightened,
    map_similarity,
    other_seeds,
    rim_px,
    turned,
    turned_back,
    verdict,
)
from skinlens.errors import Cancelled, SkinLensError
from skinlens.explain import explain
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import InputSpec, crop_box
from skinlens.labels import CODES
from tests.closeness import PROBABILITY

SPEC = InputSpec(size_px=96)


def smooth(height_px, width_px):
    """A picture with a bright blot off the center, and waves that make each place unlike its neighbours."""
    y, x = np.mgrid[0:height_px, 0:width_px] / min(height_px, width_px)
    blot = 120 * np.exp(-((y - 0.3) ** 2 + (x - 0.8) ** 2) / 0.05)
    waves = 60 + 30 * np.sin(7 * x) + 30 * np.cos(5 * y)
    return np.clip((blot + waves)[..., np.newaxis].repeat(3, axis=2), 0, 255).astype(np.uint8)


def heat_of(pixels):
    """Brightness as the heat of a map: it turns with the photo as the map of a perfectly stable method would."""
    top, left, height, width = crop_box(*pixels.shape[:2], SPEC)
    region = Image.fromarray(pixels[top : top + height, left : left + width, 0])
    return np.asarray(region.resize((SPEC.size_px, SPEC.size_px), Image.Resampling.BILINEAR), dtype=np.float32) / 255


@pytest.mark.parametrize(("height_px", "width_px"), [(150, 150), (150, 200), (200, 150), (150, 320)])
@pytest.mark.parametrize("degrees", [2.0, -2.0, 6.0])
def test_turning_back_undoes_turning_whatever_the_photos_shape(height_px, width_px, degrees):
    pixels = smooth(height_px, width_px)
    photo = photo_from_pixels(pixels, "drawn")
    heatmap, moved = heat_of(pixels), heat_of(turned(pixels, degrees))
    back = turned_back(moved, degrees, photo, SPEC)
    inside = slice(rim := rim_px(degrees, SPEC), SPEC.size_px - rim)
    off = lambda one: np.abs(one - heatmap)[inside, inside].mean()
    assert off(back) < 0.003 < 0.007 < off(moved)  # what is left is the rounding of 8-bit pictures
    assert spearman(back[inside, inside], heatmap[inside, inside]) > 0.999
    assert off(turned_back(moved, -degrees, photo, SPEC)) > 1.5 * off(moved)


def test_a_quarter_turn_is_that_of_numpy():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    np.testing.assert_array_equal(turned(pixels, 90.0), np.rot90(pixels))
    heatmap = np.random.default_rng(1).random((32, 32), dtype=np.float32)
    photo = photo_from_pixels(smooth(100, 100), "drawn")
    back = turned_back(np.rot90(heatmap).copy(), 90.0, photo, InputSpec(size_px=32))
    np.testing.assert_allclose(back, heatmap, atol=1e-5)


def test_what_comes_in_by_turning_is_the_photos_own_skin():
    gray = np.full((60, 80, 3), 130, dtype=np.uint8)
    np.testing.assert_array_equal(turned(gray, 2.0), gray)


def test_brightness_by_hand():
    pixels = np.array([[[0, 100, 250]]], dtype=np.uint8)
    assert brightened(pixels, 1.05).tolist() == [[[0, 105, 255]]]
    assert brightened(pixels, 0.9).tolist() == [[[0, 90, 225]]]
    np.testing.assert_array_equal(brightened(pixels, 1.0), pixels)


def test_the_rim_by_hand():
    assert rim_px(0.0, SPEC) == 0
    spec = InputSpec(size_px=192)
    assert rim_px(2.0, spec) == rim_px(-2.0, spec) == 5  # tan 2° · 4/3 · 96 = 4.47


def test_map_similarity_by_hand():
    heatmap = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
    same = map_similarity("the same", heatmap, heatmap, 0.4, 0.0, SPEC)
    assert (same.change, same.prob) == ("the same", 0.4)
    assert (same.spearman, same.hottest_iou) == pytest.approx((1, 1))
    opposite = map_similarity("reversed", heatmap, heatmap[::-1, ::-1].copy(), 0.4, 0.0, SPEC)
    assert opposite.spearman == pytest.approx(-1)
    assert opposite.hottest_iou == 0
    # Rows from hot to cold, moved down by a tenth: of a fifth of the rows each, a tenth is shared.
    moved = np.roll(heatmap, 10, axis=0)
    assert map_similarity("moved", heatmap, moved, 0.4, 0.0, SPEC).hottest_iou == pytest.approx(10 / 30, abs=0.01)
    gone = map_similarity("gone", heatmap, np.zeros_like(heatmap), 0.4, 0.0, SPEC)
    assert (gone.spearman, gone.hottest_iou) == (None, 0)


def test_only_what_both_frames_saw_is_compared():
    heatmap = np.random.default_rng(0).random((SPEC.size_px, SPEC.size_px), dtype=np.float32)
    other = heatmap.copy()
    rim = rim_px(2.0, SPEC)
    other[:rim] = 1
    assert map_similarity("turned", heatmap, other, 0.4, 2.0, SPEC).spearman == pytest.approx(1)
    assert map_similarity("turned", heatmap, other, 0.4, 0.0, SPEC).spearman < 0.99


@pytest.mark.parametrize(
    ("shared", "words"),
    [(1.0, "steady"), (0.5, "steady"), (0.49, "moves in part"), (0.25, "moves in part"), (0.24, "another area")],
)
def test_the_verdict_by_hand(shared, words):
    assert verdict(shared).endswith(words)


# ------------------------------------------------------------------------------------------------------- the engine


def robustness(classifier, photo, explanation, progress=None):
    (found,) = RobustnessCheck().compute(Subject(classifier, photo, (explanation,)), progress)
    return found


@pytest.fixture(scope="module")
def small(int8_classifier, photos):
    """An int8 engine, a photo, and a Grad-CAM map of it that is not empty."""
    made = (explain("grad_cam", int8_classifier, photos[0], code) for code in CODES)
    return int8_classifier, photos[0], next(one for one in made if one.heatmap.any())


def test_a_map_without_chance_is_made_again_under_four_changes(small):
    classifier, photo, explanation = small
    told = []
    found = robustness(classifier, photo, explanation, told.append)
    changes = found.figures["changes"]
    assert [one["change"] for one in changes] == [
        "turned by 2° to the left",
        "turned by 2° to the right",
        "5\u00a0% brighter",
        "5\u00a0% darker",
    ]
    assert found.figures["seeds"] == []
    assert found.figures["prob"] == pytest.approx(classifier.predict(photo).prob(explanation.label), abs=PROBABILITY)
    darker = photo_from_pixels(brightened(photo.pixels, 0.95), "PNG")
    assert changes[3]["prob"] == pytest.approx(classifier.predict(darker).prob(explanation.label), abs=PROBABILITY)
    again = explain("grad_cam", classifier, darker, explanation.label)
    assert changes[3]["spearman"] == pytest.approx(spearman(explanation.heatmap, again.heatmap))
    assert found.figures["least_shared"] == min(one["hottest_iou"] for one in changes)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)
    assert (found.kind, found.method, found.label) == ("stability", "grad_cam", explanation.label)
    assert found.figures == robustness(classifier, photo, explanation).figures
    assert json.loads(json.dumps(found.figures)) == found.figures


def test_lime_is_made_again_with_the_seeds_that_follow_its_own(small):
    classifier, photo, explanation = small
    settings = {"samples": 50, "segments": 10, "seed": 2**32 - 2}
    one = explain("lime", classifier, photo, explanation.label, params=settings)
    assert other_seeds(one) == (2**32 - 1, 0, 1)
    found = robustness(classifier, photo, one)
    assert [other["change"] for other in found.figures["seeds"]] == ["seed 4294967295", "seed 0", "seed 1"]
    assert len(found.figures["seeds"]) == found.settings["seeds"] == SEEDS
    again = explain("lime", classifier, photo, explanation.label, params={**settings, "seed": 0})
    assert found.figures["seeds"][1]["spearman"] == pytest.approx(spearman(one.heatmap, again.heatmap))
    assert found.seed == 2**32 - 2


def test_cancel_passes_through(small):
    classifier, photo, explanation = small

    def cancel(fraction):
        if fraction > 0.3:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled):
        robustness(classifier, photo, explanation, cancel)


def test_a_map_that_points_nowhere_is_refused(small):
    classifier, photo, explanation = small
    flat = replace(explanation, heatmap=np.full_like(explanation.heatmap, 0.5))
    with pytest.raises(SkinLensError, match="the same everywhere, so it points nowhere"):
        robustness(classifier, photo, flat)
