"""Each figure by identity, by hand and under what must not change it; the verdict word by word."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skinlens.checks.agreement import (
    AKIN,
    agree,
    center_distance_percent,
    heatmap_center,
    hottest,
    hottest_iou,
    mean_ranks,
    spearman,
)
from skinlens.errors import SkinLensError
from skinlens.records import Explanation, ModelRef

SIDE = 100
STAMP = ModelRef("tiny", "0", "0" * 64)


def heatmap(*rows):
    return np.array(rows, dtype=np.float32)


def blob(down, right, radius=10.0):
    """A round hill that is zero from ``radius`` on; centers are pixels."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    return np.maximum(1 - np.hypot(y - down, x - right) / radius, 0).astype(np.float32)


def explanation(method, drawn):
    return Explanation(method, "mel", drawn, {}, None, "a" * 64, STAMP, 1.0, "2024-01-01T00:00:00+00:00")


def of(grad_cam=None, score_cam=None, lime=None):
    drawn = {"grad_cam": grad_cam, "score_cam": score_cam, "lime": lime}
    return [explanation(method, one) for method, one in drawn.items() if one is not None]


varied = arrays(np.float32, (5, 5), elements=st.integers(0, 8).map(lambda n: n / 8)).filter(lambda a: np.ptp(a) > 0)


# ---------------------------------------------------------------------------------------------------------- figures


def test_ranks_by_hand_with_ties_at_their_mean():
    assert mean_ranks(heatmap([0.5, 0, 0.5], [0.1, 0.5, 1])).tolist() == [4, 1, 4, 2, 4, 6]


def test_spearman_by_hand():
    # Without ties: 1 - 6 Σd² / (n (n² - 1)), here with d = 1, 1, 0, 1, 1 and n = 5.
    assert spearman(heatmap([1, 2, 3, 4, 5]), heatmap([2, 1, 3, 5, 4])) == pytest.approx(1 - 6 * 4 / (5 * 24))
    # With ties: the ranks are 1.5 1.5 3 4 and 1 2 3.5 3.5; the deviations' products add to 4, their squares to 4.5.
    assert spearman(heatmap([0, 0, 1, 2]), heatmap([0, 1, 2, 2])) == pytest.approx(4 / 4.5)


@given(varied, varied)
def test_spearman_heeds_the_order_alone_and_neither_map_comes_first(one, other):
    value = spearman(one, other)
    assert -1 - 1e-9 <= value <= 1 + 1e-9
    assert spearman(one**3 * 7 + 2, np.sqrt(other)) == pytest.approx(value)
    assert spearman(other, one) == pytest.approx(value)
    assert spearman(one, -other) == pytest.approx(-value)


@given(varied)
def test_a_map_agrees_fully_with_itself(one):
    assert spearman(one, one) == pytest.approx(1)
    assert hottest_iou(one, one) == 1
    assert center_distance_percent(one, one) == 0


def test_the_hottest_fifth_without_ties_is_a_fifth():
    ramp = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(SIDE, SIDE)
    assert hottest(ramp).sum() == 2000
    assert hottest(ramp)[80:].all()


def test_what_ties_at_the_cut_is_in_and_what_is_zero_is_out():
    assert hottest(heatmap([0.3, 0.3, 0.3, 0.1, 0])).tolist() == [[True, True, True, False, False]]
    assert hottest(heatmap([0] * 9 + [0.2])).sum() == 1
    assert hottest(heatmap([0] * 5)).sum() == 0
    assert hottest(heatmap([0.4] * 5)).all()


def test_overlap_by_hand():
    one, other = np.zeros((2, SIDE, SIDE), dtype=np.float32)
    one[:, 0:20], other[:, 10:30] = 1, 1  # both a fifth of the picture; half of each is shared
    assert hottest_iou(one, other) == pytest.approx(1 / 3)
    assert hottest_iou(one, 0 * one) == 0
    assert hottest_iou(0 * one, 0 * one) == 0


def test_blobs_apart_share_nothing_and_lie_as_far_apart_as_they_were_drawn():
    one, other = blob(30, 20), blob(60, 60)  # 30 down and 40 to the right: 50 pixels
    assert hottest_iou(one, other) == 0
    assert heatmap_center(one) == pytest.approx((30, 20), abs=1e-4)
    assert center_distance_percent(one, other) == pytest.approx(100 * 50 / np.hypot(SIDE, SIDE), abs=1e-3)
    assert center_distance_percent(other, one) == pytest.approx(center_distance_percent(one, other))


def test_faint_heat_all_over_does_not_move_the_center():
    drawn = np.maximum(blob(40, 40, radius=36), np.float32(0.05))  # the hill alone is more than a fifth
    assert heatmap_center(drawn) == pytest.approx((40, 40), abs=1e-4)


def test_turning_both_maps_changes_nothing():
    random = np.random.default_rng(3)
    one, other = random.random((2, 30, 30), dtype=np.float32)
    for figure in (spearman, hottest_iou, center_distance_percent):
        assert figure(np.rot90(one), np.rot90(other)) == pytest.approx(figure(one, other))


# ---------------------------------------------------------------------------------------------------------- verdict

HERE, NEAR, FAR = blob(40, 40), blob(40, 42), blob(80, 80)
BETWEEN, BEYOND = blob(40, 45), blob(40, 50)
BESIDE = blob(40, 48)


@pytest.mark.parametrize(
    ("maps", "verdict"),
    [
        (of(HERE, NEAR, HERE), "The three maps point to the same area."),
        (of(HERE, NEAR), f"The two maps point to the same area. {AKIN}"),
        (of(HERE, lime=NEAR), "The two maps point to the same area."),
        (
            of(HERE, NEAR, FAR),
            f"Two of three maps point to the same area: Grad-CAM and Score-CAM. LIME points elsewhere. {AKIN}",
        ),
        (
            of(HERE, NEAR, BESIDE),
            f"Two of three maps point to the same area: Grad-CAM and Score-CAM. LIME overlaps it in part. {AKIN}",
        ),
        (of(HERE, FAR, BESIDE), "The maps overlap only in part: read none of them alone."),
        (
            of(HERE, FAR, NEAR),
            "Two of three maps point to the same area: Grad-CAM and LIME. Score-CAM points elsewhere.",
        ),
        (
            of(HERE, BETWEEN, BEYOND),
            "The three maps overlap in part: Score-CAM shares its area with each of Grad-CAM and LIME, which differ.",
        ),
        (of(HERE, FAR, blob(80, 10)), "The maps disagree: read none of them alone."),
        (of(HERE, lime=FAR), "The maps disagree: read none of them alone."),
        (
            of(HERE, NEAR, 0 * HERE),
            f"LIME found no evidence for this class. The two maps point to the same area. {AKIN}",
        ),
        (
            of(HERE, 0 * HERE),
            "Score-CAM found no evidence for this class. Grad-CAM stands alone: nothing confirms it.",
        ),
        (
            of(0 * HERE, 0 * HERE + np.float32(0.5)),
            "Grad-CAM found no evidence for this class. Score-CAM is the same everywhere and points to no place. "
            "There is nothing to read from these maps.",
        ),
    ],
)
def test_the_verdict_in_words(maps, verdict):
    assert agree(maps).verdict == verdict


def test_all_pairs_are_there_but_those_of_maps_without_a_place():
    found = agree(of(HERE, NEAR, FAR))
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("grad_cam", "score_cam"),
        ("grad_cam", "lime"),
        ("score_cam", "lime"),
    ]
    assert found.pairs[0].same_area
    assert not found.pairs[1].same_area
    assert (found.label, found.photo_sha256, found.left_out) == ("mel", "a" * 64, ())
    silent = agree(of(HERE, 0 * HERE, FAR))
    assert [(pair.first, pair.second) for pair in silent.pairs] == [("grad_cam", "lime")]
    assert silent.left_out == ("score_cam",)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"photo_sha256": "b" * 64}, "photo"),
        ({"label": "nv"}, "class"),
        ({"params": {"against": "nv"}}, "class"),
        ({"model": ModelRef("tiny", "1", "1" * 64)}, "model"),
        ({"heatmap": HERE[:50, :50]}, "size"),
    ],
)
def test_maps_of_different_things_are_not_compared(change, what):
    one, other = of(HERE, NEAR)
    with pytest.raises(SkinLensError, match=f"expected all of one {what}, found 2"):
        agree([one, replace(other, **change)])


def test_one_map_of_each_method_and_at_least_two():
    (one,) = of(HERE)
    with pytest.raises(SkinLensError, match="at least two maps, found 1"):
        agree([one])
    with pytest.raises(SkinLensError, match="two of one method"):
        agree([one, one])
