"""Grad-CAM against values worked out by hand, against autograd, and against pytorch-grad-cam."""

import numpy as np
import pytest
import torch

from skinlens.explain.attribution import enlarge
from skinlens.explain.gradcam import grad_cam
from skinlens.imaging.preprocess import to_batch
from skinlens.inference.engine import Head
from skinlens.labels import CODES, INDEX
from skinlens.records import Target
from tests.closeness import ONE_LAYER, assert_near

pytestmark = pytest.mark.slow  # imports torch


def float32(values):
    return np.array(values, dtype=np.float32)


@pytest.fixture
def by_hand(mirror):
    """Hidden units A₀, A₁ − 2A₂ (off: 1 − 2 < 0) and A₁ − A₂ + 1 (on); melanoma reads them as 2, 5 and −4."""
    output = np.zeros((len(CODES), 3), dtype=np.float32)
    output[INDEX["mel"]] = [2, 5, -4]
    output[INDEX["nv"]] = [-1, 5, 0]
    hidden = float32([[1, 0, 0], [0, 1, -2], [0, 1, -1]])
    return mirror(Head(hidden, float32([0, 0, 1]), output, np.ones(len(CODES), dtype=np.float32)))


MAPS = float32([[[[1, 2], [3, 4]], [[4, 0], [0, 0]], [[0, 0], [2, 2]]]])
"""Means over space: 2.5, 1 and 1."""


def test_a_map_worked_out_by_hand(by_hand):
    """α = (2·[1, 0, 0] − 4·[0, 1, −1]) / 4 = [.5, −1, 1]; Σ αA = [[−3.5, 1], [3.5, 4]]; ReLU; over its peak of 4."""
    attribution = grad_cam(by_hand, MAPS, Target("mel"))
    np.testing.assert_allclose(attribution.heatmap, [[0, 0.25], [0.875, 1]], atol=1e-6)
    assert attribution.diagnostics == {"peak": pytest.approx(4), "empty": 0}


def test_without_evidence_for_the_class_the_map_stays_zero_and_says_so(by_hand):
    attribution = grad_cam(by_hand, MAPS, Target("nv"))  # α = [−.25, 0, 0]
    np.testing.assert_array_equal(attribution.heatmap, np.zeros((2, 2)))
    assert attribution.diagnostics == {"peak": 0, "empty": 1}


@pytest.mark.parametrize("code", CODES)
def test_the_closed_form_is_what_autograd_finds_on_the_map_of_the_int8_engine(code, student, int8_classifier, photos):
    engine = int8_classifier.engine
    fused = engine.features(to_batch(photos[:1], engine.spec))
    leaf = torch.from_numpy(fused).requires_grad_()
    student.head(leaf)[0, INDEX[code]].backward()
    logit_weights = np.eye(len(CODES), dtype=np.float32)[INDEX[code]]
    closed = engine.head.channel_gradient(fused, logit_weights)
    expected = leaf.grad[0].numpy()
    assert_near(np.broadcast_to(closed[:, None, None], expected.shape), expected, ONE_LAYER)


@pytest.mark.parametrize("code", ["bcc", "mel", "nv"])
def test_pytorch_grad_cam_draws_the_same_map(code, student, logits_model, classifier, photos):
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    for photo in photos[:2]:
        batch = to_batch([photo], classifier.engine.spec)
        ours = grad_cam(classifier.engine, batch, Target(code)).heatmap
        cam = GradCAM(model=logits_model, target_layers=[student.fused])
        theirs = cam(torch.from_numpy(batch).requires_grad_(), [ClassifierOutputTarget(INDEX[code])])[0]
        cam.activations_and_grads.release()
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] >= 0.999
        if ours.min() == 0:  # theirs subtracts the minimum, and adds 1e-7 to the peak
            np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_enlarging_keeps_the_range_and_the_constant_map():
    heatmap = enlarge(np.random.default_rng(0).random((5, 5), dtype=np.float32), 64)
    assert heatmap.shape == (64, 64)
    assert heatmap.max() == 1
    assert heatmap.min() >= 0
    np.testing.assert_array_equal(enlarge(np.full((3, 3), 0.2, dtype=np.float32), 12), np.ones((12, 12)))
