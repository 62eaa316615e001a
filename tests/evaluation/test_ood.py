"""Foreign pictures: what they are, and how well distance tells them, by hand."""

from pathlib import Path

import numpy as np
import pytest

from skinlens.evaluation.ood import HEIGHT_PX, IMITATION, WIDTH_PX, distances, pictures, report
from skinlens.imaging.intake import photo_from_pixels
from skinlens.inference.classifier import load_classifier

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shown() -> dict[str, list[np.ndarray]]:
    return pictures()


def test_the_pictures_are_many_of_one_size_and_no_two_alike(shown: dict[str, list[np.ndarray]]) -> None:
    everything = [pixels for some in shown.values() for pixels in some]
    assert {pixels.shape for pixels in everything} == {(HEIGHT_PX, WIDTH_PX, 3)}
    assert {pixels.dtype for pixels in everything} == {np.dtype(np.uint8)}
    assert len({pixels.tobytes() for pixels in everything}) == len(everything) >= 150
    assert min(len(some) for some in shown.values()) >= 10


def test_they_are_the_same_each_time(shown: dict[str, list[np.ndarray]]) -> None:
    again = pictures()
    assert list(again) == list(shown)
    for kind, some in shown.items():
        assert all((one == other).all() for one, other in zip(some, again[kind], strict=True)), kind


def test_distances_are_those_that_the_app_finds(release: Path, shown: dict[str, list[np.ndarray]]) -> None:
    classifier = load_classifier(release)
    some = {kind: found[:2] for kind, found in shown.items()}
    for kind, found in distances(classifier, some).items():
        expected = [classifier.read(photo_from_pixels(one, "PNG")).distance for one in some[kind]]
        assert found.tolist() == pytest.approx(expected, rel=1e-3)


def test_a_report_by_hand() -> None:
    own, groups = np.array([1.0, 1.2, 1.4, 3.0]), np.arange(4)
    others = {"noise": np.array([5.0, 1.3]), IMITATION: np.array([1.1])}
    found = report(own, groups, others, limit=2.0, resamples=50)
    assert found["n"] == 2, "imitations of lesions are not foreign"
    assert found["auroc"]["value"] == pytest.approx((4 + 2) / 8)
    assert found["rejection_rate"] == 0.5
    assert found["in_distribution_rejection"]["value"] == 0.25
    noise, drawn = found["kinds"]
    assert (noise["kind"], noise["n"], noise["rejection_rate"]) == ("noise", 2, 0.5)
    assert noise["auroc"]["value"] == found["auroc"]["value"]
    assert drawn["auroc"]["value"] == pytest.approx(1 / 4)
