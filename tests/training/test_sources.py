"""Labelled folders beside HAM10000: what a source teaches, what it validates, and what is said of a wrong one."""

import csv
import hashlib
from pathlib import Path

import pytest

from skinlens.errors import DatasetError
from skinlens.labels import INDEX
from skinlens.training.recipe import Source, load_recipe
from skinlens.training.sources import load_source, with_sources
from tests.tiny_release import RECIPE, draw_dataset

pytestmark = pytest.mark.slow  # imports torch

RECIPES = Path(__file__).parents[2] / "recipes"


def make_source(folder: Path) -> Path:
    """Two drawn photos of each class, with their labels."""
    entries = draw_dataset(folder / "images", 5, 2)
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image_id", "dx"])
        rows.writerows([entry.image_id, entry.image_id.partition("_")[0]] for entry in entries)
    return folder


def test_a_source_teaches_its_classes_and_validates_with_its_list(tmp_path: Path) -> None:
    folder = make_source(tmp_path / "clinic")
    (tmp_path / "held_out.txt").write_text("mel_5_1\nnv_5_0\n")
    source = Source(str(folder), classes=("mel", "nv"), validation="held_out.txt")
    training, validation = load_source(source, tmp_path)
    assert [entry.image_id for entry in training] == ["mel_5_0", "nv_5_1"]
    assert [entry.image_id for entry in validation] == ["mel_5_1", "nv_5_0"]
    assert [entry.label for entry in training] == [INDEX["mel"], INDEX["nv"]]


def test_a_relative_folder_is_found_by_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_source(tmp_path / "clinic")
    monkeypatch.delenv("SKINLENS_SOURCES", raising=False)
    with pytest.raises(DatasetError, match="Set SKINLENS_SOURCES to the folder that holds clinic"):
        load_source(Source("clinic"), tmp_path)
    monkeypatch.setenv("SKINLENS_SOURCES", str(tmp_path))
    training, validation = load_source(Source("clinic"), tmp_path)
    assert (len(training), len(validation)) == (14, 0)
    with pytest.raises(DatasetError, match="there is no such folder"):
        load_source(Source("elsewhere"), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image_id,diagnosis\nmel_5_0,mel\n", "expected the columns image_id and dx, found image_id, diagnosis"),
        ("image_id,dx\nmel_5_0,melanoma\n", "mel_5_0 has the class 'melanoma'"),
        ("image_id,dx\nmissing,mel\n", "holds no such picture"),
    ],
)
def test_wrong_labels_are_named(tmp_path: Path, content: str, message: str) -> None:
    folder = make_source(tmp_path / "clinic")
    (folder / "labels.csv").write_text(content)
    with pytest.raises(DatasetError, match=message):
        load_source(Source(str(folder)), tmp_path)


def test_a_list_that_names_other_photos_is_refused(tmp_path: Path) -> None:
    folder = make_source(tmp_path / "clinic")
    (tmp_path / "held_out.txt").write_text("ISIC_1\n")
    with pytest.raises(DatasetError, match="1 of the 1 validation photos"):
        load_source(Source(str(folder), validation="held_out.txt"), tmp_path)
    with pytest.raises(DatasetError, match="cannot be read"):
        load_source(Source(str(folder), validation="nowhere.txt"), tmp_path)


def test_training_data_holds_all_photos_and_each_sources_validation(tmp_path: Path) -> None:
    from dataclasses import replace

    folder = make_source(tmp_path / "clinic")
    (tmp_path / "held_out.txt").write_text("mel_5_1\nnv_5_0\n")
    recipe = replace(RECIPE, sources=(Source(str(folder), validation="held_out.txt", name="elsewhere"),))
    training, validation = draw_dataset(tmp_path / "a", 1, 2), draw_dataset(tmp_path / "b", 2, 1)
    data = with_sources(training, validation, recipe, tmp_path)
    assert len(data.train_images) == len(data.train_labels) == 14 + 12
    assert list(data.elsewhere) == ["elsewhere"]
    assert data.elsewhere["elsewhere"].labels.tolist() == [INDEX["mel"], INDEX["nv"]]


def test_the_committed_list_is_a_fifth_by_the_hash_of_the_id() -> None:
    """Any photo's side can be told from its id alone, so the list can be checked without the photos."""
    ids = (RECIPES / "isic2017_validation.txt").read_text().split()
    assert len(ids) == len(set(ids)) == 429
    assert all(int(hashlib.sha256(one.encode()).hexdigest(), 16) % 5 == 0 for one in ids)
    named = {source.validation for source in load_recipe(RECIPES / "companion.toml").sources if source.validation}
    assert named == {"isic2017_validation.txt"}
