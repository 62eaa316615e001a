"""The early answers: probabilities by their own temperatures, maps that add up to the logits, the verdict in words."""

import json

import numpy as np
import pytest
import torch

from skinlens.checks.contract import Subject
from skinlens.checks.early_exits import STAGES, EarlyExitCheck, depth_maps, verdict
from skinlens.explain.gradcam import grad_cam, weighted
from skinlens.imaging.preprocess import to_batch
from skinlens.inference.calibration import softmax
from skinlens.inference.classifier import Classifier
from skinlens.inference.engine import ExitLayer, Head
from skinlens.labels import BY_CODE, CODES, INDEX
from skinlens.records import Target
from tests.closeness import NETWORK, ONE_LAYER, PROBABILITY

pytestmark = pytest.mark.slow  # imports torch


def early_exits(classifier, photo):
    (found,) = EarlyExitCheck().compute(Subject(classifier, photo))
    return found


TARGETS = pytest.mark.parametrize("target", [Target("mel"), Target("bcc"), Target("mel", "nv")])


def test_the_three_answers_are_those_of_the_student(student, classifier, photos):
    found = early_exits(classifier, photos[0])
    with torch.no_grad():
        output = student(torch.from_numpy(to_batch(photos[:1], classifier.engine.spec)))
    temperatures = (2.0, 0.5, classifier.temperature)
    answers = found.figures["answers"]
    assert tuple(answer["stage"] for answer in answers) == STAGES
    for answer, logits, temperature in zip(answers, output[1:], temperatures, strict=True):
        probs = [answer["probs"][code] for code in CODES]
        np.testing.assert_allclose(probs, softmax(logits.numpy(), temperature)[0], atol=1e-4)
        assert answer["top"] == CODES[int(np.argmax(probs))]
    assert [answer["balanced_accuracy"] for answer in answers] == [0.3, 0.6, None]
    np.testing.assert_allclose(
        list(answers[2]["probs"].values()), classifier.predict(photos[0]).probs, atol=PROBABILITY
    )
    assert (found.photo_sha256, found.model) == (photos[0].sha256, classifier.engine.model_ref)


@TARGETS
def test_the_unclipped_maps_of_the_exits_add_up_to_their_logits(target, int8_classifier, photos):
    """Σ over places of Σ_k α_k M_k is the logit, or the lead, but for the constant b: at the int8 engine, exactly."""
    engine = int8_classifier.engine
    output = engine.run(to_batch(photos[:1], engine.spec))
    for maps, logits, layer in zip((output.local, output.top), output[1:3], engine.exits, strict=True):
        alpha = layer.channel_gradient(maps, target.logit_weights)
        summands = alpha.astype(np.float64) * maps[0].sum(axis=(1, 2), dtype=np.float64)
        expected = float((logits - layer.bias)[0] @ target.logit_weights)
        assert summands.sum() == pytest.approx(expected, abs=ONE_LAYER * np.abs(summands).sum())


def test_the_gradient_of_an_exit_by_hand():
    """Z = [1, 2] · mean(M) for melanoma; over four places that is a quarter each."""
    weight = np.zeros((len(CODES), 2), dtype=np.float32)
    weight[INDEX["mel"]] = [1, 2]
    layer = ExitLayer(weight, np.zeros(len(CODES), np.float32), 1.0, 0.5)
    maps = np.zeros((1, 2, 2, 2), dtype=np.float32)
    assert layer.channel_gradient(maps, Target("mel").logit_weights).tolist() == [0.25, 0.5]
    assert layer.channel_gradient(maps, Target("nv", "mel").logit_weights).tolist() == [-0.25, -0.5]


class ExitModel(torch.nn.Module):
    """One exit of the student as pytorch-grad-cam wants a model."""

    def __init__(self, student, position):
        super().__init__()
        self.student, self.position = student, position

    def forward(self, batch):
        return self.student(batch)[self.position]


@pytest.mark.parametrize("position", [1, 2])
def test_pytorch_grad_cam_draws_the_same_maps_of_the_exits(position, student, classifier, photos):
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    layer = student.cnn.stage_2[-1] if position == 1 else student.efficientnet.top[-1]
    compared = 0
    for photo in photos:
        batch = to_batch([photo], classifier.engine.spec)
        for code in ("bcc", "mel", "nv"):
            attribution = depth_maps(classifier, photo, Target(code))[position - 1]
            cam = GradCAM(model=ExitModel(student, position), target_layers=[layer])
            theirs = cam(torch.from_numpy(batch).requires_grad_(), [ClassifierOutputTarget(INDEX[code])])[0]
            cam.activations_and_grads.release()
            if not attribution.diagnostics["empty"]:
                compared += 1
                assert np.corrcoef(attribution.heatmap.ravel(), theirs.ravel())[0, 1] >= 0.999
    assert compared >= 3


@TARGETS
def test_the_last_of_the_three_maps_is_grad_cams(target, int8_classifier, photos):
    maps = depth_maps(int8_classifier, photos[1], target)
    assert len(maps) == len(STAGES)
    engine = int8_classifier.engine
    alone = grad_cam(engine, to_batch(photos[1:2], engine.spec), target)
    np.testing.assert_allclose(maps[2].heatmap, alone.heatmap, rtol=0, atol=NETWORK)  # a map of 0 to 1
    assert {one.heatmap.shape for one in maps} == {(engine.spec.size_px, engine.spec.size_px)}


def test_a_weighted_map_by_hand():
    maps = np.array([[[1, 0], [0, 0]], [[0, 2], [0, 0]], [[0, 0], [4, 0]]], dtype=np.float32)
    attribution = weighted(maps, np.array([1, 2, -1], dtype=np.float32), 2)
    np.testing.assert_allclose(attribution.heatmap, [[0.25, 1], [0, 0]])
    assert attribution.diagnostics == {"peak": 4, "empty": 0}


def test_a_release_without_the_maps_of_the_exits_still_tells_what_they_said(mirror, int8_classifier, photos):
    """The mirror's file has three outputs, as those of the first releases; its exits give all classes alike."""
    head = Head(
        np.eye(3, dtype=np.float32), np.zeros(3, np.float32), np.ones((7, 3), np.float32), np.zeros(7, np.float32)
    )
    old = Classifier(mirror(head), 1.0, int8_classifier.melanoma_threshold, int8_classifier.ood)
    found = early_exits(old, photos[0])
    answers = found.figures["answers"]
    np.testing.assert_allclose(
        [list(answer["probs"].values()) for answer in answers], np.full((3, 7), 1 / 7), atol=1e-6
    )
    assert not found.figures["calibrated"]
    assert [answer["balanced_accuracy"] for answer in answers] == [None] * 3
    assert depth_maps(old, photos[0], Target("mel")) == ()


def test_what_is_kept_of_it_is_plain_data(classifier, photos):
    check = early_exits(classifier, photos[2])
    assert (check.kind, check.label, check.method, check.seed, check.settings) == ("depth", "", "", None, {})
    assert (check.photo_sha256, check.model) == (photos[2].sha256, classifier.engine.model_ref)
    assert json.loads(json.dumps(check.figures)) == check.figures
    assert check.figures["verdict"] == verdict([answer["top"] for answer in check.figures["answers"]])
    assert check.figures["calibrated"]
    rows = EarlyExitCheck().rows([check])
    assert [len(row) for row in rows] == [len(EarlyExitCheck.columns)] * len(CODES)
    assert rows[0][0].lower() == BY_CODE[check.figures["answers"][2]["top"]].name.lower()


@pytest.mark.parametrize(
    ("tops", "words"),
    [
        (("nv", "nv", "nv"), "Both branches, each by itself, already say melanocytic nevus."),
        (("bkl", "mel", "mel"), "The deep branch by itself already says melanoma. Small patches alone look to the"),
        (("mel", "nv", "mel"), "Small patches alone already look like melanoma, but the deep branch by itself"),
        (("nv", "nv", "mel"), "Both branches, each by itself, say melanocytic nevus. Only fused they say melanoma"),
        (("nv", "df", "mel"), "No branch by itself says melanoma: small patches alone look like melanocytic nevus,"),
    ],
)
def test_the_verdict(tops, words):
    assert verdict(tops).startswith(words)
