"""The paper's protocol leaks as the paper's does; the other one does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skinlens.imaging.preprocess import InputSpec
from skinlens.training.protocols import lesion_disjoint_split, paper_split
from tests.tiny_release import RECIPE, draw_dataset

pytestmark = pytest.mark.slow  # imports torch

PER_CLASS = "skinlens.training.protocols.PAPER_PER_CLASS"
SMALL = replace(RECIPE, input=InputSpec(size_px=32, detail_px=48))


def test_classes_are_topped_up_and_a_tenth_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PER_CLASS, 20)
    data = paper_split(draw_dataset(tmp_path, 1, 4), SMALL)
    assert data.protocol == "paper"
    assert len(data.val_labels) == round(0.1 * 7 * 20)
    both = np.concatenate([data.train_labels, data.val_labels])
    assert np.bincount(both).tolist() == [20] * 7
    assert [tuple(group.shape) for group in data.train_images.groups] == [(126, 3, 32, 32)]
    assert data.val_images.shape == (14, 32, 32, 3)


def test_copies_of_one_photo_lie_on_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one photo a class, the test set holds changed copies of what is in training, up to a flip and a colour."""
    monkeypatch.setattr(PER_CLASS, 20)
    data = paper_split(draw_dataset(tmp_path, 1, 1), SMALL)
    assert set(data.val_labels) <= set(data.train_labels)
    training = [shape(one) for one in data.train_images.groups[0].numpy()]
    found = 0
    for view, label in zip(data.val_images, data.val_labels, strict=True):
        likeness = [float(np.corrcoef(shape(view.transpose(2, 0, 1)), one)[0, 1]) for one in training]
        found += int(data.train_labels[int(np.argmax(likeness))] == label)
    assert found >= 0.9 * len(data.val_labels)


def shape(picture: np.ndarray) -> np.ndarray:
    """What brightness and contrast leave of a picture."""
    return picture.astype(float).mean(axis=0).ravel()


def test_a_seed_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PER_CLASS, 5)
    entries = draw_dataset(tmp_path, 1, 2)
    first, again = (paper_split(entries, SMALL) for _ in range(2))
    assert np.array_equal(first.val_images, again.val_images)
    other = paper_split(entries, replace(SMALL, view_seed=9))
    assert not np.array_equal(first.val_labels, other.val_labels) or not np.array_equal(
        first.val_images, other.val_images
    )


def test_by_lesion_keeps_the_parts_as_they_are(tmp_path: Path) -> None:
    training, validation = draw_dataset(tmp_path / "a", 1, 2), draw_dataset(tmp_path / "b", 2, 1)
    data = lesion_disjoint_split(training, validation, SMALL)
    assert data.train_labels.tolist() == [entry.label for entry in training]
    assert data.val_labels.tolist() == [entry.label for entry in validation]
