"""The reference check: on a float engine the libraries draw the same maps; what is kept; cancel; mix-ups in words."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from skinlens.errors import Cancelled, SkinLensError
from skinlens.explain import METHODS, explain
from skinlens.explain.reference import Reduction, Reference, in_words, recompute
from skinlens.labels import CODES
from skinlens.models.quantize import export_backbone
from skinlens.models.student import load_released
from skinlens.models.weights import load_manifest
from skinlens.predict import Classifier, load_classifier
from skinlens.records import Explanation, ModelStamp
from tests.explain.conftest import unchecked_shapes

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
    engine = type(served.engine)(path, served.engine.head, served.engine.spec, served.engine.stamp)
    return Classifier(engine, served.temperature, served.melanoma_threshold, served.familiarity)


def maps(classifier, photo, label, against=None):
    asked = {"lime": LIME}
    contrast = {"against": against} if against else {}
    return [explain(one, classifier, photo, label, params={**asked.get(one, {}), **contrast}) for one in METHODS]


@pytest.mark.parametrize(("label", "against"), [("nv", None), ("mel", "nv")])
def test_on_a_float_engine_the_libraries_draw_the_same(label, against, manifest, on_float, photos):
    made = maps(on_float, photos[0], label, against)
    told = []
    reduction, found = recompute(manifest, on_float, photos[0], made, progress=told.append)
    assert [one.explained for one in found] == made
    np.testing.assert_allclose(reduction.float_probs, reduction.int8_probs, atol=2e-3)  # the file is of half precision
    for one in found:
        if one.explained.heat.any():
            assert one.spearman > 0.99
            assert np.abs(one.difference).mean() < 0.02
    assert any(one.explained.heat.any() for one in found)
    assert told[0] == 0
    assert told[-1] == 1
    assert told == sorted(told)
    assert len(told) > 10


def test_what_is_kept_of_it_is_plain_data(manifest, served, photos):
    made = explain("grad_cam", served, photos[1], "nv")
    reduction, (found,) = recompute(manifest, served, photos[1], [made])
    check, about = found.to_check(), reduction.to_check()
    for one in (check, about):
        assert json.loads(json.dumps(one.figures)) == one.figures
        assert (one.kind, one.seed, one.model, one.photo_sha256) == ("reference", None, made.model, photos[1].sha256)
    assert (check.label, check.method) == ("nv", "grad_cam")
    assert check.settings["map"] == dict(made.params)
    assert set(check.settings["packages"]) == {"torch", "grad-cam"}
    assert check.figures["mean_difference"] == pytest.approx(np.abs(found.difference).mean())
    assert (about.label, about.method) == ("", "")
    np.testing.assert_allclose([about.figures["int8_probs"][code] for code in CODES], served.predict(photos[1]).probs)


def test_what_is_kept_of_it_in_words():
    stamp = ModelStamp("tiny", "0", "0" * 64)
    before, after = (0.1, 0.1, 0.1, 0.1, 0.35, 0.15, 0.1), (0.1, 0.1, 0.1, 0.1, 0.25, 0.24, 0.11)
    about = Reduction(before, after, "a" * 64, stamp, 1.0, "2024-01-01T00:00").to_check()
    assert in_words(about).replace("\u00a0", " ") == (
        "The reduction of the network to eight bits moved melanoma most, from 35.0 % to 25.0 %."
    )
    ours = made_up([[0, 1], [0, 0]])
    same = Reference(ours, ours.heat, 1.0, "2024-01-01T00:00").to_check()
    assert in_words(same).replace("\u00a0", " ") == (
        "The published library points to the same area: of the hottest fifths 100 % is shared, rank correlation 1.00."
    )
    nothing = Reference(ours, np.zeros((2, 2), np.float32), 1.0, "2024-01-01T00:00").to_check()
    assert in_words(nothing).endswith("one of the maps has no order.")


def made_up(heat):
    stamp = ModelStamp("tiny", "0", "0" * 64)
    return Explanation(
        "grad_cam", "mel", np.array(heat, np.float32), {}, None, "a" * 64, stamp, 1.0, "2024-01-01T00:00"
    )


def test_the_figures_by_hand():
    """Ours spread over [0, 1] is [[0, .5], [1, 0]] and theirs [[0, 1], [.5, 0]]: half apart at two places of four."""
    ours = made_up([[0.2, 0.6], [1, 0.2]])
    one = Reference(ours, np.array([[0, 1], [0.5, 0]], np.float32), 1.0, "2024-01-01T00:00")
    np.testing.assert_allclose(one.difference, [[0, -0.5], [0.5, 0]], atol=1e-6)
    # Ranks 1.5 3 4 1.5 and 1.5 4 3 1.5: the products of the deviations add to 3.5, their squares to 4.5.
    assert one.spearman == pytest.approx(3.5 / 4.5)
    assert one.hottest_iou == 0
    same = replace(one, heat=ours.heat)
    assert (same.spearman, same.hottest_iou, np.abs(same.difference).max()) == (pytest.approx(1), 1, 0)


def test_a_map_that_is_the_same_everywhere_has_no_order():
    one = Reference(made_up([[0, 1], [0, 0]]), np.zeros((2, 2), np.float32), 1.0, "2024-01-01T00:00")
    assert one.spearman is None
    assert json.loads(json.dumps(one.to_check().figures))["spearman"] is None
    np.testing.assert_array_equal(one.difference, [[0, 1], [0, 0]])


def test_cancel_passes_through_the_libraries(manifest, served, photos):
    made = maps(served, photos[0], "nv")

    for enough in (0.06, 0.5):

        def cancel(fraction, enough=enough):
            if fraction >= enough:
                raise Cancelled("stopped by the user")

        with pytest.raises(Cancelled, match="stopped by the user"):
            recompute(manifest, served, photos[0], made, progress=cancel)


@pytest.mark.parametrize(
    ("change", "what"), [({"photo_sha256": "b" * 64}, "photo"), ({"model": ModelStamp("x", "1", "c" * 64)}, "model")]
)
def test_a_map_of_something_else_is_refused(change, what, manifest, served, photos):
    made = replace(explain("grad_cam", served, photos[0], "nv"), **change)
    with pytest.raises(SkinLensError, match=f"^Grad-CAM cannot be checked: expected a map of the {what} "):
        recompute(manifest, served, photos[0], [made])


def test_importing_the_check_brings_in_nothing_heavy():
    heavy = "{'torch', 'timm', 'sklearn', 'lime', 'pytorch_grad_cam', 'cv2', 'matplotlib'}"
    script = f"import sys, skinlens.explain.reference; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
