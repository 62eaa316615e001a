"""The table of changes: each change is what its name says, and the figures are counted by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from skinlens.errors import UnreadableImage
from skinlens.evaluation import invariance as table
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.classifier import load_classifier
from skinlens.labels import INDEX, MELANOMA
from tests.tiny_release import draw_dataset

pytestmark = pytest.mark.slow  # imports torch

SPEC = InputSpec(size_px=64, detail_px=48)


def some_photo() -> object:
    pixels = np.random.default_rng(0).integers(1, 255, (60, 80, 3), dtype=np.uint8)
    return photo_from_pixels(pixels, "PNG")


def test_one_gray_level_touches_a_tenth_of_the_samples_by_one() -> None:
    photo = some_photo()
    changed = table.one_gray_level(photo, SPEC, np.random.default_rng(1))
    step = np.abs(changed.pixels.astype(int) - photo.pixels)
    assert step.max() == 1
    assert step.mean() == pytest.approx(0.1, abs=0.01)


def test_turns_and_cuts_are_exact() -> None:
    photo, random = some_photo(), np.random.default_rng(1)
    turned = table.CHANGES["turned by 90°"](photo, SPEC, random)
    assert np.array_equal(turned.pixels, np.rot90(photo.pixels))
    half = table.CHANGES["turned by 180°"](photo, SPEC, random)
    assert np.array_equal(half.pixels, photo.pixels[::-1, ::-1])
    assert np.array_equal(table.without_the_top_row(photo, SPEC, random).pixels, photo.pixels[1:])


def test_figures_by_hand() -> None:
    melanoma, other = INDEX[MELANOMA], INDEX["nv"]
    before, after = np.zeros((4, 7)), np.zeros((4, 7))
    before[:, other], before[:, melanoma] = 0.9, 0.1
    moves = np.array([0.0, 0.02, 0.15, 0.6])
    after[:, other], after[:, melanoma] = 0.9 - moves, 0.1 + moves
    found = table.movement("x", before, after, threshold=0.2)
    assert found.median == pytest.approx((0.02 + 0.15) / 2)
    assert found.largest == pytest.approx(0.6)
    assert found.melanoma_within == 0.5
    assert (found.top_changed, found.side_changed) == (1, 2)


def test_the_command_measures_the_served_model_and_repeats(release: Path, tmp_path: Path) -> None:
    entries = draw_dataset(tmp_path / "images", 7, 2)
    labels = tmp_path / "labels.csv"
    rows = [f"{entry.image_id},{entry.image_id.partition('_')[0]}" for entry in entries]
    labels.write_text("\n".join(["image_id,dx", *rows]) + "\n")
    classifier = load_classifier(release)
    first = table.invariance(classifier, tmp_path / "images", labels, None, 5)
    again = table.invariance(classifier, tmp_path / "images", labels, None, 5)
    assert first["n"] == len(set(first["image_ids"])) == 5
    assert [row["change"] for row in first["changes"]] == list(table.CHANGES)
    assert first["changes"] == again["changes"]
    assert all(0 <= row["median"] <= row["p90"] <= row["largest"] <= 1 for row in first["changes"])
    assert json.loads(json.dumps(first)) == first
    assert "turned by 180°" in table.summary(first)


def test_a_picture_that_cannot_be_read_is_named(release: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "labels.csv").write_text("image_id,dx\nbroken,mel\n")
    with pytest.raises(UnreadableImage, match=str(tmp_path / "broken.jpg")):
        table.invariance(load_classifier(release), tmp_path, tmp_path / "labels.csv", None, 1)
