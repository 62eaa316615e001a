"""Acquisition augmentation: nothing happens at 0, each change is what it says, a seed decides, sizes agree."""

import numpy as np
import pytest
import torch

from skinlens.training.acquisition import (
    ARTIFACTS,
    AcquisitionParams,
    degrade_files,
    degrade_images,
    sample_acquisition,
)
from skinlens.training.recipe import Acquisition

pytestmark = pytest.mark.slow  # imports torch


def params(count: int, seed: int = 0, **ranges: float) -> AcquisitionParams:
    return sample_acquisition(count, Acquisition(**ranges), torch.Generator().manual_seed(seed))


def pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 48, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_nothing_changes_by_default() -> None:
    photos, none = pictures(4), params(4)
    assert degrade_files(photos, none) is photos
    images = photos[..., :48].float() / 255
    assert torch.equal(degrade_images(images, none), images)


def test_a_resampling_takes_the_finest_detail_and_leaves_the_mean() -> None:
    photos = pictures(8)
    changed = degrade_files(photos, params(8, resample=1.0, resample_low=0.5))
    assert changed.shape == photos.shape
    assert (changed.float().std(dim=(1, 2, 3)) < 0.9 * photos.float().std(dim=(1, 2, 3))).all()
    assert (changed.float().mean(dim=(1, 2, 3)) - photos.float().mean(dim=(1, 2, 3))).abs().max() < 3


def test_a_compression_keeps_a_flat_photo() -> None:
    flat = torch.full((4, 3, 48, 64), 120, dtype=torch.uint8)
    assert (degrade_files(flat, params(4, jpeg=1.0)).int() - 120).abs().max() <= 2
    noisy = pictures(4)
    assert not torch.equal(degrade_files(noisy, params(4, jpeg=1.0)), noisy)


def test_a_blur_spreads_a_point_and_keeps_its_light() -> None:
    point = torch.zeros(1, 3, 300, 400, dtype=torch.uint8)
    point[..., 145:155, 195:205] = 200
    one = params(1)._replace(blur=torch.tensor([0.01]))
    blurred = degrade_files(point, one).float()
    assert blurred[0, 0, 150, 200] < 200
    assert blurred[0, 0, 150, 190] > 0
    assert blurred.sum() == pytest.approx(point.float().sum().item(), rel=0.05)


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_each_artifact_covers_a_part_of_the_view(artifact: str) -> None:
    images = torch.full((6, 3, 64, 64), 0.8)
    changed = (degrade_images(images, params(6, **{artifact: 1.0})) - images).abs().amax(dim=1)
    covered = (changed > 0.1).float().mean(dim=(1, 2))
    assert (covered > 0.0005).all()
    assert (covered < 0.6).all()


def test_a_color_cast_is_one_gain_for_each_channel() -> None:
    images = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(2)) * 0.4 + 0.1
    given = params(5, cast=0.1)
    ratio = degrade_images(images, given) / images
    torch.testing.assert_close(ratio, given.gain.view(5, 3, 1, 1).expand_as(ratio), rtol=1e-4, atol=1e-5)


def test_a_tone_curve_keeps_black_and_white() -> None:
    images = torch.cat([torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.5)])
    changed = degrade_images(images, params(3)._replace(gamma=torch.tensor([0.2, 0.2, np.log(2)], dtype=torch.float32)))
    torch.testing.assert_close(changed[:2], images[:2])
    torch.testing.assert_close(changed[2], torch.full((3, 8, 8), 0.25))


def test_noise_has_the_strength_that_was_drawn() -> None:
    images = torch.full((2, 3, 64, 64), 0.5)
    noisy = degrade_images(images, params(2)._replace(noise=torch.tensor([0.03, 0.0])))
    assert (noisy[0] - 0.5).std().item() == pytest.approx(0.03, rel=0.05)
    assert torch.equal(noisy[1], images[1])


def test_a_seed_decides_and_rows_can_be_taken_out() -> None:
    ranges = {"hair": 0.5, "ruler": 0.5, "noise": 0.5, "cast": 0.1, "jpeg": 0.5, "resample": 0.5}
    photos, first = pictures(6), params(6, 3, **ranges)
    assert all(torch.equal(one, other) for one, other in zip(first, params(6, 3, **ranges), strict=True))
    rows = torch.tensor([4, 1])
    torch.testing.assert_close(degrade_files(photos, first)[rows], degrade_files(photos[rows], first.of(rows)))
    images = photos[..., :48].float() / 255
    torch.testing.assert_close(degrade_images(images, first)[rows], degrade_images(images[rows], first.of(rows)))


def test_a_view_at_another_size_has_the_same_drawing() -> None:
    """The teacher is asked about the student's view at its own size."""
    given = params(3, hair=1.0, ink=1.0)
    large = degrade_images(torch.full((3, 3, 128, 128), 0.8), given)
    small = degrade_images(torch.full((3, 3, 64, 64), 0.8), given)
    reduced = torch.nn.functional.avg_pool2d(large, 2)
    assert (reduced - small).abs().mean() < 0.02
    assert np.corrcoef(reduced.flatten(), small.flatten())[0, 1] > 0.9
