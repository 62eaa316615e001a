"""Subprocess worker: runs pytorch-grad-cam and lime on the float network. ``checks.reference`` starts it.

Whatever is imported stays in a process, a gigabyte with torch, pytorch-grad-cam and lime, and every rerun of a page has
Python look through all of its objects for garbage: with these three loaded that takes most of the processor. Here all
of it is gone when the work is done, and to cancel is to end the process. The libraries hook the network that they
explain, too: so each check has a network of its own, and no session sees another's.

The process reads a pickled ``WorkerRequest`` from its standard input. It answers with pickles on its standard
output: a float is the fraction done, a text the reason why it cannot be done, and a ``WorkerResult`` the end.
"""

import os
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float64

from skinlens.errors import SkinLensError
from skinlens.explain.attribution import scale_to_peak
from skinlens.explain.lime import Scale, score_of_logits, superpixels
from skinlens.imaging.preprocess import InputSpec, View, Views, model_view, normalize, to_batch
from skinlens.inference.calibration import softmax
from skinlens.inference.engine import BATCH
from skinlens.inference.release import Manifest, load_manifest
from skinlens.records import Array, Batch, Explanation, Heatmap, Logits, Method, Photo, Progress

if TYPE_CHECKING:
    import torch

LOADING = 0.05
"""Share of the progress that the imports and the network count for."""


@dataclass(frozen=True, eq=False)
class WorkerRequest:
    """Request to the process."""

    weights: Path
    """Folder of the release."""
    photo: Photo
    explanations: tuple[Explanation, ...]


@dataclass(frozen=True, eq=False)
class WorkerResult:
    """Result of the float network and the libraries."""

    probs: tuple[float, ...]
    """With the release's temperature, in the order of ``labels.CODES``."""
    heatmaps: tuple[Heatmap, ...]
    """A map for each explanation of the task, in the same order: 0 none, 1 most."""
    durations_ms: tuple[float, ...]


def make(manifest: Manifest, photo: Photo, explanations: Sequence[Explanation], progress: Progress) -> WorkerResult:
    """The given maps, made by the published libraries. ``progress`` is told the fraction done before each pass.

    Raises:
        SkinLensError: the packages are not installed.
        WeightsError: the float network is not the one that was released.
    """
    spec, temperature = manifest.input_spec, manifest.temperature
    channels = int(manifest.content["architecture"]["fused_channels"])
    tally = _ProgressCounter(1 + sum(_passes(explanation, channels) for explanation in explanations), progress)
    progress(0.0)
    model = _float_network(manifest, tally)
    batch = to_batch([photo], spec)
    probs = tuple(softmax(_logits(model, batch), temperature)[0].tolist())
    heatmaps, durations_ms = [], []
    for explanation in explanations:
        started = time.perf_counter()
        if explanation.method == "lime":
            heatmaps.append(_lime(model, model_view(photo, spec), spec, temperature, explanation))
        else:
            heatmaps.append(_cam(model, batch, explanation))
        durations_ms.append((time.perf_counter() - started) * 1000)
    progress(1.0)
    return WorkerResult(probs, tuple(heatmaps), tuple(durations_ms))


@dataclass
class _ProgressCounter:
    """Counts the photos that the float network is shown, and tells the progress before each pass."""

    total: int
    report_progress: Progress
    done: int = 0

    def __call__(self, photos: int) -> None:
        self.report_progress(LOADING + (1 - LOADING) * min(1.0, self.done / self.total))
        self.done += photos


def _passes(explanation: Explanation, channels: int) -> int:
    """How many photos the library shows to the network for this map."""
    expected: dict[Method, int] = {"grad_cam": 1, "score_cam": 1 + channels}
    return expected.get(explanation.method) or int(explanation.params["samples"])


def _float_network(manifest: Manifest, before_each: Callable[[int], None]) -> "torch.nn.Module":
    """The float student as the libraries want a model: photos in, logits out; its layers are in ``student``."""
    try:
        import torch

        from skinlens.networks.student import load_released
    except ImportError as missing:
        raise SkinLensError(
            f"The published libraries are not installed (missing: {missing.name}). Run: pip install -r requirements.txt"
        ) from missing

    class Watched(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.student = load_released(manifest)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            before_each(len(batch))
            logits: torch.Tensor = self.student(batch).logits
            return logits

    return Watched().eval()


def _logits(model: "torch.nn.Module", batch: Batch) -> Logits:
    import torch

    with torch.no_grad():
        return np.asarray(model(torch.from_numpy(batch)).numpy(), dtype=np.float32)


def _cam(model: Any, batch: Batch, explanation: Explanation) -> Heatmap:
    """The library's map at the fused map; it subtracts the minimum and divides by the maximum."""
    import torch
    from pytorch_grad_cam import GradCAM, ScoreCAM

    kind = {"grad_cam": GradCAM, "score_cam": ScoreCAM}[explanation.method]
    logit_weights = torch.from_numpy(explanation.target.logit_weights)
    with kind(model=model, target_layers=[model.student.fused]) as cam:
        drawn = cam(torch.from_numpy(batch), [lambda logits: logits @ logit_weights])[0]
    return np.asarray(np.clip(drawn, 0, 1), dtype=np.float32)


def _lime(
    model: "torch.nn.Module", view: View, spec: InputSpec, temperature: float, explanation: Explanation
) -> Heatmap:
    """The library's coefficients, drawn as ours are: the positive ones over the largest."""
    from lime.lime_image import LimeImageExplainer

    params, target = explanation.params, explanation.target
    scale = cast(Scale, params["target"])
    regions = superpixels(view, int(params["segments"]))

    def score(views: Views) -> Float64[Array, "n 1"]:
        scores = score_of_logits(_logits(model, normalize(views, spec)), temperature, target, scale)
        return scores[:, np.newaxis]

    drawn = LimeImageExplainer(random_state=int(params["seed"])).explain_instance(
        view,
        score,
        labels=[0],
        top_labels=None,
        num_samples=int(params["samples"]),
        batch_size=BATCH,
        segmentation_fn=lambda _: regions,
        random_seed=0,
    )
    coefficients = np.zeros(int(regions.max()) + 1, dtype=np.float32)
    for region, weight in drawn.local_exp[0]:
        coefficients[region] = max(weight, 0.0)
    return scale_to_peak(coefficients[regions])


def main() -> None:
    """Read the task, do it, answer."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not come between the answers

    def answer(message: float | str | WorkerResult) -> None:
        pickle.dump(message, answers)
        answers.flush()

    task: WorkerRequest = pickle.load(sys.stdin.buffer)  # noqa: S301  of the process that started this one
    try:
        answer(make(load_manifest(task.weights), task.photo, task.explanations, answer))
    except SkinLensError as problem:
        answer(str(problem))
