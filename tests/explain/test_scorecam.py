"""Score-CAM against a map worked out by hand, and against pytorch-grad-cam over all channels."""

import numpy as np
import pytest
import torch

from skinlens.errors import Cancelled
from skinlens.explain import scorecam
from skinlens.explain.scorecam import STABILITY_TARGET, Masking, enlarged_masks, score_cam
from skinlens.imaging.preprocess import to_batch
from skinlens.inference.engine import BATCH, Head
from skinlens.labels import CODES, INDEX
from skinlens.records import Target
from tests.closeness import NETWORK, ONE_LAYER

pytestmark = pytest.mark.slow  # imports torch

ALL = 256


def ignore(_):
    """Take no notice of progress."""


@pytest.fixture
def by_hand(mirror):
    """Melanoma's logit is ln 2 · mean(A₀) + 2 ln 3 · mean(A₁)."""
    output = np.zeros((len(CODES), 3), dtype=np.float32)
    output[INDEX["mel"]] = [np.log(2), 2 * np.log(3), 0]
    return mirror(Head(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), output, np.zeros(len(CODES), np.float32)))


def test_a_map_worked_out_by_hand(by_hand):
    """The masks leave mean(A₀) = 1, or mean(A₁) = .5, or nothing: logits ln 2, ln 3, 0, so weights 2/6, 3/6 and 1/6."""
    batch = np.array([[[[4, 0], [0, 0]], [[0, 0], [0, 2]], [[0, 0], [0, 0]]]], dtype=np.float32)
    attribution = score_cam(by_hand, batch, Target("mel"), ALL, ignore)
    np.testing.assert_allclose(attribution.heatmap, [[1, 0], [0, 0.75]], atol=1e-5)
    assert attribution.diagnostics == {
        "peak": pytest.approx(4 / 3, abs=1e-5),
        "empty": 0,
        "floor": 0,
        "forwards": 3,
        "estimated": 0,
    }


@pytest.mark.parametrize("value", [0, 3, 6])
def test_a_photo_without_any_structure_gives_an_empty_map_and_no_nan(by_hand, value):
    attribution = score_cam(by_hand, np.full((1, 3, 2, 2), value, dtype=np.float32), Target("mel"), ALL, ignore)
    np.testing.assert_array_equal(attribution.heatmap, np.zeros((2, 2)))
    assert attribution.diagnostics == {
        "peak": 0,
        "empty": 1,
        "floor": pytest.approx(value),
        "forwards": 1,
        "estimated": 0,
    }


def test_constant_channels_share_one_forward_pass_and_nothing_changes(classifier, photos):
    engine = classifier.engine
    batch = to_batch(photos[:1], engine.spec)
    attribution = score_cam(engine, batch, Target("mel"), ALL, ignore)
    maps = engine.features(batch)[0]
    constant = np.ptp(maps, axis=(1, 2)) == 0
    assert constant.sum() > 1
    assert attribution.diagnostics["forwards"] == len(maps) - constant.sum() + 1
    logits = Masking(engine, batch, Target("mel"))(maps, 0, len(maps), ignore)
    weights = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    unshared = np.einsum("k,khw->hw", weights, maps)
    assert attribution.diagnostics["floor"] == pytest.approx(unshared.min(), rel=NETWORK)
    assert attribution.diagnostics["peak"] == pytest.approx(np.ptp(unshared), rel=NETWORK)


@pytest.mark.parametrize("code", ["bcc", "mel"])
def test_pytorch_grad_cam_draws_the_same_map_over_all_channels(code, student, logits_model, classifier, photos):
    from pytorch_grad_cam import ScoreCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    batch = to_batch(photos[1:2], classifier.engine.spec)
    ours = score_cam(classifier.engine, batch, Target(code), ALL, ignore).heatmap
    cam = ScoreCAM(model=logits_model, target_layers=[student.fused])
    theirs = cam(torch.from_numpy(batch), [ClassifierOutputTarget(INDEX[code])])[0]
    cam.activations_and_grads.release()
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] >= 0.999


def test_fewer_channels_are_those_of_the_widest_range(classifier, photos):
    engine = classifier.engine
    batch = to_batch(photos[:1], engine.spec)
    maps = engine.features(batch)[0]
    widest = maps[np.argmax(np.ptp(maps, axis=(1, 2)))]
    attribution = score_cam(engine, batch, Target("mel"), 1, ignore)
    assert attribution.diagnostics["forwards"] == 1
    # One channel has all the weight.
    assert attribution.diagnostics["peak"] == pytest.approx(np.ptp(widest), rel=ONE_LAYER)
    more = score_cam(engine, batch, Target("mel"), len(maps), ignore)
    np.testing.assert_array_equal(more.heatmap, score_cam(engine, batch, Target("mel"), ALL, ignore).heatmap)


def test_masks_span_0_to_1_with_the_corners_of_both_grids_on_each_other():
    grid = np.random.default_rng(0).random((2, 4, 4), dtype=np.float32)
    grid[1] = 0
    masks = enlarged_masks(grid, 16)
    expected = torch.nn.UpsamplingBilinear2d(size=16)(torch.from_numpy(grid[None]))[0, 0].numpy()
    expected = (expected - expected.min()) / np.ptp(expected)
    np.testing.assert_allclose(masks[0], expected, atol=1e-5)
    np.testing.assert_array_equal(masks[1], np.zeros((16, 16)))


def test_progress_is_told_after_every_batch_and_may_cancel(classifier, photos):
    engine = classifier.engine
    batch = to_batch(photos[:1], engine.spec)
    told = []
    score_cam(engine, batch, Target("mel"), BATCH + 4, told.append)
    assert told == [BATCH / (BATCH + 4), 1]

    def cancel(fraction):
        told.append(fraction)
        raise Cancelled("stopped by the user")

    told.clear()
    with pytest.raises(Cancelled):
        score_cam(engine, batch, Target("mel"), BATCH + 4, cancel)
    assert len(told) == 1


@pytest.fixture
def looks(monkeypatch):
    """Looks so early and often that the student of the tests has channels to spare."""
    first, step = BATCH // 2, BATCH // 4
    monkeypatch.setattr(scorecam, "FIRST", first)
    monkeypatch.setattr(scorecam, "STEP", step)
    return first, step


def test_it_stops_when_more_channels_hardly_change_the_map(looks, classifier, photos):
    first, step = looks
    engine, batch = classifier.engine, to_batch(photos[:1], classifier.engine.spec)
    whole = score_cam(engine, batch, Target("mel"), ALL, ignore).diagnostics["forwards"]
    told = []
    early = score_cam(engine, batch, Target("mel"), ALL, told.append, stability_target=0.9)
    tried, estimated = early.diagnostics["forwards"], early.diagnostics["estimated"]
    assert first + step <= tried < whole
    assert tried + estimated == whole
    assert told == [*(count / whole for count in range(first, int(tried) + 1, step)), 1]


def test_a_map_that_is_never_steady_is_that_of_all_channels(looks, classifier, photos):
    engine, batch = classifier.engine, to_batch(photos[:1], classifier.engine.spec)
    whole = score_cam(engine, batch, Target("mel"), ALL, ignore)
    never = score_cam(engine, batch, Target("mel"), ALL, ignore, stability_target=1 - 1e-15)
    assert never.diagnostics["estimated"] == 0
    np.testing.assert_allclose(never.heatmap, whole.heatmap, atol=NETWORK)


def test_few_channels_are_all_tried(classifier, photos):
    engine, batch = classifier.engine, to_batch(photos[:1], classifier.engine.spec)
    few = score_cam(engine, batch, Target("mel"), ALL, ignore, stability_target=STABILITY_TARGET)
    assert few.diagnostics["estimated"] == 0
    np.testing.assert_array_equal(few.heatmap, score_cam(engine, batch, Target("mel"), ALL, ignore).heatmap)
