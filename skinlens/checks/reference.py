"""Reference check: prediction and maps repeated with the published libraries on the float network.

Three things lie between a map of the app and the one that a script would draw with the published libraries: this
project's own code for the methods, the eight-bit network in the place of the float one, and whatever is approximated
by default (fewer patterns, LIME's design of trials). Here pytorch-grad-cam (Gildenblat and contributors) and lime
(Ribeiro and contributors) explain the same class of the same photo on the float student that the release was quantized
from, and their maps are set beside those of the app. LIME is given the same superpixels, score and seed, as
many trials as ours may take, and draws them in its own way.

torch, pytorch-grad-cam and lime are never imported here: see ``checks.reference_worker``.
"""

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

import numpy as np

from skinlens import paths
from skinlens.checks.agreement import HOTTEST_PART, SAME_AREA, SAME_AREA_HELP, SHARED_HELP, hottest_iou, spearman
from skinlens.checks.contract import Found, OfMaps, Row, Subject, require_same_origin
from skinlens.checks.reference_worker import WorkerRequest, WorkerResult
from skinlens.errors import SkinLensError
from skinlens.formatting import decimal, percent, rounded_percent
from skinlens.imaging.preprocess import to_batch
from skinlens.inference.release import weights_directory
from skinlens.labels import BY_CODE, CODES
from skinlens.records import CheckResult, Explanation, Heatmap, Progress

LIBRARIES = ("torch", "timm", "pytorch_grad_cam", "lime", "sklearn")
"""Imported by the worker alone: an installation for serving does without."""
LISTEN_S = 0.2


class ReferenceCheck(OfMaps):
    kind = "reference"
    title = "Agreement with published libraries"
    question = "Do the published libraries draw the same maps?"
    help = f"""
The maps of a case are made by SkinLens's own code, on the eight-bit copy of the network that gives the prediction.
Here they are made again with the published libraries (pytorch-grad-cam and lime), on the network before it was reduced
to eight bits. What is compared is so the code, the reduction, and whatever is shortened to save time.

**Same order of heat**: rank correlation of all pixels; 1 is the same order from cold to hot, 0 unrelated.

**{HOTTEST_PART.capitalize()} shared**: {SHARED_HELP} {SAME_AREA_HELP}

LIME depends on chance, and the library draws its trials in another way: its maps differ somewhat even where nothing is
amiss.
"""
    button = "Compare with the published libraries"
    hint = (
        "The same maps with pytorch-grad-cam and lime, on the network before its reduction to eight bits. It takes a "
        "minute or two; the page can be used meanwhile."
    )
    columns = ("Map", "Same order of heat", f"{HOTTEST_PART.capitalize()} shared", "Mean difference", "Result")
    of_model = True

    def compute(self, subject: Subject, progress: Progress | None = None) -> tuple[CheckResult, ...]:
        return self.recompute(weights_directory(), subject, progress)[0]

    def recompute(
        self, weights: Path, subject: Subject, progress: Progress | None = None
    ) -> tuple[tuple[CheckResult, ...], tuple[Heatmap, ...]]:
        """The results, first that of the prediction, then one for each map; and the libraries' maps, 0 none to 1 most.

        ``weights``: the folder of ``subject.classifier``. Takes about a minute for the three maps of a photo, in
        another process, which meanwhile needs about a gigabyte of memory. ``progress`` is told the fraction done about
        five times a second; if it raises, that process is ended.

        Raises:
            SkinLensError: a map is of another photo or model, the packages are not installed, or the process failed.
            Cancelled: ``progress`` raised it.
        """
        classifier, photo, maps = subject.classifier, subject.photo, subject.maps
        for explanation in maps:
            require_same_origin(subject, explanation)
        if missing := [name for name in LIBRARIES if find_spec(name) is None]:
            raise SkinLensError(
                f"The reference check needs {', '.join(missing)}, not installed here. Install the packages of "
                "skinlens[reference] (about 2 GB), then start SkinLens again."
            )
        started = time.perf_counter()
        made = _in_another_process(WorkerRequest(weights.resolve(), photo, maps), progress or (lambda _: None))
        took_ms = (time.perf_counter() - started) * 1000 - sum(made.durations_ms)
        int8_probs = tuple(classifier.probs(to_batch([photo], classifier.engine.spec))[0].tolist())
        origin = photo.sha256, classifier.engine.model_ref
        return (
            self.made(Found(quantization_effect(made.probs, int8_probs)), origin, took_ms),
            *(
                self.made(
                    Found(likeness(explanation.heatmap, heatmap), _packages(explanation), explanation.seed),
                    origin,
                    duration_ms,
                    explanation,
                )
                for explanation, heatmap, duration_ms in zip(maps, made.heatmaps, made.durations_ms, strict=True)
            ),
        ), made.heatmaps

    def row(self, result: CheckResult) -> Row:
        figures = result.figures
        return (
            "no order" if figures["spearman"] is None else decimal(figures["spearman"], 2),
            rounded_percent(figures["hottest_iou"]),
            f"{rounded_percent(figures['mean_difference'], 1)} of the scale",
            "same area" if figures["same_area"] else "another area",
        )

    def summary(self, result: CheckResult) -> str:
        """Summary of the check of the prediction, or of a map."""
        figures = result.figures
        if not result.method:
            moved = figures["moved"]
            return (
                f"The reduction of the network to eight bits moved {BY_CODE[moved].name} most, from "
                f"{percent(figures['float_probs'][moved])} to {percent(figures['int8_probs'][moved])}."
            )
        area = "the same area" if figures["same_area"] else "another area"
        order = (
            "one of the maps has no order"
            if figures["spearman"] is None
            else f"rank correlation {decimal(figures['spearman'], 2)}"
        )
        shared = rounded_percent(figures["hottest_iou"])
        return f"The published library points to {area}: of the {HOTTEST_PART}s {shared} is shared, {order}."


def quantization_effect(float_probs: tuple[float, ...], int8_probs: tuple[float, ...]) -> dict[str, Any]:
    """Effect of the reduction to eight bits on a prediction; both in the order of ``labels.CODES``.

    ``moved``: code of the class whose probability changed most.
    """
    moved = CODES[int(np.abs(np.subtract(float_probs, int8_probs)).argmax())]
    by_code = (dict(zip(CODES, probs, strict=True)) for probs in (float_probs, int8_probs))
    return dict(zip(("float_probs", "int8_probs"), by_code, strict=True)) | {"moved": moved}


def likeness(ours: Heatmap, library: Heatmap) -> dict[str, Any]:
    """Two maps in one frame: ``spearman`` -1 to 1, None if one of them is the same everywhere, ``hottest_iou`` 0 to 1,
    ``mean_difference`` 0 the same, to 1.
    """
    ordered = np.ptp(library) > 0 and np.ptp(ours) > 0
    shared = hottest_iou(ours, library)
    return {
        "spearman": spearman(ours, library) if ordered else None,
        "hottest_iou": shared,
        "same_area": shared >= SAME_AREA,
        "mean_difference": float(np.abs(difference(ours, library)).mean()),
    }


def difference(ours: Heatmap, library: Heatmap) -> Heatmap:
    """Ours minus the library's, each spread over [0, 1], since the library does so: -1 to 1, 0 the same."""
    return _spread(ours) - _spread(library)


def _packages(explanation: Explanation) -> dict[str, Any]:
    names = ("torch", "lime" if explanation.method == "lime" else "grad-cam")
    return {"packages": {name: version(name) for name in names}}


def _in_another_process(task: WorkerRequest, report_progress: Progress) -> WorkerResult:
    """Its answers are read by a thread, so that a cancel is heard also while it is silent."""
    report_progress(0.0)
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
                    report_progress(done)
                    continue
                if isinstance(answer, WorkerResult):
                    return answer
                if not isinstance(answer, float):
                    said.seek(0)
                    raise SkinLensError(answer or _failed(said.read().decode(errors="replace")))
                done = answer
                report_progress(done)
        finally:
            process.kill()
            with contextlib.suppress(OSError):
                process.stdin.close()


def _read(pipe: IO[bytes], answers: "queue.Queue[float | str | WorkerResult | None]") -> None:
    """All answers; None at their end, however it came."""
    try:
        while True:
            answers.put(pickle.load(pipe))  # noqa: S301  of a process of our own
    except (EOFError, OSError, ValueError, pickle.UnpicklingError):
        answers.put(None)


def _failed(said: str) -> str:
    reason = next((line for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
    return f"The published libraries stopped before the end ({reason.strip()}). The maps of this page stand."


def _spread(heatmap: Heatmap) -> Heatmap:
    """From 0 to 1, the coldest to the hottest; zero everywhere if the map is the same everywhere."""
    span = np.ptp(heatmap)
    return np.asarray((heatmap - heatmap.min()) / span if span > 0 else np.zeros_like(heatmap), dtype=np.float32)
