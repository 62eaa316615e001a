"""What a caller of ``explain`` relies on: provenance, determinism, parameters with their limits, and a light import."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from skinlens.errors import Cancelled, ParameterError
from skinlens.explain import CONTRAST_WITH, METHODS, explain, explain_again
from skinlens.explain.gradcam import grad_cam
from skinlens.imaging.preprocess import to_batch
from skinlens.labels import CODES
from skinlens.records import Method, Target

SMALL = {"grad_cam": {}, "score_cam": {"channels": 8}, "lime": {"samples": 60, "segments": 15}}
ALL_METHODS = pytest.mark.parametrize("method", METHODS)


def test_every_method_of_the_records_is_here_with_words_and_limits():
    assert set(METHODS) == set(Method.__args__)
    for info in METHODS.values():
        assert info.title
        assert info.shows.endswith(".")
        for parameter in info.parameters:
            assert parameter.help.endswith(".")
            if parameter.default is not None:
                assert parameter.checked(parameter.default) == parameter.default
    assert METHODS["score_cam"].defaults == {"channels": 256, "stopping": "stable"}
    assert METHODS["lime"].defaults == {
        "samples": 1024,
        "steady": 90,
        "segments": 50,
        "seed": None,
        "target": "log-odds",
        "design": "paired",
    }


@ALL_METHODS
def test_an_explanation_carries_all_that_is_needed_to_make_it_again(method, int8_classifier, photos):
    photo = photos[0]
    explanation = explain(method, int8_classifier, photo, "mel", params=SMALL[method])
    size_px = int8_classifier.engine.spec.size_px
    assert explanation.heatmap.shape == (size_px, size_px)
    assert explanation.heatmap.dtype == np.float32
    assert explanation.heatmap.min() >= 0
    assert explanation.heatmap.max() == 1
    assert explanation.diagnostics["empty"] == 0
    assert explanation.diagnostics["peak"] > 0
    assert (explanation.method, explanation.label) == (method, "mel")
    assert explanation.photo_sha256 == photo.sha256
    assert explanation.model == int8_classifier.engine.model_ref
    assert explanation.params.items() >= SMALL[method].items()
    assert set(explanation.params) == set(METHODS[method].defaults)
    assert explanation.duration_ms > 0
    age = datetime.now(UTC) - datetime.fromisoformat(explanation.created_at)
    assert timedelta(0) <= age < timedelta(minutes=5)

    again = explain(method, int8_classifier, photo, "mel", params=explanation.params)
    np.testing.assert_array_equal(again.heatmap, explanation.heatmap)
    assert again.diagnostics == explanation.diagnostics


@ALL_METHODS
def test_the_class_that_is_asked_for_is_the_class_that_is_explained(method, classifier, photos):
    heatmaps = [explain(method, classifier, photos[0], code, params=SMALL[method]).heatmap for code in CODES]
    for one, heatmap in enumerate(heatmaps):
        assert not any(np.array_equal(heatmap, other) for other in heatmaps[:one] if heatmap.any())
    if method == "grad_cam":
        batch = to_batch(photos[:1], classifier.engine.spec)
        for code, heatmap in zip(CODES, heatmaps, strict=True):
            np.testing.assert_array_equal(heatmap, grad_cam(classifier.engine, batch, Target(code)).heatmap)


def test_the_seed_belongs_to_the_photo_and_another_seed_draws_another_map(classifier, photos):
    drawn = explain("lime", classifier, photos[0], "mel", params=SMALL["lime"])
    assert drawn.seed == drawn.params["seed"] == int(photos[0].sha256[:8], 16)
    other = explain("lime", classifier, photos[0], "mel", params={**SMALL["lime"], "seed": 1})
    assert other.seed == 1
    assert not np.array_equal(other.heatmap, drawn.heatmap)
    assert explain("grad_cam", classifier, photos[0], "mel").seed is None


@ALL_METHODS
def test_a_map_is_made_again_as_it_was_made_or_with_what_is_changed(method, int8_classifier, photos):
    first = explain(method, int8_classifier, photos[0], "bcc", params={**SMALL[method], CONTRAST_WITH: "nv"})
    again = explain_again(first, int8_classifier, photos[0])
    assert (again.method, again.label, again.params, again.seed) == (method, "bcc", first.params, first.seed)
    np.testing.assert_array_equal(again.heatmap, first.heatmap)
    other = explain_again(first, int8_classifier, photos[1], changed={CONTRAST_WITH: "mel"})
    assert other.photo_sha256 == photos[1].sha256
    assert other.params == {**first.params, CONTRAST_WITH: "mel"}  # a seed that was chosen by the photo stays


@ALL_METHODS
def test_progress_rises_to_1_and_its_cancel_passes_through(method, classifier, photos):
    told = []
    explain(method, classifier, photos[0], "mel", params=SMALL[method], progress=told.append)
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1

    def cancel(fraction):
        if fraction > 0:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled, match="stopped by the user"):
        explain(method, classifier, photos[0], "mel", params=SMALL[method], progress=cancel)


@pytest.mark.parametrize(
    ("method", "params", "sentence"),
    [
        ("lime", {"samples": 10}, "Max. samples (samples) cannot be 10: give a whole number from 50 to 10000."),
        ("lime", {"samples": 99.5}, "Max. samples (samples) cannot be 99.5: give a whole number from 50 to 10000."),
        ("lime", {"samples": True}, "Max. samples (samples) cannot be True: give a whole number from 50 to 10000."),
        ("lime", {"seed": -1}, "Seed (seed) cannot be -1: give a whole number from 0 to 4294967295."),
        ("lime", {"target": "odds"}, "Target output (target) cannot be 'odds': give one of log-odds, probability."),
        (
            "lime",
            {"chanels": 3, "a": 1},
            "LIME has no parameter a, chanels. It has: samples, steady, segments, seed, target, design, against.",
        ),
        ("score_cam", {"channels": 257}, "Channels (channels) cannot be 257: give a whole number from 1 to 256."),
        ("grad_cam", {"channels": 8}, "Grad-CAM has no parameter channels. It has: against."),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_in_words(method, params, sentence, classifier, photos):
    with pytest.raises(ParameterError) as refused:
        explain(method, classifier, photos[0], "mel", params=params)
    assert str(refused.value) == sentence
    assert isinstance(refused.value, ValueError)


def test_an_unknown_class_is_refused_in_words(classifier, photos):
    with pytest.raises(ParameterError, match=r"^There is no class 'melanoma'\. Choose one of akiec, bcc, bkl, df, mel"):
        explain("grad_cam", classifier, photos[0], "melanoma")


def test_numbers_of_numpy_are_stored_as_numbers_of_python(classifier, photos):
    explanation = explain("score_cam", classifier, photos[0], "mel", params={"channels": np.int64(4)})
    assert type(explanation.params["channels"]) is int


def test_importing_the_explanations_brings_in_nothing_heavy():
    heavy = "{'torch', 'timm', 'sklearn', 'skimage', 'scipy', 'lime', 'pytorch_grad_cam', 'cv2', 'matplotlib'}"
    script = f"import sys, skinlens.explain; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
