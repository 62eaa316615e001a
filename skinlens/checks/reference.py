"""Reference check: prediction and maps repeated with the published libraries on the float network.

Three things lie between a map of the app and the one that a script would draw with the published libraries: this
project's own code for the methods, the eight-bit network in the place of the float one, and whatever is approximated
by default (fewer patterns, LIME's design of trials). Here pytorch-grad-cam (Gildenblat and contributors) and lime
(Ribeiro and contributors) explain the same class of the same photo on the float student that the release was quantized
from, and their maps are set beside those of the app. LIME is given the same superpixels, score and seed, as
many trials as ours may take, and draws them in its own way.

torch, pytorch-grad-cam and lime are never imported here: see ``explain.libraries``.
"""

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

import numpy as np

from skinlens import clock, paths
from skinlens.checks.agreement import HOTTEST_PART, SAME_AREA, hottest_iou, spearman
from skinlens.checks.guards import require_same_photo
from skinlens.checks.reference_worker import WorkerRequest, WorkerResult
from skinlens.errors import SkinLensError
from skinlens.formatting import percent
from skinlens.imaging.preprocess import to_batch
from skinlens.inference.classifier import Classifier
from skinlens.labels import BY_CODE, CODES
from skinlens.records import CheckResult, Explanation, Heatmap, ModelRef, Photo, Progress

KIND = "reference"
LIBRARIES = ("torch", "timm", "pytorch_grad_cam", "lime", "sklearn")
"""Imported by the worker alone: an installation for serving does without."""
LISTEN_S = 0.2


@dataclass(frozen=True)
class QuantizationEffect:
    """What the reduction to eight bits did to a prediction."""

    float_probs: tuple[float, ...]
    """Of the float network, with the release's temperature; in the order of ``labels.CODES``."""
    int8_probs: tuple[float, ...]
    """Of the network that serves."""
    photo_sha256: str
    model: ModelRef
    duration_ms: float
    created_at: str
    """UTC, ISO 8601."""

    @property
    def moved(self) -> str:
        """Code of the class whose probability changed most."""
        changes = np.abs(np.subtract(self.float_probs, self.int8_probs))
        return CODES[int(changes.argmax())]

    def to_check(self) -> CheckResult:
        return CheckResult(
            kind=KIND,
            label="",
            method="",
            photo_sha256=self.photo_sha256,
            model=self.model,
            seed=None,
            settings={},
            figures={
                "float_probs": dict(zip(CODES, self.float_probs, strict=True)),
                "int8_probs": dict(zip(CODES, self.int8_probs, strict=True)),
                "moved": self.moved,
            },
            duration_ms=self.duration_ms,
            created_at=self.created_at,
        )


@dataclass(frozen=True, eq=False)
class Reference:
    """One map of the app beside that of the library."""

    explained: Explanation
    heat: Heatmap
    """The library's map in the same frame: 0 none, 1 most."""
    duration_ms: float
    """Of the library."""
    created_at: str
    """UTC, ISO 8601."""

    @property
    def spearman(self) -> float | None:
        """-1 to 1: 1 the same order of the pixels from cold to hot; None if one of the maps is the same everywhere."""
        if np.ptp(self.heat) == 0 or np.ptp(self.explained.heat) == 0:
            return None
        return spearman(self.explained.heat, self.heat)

    @property
    def hottest_iou(self) -> float:
        """0 to 1: 1 the same hottest fifth, 0 apart."""
        return hottest_iou(self.explained.heat, self.heat)

    @property
    def difference(self) -> Heatmap:
        """Ours minus the library's, each spread over [0, 1], since the library does so: -1 to 1, 0 the same."""
        return _spread(self.explained.heat) - _spread(self.heat)

    def to_check(self) -> CheckResult:
        packages = ("torch", "lime" if self.explained.method == "lime" else "grad-cam")
        return CheckResult(
            kind=KIND,
            label=self.explained.label,
            method=self.explained.method,
            photo_sha256=self.explained.photo_sha256,
            model=self.explained.model,
            seed=self.explained.seed,
            settings={
                "map": dict(self.explained.params),
                "packages": {package: version(package) for package in packages},
            },
            figures={
                "spearman": self.spearman,
                "hottest_iou": self.hottest_iou,
                "same_area": self.hottest_iou >= SAME_AREA,
                "mean_difference": float(np.abs(self.difference).mean()),
            },
            duration_ms=self.duration_ms,
            created_at=self.created_at,
        )


def in_words(check: CheckResult) -> str:
    """One sentence for the report; of the prediction, or of a map."""
    found = check.figures
    if not check.method:
        moved = found["moved"]
        return (
            f"The reduction of the network to eight bits moved {BY_CODE[moved].name} most, from "
            f"{percent(found['float_probs'][moved])} to {percent(found['int8_probs'][moved])}."
        )
    area = "the same area" if found["same_area"] else "another area"
    order = "one of the maps has no order" if found["spearman"] is None else f"rank correlation {found['spearman']:.2f}"
    shared = f"{100 * found['hottest_iou']:.0f}\u00a0%"
    return f"The published library points to {area}: of the {HOTTEST_PART}s {shared} is shared, {order}."


def recompute(
    weights: Path,
    classifier: Classifier,
    photo: Photo,
    explanations: Sequence[Explanation],
    *,
    progress: Progress | None = None,
) -> tuple[QuantizationEffect, tuple[Reference, ...]]:
    """The float network's prediction, and each map by its library. ``weights``: the folder of ``classifier``.

    Takes about a minute for the three maps of a photo, in another process, which meanwhile needs about a gigabyte of
    memory. ``progress`` is told the fraction done about five times a second; if it raises, that process is ended.

    Raises:
        SkinLensError: a map is of another photo or model, the packages are not installed, or the process failed.
        Cancelled: ``progress`` raised it.
    """
    for one in explanations:
        require_same_photo(classifier, photo, one)
    if missing := [name for name in LIBRARIES if find_spec(name) is None]:
        raise SkinLensError(
            f"The reference check needs {', '.join(missing)}, not installed here. Install the packages of "
            "skinlens[reference] (about 2 GB), then start SkinLens again."
        )
    started = time.perf_counter()
    made = _in_another_process(
        WorkerRequest(weights.resolve(), photo, tuple(explanations)), progress or (lambda _: None)
    )
    took = (time.perf_counter() - started) * 1000 - sum(made.durations_ms)
    now = clock.utc_now()
    int8_probs = tuple(classifier.probs(to_batch([photo], classifier.engine.spec))[0].tolist())
    reduction = QuantizationEffect(made.probs, int8_probs, photo.sha256, classifier.engine.stamp, took, now)
    parts = zip(explanations, made.heats, made.durations_ms, strict=True)
    return reduction, tuple(Reference(one, heat, duration_ms, now) for one, heat, duration_ms in parts)


def _in_another_process(task: WorkerRequest, told: Progress) -> WorkerResult:
    """Its answers are read by a thread, so that a cancel is heard also while it is silent."""
    told(0.0)
    answers: queue.Queue[float | str | WorkerResult | None] = queue.Queue()
    with (
        TemporaryFile() as said,
        TemporaryDirectory(prefix="skinlens-") as scratch,
        subprocess.Popen(
            [sys.executable, "-c", "from skinlens.checks.reference_worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            cwd=paths.IMPORT_ROOT,
            env=os.environ | {"TQDM_DISABLE": "1", "MPLCONFIGDIR": scratch},  # nothing in the user's own folders
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            threading.Thread(target=_read, args=(process.stdout, answers), daemon=True).start()
            with contextlib.suppress(OSError):  # it could not start: the end of its answers tells
                pickle.dump(task, process.stdin)
                process.stdin.close()
            done = 0.0
            while True:
                try:
                    answer = answers.get(timeout=LISTEN_S)
                except queue.Empty:
                    told(done)
                    continue
                if isinstance(answer, WorkerResult):
                    return answer
                if not isinstance(answer, float):
                    said.seek(0)
                    raise SkinLensError(answer or _failed(said.read().decode(errors="replace")))
                done = answer
                told(done)
        finally:
            process.kill()
            with contextlib.suppress(OSError):
                process.stdin.close()


def _read(pipe: IO[bytes], answers: "queue.Queue[float | str | WorkerResult | None]") -> None:
    """All answers; None at their end, however it came."""
    try:
        while True:
            answers.put(pickle.load(pipe))
    except (EOFError, OSError, ValueError, pickle.UnpicklingError):
        answers.put(None)


def _failed(said: str) -> str:
    reason = next((line for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
    return f"The published libraries stopped before the end ({reason.strip()}). The maps of this page stand."


def _spread(heat: Heatmap) -> Heatmap:
    """From 0 to 1, the coldest to the hottest; zero everywhere if the map is the same everywhere."""
    span = np.ptp(heat)
    return np.asarray((heat - heat.min()) / span if span > 0 else np.zeros_like(heat), dtype=np.float32)
