"""Figures with intervals: against the model's own answers, with gaps, and reproducible."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from skinlens.errors import DatasetError
from skinlens.evaluation.evaluate import HEADLINES, evaluate, summary
from skinlens.evaluation.patient_context import fit_release
from skinlens.imaging.intake import read_photo
from skinlens.inference.classifier import load_classifier
from skinlens.inference.release import load_manifest
from skinlens.labels import CODES
from skinlens.training.ham10000 import picture_paths
from tests.tiny_release import draw_dataset

pytestmark = pytest.mark.slow

FEW = 20
"""Resamples: enough to see that there is an interval."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    draw_dataset(folder / "part_1", 5, 3)
    draw_dataset(folder / "part_2" / "deep", 6, 2)
    return folder


@pytest.fixture(scope="module")
def labels(photos: Path) -> Path:
    path = photos / "labels.csv"
    rows = [f"{one.stem},{one.stem.split('_')[0]}" for one in sorted(photos.rglob("*.png"))]
    path.write_text("\n".join(["image_id,dx", *rows, "absent_1,mel", "absent_2,nv"]) + "\n")
    return path


def test_figures_are_those_of_single_predictions(release: Path, photos: Path, labels: Path) -> None:
    classifier = load_classifier(release)
    result = evaluate(classifier, photos, labels, resamples=FEW)
    expected, covered = np.zeros((7, 7), int), []
    for path in photos.rglob("*.png"):
        code, prediction = path.stem.split("_")[0], classifier.predict(read_photo(path.read_bytes()))
        expected[CODES.index(code), CODES.index(prediction.top.code)] += 1
        assert prediction.prediction_set is not None
        covered.append(code in prediction.prediction_set.codes)
    assert result["confusion"] == expected.tolist()
    assert result["n"] == 35
    assert result["missing"] == 2
    assert result["missing_ids"] == ["absent_1", "absent_2"]
    assert result["accuracy"]["value"] == pytest.approx(np.trace(expected) / 35)
    assert result["balanced_accuracy"]["value"] == pytest.approx((np.diag(expected) / 5).mean())
    for name in HEADLINES:
        figure = result[name]
        assert figure["low"] <= figure["high"]
    assert {code: entry["n"] for code, entry in result["per_class"].items()} == dict.fromkeys(CODES, 5)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert sum(row["n"] for row in result["reliability"]["top"]) == 35
    shipped = classifier.melanoma_threshold.value
    assert shipped in [row["threshold"] for row in result["thresholds"]["melanoma"]["rows"]]
    assert result["subgroups"] == {}, "the file tells the diagnosis alone"
    assert result["prediction_sets"]["coverage"]["value"] == pytest.approx(np.mean(covered))
    assert f"sets at 90\u00a0%: coverage {np.mean(covered):.3f}" in summary(result)


def test_twice_the_same(release: Path, photos: Path, labels: Path) -> None:
    first, second = (evaluate(load_classifier(release), photos, labels, resamples=FEW) for _ in range(2))
    first.pop("created_at")
    second.pop("created_at")
    assert first == second


def test_a_damaged_picture_is_named_and_not_counted(release: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path, 7, 1)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    rows = [f"{path.stem},{path.stem.split('_')[0] if '_' in path.stem else 'mel'}" for path in tmp_path.glob("*.png")]
    (tmp_path / "labels.csv").write_text("image_id,dx\n" + "\n".join(rows))
    result = evaluate(load_classifier(release), tmp_path, tmp_path / "labels.csv", resamples=FEW)
    assert result["unreadable_ids"] == ["broken"]
    assert result["n"] == 7


def test_no_picture_that_can_be_read(release: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jpg").write_bytes(b"no picture")
    (tmp_path / "labels.csv").write_text("image_id,dx\na,mel\nb,nv\n")
    with pytest.raises(DatasetError, match=f"None of the 2 pictures can be read, the first is {tmp_path / 'a.jpg'}"):
        evaluate(load_classifier(release), tmp_path, tmp_path / "labels.csv", resamples=FEW)


def test_no_picture_at_all(release: Path, labels: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"None of the 37 pictures .* expected files such as"):
        evaluate(load_classifier(release), tmp_path, labels)


def test_age_sex_and_site_are_measured_beside_the_photo_alone(release: Path, photos: Path, tmp_path: Path) -> None:
    listed = tmp_path / "metadata.csv"
    rows = []
    for place, path in enumerate(sorted(photos.rglob("*.png"))):
        code, part = path.stem.split("_")[0], "train" if place % 2 else "val"
        rows.append(f"{path.stem},{path.stem},{code},{30 + place},{'female' if place % 3 else 'male'},back,{part}")
    rows[0] = rows[0].replace(",30,male,back,", ",,unknown,unknown,")
    listed.write_text("\n".join(["image_id,lesion_id,dx,age,sex,localization,split", *rows]) + "\n")
    weights = tmp_path / "weights"
    shutil.copytree(release, weights)
    with pytest.raises(KeyError):
        load_manifest(weights).content["patient_context"]
    fit_release(weights, picture_paths(photos), listed, say=lambda _: None)
    classifier = load_classifier(weights)
    assert classifier.context_model is not None
    result = evaluate(classifier, photos, listed, "val", resamples=FEW)["patient_context"]
    assert result["n"] == 17, "of one photo of val nothing is known"
    for name, gain in result["gain"].items():
        assert gain["value"] == pytest.approx(result["with_context"][name]["value"] - result["photo"][name]["value"])
    assert result["gain"]["log_loss"]["value"] <= 1e-9, "the weight was chosen on these very photos"
    assert "with age, sex and site, of the 17 photos" in summary(evaluate(classifier, photos, listed, "val", FEW))
    assert evaluate(load_classifier(release), photos, listed, "val", FEW)["patient_context"] is None


def test_a_photo_and_its_mask_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        draw_dataset(tmp_path / folder, 1, 1)
    with pytest.raises(DatasetError, match=r"Two pictures .* are named akiec_\S+: images/\S+ and masks/\S+\. Give the"):
        picture_paths(tmp_path)
    assert len(picture_paths(tmp_path / "images")) == 7
