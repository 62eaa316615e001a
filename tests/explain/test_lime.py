"""LIME against lime's own explainer on the same random stream, and on functions whose coefficients are known."""

import numpy as np
import pytest
from lime.lime_image import LimeImageExplainer

from skinlens.explain.lime import (
    class_score,
    draw_rows,
    fit_surrogate,
    lime,
    mean_colours,
    score_rows,
    stability,
    superpixels,
)
from skinlens.labels import CODES, INDEX
from skinlens.models.engine import BATCH
from skinlens.preprocess import model_view, normalise

SAMPLES, SEGMENTS, SEED = 200, 30, 20240229


def ignore(_):
    """Take no notice of progress."""


@pytest.mark.parametrize("target", ["probability", "log-odds"])
def test_lime_itself_finds_the_same_coefficients(target, classifier, photos):
    spec = classifier.engine.spec
    view = model_view(photos[0], spec)
    regions = superpixels(view, SEGMENTS)
    rows = draw_rows(SAMPLES, int(regions.max()) + 1, SEED)
    score = class_score(classifier, INDEX["mel"], target)
    ours = fit_surrogate(rows, score_rows(view, regions, rows, spec, score, ignore))

    explainer = LimeImageExplainer(random_state=SEED)
    theirs = explainer.explain_instance(
        view,
        lambda views: score(normalise(views, spec))[:, np.newaxis],
        labels=[0],
        top_labels=None,
        num_samples=SAMPLES,
        batch_size=BATCH,
        segmentation_fn=lambda _: regions,
        random_seed=0,
    )
    coefficients = np.array([weight for _, weight in sorted(theirs.local_exp[0])])
    assert np.ptp(coefficients) > 1e-3, "a model that answers nothing would agree with anything"
    np.testing.assert_allclose(ours.coefficients, coefficients, atol=1e-5)
    assert ours.intercept == pytest.approx(theirs.intercept[0], abs=1e-5)
    assert ours.r2 == pytest.approx(theirs.score, abs=1e-5)


def test_the_scores_are_the_calibrated_probability_and_its_log_odds(classifier, photos):
    batch = normalise(np.stack([model_view(photo, classifier.engine.spec) for photo in photos]), classifier.engine.spec)
    for position in range(len(CODES)):
        probs = class_score(classifier, position, "probability")(batch)
        np.testing.assert_allclose(probs, classifier.probs(batch)[:, position], rtol=1e-5)
        expected = np.log(probs / (1 - probs))
        np.testing.assert_allclose(class_score(classifier, position, "log-odds")(batch), expected, rtol=1e-6, atol=1e-8)


def test_a_score_that_is_linear_in_the_pixels_gives_back_its_coefficients(classifier, photos):
    """Hiding superpixel s changes Σ v·x by v·(x − mean colour) over s: that is its coefficient, and r² is 1."""
    spec = classifier.engine.spec
    view = model_view(photos[2], spec)
    regions = superpixels(view, SEGMENTS)
    weights = np.random.default_rng(0).normal(size=(3, spec.size_px, spec.size_px))

    shown, hidden = normalise(np.stack([view, mean_colours(view, regions)]), spec)
    change = (weights * (shown - hidden)).sum(axis=0)
    expected = np.array([change[regions == region].sum() for region in range(regions.max() + 1)])
    rows = draw_rows(4000, len(expected), SEED)
    scores = score_rows(view, regions, rows, spec, lambda batch: np.einsum("chw,nchw->n", weights, batch), ignore)
    found = fit_surrogate(rows, scores)
    np.testing.assert_allclose(found.coefficients, expected, atol=0.01 * np.abs(expected).max())  # the ridge shrinks
    assert found.r2 > 0.9999


def test_two_superpixels_worked_out_by_hand():
    """Rows 11, 10, 01, 00 with scores 3, 1, 2, 0: only the ridge's penalty keeps the coefficients below 1 and 2."""
    rows = np.array([[1, 1], [1, 0], [0, 1], [0, 0]])
    distance = np.array([0, 1 - np.sqrt(0.5), 1 - np.sqrt(0.5), 1])
    weights = np.exp(-(distance**2) / (2 * 0.25**2))
    scores = np.array([3.0, 1.0, 2.0, 0.0])
    design = np.column_stack([rows, np.ones(4)])
    penalty = np.diag([1.0, 1.0, 0.0])
    expected = np.linalg.solve(design.T @ np.diag(weights) @ design + penalty, design.T @ (weights * scores))
    found = fit_surrogate(rows, scores)
    np.testing.assert_allclose([*found.coefficients, found.intercept], expected, atol=1e-12)


def test_superpixels_are_numbered_without_gaps_and_are_the_same_every_time(classifier, photos):
    view = model_view(photos[0], classifier.engine.spec)
    regions = superpixels(view, SEGMENTS)
    assert regions.shape == view.shape[:2]
    np.testing.assert_array_equal(np.unique(regions), np.arange(regions.max() + 1))
    assert 0.5 * SEGMENTS <= regions.max() + 1 <= 1.5 * SEGMENTS
    np.testing.assert_array_equal(regions, superpixels(view, SEGMENTS))


def test_a_hidden_superpixel_takes_its_mean_colour_rounded_down():
    view = np.array([[[10, 0, 255], [13, 0, 255]], [[200, 100, 50], [201, 101, 51]]], dtype=np.uint8)
    regions = np.array([[0, 0], [1, 2]])
    expected = [[[11, 0, 255], [11, 0, 255]], [[200, 100, 50], [201, 101, 51]]]
    np.testing.assert_array_equal(mean_colours(view, regions), expected)


def test_positives_are_drawn_from_0_to_1_and_negatives_are_counted(photos, classifier):
    spec = classifier.engine.spec
    view = model_view(photos[0], spec)
    score = class_score(classifier, INDEX["mel"], "log-odds")
    told = []
    evidence = lime(view, spec, score, SAMPLES, SEGMENTS, SEED, told.append)
    regions = superpixels(view, SEGMENTS)
    rows = draw_rows(SAMPLES, int(regions.max()) + 1, SEED)
    coefficients = fit_surrogate(rows, score_rows(view, regions, rows, spec, score, ignore)).coefficients
    assert coefficients.min() < 0 < coefficients.max()
    np.testing.assert_allclose(evidence.heat, np.maximum(coefficients, 0)[regions] / coefficients.max(), atol=1e-6)
    found = evidence.diagnostics
    assert found["peak"] == coefficients.max()
    assert found["segments"] == len(coefficients)
    assert found["negative_share"] == pytest.approx(-coefficients[coefficients < 0].sum() / np.abs(coefficients).sum())
    assert 0 <= found["stability"] <= 1
    assert found["empty"] == 0
    assert told == [min(end, SAMPLES) / SAMPLES for end in range(BATCH, SAMPLES + BATCH, BATCH)]


def test_a_score_that_never_moves_gives_an_empty_map(classifier, photos):
    spec = classifier.engine.spec
    view = model_view(photos[0], spec)
    evidence = lime(view, spec, lambda batch: np.full(len(batch), 0.1), SAMPLES, SEGMENTS, SEED, ignore)
    assert not evidence.heat.any()
    expected = {"peak": 0, "empty": 1, "r2": 0, "negative_share": 0, "stability": 0}
    assert {name: evidence.diagnostics[name] for name in expected} == expected


def test_a_blank_photo_is_explained_without_nan(classifier):
    spec = classifier.engine.spec
    view = np.full((spec.size_px, spec.size_px, 3), 128, dtype=np.uint8)
    evidence = lime(view, spec, class_score(classifier, 4, "log-odds"), 50, 10, SEED, ignore)
    assert np.isfinite(evidence.heat).all()
    assert all(np.isfinite(value) for value in evidence.diagnostics.values())


def test_stability_foretells_how_alike_two_seeds_are():
    """A linear score is found again by any seed; pure chance by none."""
    random = np.random.default_rng(1)
    rows = draw_rows(500, 40, SEED)
    contributions = random.normal(size=40)
    noise = random.normal(size=500)
    assert stability(rows, rows @ contributions) > 0.98
    assert stability(rows, noise) < 0.5
    noisy = stability(rows, rows @ contributions + 5 * noise)
    assert 0.3 < noisy < 0.98
