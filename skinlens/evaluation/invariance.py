"""Invariance test: change of the served probabilities under changes of a photo that should not matter.

For each change and photo, the largest absolute difference among the seven probabilities, the difference of melanoma's,
and whether the most probable class or the side of the melanoma cut-off changed. Photos are drawn by a seed that is
stored beside the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from PIL import Image
from tqdm import tqdm

from skinlens import clock
from skinlens.evaluation.ground_truth import read_labels, rows_with_picture
from skinlens.evaluation.predictions import answer
from skinlens.formatting import rounded_percent
from skinlens.imaging.artifacts import Artifact, with_artifact
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import InputSpec, model_view
from skinlens.inference.classifier import Classifier
from skinlens.labels import INDEX, MELANOMA
from skinlens.records import Array, Photo, Pixels
from skinlens.training.ham10000 import photo_at, picture_paths

SEED = 20_261_125
"""Of the choice of photos and of every random change."""
DRAWN: tuple[Artifact, ...] = ("hair", "ink", "ruler")
MELANOMA_CHANGE = 0.1
"""A change of melanoma's probability by drawn artifacts that most photos should stay below."""

Change = Callable[[Photo, InputSpec, np.random.Generator], Photo]


@dataclass(frozen=True)
class Movement:
    """Effect of one change on the photos."""

    change: str
    median: float
    """Over the photos, of the largest absolute difference among the seven probabilities; the next three alike."""
    p90: float
    p95: float
    largest: float
    melanoma_p90: float
    """90th percentile of the absolute difference of melanoma's probability."""
    melanoma_within: float
    """Share of photos whose probability of melanoma moves by at most ``MELANOMA_CHANGE``."""
    top_changed: int
    """Photos whose most probable class changed."""
    side_changed: int
    """Photos that changed the side of the melanoma cut-off."""


def one_gray_level(photo: Photo, spec: InputSpec, random: np.random.Generator) -> Photo:  # noqa: ARG001
    """A tenth of all samples one grey level up or down."""
    shape = photo.pixels.shape
    step = np.where(random.random(shape) < 0.1, random.choice([-1, 1], shape), 0)
    return _photo(np.clip(photo.pixels.astype(np.int16) + step, 0, 255).astype(np.uint8))


def saved_again(photo: Photo, spec: InputSpec, random: np.random.Generator) -> Photo:  # noqa: ARG001
    """JPEG of quality 97."""
    file = BytesIO()
    Image.fromarray(photo.pixels).save(file, "JPEG", quality=97)
    return _photo(np.asarray(Image.open(file)))


def without_the_top_row(photo: Photo, spec: InputSpec, random: np.random.Generator) -> Photo:  # noqa: ARG001
    return _photo(photo.pixels[1:])


def _turned(quarters: int) -> Change:
    return lambda photo, _spec, _random: _photo(np.rot90(photo.pixels, quarters))


def _drawn(artifact: Artifact) -> Change:
    return lambda photo, spec, random: with_artifact(photo, artifact, 0, int(random.integers(2**31)), spec)


CHANGES: dict[str, Change] = {
    "one grey level on a tenth of the samples": one_gray_level,
    "saved again as JPEG 97": saved_again,
    "top row of pixels cut off": without_the_top_row,
    "turned by 90°": _turned(1),
    "turned by 180°": _turned(2),
    **{f"drawn {name}": _drawn(name) for name in DRAWN},
}


def invariance(
    classifier: Classifier, images: Path, labels: Path, split: str | Path | None, count: int
) -> dict[str, Any]:
    """Content of the file that ``python -m skinlens evaluate --invariance N`` writes, ready for JSON.

    Raises:
        DatasetError: the label file is of no known kind, or not one picture of it is there.
        UnreadableImage: a picture cannot be read; the message names it.
    """
    listed, pictures = read_labels(labels, split), picture_paths(images)
    present = [row.image_id for row in rows_with_picture(listed, pictures, labels, images)]
    chosen = np.random.default_rng(SEED).permutation(len(present))[:count]
    ids = [present[number] for number in chosen]
    probs = np.stack(
        [
            probabilities(classifier, photo_at(pictures[image_id]), number)
            for number, image_id in enumerate(tqdm(ids, desc="photos", mininterval=2))
        ]
    )
    threshold = classifier.melanoma_threshold.value
    return {
        "n": len(ids),
        "image_ids": ids,
        "split": split.stem if isinstance(split, Path) else split,
        "seed": SEED,
        "changes": [
            asdict(movement(name, probs[:, 0], probs[:, place], threshold))
            for place, name in enumerate(CHANGES, start=1)
        ],
        "model": asdict(classifier.engine.model_ref),
        "label_file": labels.name,
        "created_at": clock.utc_now(),
    }


def probabilities(classifier: Classifier, photo: Photo, number: int) -> Float64[Array, "k 7"]:
    """Probabilities of the photo as it is, then of each change in ``CHANGES``; ``number`` seeds the random ones."""
    spec = classifier.engine.spec
    photos = [photo]
    for place, change in enumerate(CHANGES.values()):
        photos.append(change(photo, spec, np.random.default_rng([SEED, number, place])))
    return answer(classifier, [model_view(variant, spec) for variant in photos])[0]


def movement(name: str, before: Float64[Array, "n 7"], after: Float64[Array, "n 7"], threshold: float) -> Movement:
    """The figures of one change."""
    largest, melanoma = np.abs(after - before).max(axis=1), INDEX[MELANOMA]
    moved = np.abs(after[:, melanoma] - before[:, melanoma])
    return Movement(
        change=name,
        median=float(np.median(largest)),
        p90=float(np.quantile(largest, 0.9)),
        p95=float(np.quantile(largest, 0.95)),
        largest=float(largest.max()),
        melanoma_p90=float(np.quantile(moved, 0.9)),
        melanoma_within=float((moved <= MELANOMA_CHANGE).mean()),
        top_changed=int((before.argmax(axis=1) != after.argmax(axis=1)).sum()),
        side_changed=int(((before[:, melanoma] >= threshold) != (after[:, melanoma] >= threshold)).sum()),
    )


def summary(result: dict[str, Any]) -> str:
    """The figures as a table for the terminal."""
    rows: Sequence[dict[str, Any]] = result["changes"]
    head = f"{'':<42} median    90 %    95 %    most  class  side  melanoma within {MELANOMA_CHANGE:.2f}"
    return "\n".join(
        [
            f"{result['n']} photos; largest change of a probability; model {result['model']['sha256'][:12]}",
            head,
            *(
                f"{row['change']:<42}{row['median']:>7.3f} {row['p90']:>7.3f} {row['p95']:>7.3f} {row['largest']:>7.3f}"
                f" {row['top_changed']:>6} {row['side_changed']:>5} {rounded_percent(row['melanoma_within']):>11}"
                for row in rows
            ),
        ]
    )


def _photo(pixels: Pixels) -> Photo:
    return photo_from_pixels(np.ascontiguousarray(pixels), "changed")
