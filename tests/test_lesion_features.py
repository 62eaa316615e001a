"""A, B and C suggested from drawn lesions of which they are known."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from skinlens.criteria import RULE_COLORS
from skinlens.errors import InvalidEntry
from skinlens.lesion_features import AbcdSuggestion, AxisSymmetry, BorderSegment, ColorShare, suggest
from skinlens.records import Array, ModelRef, Outline, Photo, Pixels

SKIN, DARK, LIGHT, BLUE = (225, 180, 160), (105, 65, 50), (185, 130, 95), (105, 110, 130)
HEIGHT, WIDTH = 300, 400
MODEL = ModelRef("drawn", "1", "00" * 32)
Inside = Callable[[Array, Array], Array]


def photo_of(pixels: Pixels) -> Photo:
    return Photo(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), "PNG")


def drawn(*layers: tuple[Inside, tuple[int, int, int]], blur_px: float = 0, height: int = HEIGHT) -> Photo:
    """Layers on skin, each where a function of (across, down) says: in units of the height, from the middle."""
    width = height * WIDTH // HEIGHT
    down, across = (np.indices((height, width)) + 0.5 - np.array([height, width]).reshape(2, 1, 1) / 2) / height
    pixels = np.full((height, width, 3), SKIN, dtype=np.uint8)
    for inside, color in layers:
        pixels[inside(across, down)] = color
    if blur_px:
        pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(blur_px)))
    return photo_of(pixels)


def outlined(photo: Photo, radius: Callable[[Array], Array], points: int = 48) -> Outline:
    """By the radius at each angle, in units of the picture's height."""
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    across = 0.5 + radius(angles) * np.cos(angles) * photo.height_px / photo.width_px
    down = 0.5 + radius(angles) * np.sin(angles)
    places = tuple((float(x), float(y)) for x, y in zip(across, down, strict=True))
    return Outline(places, "model", photo.sha256, MODEL, "2024-05-31T09:30:00+00:00")


def disk(x: Array, y: Array) -> Array:
    return np.hypot(x, y) < 0.3


def circle(angles: Array) -> Array:
    return np.full_like(angles, 0.3)


def ellipse_radius(angles: Array, turn: float = 0.5) -> Array:
    across, down = np.cos(angles - turn) / 0.4, np.sin(angles - turn) / 0.22
    return 1 / np.hypot(across, down)


def lobed(angles: Array) -> Array:
    """A wide bulge and a narrow one, at no right angle: no axis has a counterpart for them."""
    bulge = 0.18 * np.exp(-((((angles - 0.3 + np.pi) % (2 * np.pi)) - np.pi) ** 2) / 0.2)
    return 0.18 + bulge + 0.2 * np.exp(-((((angles - 1.9 + np.pi) % (2 * np.pi)) - np.pi) ** 2) / 0.04)


def within(radius: Callable[[Array], Array]) -> Inside:
    return lambda x, y: np.hypot(x, y) < radius(np.arctan2(y, x))


def counts(found: AbcdSuggestion) -> tuple[int, int, int]:
    return found.asymmetry, found.border, found.color_count


def test_a_disk_with_a_sharp_edge() -> None:
    photo = drawn((disk, DARK))
    found = suggest(photo, outlined(photo, circle))
    assert counts(found) == (0, 8, 1)
    assert [one.name for one in found.colors] == list(RULE_COLORS)
    assert [one.name for one in found.colors if one.present] == ["dark brown"]
    assert max(axis.shape for axis in found.axes) < 0.03
    assert found.axes[1].angle_deg - found.axes[0].angle_deg == 90


def test_a_disk_that_fades_into_the_skin_has_no_abrupt_border() -> None:
    photo = drawn((disk, LIGHT), blur_px=25)
    assert suggest(photo, outlined(photo, circle)).border == 0


def test_an_ellipse_is_symmetric_about_its_own_axes() -> None:
    photo = drawn((within(ellipse_radius), DARK))
    found = suggest(photo, outlined(photo, ellipse_radius))
    assert found.asymmetry == 0
    assert min(abs(axis.angle_deg - np.rad2deg(0.5)) for axis in found.axes) <= 5


def test_a_lobed_lesion_is_asymmetric_in_both_axes() -> None:
    photo = drawn((within(lobed), DARK))
    found = suggest(photo, outlined(photo, lobed))
    assert found.asymmetry == 2
    assert min(axis.shape for axis in found.axes) > 0.1


def test_two_halves_of_different_colors_are_asymmetric_in_one_axis() -> None:
    photo = drawn((disk, DARK), (lambda x, y: disk(x, y) & (x > 0), LIGHT))
    found = suggest(photo, outlined(photo, circle))
    assert found.asymmetry == 1
    assert found.color_count == 2
    shares = {one.name: one.share for one in found.colors}
    assert shares["dark brown"] == pytest.approx(0.5, abs=0.03)
    assert shares["light brown"] == pytest.approx(0.5, abs=0.03)


def test_a_border_that_is_sharp_on_one_side_alone_counts_those_segments() -> None:
    soft = drawn((disk, LIGHT), blur_px=25).pixels
    sharp = drawn((disk, LIGHT)).pixels
    pixels = soft.copy()
    pixels[:, WIDTH // 2 :] = sharp[:, WIDTH // 2 :]
    photo = photo_of(pixels)
    assert suggest(photo, outlined(photo, circle)).border in {4, 5}  # the axes may cut one segment in two


def test_colors_are_counted_from_a_twentieth_of_the_lesion() -> None:
    spot = (lambda x, y: np.hypot(x - 0.1, y) < 0.3 * np.sqrt(0.10), BLUE)
    dot = (lambda x, y: np.hypot(x + 0.1, y) < 0.3 * np.sqrt(0.02), (40, 30, 35))
    photo = drawn((disk, DARK), spot, dot)
    found = {one.name: one for one in suggest(photo, outlined(photo, circle)).colors}
    assert found["blue-gray"].share == pytest.approx(0.10, abs=0.02)
    assert found["black"].share == pytest.approx(0.02, abs=0.01)
    assert [name for name, one in found.items() if one.present] == ["dark brown", "blue-gray"]


def test_white_is_what_is_lighter_than_the_skin_and_red_what_is_redder() -> None:
    """The color of the skin itself, or of a pink picture as a whole, is neither."""
    photo = drawn((disk, SKIN))
    assert suggest(photo, outlined(photo, circle)).colors[0] == ColorShare("white", 0.0)
    scar = drawn((disk, (245, 240, 240)))
    assert suggest(scar, outlined(scar, circle)).colors[0].share > 0.95
    pink = photo_of(np.where((drawn((disk, DARK)).pixels == SKIN), (200, 95, 95), (195, 90, 90)).astype(np.uint8))
    assert suggest(pink, outlined(pink, circle)).colors[1].share == 0.0
    red = drawn((disk, (190, 85, 85)))
    assert suggest(red, outlined(red, circle)).colors[1].share > 0.95


@pytest.mark.parametrize("height", [150, 900])
def test_the_size_of_the_photo_does_not_matter(height: int) -> None:
    for radius, layers in (
        (circle, ((disk, DARK), (lambda x, y: disk(x, y) & (x > 0), LIGHT))),
        (lobed, ((within(lobed), DARK),)),
    ):
        usual, other = drawn(*layers), drawn(*layers, height=height)
        assert counts(suggest(other, outlined(other, radius))) == counts(suggest(usual, outlined(usual, radius)))


def test_a_lesion_that_fills_the_photo_is_still_measured() -> None:
    photo = drawn((lambda x, y: np.full_like(x, True, dtype=bool), DARK))
    places = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    found = suggest(photo, Outline(places, "clinician", photo.sha256, MODEL, "2024-05-31T09:30:00+00:00"))
    assert (found.border, found.color_count) == (0, 1)


def test_what_cannot_be_measured_is_refused() -> None:
    photo, other = drawn((disk, DARK)), drawn((disk, LIGHT))
    with pytest.raises(InvalidEntry, match="This outline was made on another photo"):
        suggest(other, outlined(photo, circle))
    with pytest.raises(InvalidEntry, match="The outline encloses too little"):
        suggest(photo, outlined(photo, lambda angles: np.full_like(angles, 0.01)))


def test_the_sentences_have_the_numbers() -> None:
    found = AbcdSuggestion(
        (AxisSymmetry(10, 0.042, 5.4), AxisSymmetry(100, 0.131, 12.2)),
        tuple(BorderSegment(drop) for drop in (3.0, 8.0, 25.4, 30.0, 12.0, 19.9, 20.0, 0.0)),
        tuple(ColorShare(name, share) for name, share in zip(RULE_COLORS, (0, 0, 0.3, 0.6, 0.06, 0.04), strict=True)),
    )
    assert counts(found) == (1, 3, 3)
    assert found.summary == (
        "A 1 suggested: across its two axes the lesion differs by 4\u00a0% of the shape and a color difference of 5.4 "
        "and 13\u00a0% of the shape and a color difference of 12.2 (asymmetric above 10\u00a0% or 9).",
        "B 3 suggested: color steps at the border of the eight segments: 3.0, 8.0, 25.4, 30.0, 12.0, 19.9, "
        "20.0, 0.0 (abrupt from 20).",
        "C 3 suggested: light brown 30\u00a0%, dark brown 60\u00a0%, blue-gray 6\u00a0% (counted from 5\u00a0% of the "
        "lesion).",
    )
