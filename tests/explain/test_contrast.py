"""One class against another: differences of weights, maps worked out by hand, and signs that flip with the classes."""

import numpy as np
import pytest

from skinlens.errors import ParameterError
from skinlens.explain import METHODS, explain
from skinlens.explain.gradcam import grad_cam
from skinlens.explain.lime import (
    fit_surrogate,
    foldover_masks,
    foldover_weights,
    score_masks,
    superpixels,
    target_score,
)
from skinlens.explain.scorecam import Masking, score_cam
from skinlens.imaging.preprocess import model_view, normalize, to_batch
from skinlens.inference.engine import Head
from skinlens.labels import CODES, INDEX
from skinlens.records import Target
from skinlens.wording.records import target_words
from tests.closeness import ONE_LAYER, assert_near

SMALL = {"grad_cam": {}, "score_cam": {"channels": 8}, "lime": {"samples": 60, "segments": 15}}
PAIRS = pytest.mark.parametrize(("code", "other"), [("mel", "nv"), ("bcc", "akiec")])
ALL_METHODS = pytest.mark.parametrize("method", METHODS)


def ignore(_):
    """Take no notice of progress."""


def head_of(melanoma, nevus):
    """Three channels, each its own hidden unit, of which two classes read some."""
    output = np.zeros((len(CODES), 3), dtype=np.float32)
    output[INDEX["mel"]], output[INDEX["nv"]] = melanoma, nevus
    return Head(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), output, np.zeros(len(CODES), np.float32))


def test_a_target_in_words_and_in_numbers():
    contrast = Target("mel", "nv")
    assert (Target("mel").code, contrast.code) == ("mel", "mel-not-nv")
    assert [Target(*target.codes) for target in (Target("mel"), contrast)] == [Target("mel"), contrast]
    assert (target_words(Target("mel")), target_words(contrast)) == (
        "melanoma",
        "melanoma rather than melanocytic nevus",
    )
    values = np.random.default_rng(0).normal(size=(5, len(CODES))).astype(np.float32)
    np.testing.assert_array_equal(contrast.score(values), values[:, INDEX["mel"]] - values[:, INDEX["nv"]])
    for target in (Target("mel"), contrast):
        np.testing.assert_allclose(target.score(values), values @ target.logit_weights, rtol=1e-6)


def test_grad_cam_worked_out_by_hand(mirror):
    """α = ([2, 0, 0] − [1, 3, 0]) / 4 = [.25, −.75, 0]; Σ αA = [[.25, .5], [.75 − 3, 1]]; ReLU; over its peak of 1."""
    maps = np.array([[[[1, 2], [3, 4]], [[0, 0], [4, 0]], [[0, 0], [2, 2]]]], dtype=np.float32)
    engine = mirror(head_of([2, 0, 0], [1, 3, 0]))
    attribution = grad_cam(engine, maps, Target("mel", "nv"))
    np.testing.assert_allclose(attribution.heatmap, [[0.25, 0.5], [0, 1]], atol=1e-6)
    assert attribution.diagnostics == {"peak": pytest.approx(1), "empty": 0}
    swapped = grad_cam(engine, maps, Target("nv", "mel"))
    np.testing.assert_allclose(swapped.heatmap, [[0, 0], [1, 0]], atol=1e-6)


def test_score_cam_worked_out_by_hand(mirror):
    """Under the masks the means are A₀ = 1, or A₁ = .5, or none. Melanoma leads by ln 4 − ln 2 = ln 2, by
    (ln 6 − ln 2) / 2 = ln √3, or by 0; so the weights are as 2 : √3 : 1.
    """
    engine = mirror(head_of([np.log(4), np.log(6), 0], [np.log(2), np.log(2), 0]))
    batch = np.array([[[[4, 0], [0, 0]], [[0, 0], [0, 2]], [[0, 0], [0, 0]]]], dtype=np.float32)
    attribution = score_cam(engine, batch, Target("mel", "nv"), 256, ignore)
    np.testing.assert_allclose(attribution.heatmap, [[1, 0], [0, np.sqrt(3) * 2 / (2 * 4)]], atol=1e-5)
    assert attribution.diagnostics["peak"] == pytest.approx(2 * 4 / (3 + np.sqrt(3)), abs=1e-5)


@PAIRS
def test_the_gradient_of_a_difference_is_the_difference_of_the_gradients(code, other, int8_classifier, photos):
    engine = int8_classifier.engine
    fused = engine.features(to_batch(photos[:1], engine.spec))
    of = engine.head.channel_gradient
    difference = of(fused, Target(code).logit_weights) - of(fused, Target(other).logit_weights)
    assert_near(of(fused, Target(code, other).logit_weights), difference, ONE_LAYER)


@PAIRS
def test_the_lead_under_each_mask_is_the_difference_of_the_logits(code, other, int8_classifier, photos):
    engine = int8_classifier.engine
    batch = to_batch(photos[:1], engine.spec)
    grids = engine.features(batch)[0][:5]
    lead, own, rest = (
        Masking(engine, batch, target)(grids, 0, len(grids), ignore)
        for target in (Target(code, other), Target(code), Target(other))
    )
    np.testing.assert_allclose(lead, own - rest, rtol=0, atol=ONE_LAYER * np.abs(own).max())


@pytest.mark.parametrize("scale", ["log-odds", "probability"])
@PAIRS
def test_swapping_the_classes_flips_the_coefficients_of_lime(code, other, scale, int8_classifier, photos):
    spec = int8_classifier.engine.spec
    view = model_view(photos[0], spec)
    regions = superpixels(view, 20)
    rows = foldover_masks(130, int(regions.max()) + 1, 7)

    def coefficients(target):
        score = target_score(int8_classifier, target, scale)
        return fit_surrogate(
            rows, score_masks(view, regions, rows, spec, score, ignore), foldover_weights(rows)
        ).coefficients

    there, back = coefficients(Target(code, other)), coefficients(Target(other, code))
    assert np.ptp(there) > 1e-4
    assert_near(there, -back, ONE_LAYER)
    if scale == "probability":  # a line through a difference is the difference of the lines
        apart = coefficients(Target(code)) - coefficients(Target(other))
        assert_near(there, apart, ONE_LAYER)


def test_lime_on_a_contrast_is_on_the_odds_of_the_two_classes(classifier, photos):
    batch = normalize(np.stack([model_view(photo, classifier.engine.spec) for photo in photos]), classifier.engine.spec)
    probs = classifier.probs(batch).astype(np.float64)
    found = target_score(classifier, Target("mel", "nv"), "log-odds")(batch)
    np.testing.assert_allclose(found, np.log(probs[:, INDEX["mel"]] / probs[:, INDEX["nv"]]), rtol=1e-4, atol=1e-5)


def test_lime_itself_finds_the_same_coefficients_on_that_score(classifier, photos):
    from lime.lime_image import LimeImageExplainer

    params = {"samples": 100, "segments": 15, "seed": 3, "design": "independent", "against": "nv"}
    ours = explain("lime", classifier, photos[0], "mel", params=params)
    spec = classifier.engine.spec
    view = model_view(photos[0], spec)
    regions = superpixels(view, 15)
    theirs = LimeImageExplainer(random_state=3).explain_instance(
        view,
        lambda views: np.diff(np.log(classifier.probs(normalize(views, spec)))[:, [INDEX["nv"], INDEX["mel"]]]),
        labels=[0],
        top_labels=None,
        num_samples=100,
        segmentation_fn=lambda _: regions,
        random_seed=0,
    )
    coefficients = np.maximum([weight for _, weight in sorted(theirs.local_exp[0])], 0)
    np.testing.assert_allclose(ours.heatmap, (coefficients / coefficients.max())[regions], atol=1e-3)


@ALL_METHODS
def test_a_contrast_says_so_in_its_parameters_and_can_be_made_again(method, int8_classifier, photos):
    params = {**SMALL[method], "against": "nv"}
    made = explain(method, int8_classifier, photos[0], "mel", params=params)
    assert made.target == Target("mel", "nv")
    assert (made.label, made.params["against"]) == ("mel", "nv")
    again = explain(method, int8_classifier, photos[0], made.label, params=made.params)
    np.testing.assert_array_equal(again.heatmap, made.heatmap)
    alone = explain(method, int8_classifier, photos[0], "mel", params=SMALL[method])
    assert alone.target == Target("mel")
    assert "against" not in alone.params
    assert not np.array_equal(alone.heatmap, made.heatmap)


@ALL_METHODS
def test_a_contrast_that_cannot_be_is_refused_in_words(method, classifier, photos):
    with pytest.raises(ParameterError, match=r"^There is no class 'nevus'\. Choose one of akiec, bcc, bkl, df, mel"):
        explain(method, classifier, photos[0], "mel", params={"against": "nevus"})
    with pytest.raises(ParameterError, match=r"^The class mel cannot be contrasted with itself: choose another one"):
        explain(method, classifier, photos[0], "mel", params={"against": "mel"})
