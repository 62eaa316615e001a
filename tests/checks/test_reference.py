"""The reference check: on a float engine the libraries draw the same maps; what is kept; cancel; failures in words."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from skinlens.checks.contract import Found, Subject
from skinlens.checks.reference import ReferenceCheck, difference, likeness, quantization_effect
from skinlens.checks.reference_worker import make
from skinlens.errors import Cancelled, SkinLensError
from skinlens.explain import METHODS, explain
from skinlens.inference.classifier import Classifier, load_classifier
from skinlens.inference.release import load_manifest
from skinlens.labels import CODES
from skinlens.networks.student import load_released
from skinlens.quantization.ptq import export_backbone
from skinlens.records import Explanation, ModelRef
from tests.closeness import NETWORK, PROBABILITY
from tests.tiny_student import unchecked_shapes

pytestmark = pytest.mark.slow

CHECK = ReferenceCheck()
STAMP = ModelRef("tiny", "0", "0" * 64)
LIME = {"samples": 100, "segments": 15, "design": "independent"}


@pytest.fixture(scope="module")
def manifest(release):
    return load_manifest(release)


@pytest.fixture(scope="module")
def served(release):
    return load_classifier(release)


@pytest.fixture(scope="module")
def on_float(manifest, served, tmp_path_factory):
    """The release with its float network in the engine, under the stamp of the int8 one."""
    path = tmp_path_factory.mktemp("float") / "float.onnx"
    with unchecked_shapes():
        export_backbone(load_released(manifest), path, served.engine.spec.size_px)
    engine = type(served.engine)(path, served.engine.head, served.engine.spec, served.engine.model_ref)
    return Classifier(engine, served.temperature, served.melanoma_threshold, served.ood)


def maps(classifier, photo, label, contrast_with=None):
    contrast = {"against": contrast_with} if contrast_with else {}
    asked = {"lime": LIME}
    return tuple(explain(one, classifier, photo, label, params={**asked.get(one, {}), **contrast}) for one in METHODS)


@pytest.mark.parametrize(("label", "contrast_with"), [("nv", None), ("mel", "nv")])
def test_on_a_float_engine_the_libraries_draw_the_same(label, contrast_with, manifest, on_float, photos):
    explained = maps(on_float, photos[0], label, contrast_with)
    told = []
    made = make(manifest, photos[0], explained, told.append)
    # The file holds half precision.
    np.testing.assert_allclose(made.probs, on_float.predict(photos[0]).probs, atol=2e-3)
    for one, heatmap in zip(explained, made.heatmaps, strict=True):
        if one.heatmap.any():
            found = likeness(one.heatmap, heatmap)
            assert found["spearman"] > 0.99
            assert found["mean_difference"] < 0.02
    assert any(one.heatmap.any() for one in explained)
    assert told[0] == 0
    assert told[-1] == 1
    assert told == sorted(told)
    assert len(told) > 10


def test_another_process_finds_what_this_one_does_and_what_is_kept_is_plain_data(manifest, served, photos):
    explained = maps(served, photos[1], "nv")[::2]
    told = []
    subject = Subject(served, photos[1], explained)
    (about, check, *others), heatmaps = CHECK.recompute(manifest.directory, subject, told.append)
    assert len(heatmaps) == 1 + len(others) == len(explained)
    made = make(manifest, photos[1], explained, lambda _: None)
    np.testing.assert_allclose(list(about.figures["float_probs"].values()), made.probs, atol=NETWORK)
    for one, heatmap in zip(heatmaps, made.heatmaps, strict=True):
        np.testing.assert_allclose(one, heatmap, atol=1e-3)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)

    for one in (check, about):
        assert json.loads(json.dumps(one.figures)) == one.figures
        assert (one.kind, one.seed, one.photo_sha256) == ("reference", None, photos[1].sha256)
        assert one.model == served.engine.model_ref
    assert (check.label, check.method) == ("nv", "grad_cam")
    assert check.settings["map"] == dict(explained[0].params)
    assert set(check.settings["packages"]) == {"torch", "grad-cam"}
    assert check.figures["mean_difference"] == pytest.approx(
        np.abs(difference(explained[0].heatmap, heatmaps[0])).mean()
    )
    assert (about.label, about.method) == ("", "")
    int8_probs = [about.figures["int8_probs"][code] for code in CODES]
    np.testing.assert_allclose(int8_probs, served.predict(photos[1]).probs, atol=PROBABILITY)


def test_what_is_kept_of_it_in_words():
    before, after = (0.1, 0.1, 0.1, 0.1, 0.35, 0.15, 0.1), (0.1, 0.1, 0.1, 0.1, 0.25, 0.24, 0.11)
    about = CHECK.made(Found(quantization_effect(before, after)), ("a" * 64, STAMP), 1.0)
    assert CHECK.summary(about).replace("\u00a0", " ") == (
        "The reduction of the network to eight bits moved melanoma most, from 35.0 % to 25.0 %."
    )
    ours = made_up([[0, 1], [0, 0]])
    same = beside(ours, ours.heatmap)
    assert CHECK.summary(same).replace("\u00a0", " ") == (
        "The published library points to the same area: of the hottest fifths 100 % is shared, rank correlation 1.00."
    )
    nothing = beside(ours, np.zeros((2, 2), np.float32))
    assert CHECK.summary(nothing).endswith("one of the maps has no order.")


def beside(ours, library):
    return CHECK.made(Found(likeness(ours.heatmap, library)), ("a" * 64, STAMP), 1.0, ours)


def made_up(heatmap):
    return Explanation(
        "grad_cam", "mel", np.array(heatmap, np.float32), {}, None, "a" * 64, STAMP, 1.0, "2024-01-01T00:00"
    )


def test_the_figures_by_hand():
    """Ours spread over [0, 1] is [[0, .5], [1, 0]] and theirs [[0, 1], [.5, 0]]: half apart at two places of four."""
    ours, library = np.array([[0.2, 0.6], [1, 0.2]], np.float32), np.array([[0, 1], [0.5, 0]], np.float32)
    np.testing.assert_allclose(difference(ours, library), [[0, -0.5], [0.5, 0]], atol=1e-6)
    one = likeness(ours, library)
    # Ranks 1.5 3 4 1.5 and 1.5 4 3 1.5: the products of the deviations add to 3.5, their squares to 4.5.
    assert one["spearman"] == pytest.approx(3.5 / 4.5)
    assert one["mean_difference"] == pytest.approx(0.25)
    assert (one["hottest_iou"], one["same_area"]) == (0, False)
    same = likeness(ours, ours)
    assert same == {"spearman": pytest.approx(1), "hottest_iou": 1, "same_area": True, "mean_difference": 0}


def test_a_map_that_is_the_same_everywhere_has_no_order():
    ours, flat = made_up([[0, 1], [0, 0]]), np.zeros((2, 2), np.float32)
    assert json.loads(json.dumps(beside(ours, flat).figures))["spearman"] is None
    np.testing.assert_array_equal(difference(ours.heatmap, flat), [[0, 1], [0, 0]])


def test_cancel_ends_the_process_at_once(manifest, served, photos):
    """Also while it is silent: the first second goes into imports."""
    explained = maps(served, photos[0], "nv")
    told = []

    def cancel(fraction):
        told.append(fraction)
        if len(told) == 3:
            raise Cancelled("stopped by the user")

    started = time.monotonic()
    with pytest.raises(Cancelled, match="stopped by the user"):
        CHECK.recompute(manifest.directory, Subject(served, photos[0], explained), cancel)
    assert told == [0, 0, 0]
    assert time.monotonic() - started < 30  # it waits for the end of that process


def test_a_float_network_that_is_not_the_released_one_is_refused(manifest, served, photos, tmp_path):
    folder = tmp_path / "weights"
    shutil.copytree(manifest.directory, folder)
    (folder / manifest.content["checkpoint"]).write_bytes(b"something else")
    with pytest.raises(SkinLensError, match=r"^The model file student-float16\.pt is not the one that was released"):
        CHECK.recompute(folder, Subject(served, photos[0], (explain("grad_cam", served, photos[0], "nv"),)))


def test_a_process_that_fails_is_told_with_its_last_words(manifest, served, photos, tmp_path):
    folder = tmp_path / "weights"
    shutil.copytree(manifest.directory, folder)
    content = json.loads((folder / "manifest.json").read_text())
    del content["architecture"]
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(SkinLensError, match=r"stopped before the end \(KeyError: 'architecture'\)\. The maps of this"):
        CHECK.recompute(folder, Subject(served, photos[0], (explain("grad_cam", served, photos[0], "nv"),)))


@pytest.mark.parametrize(
    ("change", "what"), [({"photo_sha256": "b" * 64}, "photo"), ({"model": ModelRef("x", "1", "c" * 64)}, "model")]
)
def test_a_map_of_something_else_is_refused(change, what, manifest, served, photos):
    made = replace(explain("grad_cam", served, photos[0], "nv"), **change)
    with pytest.raises(SkinLensError, match=f"^Grad-CAM cannot be checked: expected a map of the {what} "):
        CHECK.recompute(manifest.directory, Subject(served, photos[0], (made,)))


def test_importing_the_check_brings_in_nothing_heavy():
    heavy = "{'torch', 'timm', 'sklearn', 'lime', 'pytorch_grad_cam', 'cv2', 'matplotlib'}"
    script = f"import sys, skinlens.checks.reference; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
