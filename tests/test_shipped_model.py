"""The released weights as they ship: what they promise about quality, uploads and int8 holds here too."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as foreign

from skinlens.imaging import quality
from skinlens.imaging.intake import photo_from_pixels, read_photo
from skinlens.imaging.preprocess import to_batch
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import Classifier, load_classifier
from skinlens.inference.engine import RUN
from skinlens.inference.release import BUNDLED, load_manifest
from skinlens.records import Batch, Logits, QualityReport
from tests.closeness import NETWORK, assert_near

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier()


def verdict(classifier: Classifier, pixels: np.ndarray) -> QualityReport:
    photo = photo_from_pixels(np.ascontiguousarray(pixels), "PNG")
    distance = classifier.read(photo).distance
    return quality.assess(photo, distance=distance, distance_limit=classifier.ood.limit)


def test_the_release_keeps_its_promises() -> None:
    """The figures that ``export`` measured on val and wrote into the manifest."""
    manifest = load_manifest().content
    parity = manifest["parity"]
    assert parity["top1_agreement"] >= 0.98
    assert parity["int8"]["balanced_accuracy"] >= 0.70
    assert parity["float"]["balanced_accuracy"] - parity["int8"]["balanced_accuracy"] <= 0.01
    assert parity["int8"]["ece"] <= 0.06
    assert manifest["melanoma_threshold"]["sensitivity"] >= 0.90
    served = (manifest["backbones"]["int8"], manifest["head"], manifest["ood"], "manifest.json")
    assert sum((BUNDLED / name).stat().st_size for name in served) <= 6_000_000


@pytest.fixture(scope="module")
def batch(classifier: Classifier) -> Batch:
    """Five drawn lesions: in company two whole runs of the engine, and one that is left over."""
    assert RUN == 2
    return to_batch(
        [photo_from_pixels(draw_synthetic_lesion(seed), "PNG") for seed in range(5)], classifier.engine.spec
    )


@pytest.fixture(scope="module")
def alone(classifier: Classifier, batch: Batch) -> Logits:
    return one_by_one(classifier, batch)


def one_by_one(classifier: Classifier, batch: Batch) -> Logits:
    return np.concatenate([classifier.engine.logits(batch[at : at + 1]) for at in range(len(batch))])


@pytest.mark.parametrize("threads", [1, 2])
def test_neither_threads_nor_company_change_an_answer(batch: Batch, alone: Logits, threads: int) -> None:
    """One photo at a time and all together, on one thread and on two."""
    classifier = load_classifier(threads=threads)
    for found in (classifier.engine.logits(batch), one_by_one(classifier, batch)):
        assert_near(found, alone, NETWORK)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket", "page"])
def test_pictures_of_other_things_are_flagged_as_unfamiliar(classifier: Classifier, name: str) -> None:
    pixels = getattr(foreign, name)()
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    assert "familiarity" in [check.name for check in verdict(classifier, pixels).failed]


@pytest.mark.parametrize("gray", [0, 128, 255])
def test_a_blank_picture_is_flagged(classifier: Classifier, gray: int) -> None:
    failed = [check.name for check in verdict(classifier, np.full((450, 600, 3), gray, np.uint8)).failed]
    assert "sharpness" in failed
    assert "familiarity" in failed


def test_an_original_gets_the_answer_of_its_reduced_copy(
    classifier: Classifier, originals: Path, ham10000: Path
) -> None:
    """Copies are reduced and compressed twice. Of copies of 300 px 54 agree; of the others, 3 are nearly tied."""
    agree, clear, sides, differences = 0, 0, 0, []
    for path in sorted(originals.glob("*.jpg")):
        large = classifier.predict(read_photo(path.read_bytes()))
        small = classifier.predict(read_photo((ham10000 / "images" / path.name).read_bytes()))
        first, second = sorted(large.probs)[:-3:-1]
        agree += large.top == small.top
        clear += large.top != small.top and first - second > 0.15
        sides += (large.melanoma_prob >= classifier.melanoma_threshold.value) != (
            small.melanoma_prob >= classifier.melanoma_threshold.value
        )
        differences.append(abs(max(large.probs) - max(small.probs)))
    assert len(differences) == 60
    assert agree >= 51
    assert clear <= 3
    assert sides <= 3
    assert np.median(differences) <= 0.05


def test_size_and_format_of_an_upload_hardly_matter(classifier: Classifier) -> None:
    """The drawn lesion at 600×450 and at three times that: nearly one answer."""
    drawn = draw_synthetic_lesion(0)
    enlarged = np.asarray(Image.fromarray(drawn).resize((1800, 1350), Image.Resampling.BICUBIC))
    small, large = (np.array(classifier.predict(photo_from_pixels(one, "PNG")).probs) for one in (drawn, enlarged))
    assert np.abs(small - large).max() < 0.05
