"""The figures on scores whose answer is known, the curves by hand, and the whole on a small int8 model."""

from dataclasses import replace

import numpy as np
import pytest

from skinlens.checks.contract import Subject
from skinlens.checks.faithfulness import (
    RANDOM_MAPS,
    STEPS,
    FaithfulnessCheck,
    area,
    average_drop,
    blur,
    clearly_better,
    deletion_insertion,
    order_of,
    random_maps,
    score_of,
)
from skinlens.errors import Cancelled, SkinLensError
from skinlens.explain import explain, seed_of
from skinlens.imaging.preprocess import to_batch
from skinlens.labels import CODES, INDEX
from skinlens.records import ModelRef, Target
from tests.closeness import PROBABILITY

SIDE = 34  # so that each of the 17 steps is of the same size
SQUARE = (slice(6, 16), slice(8, 20))


def brightness_of_square(batch):
    return batch[(slice(None), slice(None), *SQUARE)].mean(axis=(1, 2, 3)).astype(np.float64)


@pytest.fixture
def bright():
    return np.ones((3, SIDE, SIDE), dtype=np.float32)


@pytest.fixture
def on_square():
    """A map of the very square whose brightness is the score."""
    heatmap = np.zeros((SIDE, SIDE), dtype=np.float32)
    heatmap[SQUARE] = 1
    return heatmap


def walked(bright, heatmap, score=brightness_of_square):
    dark = np.zeros_like(bright)
    ends = score(np.stack([bright, dark]))
    return deletion_insertion(bright, dark, order_of(heatmap), (ends[0], ends[1]), score)


# ----------------------------------------------------------------------------------------------------------- curves


def test_the_area_by_hand():
    assert area(1.0, np.array([]), 0.0) == 0.5
    assert area(0.2, np.array([0.6, 1.0]), 0.4) == pytest.approx((0.4 + 0.8 + 0.7) / 3)
    line = np.linspace(0, 1, STEPS + 1)
    assert area(0.0, line[1:-1], 1.0) == pytest.approx(1 / 2)
    assert area(0.0, line[1:-1] ** 2, 1.0) == pytest.approx(1 / 3 + 1 / (6 * STEPS**2))  # the trapezoids' excess


def test_a_score_of_the_whole_picture_falls_in_a_line_whatever_the_order(bright):
    random = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32)
    areas = walked(bright, random, lambda batch: batch.mean(axis=(1, 2, 3)).astype(np.float64))
    assert areas.deletion == pytest.approx(0.5, abs=1e-6)
    assert areas.insertion == pytest.approx(0.5, abs=1e-6)
    assert areas.auc_gain == pytest.approx(0, abs=1e-6)


def test_a_map_on_what_counts_by_hand(bright, on_square):
    # The square is 120 of 1156 pixels, a step is 68: the score is 1, 52/120, 0, 0 … when it is taken away.
    areas = walked(bright, on_square)
    assert areas.deletion == pytest.approx((1 / 2 + 52 / 120) / STEPS)
    assert areas.insertion == pytest.approx((68 / 120 + 15 + 1 / 2) / STEPS)


def test_the_reverse_order_changes_places(bright, on_square):
    # Taking away the coldest first leaves what inserting the hottest first would have shown.
    heatmap = blur(on_square, 4.0) + on_square  # no two pixels alike
    forth, back = walked(bright, heatmap), walked(bright, -heatmap)
    assert back.deletion == pytest.approx(forth.insertion, abs=1e-6)
    assert back.insertion == pytest.approx(forth.deletion, abs=1e-6)


def test_a_map_on_what_counts_beats_chance_and_its_inverse_does_not(bright, on_square):
    random = [walked(bright, drawn).auc_gain for drawn in random_maps(on_square, 5, RANDOM_MAPS)]
    assert clearly_better(walked(bright, on_square).auc_gain, random)
    assert not clearly_better(walked(bright, 1 - on_square).auc_gain, random)


def test_a_map_does_not_beat_chance_where_the_score_never_moves(bright, on_square):
    constant = lambda batch: np.full(len(batch), 0.7)
    random = [walked(bright, drawn, constant).auc_gain for drawn in random_maps(on_square, 5, RANDOM_MAPS)]
    areas = walked(bright, on_square, constant)
    assert (areas.deletion, areas.insertion) == pytest.approx((0.7, 0.7))
    assert not clearly_better(areas.auc_gain, random)


def test_clearly_better_by_hand():
    random = [0.1, 0.2, 0.3]  # mean .2, standard deviation .1
    assert clearly_better(0.41, random)
    assert not clearly_better(0.39, random)


@pytest.mark.parametrize(("whole", "hot_only", "drop"), [(0.8, 0.2, 0.75), (0.4, 0.6, 0.0), (0.5, 0.5, 0.0), (0, 0, 0)])
def test_the_average_drop_by_hand(whole, hot_only, drop):
    assert average_drop(whole, hot_only) == pytest.approx(drop)


# ------------------------------------------------------------------------------------------- orders, blur, random maps


def test_the_order_of_pixels_that_are_alike_is_that_of_their_surroundings():
    heatmap = np.zeros((9, 9), dtype=np.float32)
    heatmap[7, 7] = 1
    order = order_of(heatmap)
    assert order[7, 7] == 0
    assert order[0, 0] == 80
    assert sorted(order.ravel()) == list(range(81))
    assert order[6, 7] < order[2, 2]  # near the heat before far from it, not from the top down


def test_an_order_follows_the_heat():
    heatmap = np.random.default_rng(1).permutation(36).reshape(6, 6).astype(np.float32)
    np.testing.assert_array_equal(order_of(heatmap), 35 - heatmap)


def test_blurring_keeps_a_flat_picture_and_spreads_a_point():
    np.testing.assert_allclose(blur(np.full((3, 8, 8), 0.3, np.float32), 2.0), 0.3, rtol=1e-5)
    point = np.zeros((41, 41), dtype=np.float32)
    point[20, 20] = 1
    spread = blur(point, 2.0)
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    assert spread[20, 22] / spread[20, 20] == pytest.approx(np.exp(-1 / 2), rel=1e-3)  # at one standard deviation


def test_random_maps_are_as_rough_as_the_map_and_elsewhere():
    y, x = np.mgrid[0:64, 0:64]
    smooth = np.exp(-((y - 20) ** 2 + (x - 40) ** 2) / 200).astype(np.float32)
    rough = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    for heatmap in (smooth, rough):
        drawn = np.stack(list(random_maps(heatmap, 7, 30)))
        roughness = lambda one: (np.diff(one, axis=0) ** 2).mean() / one.var()
        assert np.median([roughness(one) for one in drawn]) == pytest.approx(roughness(heatmap), rel=0.5)
        peaks = {np.unravel_index(one.argmax(), one.shape) for one in drawn}
        assert len(peaks) > 20
    assert roughness(smooth) < roughness(rough) / 20


def test_random_maps_belong_to_their_seed():
    heatmap = np.random.default_rng(0).random((16, 16), dtype=np.float32)
    one, again, other = (np.stack(list(random_maps(heatmap, seed, 3))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


# ------------------------------------------------------------------------------------------------------- the engine


def faithfulness(classifier, photo, explanation, progress=None):
    (found,) = FaithfulnessCheck().compute(Subject(classifier, photo, (explanation,)), progress)
    return found


@pytest.fixture(scope="module")
def small(int8_classifier, photos):
    """An int8 engine, a photo, and a map of it that is not empty."""
    made = (explain("grad_cam", int8_classifier, photos[0], code) for code in CODES)
    return int8_classifier, photos[0], next(one for one in made if one.heatmap.any())


def test_a_map_of_the_shipped_kind_of_model_is_put_to_the_test(small):
    classifier, photo, explanation = small
    told = []
    check = faithfulness(classifier, photo, explanation, told.append)
    for figure in ("deletion", "insertion", "random_deletion_mean", "random_insertion_mean", "average_drop"):
        assert 0 <= check.figures[figure] <= 1
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)
    again = faithfulness(classifier, photo, explanation)
    assert (check.kind, check.label, check.method) == ("faithfulness", explanation.label, "grad_cam")
    assert (check.photo_sha256, check.model) == (photo.sha256, classifier.engine.model_ref)
    assert (check.figures, check.identity, check.seed) == (again.figures, again.identity, again.seed)
    assert check.settings["map"] == explanation.params


def test_a_class_against_another_is_scored_by_its_share_of_the_two(small):
    classifier, photo, _ = small
    batch = to_batch([photo], classifier.engine.spec)
    probs = classifier.probs(batch)[0].astype(float)
    melanoma, nevus = probs[INDEX["mel"]], probs[INDEX["nv"]]
    assert score_of(classifier, Target("mel"), batch)[0] == pytest.approx(melanoma, abs=PROBABILITY)
    share = score_of(classifier, Target("mel", "nv"), batch)[0]
    assert share == pytest.approx(melanoma / (melanoma + nevus), abs=PROBABILITY)
    assert share + score_of(classifier, Target("nv", "mel"), batch)[0] == pytest.approx(1)


def test_one_of_the_random_maps_is_no_better_than_the_random_maps(small):
    classifier, photo, explanation = small
    drawn = next(random_maps(explanation.heatmap, seed_of(photo), 1))
    heatmap = (drawn - drawn.min()) / np.ptp(drawn)
    assert not faithfulness(classifier, photo, replace(explanation, heatmap=heatmap)).figures["better_than_chance"]


def test_cancel_passes_through(small):
    classifier, photo, explanation = small

    def cancel(fraction):
        if fraction > 0:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled):
        faithfulness(classifier, photo, explanation, cancel)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"photo_sha256": "b" * 64}, "expected a map of the photo .*, found one of bbbbbbbbbbbb…"),
        ({"model": ModelRef("tiny", "9", "c" * 64)}, "expected a map of the model .*, found one of cccccccccccc…"),
        ({"heatmap": np.zeros((64, 64), dtype=np.float32)}, "the same everywhere"),
    ],
)
def test_a_map_that_cannot_be_checked_says_why(small, change, sentence):
    classifier, photo, explanation = small
    with pytest.raises(SkinLensError, match=sentence):
        faithfulness(classifier, photo, replace(explanation, **change))
