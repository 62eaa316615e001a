"""Quality of the comparison of follow-up photos: ``SKINLENS_HAM10000=… python -m benchmarks.followup``.

Two photos of one lesion are to be aligned, those of two lesions to be refused; and what differs between two photos of
one lesion of HAM10000, mostly taken on one day, is no change of the lesion. Outlines are those of the served model, as
in the app. The limits of ``skinlens.followup.registration`` were chosen on ``train``; ``skinlens.followup.change``
takes the measurement error from ``val``. Nothing is asserted.
"""

import csv
import io
import json
import os
import random
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.machine import ROOT, machine
from skinlens import pipeline
from skinlens.followup.change import Change, SeenLesion, compare
from skinlens.followup.registration import Registration, register
from skinlens.imaging.intake import read_photo_file
from skinlens.records import Outline, Photo
from skinlens.segmentation.head import load_segmentation_head, propose

SEED = 11
RESULT = ROOT / "benchmarks" / "results" / "followup.json"
SIZES = {"train": (100, 100, 0), "val": (150, 150, 60)}
"""Split → pairs of one lesion, pairs of two lesions, and of each kind those that are tried without outlines too."""
RETAKEN = 60
CLASSIFIER, HEAD = pipeline.load_classifier(), load_segmentation_head()


def main() -> None:
    folder = Path(os.environ["SKINLENS_HAM10000"])
    splits = {}
    for split, (same, different, whole) in SIZES.items():
        lesions = lesions_of(folder, split)
        several = shuffled([ids[:2] for ids in lesions if len(ids) > 1])[:same]
        single = shuffled([ids[0] for ids in lesions])
        apart = [list(pair) for pair in zip(single[:different], single[different : 2 * different], strict=True)]
        splits[split] = {
            "one_lesion": tried(folder, several),
            "two_lesions": tried(folder, apart),
            "one_lesion_without_outlines": tried(folder, several[:whole], outlined=False) if whole else None,
            "two_lesions_without_outlines": tried(folder, apart[:whole], outlined=False) if whole else None,
            "retaken": retaken(folder, single[:RETAKEN]),
        }
        print(split, json.dumps(splits[split], indent=1), flush=True)
    model, outline = CLASSIFIER.engine.model_ref.sha256, HEAD.model_ref.sha256
    result = {"machine": machine(), "seed": SEED, "model_sha256": model, "outline_sha256": outline, "splits": splits}
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def lesions_of(folder: Path, split: str) -> list[list[str]]:
    lesions = defaultdict(list)
    with (folder / "metadata.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if row["split"] == split:
                lesions[row["lesion_id"]].append(row["image_id"])
    return list(lesions.values())


def shuffled(items: list[Any]) -> list[Any]:
    return random.Random(SEED).sample(items, len(items))  # noqa: S311  an order for measuring


def seen(folder: Path, image_id: str) -> tuple[Photo, Outline | None]:
    photo = read_photo_file(folder / "images" / f"{image_id}.jpg")
    return photo, propose(CLASSIFIER.engine, HEAD, photo).outline


def tried(folder: Path, pairs: list[list[str]], *, outlined: bool = True) -> dict[str, Any]:
    """Number of pairs that were aligned, by what, in which time; and for outlined pairs what differed."""
    found: list[Registration] = []
    changes: list[Change] = []
    cpu_s = []
    for pair in pairs:
        (first, first_outline), (second, second_outline) = (seen(folder, one) for one in pair)
        outlines = (first_outline, second_outline) if outlined else (None, None)
        started = time.process_time()
        registration = register(first, second, *outlines)
        cpu_s.append(time.process_time() - started)
        found.append(registration)
        if registration.aligned and first_outline is not None and second_outline is not None:
            changes.append(compare(SeenLesion(first, first_outline), SeenLesion(second, second_outline), registration))
    return {
        "pairs": len(pairs),
        "aligned": sum(one.aligned for one in found),
        "refused_most_matches": max((one.matches for one in found if not one.aligned), default=0),
        "refused_highest_likeness": max((round(one.likeness, 3) for one in found if not one.aligned), default=0.0),
        "aligned_fewest_matches": min((one.matches for one in found if one.aligned), default=None),
        "aligned_lowest_likeness": min((round(one.likeness, 3) for one in found if one.aligned), default=None),
        "cpu_s_median": round(float(np.median(cpu_s)), 2),
        "cpu_s_95": round(float(np.quantile(cpu_s, 0.95)), 2),
        "differences": differences(changes) if outlined and changes else None,
    }


def differences(changes: list[Change]) -> dict[str, Any]:
    """Percentiles of the difference of each quantity over the pairs."""
    amounts = defaultdict(list)
    for change in changes:
        for one in change.differences:
            amounts[one.quantity].append(abs(one.change))
    overlaps = [change.outline_overlap for change in changes if change.outline_overlap is not None]
    return {
        "pairs": len(changes),
        "outline_overlap_median": round(float(np.median(overlaps)), 3),
        **{
            name: {"pairs": len(found), **{f"p{p}": round(float(np.percentile(found, p)), 1) for p in (50, 90, 95)}}
            for name, found in amounts.items()
        },
    }


def retaken(folder: Path, image_ids: list[str]) -> dict[str, Any]:
    """Photos that were turned, magnified, moved, lit otherwise and compressed by known amounts: the error in pixels."""
    drawn = np.random.default_rng(SEED)
    errors, refused = [], 0
    for image_id in image_ids:
        first = read_photo_file(folder / "images" / f"{image_id}.jpg")
        with Image.open(folder / "masks" / f"{image_id}.png") as mask:
            down, across = np.nonzero(np.asarray(mask.convert("L").resize((first.width_px, first.height_px))) > 127)
        second, turn, shift = taken_again(first, drawn)
        found = register(first, second)
        if found.matrix is None:
            refused += 1
            continue
        there = turn * (across + 0.5 + 1j * (down + 0.5)) + shift
        matrix = np.array(found.matrix)
        back = matrix[:, :2] @ np.stack([there.real, there.imag]) + matrix[:, 2:]
        errors.append(float(np.sqrt((np.hypot(back[0] - across - 0.5, back[1] - down - 0.5) ** 2).mean())))
    return {
        "photos": len(image_ids),
        "refused": refused,
        "rms_px_median": round(float(np.median(errors)), 2),
        "rms_px_95": round(float(np.quantile(errors, 0.95)), 2),
        "rms_px_worst": round(max(errors), 2),
    }


def taken_again(first: Photo, drawn: np.random.Generator) -> tuple[Photo, complex, complex]:
    """Turned by up to 60°, 0.6 to 1.6 times as large, moved by up to 8 % of the width, JPEG of quality 60 to 90."""
    turn = drawn.uniform(0.6, 1.6) * np.exp(1j * np.radians(drawn.uniform(-60, 60)))
    center = complex(first.width_px, first.height_px) / 2
    shift = center + complex(*drawn.uniform(-0.08, 0.08, 2)) * first.width_px - turn * center
    back, start = 1 / turn, -shift / turn
    steps = (back.real, -back.imag, start.real, back.imag, back.real, start.imag)
    size = first.width_px, first.height_px
    moved = Image.fromarray(first.pixels).transform(size, Image.Transform.AFFINE, steps, Image.Resampling.BICUBIC)
    lit = np.asarray(moved) * (drawn.uniform(0.8, 1.15) * drawn.uniform(0.93, 1.07, 3))
    file = io.BytesIO()
    quality = int(drawn.integers(60, 91))
    Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    pixels = np.asarray(Image.open(file).convert("RGB"))
    return Photo(pixels, f"{first.sha256}-again", "JPEG"), complex(turn), complex(shift)


if __name__ == "__main__":
    main()
