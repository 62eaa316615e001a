"""LIME against lime's own explainer on the same random stream, and on functions whose coefficients are known."""

import sys
from typing import Any

import numpy as np
import pytest

from skinlens.explain.attribution import Attribution
from skinlens.explain.lime import (
    CHECK_EVERY,
    DESIGNS,
    FIRST_CHECK,
    Sampling,
    Score,
    fit_surrogate,
    foldover_masks,
    foldover_weights,
    kernel_weights,
    lime,
    mean_colors,
    random_masks,
    score_masks,
    stability,
    superpixels,
    target_score,
)
from skinlens.imaging.preprocess import InputSpec, View, model_view, normalize
from skinlens.inference.engine import BATCH
from skinlens.labels import CODES
from skinlens.records import Progress, Target
from tests.closeness import NETWORK, PROBABILITY

SAMPLES, SEGMENTS, SEED = 200, 30, 20240229
SETTING = {"samples": SAMPLES, "segments": SEGMENTS, "steady": 1.0, "seed": SEED}


def run_lime(
    view: View, spec: InputSpec, score: Score, *, segments: int, progress: Progress, **drawn: Any
) -> Attribution:
    sampling = Sampling(drawn["samples"], drawn["steady"], drawn["seed"], drawn["design"])
    return lime(view, spec, score, segments=segments, sampling=sampling, progress=progress)


def ignore(_):
    """Take no notice of progress."""


@pytest.mark.parametrize("target", ["probability", "log-odds"])
def test_lime_itself_finds_the_same_coefficients(target, classifier, photos):
    from lime.lime_image import LimeImageExplainer

    spec = classifier.engine.spec
    view = model_view(photos[0], spec)
    regions = superpixels(view, SEGMENTS)
    rows = random_masks(SAMPLES, int(regions.max()) + 1, SEED)
    score = target_score(classifier, Target("mel"), target)
    ours = fit_surrogate(rows, score_masks(view, regions, rows, spec, score, ignore), kernel_weights(rows))

    explainer = LimeImageExplainer(random_state=SEED)
    theirs = explainer.explain_instance(
        view,
        lambda views: score(normalize(views, spec))[:, np.newaxis],
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
    batch = normalize(np.stack([model_view(photo, classifier.engine.spec) for photo in photos]), classifier.engine.spec)
    for position, code in enumerate(CODES):
        probs = target_score(classifier, Target(code), "probability")(batch)
        np.testing.assert_allclose(probs, classifier.probs(batch)[:, position], rtol=NETWORK)
        expected = np.log(probs / (1 - probs))
        np.testing.assert_allclose(
            target_score(classifier, Target(code), "log-odds")(batch), expected, rtol=NETWORK, atol=PROBABILITY
        )


def test_a_score_that_is_linear_in_the_pixels_gives_back_its_coefficients(classifier, photos):
    """Hiding superpixel s changes Σ v·x by v·(x − mean color) over s: that is its coefficient, and r² is 1."""
    spec = classifier.engine.spec
    view = model_view(photos[2], spec)
    regions = superpixels(view, SEGMENTS)
    weights = np.random.default_rng(0).normal(size=(3, spec.size_px, spec.size_px))

    shown, hidden = normalize(np.stack([view, mean_colors(view, regions)]), spec)
    change = (weights * (shown - hidden)).sum(axis=0)
    expected = np.array([change[regions == region].sum() for region in range(regions.max() + 1)])
    rows = random_masks(4000, len(expected), SEED)
    scores = score_masks(view, regions, rows, spec, lambda batch: np.einsum("chw,nchw->n", weights, batch), ignore)
    found = fit_surrogate(rows, scores, kernel_weights(rows))
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
    found = fit_surrogate(rows, scores, kernel_weights(rows))
    np.testing.assert_allclose([*found.coefficients, found.intercept], expected, atol=1e-12)


def test_superpixels_are_numbered_without_gaps_and_are_the_same_every_time(classifier, photos):
    view = model_view(photos[0], classifier.engine.spec)
    regions = superpixels(view, SEGMENTS)
    assert regions.shape == view.shape[:2]
    np.testing.assert_array_equal(np.unique(regions), np.arange(regions.max() + 1))
    assert 0.5 * SEGMENTS <= regions.max() + 1 <= 1.5 * SEGMENTS
    np.testing.assert_array_equal(regions, superpixels(view, SEGMENTS))


def test_a_hidden_superpixel_takes_its_mean_color_rounded_down():
    view = np.array([[[10, 0, 255], [13, 0, 255]], [[200, 100, 50], [201, 101, 51]]], dtype=np.uint8)
    regions = np.array([[0, 0], [1, 2]])
    expected = [[[11, 0, 255], [11, 0, 255]], [[200, 100, 50], [201, 101, 51]]]
    np.testing.assert_array_equal(mean_colors(view, regions), expected)


@pytest.mark.parametrize("design", DESIGNS)
def test_positives_are_drawn_from_0_to_1_and_negatives_are_counted(design, photos, classifier):
    spec = classifier.engine.spec
    view = model_view(photos[0], spec)
    score = target_score(classifier, Target("mel"), "log-odds")
    told = []
    attribution = run_lime(view, spec, score, **SETTING, design=design, progress=told.append)
    regions = superpixels(view, SEGMENTS)
    draw, weigh = DESIGNS[design]
    rows = draw(SAMPLES, int(regions.max()) + 1, SEED)
    scores = score_masks(view, regions, rows, spec, score, ignore)
    coefficients = fit_surrogate(rows, scores, weigh(rows)).coefficients
    assert coefficients.min() < 0 < coefficients.max()
    np.testing.assert_allclose(
        attribution.heatmap, np.maximum(coefficients, 0)[regions] / coefficients.max(), atol=1e-6
    )
    found = attribution.diagnostics
    assert found["peak"] == coefficients.max()
    assert found["segments"] == len(coefficients)
    assert found["samples"] == SAMPLES
    assert found["negative_share"] == pytest.approx(-coefficients[coefficients < 0].sum() / np.abs(coefficients).sum())
    assert 0 <= found["stability"] <= 1
    assert found["empty"] == 0
    assert told == [min(end, SAMPLES) / SAMPLES for end in range(BATCH, SAMPLES + BATCH, BATCH)]


def test_sampling_ends_once_the_map_is_stable_and_takes_the_first_of_all_samples(photos, classifier):
    """A score that is linear in the pixels is steady at the first look; one of pure chance never is."""
    spec = classifier.engine.spec
    view = model_view(photos[2], spec)
    weights = np.random.default_rng(0).normal(size=(3, spec.size_px, spec.size_px))
    chance = np.random.default_rng(1)
    setting = {"samples": 2 * FIRST_CHECK, "segments": SEGMENTS, "steady": 0.9, "seed": SEED, "design": "paired"}
    told = []
    linear = run_lime(
        view, spec, lambda batch: np.einsum("chw,nchw->n", weights, batch), **setting, progress=told.append
    )
    assert linear.diagnostics["samples"] == FIRST_CHECK
    assert linear.diagnostics["stability"] >= 0.9
    assert told == pytest.approx([*(end / (2 * FIRST_CHECK) for end in range(BATCH, FIRST_CHECK + BATCH, BATCH)), 1])
    fewer = {**setting, "samples": FIRST_CHECK, "steady": 1.0}
    alone = run_lime(view, spec, lambda batch: np.einsum("chw,nchw->n", weights, batch), **fewer, progress=ignore)
    np.testing.assert_array_equal(linear.heatmap, alone.heatmap)
    noise = run_lime(view, spec, lambda batch: chance.normal(size=len(batch)), **setting, progress=ignore)
    assert noise.diagnostics["samples"] == 2 * FIRST_CHECK


@pytest.mark.parametrize(
    ("found", "made"),
    [
        ([0.9], FIRST_CHECK),
        ([0.8, 0.9], FIRST_CHECK + CHECK_EVERY),
        ([0.8, 0.8, 0.95, 0.8, 0.95, 0.9], FIRST_CHECK + 5 * CHECK_EVERY),  # once is luck, twice in a row is not
        ([0.8, 0.8, 0.9, 0.8, 0.9, 0.8], 600),
    ],
)
def test_who_looks_often_must_find_it_twice(photos, classifier, monkeypatch, found, made):
    stopping_checks = iter([*found, 0.0])
    monkeypatch.setattr(sys.modules[lime.__module__], "stability", lambda *_: next(stopping_checks, 0.0))
    view = model_view(photos[2], classifier.engine.spec)
    setting = {"samples": 600, "segments": SEGMENTS, "steady": 0.9, "seed": SEED, "design": "paired"}
    attribution = run_lime(
        view, classifier.engine.spec, lambda batch: batch.mean((1, 2, 3)), **setting, progress=ignore
    )
    assert attribution.diagnostics["samples"] == made


def test_a_score_that_never_moves_gives_an_empty_map(classifier, photos):
    spec = classifier.engine.spec
    view = model_view(photos[0], spec)
    attribution = run_lime(
        view, spec, lambda batch: np.full(len(batch), 0.1), **SETTING, design="paired", progress=ignore
    )
    assert not attribution.heatmap.any()
    expected = {"peak": 0, "empty": 1, "r2": 0, "negative_share": 0, "stability": 0}
    assert {name: attribution.diagnostics[name] for name in expected} == expected


def test_a_blank_photo_is_explained_without_nan(classifier):
    spec = classifier.engine.spec
    view = np.full((spec.size_px, spec.size_px, 3), 128, dtype=np.uint8)
    score = target_score(classifier, Target("mel"), "log-odds")
    attribution = run_lime(
        view, spec, score, samples=50, segments=10, steady=1.0, seed=SEED, design="paired", progress=ignore
    )
    assert np.isfinite(attribution.heatmap).all()
    assert all(np.isfinite(value) for value in attribution.diagnostics.values())


@pytest.mark.parametrize("regions", [1, 2, 5, 49, 64, 65])
def test_paired_rows_are_balanced_orthogonal_and_opposite(regions):
    """In whole blocks: signs times signs give the number of rows on the diagonal, and 0 elsewhere."""
    block = 2 * next(order for order in (1, 2, 4, 8, 16, 32, 64, 128) if order >= regions)
    rows = foldover_masks(1 + 3 * block, regions, SEED)
    assert set(np.unique(rows)) == {0, 1}
    assert rows[0].all()
    np.testing.assert_array_equal(rows[1::2] + rows[2::2], 1)
    for start in range(1, len(rows), block):
        signs = 2 * rows[start : start + block] - 1
        np.testing.assert_array_equal(signs.sum(axis=0), 0)
        np.testing.assert_array_equal(signs.T @ signs, block * np.eye(regions))


def test_paired_rows_belong_to_their_seed_and_fewer_are_the_first_of_more():
    rows = foldover_masks(500, 60, SEED)
    np.testing.assert_array_equal(rows, foldover_masks(500, 60, SEED))
    np.testing.assert_array_equal(rows[:77], foldover_masks(77, 60, SEED))
    assert not np.array_equal(rows, foldover_masks(500, 60, SEED + 1))


def test_what_two_superpixels_do_together_passes_for_neither():
    """A score of products of two: no superpixel does anything by itself, and pairs of opposites find exactly that."""
    random = np.random.default_rng(2)
    together = random.normal(size=(40, 40))
    largest = {}
    for design, (draw, weigh) in DESIGNS.items():
        rows = draw(1 + 4 * 128, 40, SEED)
        weights = weigh(rows)
        weights[0] = 0  # the whole photo has no opposite
        signs = 2 * rows - 1
        scores = np.einsum("nf,fg,ng->n", signs, together, signs)
        largest[design] = np.abs(fit_surrogate(rows, scores, weights).coefficients).max()
    assert largest["paired"] < 1e-9
    assert largest["independent"] > 1


def test_both_of_a_pair_count_alike_and_the_whole_photo_and_a_row_without_its_opposite_as_they_are():
    rows = foldover_masks(6, 3, SEED)
    kernel, weights = kernel_weights(rows), foldover_weights(rows)
    assert kernel[1] != kernel[2]
    expected = [1, *[(kernel[1] + kernel[2]) / 2] * 2, *[(kernel[3] + kernel[4]) / 2] * 2, kernel[5]]
    np.testing.assert_allclose(weights, expected)


@pytest.mark.parametrize("design", DESIGNS)
def test_stability_foretells_how_alike_two_seeds_are(design):
    """A linear score is found again by any seed; pure chance by none."""
    random = np.random.default_rng(1)
    draw, weigh = DESIGNS[design]
    rows = draw(500, 40, SEED)
    weights = weigh(rows)
    contributions = random.normal(size=40)
    noise = random.normal(size=500)
    assert stability(rows, rows @ contributions, weights) > 0.98
    assert stability(rows, noise, weights) < 0.5
    noisy = stability(rows, rows @ contributions + 5 * noise, weights)
    assert 0.3 < noisy < 0.98
