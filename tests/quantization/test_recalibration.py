"""A release served as the mean over quarter turns: what is fitted anew, and what stays."""

import hashlib
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

from skinlens.errors import WeightsError
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import to_batch
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import load_classifier
from skinlens.inference.engine import TURNS
from skinlens.inference.release import REFERENCE_SEED, load_manifest
from skinlens.metrics import melanoma_auc
from skinlens.quantization.recalibration import recalibrate
from skinlens.training.ham10000 import labels_of, load_images
from tests.closeness import NETWORK, assert_near
from tests.tiny_release import RECIPE, draw_dataset

pytestmark = pytest.mark.slow  # imports torch


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("drawn")
    return draw_dataset(folder / "train", 1, 6), draw_dataset(folder / "val", 2, 3)


@pytest.fixture(scope="module")
def recalibrated(release: Path, parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("turns") / "weights"
    jaxtyping.config.update("jaxtyping_disable", True)  # torch's tracer makes tensors of the sizes that are checked
    try:
        return recalibrate(release, *parts, out, turns=TURNS, version="1", note="Four turns.").parent
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def test_the_network_stays_and_what_hangs_on_its_answers_is_fitted_anew(release: Path, recalibrated: Path) -> None:
    before, after = load_manifest(release), load_manifest(recalibrated)
    assert (before.turns, after.turns, after.version) == (1, TURNS, "1")
    assert after.model_ref().sha256 == before.model_ref().sha256
    for name in (before.content["backbones"]["int8"], before.content["head"], before.content["checkpoint"]):
        assert (recalibrated / name).read_bytes() == (release / name).read_bytes()
    assert after.temperature != before.temperature
    assert after.content["files"][after.content["ood"]]["sha256"] == _sha256(recalibrated / after.content["ood"])


def test_its_figures_are_those_of_the_mean(recalibrated: Path, parts) -> None:
    classifier, entries = load_classifier(recalibrated), parts[1]
    images = load_images(entries, RECIPE.input)
    turned = [np.rot90(images, quarters, axes=(1, 2)) for quarters in range(TURNS)]
    answers = [
        np.array([one.prediction.probs for one in classifier.read_views(np.ascontiguousarray(v))]) for v in turned
    ]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=1e-4)
    figures = load_manifest(recalibrated).content["parity"]["int8"]
    assert figures["melanoma_auc"] == pytest.approx(melanoma_auc(labels_of(entries), answers[0]), abs=1e-6)


def test_the_drawn_example_gets_the_answer_that_its_manifest_holds(recalibrated: Path) -> None:
    engine = load_classifier(recalibrated).engine
    photo = photo_from_pixels(draw_synthetic_lesion(REFERENCE_SEED), "drawn")
    expected = load_manifest(recalibrated).content["reference"]["logits"]
    assert_near(engine.logits(to_batch([photo], engine.spec))[0], expected, NETWORK)


def test_the_release_that_it_is_made_from_is_no_place_for_it(release: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(release)
    before = (release / "manifest.json").read_bytes()
    for out in (release, release / ".." / release.name, tmp_path / "link"):
        with pytest.raises(WeightsError, match="expected another folder"):
            recalibrate(release, [], [], out, turns=TURNS, version="1")
    assert (release / "manifest.json").read_bytes() == before


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
