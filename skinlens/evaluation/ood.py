"""Out-of-distribution detection: AUROC and rejection rate on images that show no lesion.

All are drawn here or come with packages that are installed anyway. They are shown at 200 × 150 px, the size of the
training photos, so that nothing but what they show sets them apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from jaxtyping import Float64
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from skinlens import metrics
from skinlens.evaluation.bootstrap import RESAMPLES, SEED, Groups, with_ci
from skinlens.evaluation.predictions import answer
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import model_view
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import Classifier
from skinlens.inference.engine import BATCH
from skinlens.records import Array, Pixels

WIDTH_PX, HEIGHT_PX = 200, 150
DRAWN_EACH = 10
IMITATION = "drawn lesions"
"""They imitate what the model was trained on, so they are reported, and left out of the figures of the whole."""
_THINGS = ("astronaut", "camera", "cat", "clock", "coffee", "coins", "hubble_deep_field", "moon", "rocket")
_MEDICAL = ("cell", "immunohistochemistry", "microaneurysms", "retina")
_SURFACES = ("brick", "grass", "gravel")
_PRINTED = ("page", "text")
_SENTENCE = "The quick brown fox jumps over the lazy dog, 0123456789. "


def pictures() -> dict[str, list[Pixels]]:
    """Kind → pictures, the same ones each time."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    def packaged(names: Sequence[str]) -> Iterator[Pixels]:
        for name in names:
            yield from _parts(getattr(data, name)())

    random = np.random.default_rng(SEED)
    things = [*packaged(_THINGS), *(part for image in load_sample_images().images for part in _parts(image))]
    return {
        "things and places": things,
        "other medical pictures": list(packaged(_MEDICAL)),
        "surfaces": list(packaged(_SURFACES)),
        "text": [*packaged(_PRINTED), *(_page(random) for _ in range(DRAWN_EACH))],
        "noise": [*_noise(random)],
        "plain colours": [*_plain(random)],
        IMITATION: [draw_synthetic_lesion(seed, WIDTH_PX, HEIGHT_PX) for seed in range(DRAWN_EACH)],
    }


def distances(classifier: Classifier, shown: Mapping[str, Sequence[Pixels]]) -> dict[str, Float64[Array, " k"]]:
    """Distance of each picture from the training photos, on the way that an upload goes."""
    spec, by_kind = classifier.engine.spec, {}
    for kind, some in shown.items():
        views = [model_view(photo_from_pixels(pixels, "PNG"), spec) for pixels in some]
        parts = [answer(classifier, views[start : start + BATCH])[1] for start in range(0, len(views), BATCH)]
        by_kind[kind] = np.concatenate(parts)
    return by_kind


def report(
    own: Float64[Array, " n"],
    groups: Groups,
    others: Mapping[str, Float64[Array, " k"]],
    limit: float,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Separation of ``others`` from ``own`` by distance (AUROC: 1 always, 0.5 by chance), and the shares above
    ``limit``.

    The intervals are those of the data set's photos; the foreign pictures are these, and no sample of anything.
    """
    whole = np.concatenate([far for kind, far in others.items() if kind != IMITATION])
    kinds = [whole, *others.values()]
    auroc, *each, own_rejection = with_ci(
        lambda rows: np.asarray([*(_auroc(own[rows], far) for far in kinds), (own[rows] > limit).mean()]),
        groups,
        resamples,
    )
    return {
        "limit": limit,
        "in_distribution_rejection": own_rejection,
        "n": len(whole),
        "auroc": auroc,
        "rejection_rate": float((whole > limit).mean()),
        "kinds": [
            {"kind": kind, "n": len(far), "auroc": figure, "rejection_rate": float((far > limit).mean())}
            for (kind, far), figure in zip(others.items(), each, strict=True)
        ],
    }


def _auroc(own: Float64[Array, " n"], far: Float64[Array, " k"]) -> float:
    return metrics.auc(np.repeat([False, True], [len(own), len(far)]), np.concatenate([own, far]))


# ------------------------------------------------------------------------------------------------------- the pictures


def _parts(pixels: Array) -> list[Pixels]:
    """A packaged picture as a whole, and its four quarters."""
    color = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]
    if color.dtype == bool:
        color = color.astype(np.uint8) * 255
    image = Image.fromarray(np.ascontiguousarray(color))
    wide, high = image.size
    boxes = [(0, 0, wide, high)] + [
        (x, y, x + wide // 2, y + high // 2) for x in (0, wide // 2) for y in (0, high // 2)
    ]
    return [np.asarray(image.crop(box).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC)) for box in boxes]


def _page(random: np.random.Generator) -> Pixels:
    """Dark words on light paper, or the other way round."""
    paper, ink = (245, 20) if random.random() < 0.7 else (25, 230)
    size = int(random.integers(8, 20))
    with resources.as_file(resources.files("skinlens.report") / "fonts" / "DejaVuSansCondensed.ttf") as path:
        font = ImageFont.truetype(path, size)
    image = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (paper,) * 3)
    draw = ImageDraw.Draw(image)
    start = int(random.integers(len(_SENTENCE)))
    for line, top in enumerate(range(4, HEIGHT_PX, size + 3)):
        turn = (start + 11 * line) % len(_SENTENCE)
        draw.text((4, top), _SENTENCE[turn:] + _SENTENCE[:turn], font=font, fill=(ink,) * 3)
    return np.asarray(image)


def _noise(random: np.random.Generator) -> Iterator[Pixels]:
    """Each pixel for itself, and the same blurred into clouds."""
    for _ in range(DRAWN_EACH):
        fine = random.integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
        yield fine
        clouds = np.asarray(Image.fromarray(fine).filter(ImageFilter.GaussianBlur(6)), dtype=np.float64)
        spread = np.clip((clouds - clouds.mean()) / clouds.std() * 50 + 128, 0, 255)
        yield spread.astype(np.uint8)


def _plain(random: np.random.Generator) -> Iterator[Pixels]:
    """One color, or one that passes into another."""
    for _ in range(DRAWN_EACH):
        first, second = random.integers(0, 256, (2, 3))
        yield np.full((HEIGHT_PX, WIDTH_PX, 3), first, dtype=np.uint8)
        share = np.linspace(0, 1, WIDTH_PX)[None, :, None]
        yield np.broadcast_to(first * (1 - share) + second * share, (HEIGHT_PX, WIDTH_PX, 3)).astype(np.uint8)
