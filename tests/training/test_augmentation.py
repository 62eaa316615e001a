"""Random views: the identity is serving's own view, flips and turns are what they say, a seed decides."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import InputSpec, to_batch
from skinlens.training.augmentation import augment, normalized, sample_params
from skinlens.training.recipe import Augmentation

pytestmark = pytest.mark.slow  # imports torch

SPEC = InputSpec(size_px=96, detail_px=60)
NOTHING = Augmentation.none()


def smooth_pictures(count: int) -> torch.Tensor:
    """Low-frequency pictures of 60 × 80 px, on which interpolation is nearly exact."""
    coarse = torch.rand(count, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.interpolate(coarse, (60, 80), mode="bicubic", align_corners=False)
    return (fine.clamp(0, 1) * 255).byte()


def augmented_images(pictures: torch.Tensor, ranges: Augmentation, seed: int = 0) -> torch.Tensor:
    params = sample_params(len(pictures), ranges, torch.Generator().manual_seed(seed))
    return normalized(augment(pictures, params, SPEC), SPEC)


def test_without_changes_it_is_the_view_that_serving_makes() -> None:
    pictures = smooth_pictures(4)
    photos = [photo_from_pixels(np.ascontiguousarray(one), "PNG") for one in pictures.permute(0, 2, 3, 1).numpy()]
    difference = np.abs(augmented_images(pictures, NOTHING).numpy() - to_batch(photos, SPEC))
    assert difference.max() < 2.5 / 127.5  # two rounding steps of a gray level


def test_a_large_photo_is_averaged_as_serving_reduces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise as fine as the pixels loses strength, as in serving; sampled point by point it would not."""
    fine = torch.randint(0, 256, (4, 3, 180, 240), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    spec = replace(SPEC, detail_px=180)
    plain = sample_params(4, NOTHING, torch.Generator().manual_seed(0))
    photos = [photo_from_pixels(np.ascontiguousarray(one), "PNG") for one in fine.permute(0, 2, 3, 1).numpy()]
    ours, theirs = normalized(augment(fine, plain, spec), spec).numpy(), to_batch(photos, spec)
    monkeypatch.setattr("skinlens.training.augmentation.REDUCED", 99.0)
    points = normalized(augment(fine, plain, spec), spec).numpy()
    assert theirs.std() < ours.std() < 0.8 * points.std()
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > np.corrcoef(points.ravel(), theirs.ravel())[0, 1]


def test_a_flip_mirrors_the_view() -> None:
    pictures = smooth_pictures(16)
    plain, flipped = augmented_images(pictures, NOTHING), augmented_images(pictures, replace(NOTHING, flip=True))
    same = (plain - flipped).abs().amax(dim=(1, 2, 3)) < 1e-4
    mirrored = (plain - flipped.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-4
    assert (same | mirrored).all()
    assert same.any()
    assert mirrored.any()


def test_a_turn_keeps_a_centered_circle() -> None:
    """The photo is turned before the resize stretches it, so a disc stays the same ellipse in every view."""
    down, right = torch.meshgrid(torch.arange(60.0), torch.arange(80.0), indexing="ij")
    disc = torch.sigmoid((8 - torch.hypot(down - 29.5, right - 39.5)) / 2)
    pictures = (disc * 255).byte().expand(8, 3, 60, 80).contiguous()
    turned = augmented_images(pictures, replace(NOTHING, rotate=True))
    difference = (turned - augmented_images(pictures, NOTHING))[
        ..., 24:72, 24:72
    ]  # beyond, turned views show reflections
    assert difference.abs().max() < 0.08


def test_brightness_scales_and_contrast_keeps_the_mean() -> None:
    pictures = smooth_pictures(8) // 2 + 30
    plain = augmented_images(pictures, NOTHING) / 2 + 0.5
    brighter = augmented_images(pictures, replace(NOTHING, brightness=0.2)) / 2 + 0.5
    ratio = brighter / plain
    assert (ratio.amax(dim=(1, 2, 3)) - ratio.amin(dim=(1, 2, 3))).max() < 1e-3
    assert ratio.min() >= 0.8 - 1e-3
    assert ratio.max() <= 1.2 + 1e-3
    contrasted = augmented_images(pictures, replace(NOTHING, contrast=0.2)) / 2 + 0.5
    torch.testing.assert_close(contrasted.mean(dim=(1, 2, 3)), plain.mean(dim=(1, 2, 3)), atol=1e-4, rtol=0)


def test_gray_has_no_hue_and_no_saturation() -> None:
    gray = smooth_pictures(4)[:, :1].expand(-1, 3, -1, -1).contiguous()
    changed = augmented_images(gray, replace(NOTHING, hue=0.1, saturation=0.5))
    torch.testing.assert_close(changed, augmented_images(gray, NOTHING), atol=5e-3, rtol=0)


def test_sharpness_keeps_flat_skin_and_a_share_of_minus_one_is_a_blur() -> None:
    flat = torch.full((2, 3, 60, 80), 130, dtype=torch.uint8)
    torch.testing.assert_close(augmented_images(flat, replace(NOTHING, sharpness=0.9)), augmented_images(flat, NOTHING))
    dot = torch.zeros(1, 3, 60, 80, dtype=torch.uint8)
    dot[..., 30, 40] = 255
    plain = sample_params(1, NOTHING, torch.Generator())
    blurred = augment(dot, plain._replace(sharpness=torch.tensor([-1.0])), SPEC)
    sharp = augment(dot, plain, SPEC)
    line = torch.tensor([0.25, 0.5, 0.25])
    expected = torch.nn.functional.conv2d(sharp[:, :1], torch.outer(line, line)[None, None], padding=1)
    torch.testing.assert_close(blurred[:, :1, 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_the_parameters_of_some_photos_make_their_augmented_images() -> None:
    """So a batch may be cut among several processes, and a view made again."""
    pictures, rows = smooth_pictures(6), torch.tensor([4, 1])
    params = sample_params(6, Augmentation(erase=0.5, sharpness=0.5), torch.Generator().manual_seed(3))
    torch.testing.assert_close(augment(pictures[rows], params.of(rows), SPEC), augment(pictures, params, SPEC)[rows])


@pytest.mark.parametrize("erase", [0.0, 0.7])
def test_a_seed_decides(erase: float) -> None:
    pictures, ranges = smooth_pictures(3), Augmentation(erase=erase)
    assert torch.equal(augmented_images(pictures, ranges, 5), augmented_images(pictures, ranges, 5))
    assert not torch.equal(augmented_images(pictures, ranges, 5), augmented_images(pictures, ranges, 6))


def test_quarter_turns_of_the_view_are_those_of_a_photo_that_was_held_upright() -> None:
    photos = torch.randint(0, 256, (40, 3, 24, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    ranges = replace(Augmentation.none(), quarter_turns=True)
    params = sample_params(len(photos), ranges, torch.Generator().manual_seed(4))
    assert sorted(set(params.quarters.tolist())) == [0, 1, 2, 3]

    augmented_images = augment(photos, params, SPEC)
    plain = params._replace(quarters=torch.zeros_like(params.quarters))
    for row, quarters in enumerate(params.quarters.tolist()):
        upright = torch.rot90(photos[row : row + 1], quarters, dims=(2, 3))
        expected = augment(upright.contiguous(), plain.of(torch.tensor([row])), SPEC)
        torch.testing.assert_close(augmented_images[row : row + 1], expected, atol=1e-5, rtol=0)
