"""Labelled folders beside HAM10000: what a source teaches, what it validates, and what is said of a wrong one."""

import csv
import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from skinlens.errors import DatasetError, UnreadableImage
from skinlens.labels import INDEX
from skinlens.training.ham10000 import load_details, load_images, split_of_images
from skinlens.training.recipe import Source, load_recipe
from skinlens.training.sources import keep_lists, lists_of, load_source, load_sources, with_sources
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
        ("image,dx\nmel_5_0,mel,nv,nv\n", "expected the columns image_id and dx, found image, dx"),
        ("", "expected the columns image_id and dx, found nothing"),
        ("image_id,dx\n", r"labels\.csv: expected photos of akiec, .*, found none"),
        ("image_id,dx\nmel_5_0,mel\nmel_5_1,mel\nmel_5_0,mel\n", "more for 1 photo, the first is mel_5_0"),
        ("image_id,dx\nmel_5_0,mel\nmel_5_0,nv\n", "more for 1 photo, the first is mel_5_0"),
    ],
)
def test_wrong_labels_are_named(tmp_path: Path, content: str, message: str) -> None:
    folder = make_source(tmp_path / "clinic")
    (folder / "labels.csv").write_text(content)
    with pytest.raises(DatasetError, match=message):
        load_source(Source(str(folder)), tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_labels_and_lists_in_another_encoding_are_named(tmp_path: Path, encoding: str) -> None:
    folder = make_source(tmp_path / "clinic")
    (tmp_path / "held_out.txt").write_text("mel_5_1 é", encoding=encoding)
    with pytest.raises(DatasetError, match=r"list of validation photos cannot be read at .*held_out\.txt .*UTF-8"):
        load_source(Source(str(folder), validation="held_out.txt"), tmp_path)
    (folder / "labels.csv").write_text("image_id,dx,note\nmel_5_1,mel,é\n", encoding=encoding)
    with pytest.raises(DatasetError, match=r"table of photos cannot be read at .*labels\.csv .*UTF-8"):
        load_source(Source(str(folder)), tmp_path)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    folder = make_source(tmp_path / "clinic")
    for path, text in (
        (folder / "labels.csv", "image_id,dx\nmel_5_0,mel\nmel_5_1,mel\n"),
        (tmp_path / "v.txt", "mel_5_1"),
    ):
        path.write_text(text, encoding="utf-8-sig")
    training, validation = load_source(Source(str(folder), validation="v.txt"), tmp_path)
    assert [entry.image_id for entry in (*training, *validation)] == ["mel_5_0", "mel_5_1"]


def test_a_list_of_no_photos_is_refused(tmp_path: Path) -> None:
    folder = make_source(tmp_path / "clinic")
    (tmp_path / "held_out.txt").write_text("\n \n")
    with pytest.raises(DatasetError, match=r"held_out\.txt: expected the ids of the photos of .*found none"):
        load_source(Source(str(folder), validation="held_out.txt"), tmp_path)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_photos_of_ham10000_are_refused_in_a_source(tmp_path: Path, part: str) -> None:
    folder = make_source(tmp_path / "clinic")
    image_id = next(name for name, theirs in split_of_images().items() if theirs == part)
    shutil.copyfile(folder / "images" / "nv_5_0.png", folder / "images" / f"{image_id}.png")
    with (folder / "labels.csv").open("a") as file:
        file.write(f"{image_id},nv\n")
    with pytest.raises(DatasetError, match=f"1 photo of HAM10000, the first is {image_id} of its part '{part}'"):
        load_source(Source(str(folder)), tmp_path)


def test_a_lesion_on_both_sides_of_a_sources_division_is_refused(tmp_path: Path) -> None:
    folder = make_source(tmp_path / "clinic")
    (tmp_path / "v.txt").write_text("mel_5_1")
    source = Source(str(folder), validation="v.txt")
    (folder / "labels.csv").write_text("image_id,dx,lesion_id\nmel_5_0,mel,L1\nmel_5_1,mel,L1\nnv_5_0,nv,\n")
    with pytest.raises(DatasetError, match="that of 1 photo to train on too, the first is mel_5_0"):
        load_source(source, tmp_path)
    (folder / "labels.csv").write_text("image_id,dx,lesion_id\nmel_5_0,mel,\nmel_5_1,mel,\nnv_5_0,nv,\n")
    assert list(map(len, load_source(source, tmp_path))) == [2, 1]  # not known: each photo stands for itself


def test_two_sources_share_neither_a_photo_nor_the_name_that_they_validate_under(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("mel_5_1")
    first, second = (make_source(tmp_path / name / "photos") for name in ("a", "b"))
    sources = [Source(str(folder), validation="v.txt") for folder in (first, second)]
    with pytest.raises(DatasetError, match=r"a name of its own .*, found 'photos' for 2 sources"):
        load_sources(sources, tmp_path)
    with pytest.raises(DatasetError, match=r"a name of its own .*, found '' for 1 source"):
        load_sources([Source("/", validation="v.txt")], tmp_path)
    named = [replace(source, name=name) for source, name in zip(sources, "ab", strict=True)]
    with pytest.raises(DatasetError, match=r"a.photos and .*b.photos share 14 photos, the first is akiec_5_0"):
        load_sources(named, tmp_path)
    of_classes = [replace(source, classes=(name,)) for source, name in zip(named, ("mel", "nv"), strict=True)]
    of_classes[1] = replace(of_classes[1], name="", validation="")
    assert [tuple(map(len, parts)) for parts in load_sources(of_classes, tmp_path)] == [(1, 1), (2, 0)]


def test_a_broken_picture_is_named_among_all(tmp_path: Path) -> None:
    entries = draw_dataset(tmp_path, 5, 2)
    broken = entries[3].path
    broken.write_bytes(broken.read_bytes()[:200])
    for load in (load_details, load_images):
        with pytest.raises(UnreadableImage, match=rf"{re.escape(str(broken))}: "):
            load(entries, RECIPE.input)


def test_a_list_that_names_other_photos_is_refused(tmp_path: Path) -> None:
    folder = make_source(tmp_path / "clinic")
    (tmp_path / "held_out.txt").write_text("ISIC_1\n")
    with pytest.raises(DatasetError, match="1 of the 1 validation photos"):
        load_source(Source(str(folder), validation="held_out.txt"), tmp_path)
    with pytest.raises(DatasetError, match="cannot be read"):
        load_source(Source(str(folder), validation="nowhere.txt"), tmp_path)


def test_training_data_holds_all_photos_and_each_sources_validation(tmp_path: Path) -> None:
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


def test_a_run_keeps_its_lists_so_that_it_is_exported_wherever_its_recipe_was(tmp_path: Path) -> None:
    recipes, run, elsewhere = (tmp_path / name for name in ("recipes", "run", "elsewhere"))
    (recipes / "lists").mkdir(parents=True)
    (recipes / "lists" / "a.txt").write_text("mel_5_1\n")
    (recipes / "b.txt").write_text("nv_5_0\n")
    absolute = Source("c", validation=str(recipes / "b.txt"))
    recipe = replace(RECIPE, sources=(Source("a", validation="lists/a.txt"), Source("b", validation="b.txt"), absolute))
    assert lists_of(recipe, run, elsewhere) == elsewhere, "a run of an earlier version kept none"
    keep_lists(recipe, recipes, run)
    assert lists_of(recipe, run, elsewhere) == run
    assert [(run / name).read_text() for name in ("lists/a.txt", "b.txt")] == ["mel_5_1\n", "nv_5_0\n"]
    assert lists_of(RECIPE, run, elsewhere) == run, "no source, no list"
