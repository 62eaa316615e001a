"""Why a photo is unlike the training photos: pictures drawn for each cause, and shares of real photos."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from skinlens import pipeline
from skinlens.imaging import ood_cause, quality
from skinlens.imaging.intake import photo_from_pixels, read_photo
from skinlens.imaging.ood_cause import dark_lines_percent, foreign_color_percent, saturation_percent
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import load_classifier
from skinlens.wording.quality import UNLIKE

WIDTH, HEIGHT = 600, 450
SKIN = (214, 168, 148)


def advice(pixels: np.ndarray) -> str:
    """Of the check for likeness, failed whatever the picture."""
    report = quality.assess(photo_from_pixels(pixels, "drawn"), distance=3.0, distance_limit=1.5)
    assert not report.reliable
    return report.checks[-1].advice


def skin(seed: int = 1) -> Image.Image:
    """Even skin with a soft brown spot: contrast and sharpness as photos have them."""
    down, right = np.mgrid[0:HEIGHT, 0:WIDTH]
    spot = np.exp(-(((down - HEIGHT / 2) / 110) ** 2) - ((right - WIDTH / 2) / 110) ** 2)
    pixels = np.array(SKIN) - spot[..., None] * [120, 110, 100]
    blocks = np.random.default_rng(seed).normal(0, 6, (HEIGHT // 6, WIDTH // 6, 1)).repeat(6, axis=0).repeat(6, axis=1)
    return Image.fromarray(np.clip(pixels + blocks, 0, 255).astype(np.uint8))


def hairy() -> Image.Image:
    image, random = skin(), np.random.default_rng(5)
    draw = ImageDraw.Draw(image)
    for _ in range(70):
        x, y = random.uniform(0, WIDTH), random.uniform(0, HEIGHT)
        draw.line([(x, y), (x + random.normal(0, 60), y + random.uniform(150, 300))], fill=(60, 40, 30), width=6)
    return image


def test_each_cause_is_named_by_what_was_measured() -> None:
    grass = np.random.default_rng(1).integers(0, 120, (HEIGHT, WIDTH, 1)) + np.array([0, 90, 20])
    gray = np.asarray(skin().convert("L").convert("RGB"))
    even = np.full((HEIGHT, WIDTH, 3), SKIN, np.uint8)
    causes = {
        ood_cause.FOREIGN_COLORS: grass.astype(np.uint8),
        ood_cause.COLORLESS: gray,
        ood_cause.EVEN: even,
        ood_cause.DARK_LINES: np.asarray(hairy()),
        ood_cause.TEXTURE: np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8),
        ood_cause.UNKNOWN: np.asarray(skin()),
    }
    for sentence, pixels in causes.items():
        beginning, _, end = sentence.partition("{percent}")
        assert advice(pixels).startswith(f"{UNLIKE} {beginning}"), sentence
        assert advice(pixels).endswith(end), sentence
    assert len({advice(pixels) for pixels in causes.values()}) == len(causes)


def test_a_photo_without_light_is_told_to_get_light_and_no_color_is_read_from_it() -> None:
    dark = (np.asarray(skin(), dtype=np.float64) * [0.02, 0.06, 0.09]).astype(np.uint8)
    assert advice(dark) == f"{UNLIKE} " + ood_cause.OTHER_CHECKS.format(
        titles="sharpness, brightness, lower limit, detail lost in glare or shadow"
    )


def test_fine_detail_that_is_no_dark_line() -> None:
    """Bright specks: a closing fills none of them."""
    disc, specks = np.ones((40, 40), bool), np.full((40, 40, 3), (150, 90, 70), np.float32)
    specks[::9, ::9] = (250, 210, 190)
    assert ood_cause.likely_cause(specks, disc, 2000.0, []) == ood_cause.FINE_DETAIL
    assert ood_cause.likely_cause(specks, disc, 900.0, []) == ood_cause.UNKNOWN


def test_figures_by_hand() -> None:
    colors = np.array([[200, 100, 50], [100, 100, 100], [100, 104, 90], [100, 106, 90]], np.float32)
    assert foreign_color_percent(colors) == 25  # the last alone: by more than 5
    assert saturation_percent(colors) == pytest.approx(100 * (0.75 + 0 + 14 / 104 + 16 / 106) / 4)
    lines = np.full((40, 40), 200.0, np.float32)
    lines[:, 10] = 150  # 1 of 40 columns is a dark line; a broad band is none
    lines[:, 20:30] = 150
    assert dark_lines_percent(lines, np.ones((40, 40), bool)) == 2.5


def test_the_drawn_lesion_needs_no_cause() -> None:
    assert quality.assess(
        photo_from_pixels(draw_synthetic_lesion(), "drawn"), distance=1.0, distance_limit=1.5
    ).reliable


def test_shares_of_real_photos_beyond_each_limit(ham10000: Path) -> None:
    """Every tenth validation photo: each limit lies where hardly any of them does, as the module says."""
    with (ham10000 / "metadata.csv").open(encoding="utf-8") as file:
        ids = [row["image_id"] for row in csv.DictReader(file) if row["split"] == "val"][::10]
    beyond: Counter[str] = Counter()
    for image_id in ids:
        photo = read_photo((ham10000 / "images" / f"{image_id}.jpg").read_bytes())
        pixels, disc = quality._working_view(photo)
        inside, luminance = pixels[disc], pixels @ np.array([0.299, 0.587, 0.114], np.float32)
        beyond["even"] += luminance[disc].std() < ood_cause.MIN_CONTRAST
        beyond["colorless"] += saturation_percent(inside) < ood_cause.MIN_SATURATION_PERCENT
        beyond["foreign"] += foreign_color_percent(inside) > ood_cause.MAX_FOREIGN_COLOR_PERCENT
        beyond["lines"] += dark_lines_percent(luminance, disc) > ood_cause.MAX_LINES_PERCENT
    assert len(ids) == 151
    assert max(beyond["even"], beyond["colorless"], beyond["foreign"]) <= 3
    assert 1 <= beyond["lines"] <= 15


def test_the_shipped_model_says_it_of_a_cat() -> None:
    from skimage import data

    seen = pipeline.analyze_photo(photo_from_pixels(data.cat(), "PNG"), load_classifier())
    assert not seen.quality.reliable
    assert "Fine dark lines cover" in seen.quality.checks[-1].advice
