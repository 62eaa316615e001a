"""Two photos of one lesion are brought into one frame to within a pixel or two; of two lesions, never."""

import csv
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skinlens.followup.registration import Registration, _least_squares, aligned_picture, aligned_points, register
from skinlens.records import Outline, Photo
from tests.followup.samples import Retaken, drawn, ellipse, outline, photo_of

pytestmark = pytest.mark.slow

RETAKEN = [
    Retaken(shift_px=18 - 9j),
    Retaken(degrees=37, light=0.85, tint=(1.05, 1.0, 0.93), quality=70),
    Retaken(degrees=-171, scale=0.7, shift_px=-12 + 20j, quality=80),
    Retaken(degrees=12, scale=1.6, shift_px=10 + 10j, light=1.1),
]


def error_px(found: Registration, retaken: Retaken, first: Photo) -> float:
    """Root mean square over a disc of the lesion's size, in pixels of the first photo."""
    assert found.matrix is not None
    down, across = np.mgrid[0 : first.height_px, 0 : first.width_px] + 0.5
    inside = np.hypot(across - first.width_px / 2, down - first.height_px / 2) < 80
    true = np.stack([across[inside], down[inside]])
    there = retaken.matrix(first) @ np.vstack([true, np.ones(true.shape[1])])
    back = np.array(found.matrix) @ np.vstack([there, np.ones(true.shape[1])])
    return float(np.sqrt(((back - true) ** 2).sum(axis=0).mean()))


@pytest.mark.parametrize("retaken", RETAKEN)
def test_a_lesion_that_was_turned_magnified_and_moved_is_brought_back(retaken: Retaken) -> None:
    first = drawn()
    found = register(first, retaken.photo(first))
    assert found.problem == ""
    assert error_px(found, retaken, first) < 1.5
    assert found.scale == pytest.approx(1 / retaken.scale, rel=0.02)
    assert found.rotation_degrees == pytest.approx(-retaken.degrees, abs=1)
    assert found.matches >= 20
    assert found.likeness > 0.7


def test_where_the_lesions_are_outlined_very_different_magnifications_are_aligned() -> None:
    first, far = drawn(), Retaken(degrees=20, scale=0.4, quality=85)
    second = far.photo(first)
    near, small = ellipse(first, 100, 80), ellipse(second, 40, 34)
    assert not register(first, second).aligned or error_px(register(first, second), far, first) < 4
    found = register(first, second, near, small)
    assert found.problem == ""
    assert error_px(found, far, first) < 3


def test_an_outline_that_grew_is_not_taken_for_magnification() -> None:
    first, again = drawn(), Retaken(degrees=5)
    second = again.photo(first)
    found = register(first, second, ellipse(first, 90, 75), ellipse(second, 110, 92))
    assert found.scale == pytest.approx(1, abs=0.01)


def test_the_same_photos_give_the_same_registration() -> None:
    first = drawn()
    second = RETAKEN[1].photo(first)
    assert register(first, second) == register(first, second)


def test_one_photo_lies_over_itself() -> None:
    found = register(drawn(), drawn())
    assert found.matrix == ((1, 0, 0), (0, 1, 0))
    assert (found.scale, found.rotation_degrees, found.overlap, found.likeness) == (1, 0, 1, 1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_lesion_is_refused_in_a_sentence(seed: int) -> None:
    first, second = drawn(), drawn(seed)
    for outlines in ((), (ellipse(first, 110, 85), ellipse(second, 110, 85))):
        found = register(first, second, *outlines)
        assert (found.matrix, found.aligned, found.scale, found.rotation_degrees) == (None, False, 1, 0)
        assert re.fullmatch(r"The photos could not be aligned: .+; shown side by side\.", found.problem)


@pytest.mark.parametrize("size", [(300, 400), (12, 12), (40, 900)])
def test_photos_in_which_nothing_can_be_seen_are_refused(size: tuple[int, int]) -> None:
    plain = photo_of(np.full((*size, 3), 180, dtype=np.uint8))
    black = photo_of(np.zeros((*size, 3), dtype=np.uint8))
    for pair in ((plain, drawn()), (drawn(), black), (plain, black)):
        assert register(*pair).problem == (
            "The photos could not be aligned: the photos show too little that is alike; shown side by side."
        )


def test_a_missing_photo_is_refused() -> None:
    first = drawn()
    found = register(first, replace(RETAKEN[0].photo(first), placeholder=True))
    assert found.problem == "The photos could not be aligned: one of the photos is missing; shown side by side."


def test_the_aligned_picture_lies_on_the_first() -> None:
    first, retaken = drawn(), Retaken(degrees=30, scale=0.8, shift_px=40j)
    second = retaken.photo(first)
    found = register(first, second)
    picture, covered = aligned_picture(found, first, second)
    assert picture.shape == first.pixels.shape
    apart = np.abs(picture.astype(int) - first.pixels)
    inside = np.zeros_like(covered)
    inside[90:200, 150:250] = True
    assert covered[inside].all()
    assert apart[inside].mean() < 9
    assert np.abs(second.pixels.astype(int) - first.pixels)[inside].mean() > 25  # without being aligned
    assert found.overlap == pytest.approx(covered.mean(), abs=0.02)
    assert (picture[~covered] == 0).all()


def test_an_outline_moves_with_its_photo() -> None:
    first, retaken = drawn(), Retaken(degrees=90, shift_px=7 - 3j)
    second = retaken.photo(first)
    corners = np.array([[150.0, 100.0], [260.0, 110.0], [220.0, 190.0]])
    there = corners @ retaken.matrix(first)[:, :2].T + retaken.matrix(first)[:, 2]
    points = aligned_points(register(first, second), outline(second, there).points, first, second)
    assert np.array(points) * (400, 300) == pytest.approx(corners, abs=1.5)


def test_a_refused_registration_moves_nothing() -> None:
    first, second = drawn(), drawn(1)
    refused = register(first, second)
    with pytest.raises(ValueError, match="There is no transform: The photos could not be aligned"):
        aligned_picture(refused, first, second)
    with pytest.raises(ValueError, match="of other photos"):
        aligned_points(refused, [(0.5, 0.5)], second, first)


def test_scale_and_turn_are_read_from_the_matrix() -> None:
    found = Registration("a", "b", ((0.0, -2.0, 5.0), (2.0, 0.0, -1.0)), 9, 0.4, 0.8, 0.5)
    assert found.scale == 2
    assert found.rotation_degrees == pytest.approx(90)


def test_the_similarity_of_least_squares_is_found_exactly() -> None:
    over = np.array([0, 1, 1 + 1j, 3 - 2j])
    a, b = _least_squares(over, (2 - 1j) * over + (5 + 7j))
    assert a == pytest.approx(2 - 1j)
    assert b == pytest.approx(5 + 7j)


# --------------------------------------------------------------------------------------------------------- HAM10000


def validation_lesions(folder: Path) -> dict[str, list[str]]:
    lesions = defaultdict(list)
    with (folder / "metadata.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if row["split"] == "val":
                lesions[row["lesion_id"]].append(row["image_id"])
    return dict(lesions)


def seen(folder: Path, image_id: str) -> tuple[Photo, Outline]:
    """A photo and its mask's extents."""
    photo = photo_of(np.asarray(Image.open(folder / "images" / f"{image_id}.jpg").convert("RGB")))
    with Image.open(folder / "masks" / f"{image_id}.png") as mask:
        low, high = np.array(mask.getbbox(), dtype=np.float64).reshape(2, 2)
        size = np.array(mask.size)
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])]) / size
    return photo, outline(photo, corners * (photo.width_px, photo.height_px))


def test_photos_of_one_lesion_are_aligned_and_those_of_two_refused(ham10000: Path) -> None:
    lesions = validation_lesions(ham10000)
    several = [ids for ids in lesions.values() if len(ids) > 1][:8]
    single = [ids[0] for ids in lesions.values() if len(ids) == 1][:16]
    aligned = 0
    for ids in several:
        (first, first_outline), (second, second_outline) = (seen(ham10000, one) for one in ids[:2])
        aligned += register(first, second, first_outline, second_outline).aligned
    assert aligned >= 6
    for left, right in zip(single[::2], single[1::2], strict=True):
        (first, first_outline), (second, second_outline) = seen(ham10000, left), seen(ham10000, right)
        assert not register(first, second, first_outline, second_outline).aligned, (left, right)
