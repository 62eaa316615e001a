"""The mean over quarter turns: the engine's, the float network's, and the three explanations of that mean."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from skinlens.explain import explain
from skinlens.explain.gradcam import grad_cam
from skinlens.explain.lime import (
    Sampling,
    draw_samples,
    fit_surrogate,
    shared_score,
    superpixels,
    target_score,
)
from skinlens.explain.scorecam import Masking, score_cam, turn_offsets
from skinlens.imaging.preprocess import model_view, normalize, to_batch
from skinlens.inference.classifier import Classifier
from skinlens.inference.engine import TURNS, Engine, pool
from skinlens.labels import CODES, INDEX
from skinlens.networks.student import Student
from skinlens.quantization.ptq import head_of
from skinlens.records import ModelRef, Target
from tests.closeness import NETWORK, ONE_LAYER, assert_near
from tests.logits_model import LogitsModel
from tests.tiny_student import SPEC

pytestmark = pytest.mark.slow  # imports torch

ALL = 256


def ignore(_):
    """Take no notice of progress."""


@pytest.fixture(scope="module")
def averaging(student: Student, float_path, classifier: Classifier) -> Classifier:
    """The tiny classifier, served as the mean over four turns."""
    exits = classifier.engine.exits
    engine = Engine(float_path, head_of(student), SPEC, ModelRef("tiny", "0", "0" * 64), exits=exits, turns=TURNS)
    return Classifier(engine, classifier.temperature, classifier.melanoma_threshold, classifier.ood)


@pytest.fixture(scope="module")
def averaging_student(student: Student) -> Student:
    turned = copy.deepcopy(student)
    turned.turns = TURNS
    return turned


def test_a_prediction_does_not_wait_for_the_masked_copies_of_somebodys_map(averaging, photos):
    """All workers of the maps are held; a single photo is computed all the same, and a batch waits."""
    engine, one = averaging.engine, to_batch(photos[:1], SPEC)
    expected, held = engine.logits(one), threading.Event()
    for _ in range(engine._workers._max_workers):
        engine._workers.submit(held.wait)
    with ThreadPoolExecutor(1) as somebody:
        batch = somebody.submit(engine.logits, np.repeat(one, 4, axis=0))
        try:
            assert_near(engine.logits(one), expected, NETWORK)
            assert not batch.done()
        finally:
            held.set()
        assert_near(batch.result(), np.repeat(expected, 4, axis=0), NETWORK)


def turned_alone(engine: Engine, batch):
    """Fused maps of each turn by an engine without a mean, turned back."""
    maps = [engine.features(np.ascontiguousarray(np.rot90(batch, q, axes=(2, 3)))) for q in range(TURNS)]
    return [np.rot90(one, -q, axes=(2, 3)) for q, one in enumerate(maps)]


def test_the_fused_map_is_the_mean_of_the_maps_of_the_turns_turned_back(averaging, classifier, photos):
    batch = to_batch(photos[:3], SPEC)
    expected = np.mean(turned_alone(classifier.engine, batch), axis=0)
    assert_near(averaging.engine.features(batch), expected, ONE_LAYER)
    assert_near(averaging.engine.pooled(batch), pool(expected), ONE_LAYER)
    assert_near(averaging.engine.logits(batch), classifier.engine.head.logits(expected.astype(np.float32)), NETWORK)


def test_exits_are_the_mean_over_the_turns(averaging, classifier, photos):
    batch = to_batch(photos[:2], SPEC)
    found = averaging.engine.run(batch)
    alone = [classifier.engine.run(np.ascontiguousarray(np.rot90(batch, q, axes=(2, 3)))) for q in range(TURNS)]
    assert_near(found.exit_1, np.mean([one.exit_1 for one in alone], axis=0), ONE_LAYER)
    assert_near(found.exit_2, np.mean([one.exit_2 for one in alone], axis=0), ONE_LAYER)
    top = np.mean([np.rot90(one.top, -q, axes=(2, 3)) for q, one in enumerate(alone)], axis=0)
    assert_near(found.top, top, ONE_LAYER)


def test_a_turned_photo_gets_the_same_answer(averaging, classifier, photos):
    batch = to_batch(photos[:1], SPEC)
    answers = [averaging.engine.logits(np.ascontiguousarray(np.rot90(batch, q, axes=(2, 3)))) for q in range(TURNS)]
    for answer in answers[1:]:
        assert_near(answer, answers[0], NETWORK)
    alone = [classifier.engine.logits(np.ascontiguousarray(np.rot90(batch, q, axes=(2, 3)))) for q in range(TURNS)]
    assert np.abs(alone[1] - alone[0]).max() > 0.05, "without the mean this network is not the same for a turned photo"


def test_the_map_of_a_turned_photo_is_the_turned_map(averaging, photos):
    batch = to_batch(photos[:1], SPEC)
    turned = np.ascontiguousarray(np.rot90(batch, axes=(2, 3)))
    upright, other = (grad_cam(averaging.engine, one, Target("mel")).heatmap for one in (batch, turned))
    np.testing.assert_allclose(other, np.rot90(upright), atol=1e-3)


def test_logits_in_turn_are_those_of_the_turned_photo_alone(averaging, classifier, photos):
    batch, quarters = to_batch(photos, SPEC), np.array([3, 0, 2, 1])
    found = averaging.engine.logits_in_turn(batch, quarters)
    for place, quarter in enumerate(quarters):
        turned = np.ascontiguousarray(np.rot90(batch[place : place + 1], quarter, axes=(2, 3)))
        assert_near(found[place : place + 1], classifier.engine.logits(turned), NETWORK)


def test_the_spread_over_the_orientations_is_that_of_single_ones(averaging, classifier, photos):
    assert_near(averaging.turned_probs(photos[0]), classifier.turned_probs(photos[0]), NETWORK)


def test_a_prediction_has_the_probabilities_of_each_orientation_whose_mean_it_is(averaging, classifier, photos):
    readings = averaging.read_views(np.stack([model_view(photo, SPEC) for photo in photos]))
    for photo, reading in zip(photos, readings, strict=True):
        found = np.array(reading.prediction.turned_probs, dtype=np.float32)
        assert_near(found, averaging.turned_probs(photo)[:TURNS], NETWORK)
        assert_near(
            np.array(reading.prediction.probs, np.float32), averaging.probs(to_batch([photo], SPEC))[0], NETWORK
        )
    assert classifier.predict(photos[0]).turned_probs == ()


def test_the_float_network_averages_the_same_turns(averaging, averaging_student, photos):
    batch = to_batch(photos, SPEC)
    with torch.no_grad():
        expected = averaging_student(torch.from_numpy(batch))
    assert_near(averaging.engine.logits(batch), expected.logits.numpy(), NETWORK)
    assert_near(averaging.engine.run(batch).exit_1, expected.exit_1.numpy(), NETWORK)


@pytest.mark.parametrize("code", ["mel"])
def test_pytorch_grad_cam_draws_the_same_maps_of_the_mean(code, averaging, averaging_student, photos):
    from pytorch_grad_cam import GradCAM, ScoreCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    batch = to_batch(photos[1:2], SPEC)
    engine, model = averaging.engine, LogitsModel(averaging_student)
    maps = {
        GradCAM: grad_cam(engine, batch, Target(code)).heatmap,
        ScoreCAM: score_cam(engine, batch, Target(code), ALL, ignore).heatmap,
    }
    for method, ours in maps.items():
        with method(model=model, target_layers=[averaging_student.fused]) as cam:
            theirs = cam(torch.from_numpy(batch), [ClassifierOutputTarget(INDEX[code])])[0]
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] >= 0.999


def test_a_channel_of_score_cam_is_computed_in_its_turn_less_what_the_turn_adds(averaging, classifier, photos):
    engine, batch = averaging.engine, to_batch(photos[:1], SPEC)
    grids = engine.features(batch)[0][:6]
    found = Masking(engine, batch, Target("mel"), shared=True)(grids, 0, len(grids), ignore)
    turns = [np.ascontiguousarray(np.rot90(batch, q, axes=(2, 3))) for q in range(TURNS)]
    whole = [classifier.engine.logits(one)[0, INDEX["mel"]] for one in turns]
    for channel, quarter in enumerate([0, 1, 2, 3, 0, 1]):
        grid = np.ascontiguousarray(np.rot90(grids[channel : channel + 1], quarter, axes=(1, 2)))
        alone = Masking(classifier.engine, turns[quarter], Target("mel"))(grid, 0, 1, ignore)[0]
        expected = alone - whole[quarter] + engine.logits(batch)[0, INDEX["mel"]]
        assert found[channel] == pytest.approx(expected, abs=1e-3)
    assert np.abs(turn_offsets(engine, batch)).max() > 0.01


@pytest.mark.parametrize("scale", ["log-odds", "probability"])
def test_the_whole_photo_scores_the_same_in_every_turn_of_lime(scale, averaging, photos):
    batch = to_batch(photos[:1], SPEC)
    score = shared_score(averaging, Target("mel"), scale, batch)
    found = score(np.repeat(batch, TURNS, axis=0), np.arange(TURNS))
    expected = target_score(averaging, Target("mel"), scale)(batch)[0]
    np.testing.assert_allclose(found, np.full(TURNS, expected), atol=1e-4)


def test_lime_of_shared_turns_comes_to_the_coefficients_of_the_mean(averaging, photos):
    view = model_view(photos[0], SPEC)
    regions = superpixels(view, 20)
    sampling = Sampling(384, 1.0, 7, "paired")
    whole = normalize(view[np.newaxis], SPEC)
    shared = shared_score(averaging, Target("mel"), "log-odds", whole)
    by_turn = draw_samples(view, regions, SPEC, shared, sampling, ignore, turns=TURNS)
    mean = draw_samples(view, regions, SPEC, target_score(averaging, Target("mel"), "log-odds"), sampling, ignore)
    np.testing.assert_array_equal(by_turn[0], mean[0])
    upright = draw_samples(
        view, regions, SPEC, lambda batch: shared(batch, np.zeros(len(batch), int)), sampling, ignore
    )
    limit, shares, alone = (fit_surrogate(*one).coefficients for one in (mean, by_turn, upright))
    assert np.corrcoef(shares, limit)[0, 1] >= 0.7
    assert np.corrcoef(shares, limit)[0, 1] > np.corrcoef(alone, limit)[0, 1] + 0.1  # one turn is another explanation


@pytest.mark.parametrize("method", ["grad_cam", "score_cam", "lime"])
def test_the_methods_explain_the_mean(method, averaging, photos):
    params = {"samples": 64, "segments": 20} if method == "lime" else {}
    found = explain(method, averaging, photos[0], CODES[4], params=params)
    assert found.heatmap.shape == (SPEC.size_px, SPEC.size_px)
    assert found.heatmap.max() == pytest.approx(1)
