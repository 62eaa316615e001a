"""Each check of quality moves the way that its name says, and the limits do on real photos what the docstring says."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from skinlens.imaging.intake import photo_from_pixels, read_photo
from skinlens.imaging.preprocess import InputSpec, crop_box
from skinlens.imaging.quality import (
    assess,
    clipped_percent,
    sharpness,
    surround_percent,
)
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.records import Photo, QualityCheck
from tests.intake_files import case


def check(photo: Photo, name: str) -> QualityCheck:
    (found,) = [check for check in assess(photo).checks if check.name == name]
    return found


def flat(value: int, side: int = 300) -> Photo:
    return photo_from_pixels(np.full((side, side, 3), value, np.uint8), "drawn")


@pytest.fixture(scope="module")
def drawn() -> Image.Image:
    return Image.fromarray(draw_synthetic_lesion())


def photo(image: Image.Image) -> Photo:
    return photo_from_pixels(np.asarray(image), "drawn")


# ---------------------------------------------------------------------------------------------------- worked by hand

EVERYWHERE = np.ones((5, 5), dtype=bool)


def test_sharpness_of_one_bright_pixel() -> None:
    pixels = np.zeros((5, 5, 3), np.float32)
    pixels[2, 2] = 10
    # The Laplacian is −40 there, 10 at its four neighbours, 0 elsewhere: mean 0, variance (1600 + 4·100) / 25.
    assert sharpness(pixels, EVERYWHERE) == pytest.approx(80, rel=1e-4)


def test_clipping_counts_white_and_black_but_not_one_full_channel() -> None:
    pixels = np.full((5, 5, 3), 128, np.float32)
    pixels[0, 0], pixels[0, 1], pixels[0, 2] = 255, 0, (255, 128, 128)
    assert clipped_percent(pixels[EVERYWHERE]) == pytest.approx(8)


@pytest.mark.parametrize(("value", "percent"), [(0, 0), (51, 20), (255, 100)])
def test_brightness_is_the_mean_luminance(value: int, percent: float) -> None:
    assert check(flat(value), "exposure_dark").value == pytest.approx(percent, abs=1e-3)


# -------------------------------------------------------------------------------------------------- the checks' sense


@pytest.mark.parametrize(
    ("taken", "failed"),
    [
        (flat(128), {"sharpness"}),
        (flat(255), {"sharpness", "exposure_bright", "clipping"}),
        (flat(0), {"sharpness", "exposure_dark", "clipping"}),
        (flat(128, side=149), {"short_side", "sharpness"}),
    ],
    ids=["gray", "white", "black", "small"],
)
def test_an_empty_photo_fails_by_name_and_says_what_to_do(taken: Photo, failed: set[str]) -> None:
    report = assess(taken)
    assert {check.name for check in report.failed} == failed
    assert not report.passed
    for each in report.checks:
        assert bool(each.advice) == (not each.passed)
        if not each.passed:
            assert each.advice.endswith(".")


def test_blur_fails_sharpness_and_nothing_else(drawn: Image.Image) -> None:
    assert assess(photo(drawn)).passed
    blurred = photo(drawn.filter(ImageFilter.GaussianBlur(12)))  # 4 px at the working size
    assert [check.name for check in assess(blurred).failed] == ["sharpness"]


def test_more_blur_is_less_sharp(drawn: Image.Image) -> None:
    values = [check(photo(drawn.filter(ImageFilter.GaussianBlur(s))), "sharpness").value for s in (0, 2, 4, 8)]
    assert values == sorted(values, reverse=True)


def test_a_photo_and_its_reduced_copy_are_about_equally_sharp(drawn: Image.Image) -> None:
    whole = check(photo(drawn), "sharpness").value
    copy = check(photo(drawn.resize((200, 150), Image.Resampling.BILINEAR)), "sharpness").value
    assert copy == pytest.approx(whole, rel=0.05)


@pytest.mark.parametrize(("factor", "failed"), [(0.3, "exposure_dark"), (1.45, "exposure_bright")])
def test_wrong_exposure_is_found(drawn: Image.Image, factor: float, failed: str) -> None:
    exposed = photo(drawn.point(lambda value: value * factor))
    assert failed in {check.name for check in assess(exposed).failed}


def test_the_black_surround_of_a_dermatoscope_is_no_fault(drawn: Image.Image) -> None:
    pixels = np.array(drawn)
    rows, columns = np.ogrid[:450, :600]
    pixels[np.hypot(rows - 224.5, columns - 299.5) > 222] = 0
    assert assess(photo(Image.fromarray(pixels))).passed


def test_glare_in_the_middle_is_found(drawn: Image.Image) -> None:
    glaring = drawn.copy()
    glaring.paste("white", (250, 180, 310, 240))
    assert [check.name for check in assess(photo(glaring)).failed] == ["clipping"]


def test_turning_the_photo_changes_no_verdict(drawn: Image.Image) -> None:
    upright = [check.value for check in assess(photo(drawn)).checks]
    turned = [check.value for check in assess(photo(drawn.transpose(Image.Transpose.ROTATE_90))).checks]
    assert turned == pytest.approx(upright, rel=1e-2)


# -------------------------------------------------------------------------------------------------------- familiarity


def test_familiarity_is_checked_only_where_a_distance_is_given(drawn: Image.Image) -> None:
    known = photo(drawn)
    assert "familiarity" not in {check.name for check in assess(known).checks}
    assert assess(known, distance=1.5, distance_limit=1.5).passed
    strange = assess(known, distance=1.6, distance_limit=1.5)
    assert [(check.name, check.value, check.limit) for check in strange.failed] == [("familiarity", 1.6, 1.5)]
    assert not assess(known, distance=float("nan"), distance_limit=1.5).passed


# -------------------------------------------------------------------------------------------------------- real photos


@pytest.fixture(scope="module")
def validation_photos(ham10000: Path) -> list[Image.Image]:
    """Every eighth validation photo of HAM10000."""
    with (ham10000 / "metadata.csv").open() as table:
        names = [row["image_id"] for row in csv.DictReader(table) if row["split"] == "val"]
    return [Image.open(ham10000 / "images" / f"{name}.jpg") for name in names[::8]]


def test_real_photos_pass_and_their_blurred_copies_do_not(validation_photos: list[Image.Image]) -> None:
    """Blurred by 3 of 200 px, whatever size the photos come in: as much of the lesion is lost."""
    passed = np.mean([assess(photo(image)).passed for image in validation_photos])
    blurs = (image.filter(ImageFilter.GaussianBlur(3 * image.width / 200)) for image in validation_photos)
    blurred = np.mean([assess(photo(image)).passed for image in blurs])
    assert passed >= 0.97
    assert blurred <= 0.01


def test_originals_at_full_resolution_pass_too(originals: Path) -> None:
    verdicts = [assess(read_photo(path.read_bytes())).passed for path in sorted(originals.glob("*.jpg"))]
    assert len(verdicts) == 60
    assert np.mean(verdicts) >= 0.97


# ------------------------------------------------------------------------------------------------- plain surround


def in_window(*pictures: tuple[Image.Image, tuple[int, int]], size: tuple[int, int] = (400, 300)) -> Photo:
    window = Image.new("RGB", size, (244, 244, 248))
    window.paste((40, 60, 90), (0, 0, size[0], 12))
    for picture, place in pictures:
        window.paste(picture, place)
    return photo(window)


def test_a_screenshot_of_a_viewer_is_said_to_be_one() -> None:
    found = check(read_photo(case("22_screenshot_of_a_viewer.png")), "surround")
    # The photo in it has 1000 × 750 px, and the network sees 1440 × 1080 of the window.
    assert found.value == pytest.approx(100 * (1 - 1000 * 750 / (1440 * 1080)), abs=1)
    assert not found.passed
    assert "own file instead of a screenshot" in found.advice


def test_the_surround_is_what_one_picture_leaves(drawn: Image.Image) -> None:
    small = drawn.resize((200, 150))
    assert surround_percent(in_window((small, (100, 75)))) == pytest.approx(75, abs=0.5)
    side_by_side = in_window((small.resize((196, 288)), (0, 12)), (small.resize((196, 288)), (204, 12)))
    assert surround_percent(side_by_side) == pytest.approx(100 * (1 - 196 * 288 / (400 * 300)), abs=0.5)
    above_each_other = in_window((small.resize((400, 140)), (0, 12)), (small.resize((400, 140)), (0, 160)))
    assert surround_percent(above_each_other) == pytest.approx(100 * (1 - 140 / 300), abs=0.5)


def test_a_screenshot_that_was_saved_as_jpeg_is_one_still(drawn: Image.Image) -> None:
    stream = io.BytesIO()
    Image.fromarray(in_window((drawn.resize((200, 150)), (100, 75))).pixels).save(stream, "JPEG", quality=75)
    assert check(read_photo(stream.getvalue()), "surround").value == pytest.approx(75, abs=6)


def test_a_photo_that_fills_the_region_has_no_surround(drawn: Image.Image) -> None:
    assert surround_percent(photo(drawn)) == 0
    assert surround_percent(flat(128)) == 0
    rows, columns = np.ogrid[:300, :400]
    round_view = np.asarray(drawn.resize((400, 300))).copy()
    for radius in (230, 170, 120):
        round_view[np.hypot(rows - 150, columns - 200) > radius] = 0  # a dermatoscope's black surround
        assert surround_percent(photo_from_pixels(round_view, "drawn")) == 0
    both = np.concatenate([round_view[:, 60:340], round_view[:, 60:340]], axis=1)
    assert surround_percent(photo_from_pixels(both[:, :400], "drawn")) > 10


def test_the_surround_is_looked_for_where_the_network_looks(drawn: Image.Image) -> None:
    """What is cropped away does not count: a wide window with the photo in the middle of it."""
    seen = drawn.resize((400, 300))
    wide = in_window((seen, (200, 0)), size=(800, 300))
    assert crop_box(300, 800, InputSpec()) == (0, 200, 300, 400)
    assert surround_percent(wide) == 0


def test_the_photos_of_the_data_set_have_no_surround(ham10000: Path) -> None:
    """Of 1,505 validation photos none fails; the two with a black border are the only ones above 0."""
    images = ham10000 / "images"
    expected = {"ISIC_0029208": True, "ISIC_0032518": True, "ISIC_0034266": False, "ISIC_0034272": False}
    for name, has_border in expected.items():
        value = surround_percent(read_photo((images / f"{name}.jpg").read_bytes()))
        assert (value > 0) == has_border
        assert value <= 10
