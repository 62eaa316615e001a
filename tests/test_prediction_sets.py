"""Sets of classes: floors worked out by hand, the guarantee on exchangeable photos, and an honest half."""

import json
import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.calibration import ConformalSets, fit_conformal_sets, softmax, split_calibration_test
from skinlens.inference.classifier import load_classifier
from skinlens.inference.release import load_manifest
from skinlens.labels import CODES


def probs_of(own: list[float], position: int) -> np.ndarray:
    """Rows that give their class ``own`` and share the rest among the others."""
    rows = np.repeat((1 - np.array(own))[:, None] / 6, 7, axis=1)
    rows[:, position] = own
    return rows


def test_floors_by_hand() -> None:
    """Nine photos: the tenth has a chance of one in ten to lie below the least; nineteen: below the second."""
    nine = [0.31, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35]
    nineteen = [0.05 * n for n in range(1, 20)]
    eight = nine[:8]
    probs = np.concatenate([probs_of(nine, 0), probs_of(nineteen, 1), probs_of(eight, 4)])
    truth = np.repeat([0, 1, 4], [9, 19, 8])
    rule = fit_conformal_sets(truth, probs, "36 photos", level=0.9, few=0)
    assert rule.class_thresholds[0] == pytest.approx(0.31)
    assert rule.class_thresholds[1] == pytest.approx(0.10)
    assert rule.class_thresholds[4] == 0, "eight photos cannot rule melanoma out at 90 %"
    assert rule.class_thresholds[6] == 0, "nor can none"


def test_rare_classes_have_one_floor_by_hand() -> None:
    """Nine and ten photos: of nineteen together the second least is the floor, whichever class it is of."""
    nine, ten, thirty = [0.02, *[0.5] * 8], [0.04, *[0.6] * 9], [0.05 + 0.03 * n for n in range(30)]
    probs = np.concatenate([probs_of(nine, 3), probs_of(ten, 6), probs_of(thirty, 5)])
    truth = np.repeat([3, 6, 5], [9, 10, 30])
    rule = fit_conformal_sets(truth, probs, "49 photos", level=0.9)
    assert rule.class_thresholds[3] == rule.class_thresholds[6] == pytest.approx(0.04)
    assert rule.class_thresholds[0] == pytest.approx(0.04), "of which there is none at all"
    assert rule.class_thresholds[5] == pytest.approx(0.05 + 0.03 * 2), "thirty photos: the third least of its own"
    alone = fit_conformal_sets(truth, probs, "49 photos", level=0.9, few=0)
    assert alone.class_thresholds[3] == pytest.approx(0.02), "the one photo that the model gets wrong"


def test_a_set_by_hand() -> None:
    """Melanoma and nevus reach their floors; keratosis does not, and is in as it is more probable than melanoma."""
    rule = ConformalSets(0.9, (0.2, 0.2, 0.5, 0.9, 0.1, 0.3, 0.9), "these")
    one = rule.predict_set(np.array([0.05, 0.05, 0.3, 0.02, 0.15, 0.4, 0.03]))
    assert one.codes == ("nv", "bkl", "mel")
    assert (one.level, one.calibrated_on) == (0.9, "these")
    # No class reaches its floor: the most probable one still stands there.
    assert rule.predict_set(np.array([0.05, 0.05, 0.45, 0.2, 0.05, 0.15, 0.05])).codes == ("bkl",)


@given(st.lists(st.floats(0, 1), min_size=7, max_size=7), st.lists(st.integers(1, 100), min_size=7, max_size=7))
def test_no_class_that_is_left_out_is_more_probable_than_one_held(
    class_thresholds: list[float], weights: list[int]
) -> None:
    """And every class that reaches its floor is in: what the floors promise stays."""
    rule, probs = ConformalSets(0.9, tuple(class_thresholds), "these"), np.array(weights) / sum(weights)
    held = set(rule.predict_set(probs).codes)
    inside = np.array([code in held for code in CODES])
    assert inside[probs >= class_thresholds].all()
    assert inside[probs.argmax()]
    assert inside.all() or probs[~inside].max() < probs[inside].min()
    reaching = (probs >= class_thresholds) | (probs == probs.max())
    assert probs[inside].min() == probs[reaching].min(), "and no further class than that needs"


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_each_class_is_covered_as_often_as_promised(level: float) -> None:
    """Over many draws of exchangeable photos, coverage of each class lies in [level, level + 1 / (n + 1)]."""
    random = np.random.default_rng(7)
    count, draws = 30, 600
    covered = np.zeros(2)
    for _ in range(draws):
        truth = np.repeat([4, 5], 2 * count)
        probs = softmax(random.normal(0, 1, (len(truth), 7)) + np.eye(7)[truth])
        fitting = np.tile(np.arange(2 * count) < count, 2)
        class_thresholds = fit_conformal_sets(truth[fitting], probs[fitting], "", level).class_thresholds
        for place, position in enumerate((4, 5)):
            rest = ~fitting & (truth == position)
            covered[place] += (probs[rest, position] >= class_thresholds[position]).mean()
    error = 3 * np.sqrt(level * (1 - level) / count / draws) + 3 * np.sqrt(level * (1 - level) / (count * draws))
    assert (covered / draws >= level - error).all()
    assert (covered / draws <= level + 1 / (count + 1) + error).all()


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 12)), min_size=1, max_size=60), st.randoms())
def test_the_half_keeps_lesions_whole_and_holds_half_of_each_class(rows: list[tuple[int, int]], random: Random) -> None:
    """A lesion has one diagnosis: its number tells it apart within the class."""
    truth, lesions = np.array([label for label, _ in rows]), [f"{label}-{number}" for label, number in rows]
    half, fingerprint = split_calibration_test(lesions, truth)
    assert not {lesions[place] for place in np.flatnonzero(half)} & {lesions[place] for place in np.flatnonzero(~half)}
    for position in range(7):
        own = truth == position
        largest = max((lesions.count(name) for name in {lesions[place] for place in np.flatnonzero(own)}), default=0)
        assert own.sum() / 2 <= half[own].sum() < own.sum() / 2 + max(largest, 1)
    order = list(range(len(rows)))
    random.shuffle(order)
    again, same = split_calibration_test([lesions[place] for place in order], truth[order])
    assert (again == half[order]).all()
    assert same == fingerprint


def test_the_fingerprint_tells_another_half() -> None:
    lesions, truth = [f"L{number}" for number in range(40)], np.repeat([4, 5], 20)
    half, fingerprint = split_calibration_test(lesions, truth)
    other, another = split_calibration_test(lesions, truth, seed=1)
    assert (half != other).any()
    assert fingerprint != another


def test_a_release_carries_its_rule_and_each_prediction_its_set(release: Path) -> None:
    stated = load_manifest(release).content["prediction_set"]
    assert stated["photos"] == dict.fromkeys(CODES, 2)  # of three in val: a half, rounded up
    assert stated["calibrated_on"] == "14 photos of val"
    (threshold,) = set(stated["class_thresholds"].values())  # two photos a class: all classes together
    prediction = load_classifier(release).predict(photo_from_pixels(draw_synthetic_lesion(), "drawn"))
    assert prediction.prediction_set is not None
    reached = {code for code, prob in zip(CODES, prediction.probs, strict=True) if prob >= threshold}
    assert set(prediction.prediction_set.codes) == reached | {prediction.top.code}
    assert prediction.prediction_set.codes[0] == prediction.top.code


def test_an_older_release_loads_and_gives_no_set(release: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(release, older)
    content = json.loads((older / "manifest.json").read_text())
    del content["prediction_set"]
    (older / "manifest.json").write_text(json.dumps(content))
    photo = photo_from_pixels(draw_synthetic_lesion(), "drawn")
    assert load_classifier(older).predict(photo).prediction_set is None
