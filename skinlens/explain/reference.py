"""A case made again with the reference implementations, on the float network: how far do the maps keep to it?

Three things lie between a map of the app and the one that a script would draw with the published libraries: this
project's own code for the methods, the eight-bit network in the place of the float one, and whatever is approximated
by default (fewer patterns, LIME's design of trials). Here pytorch-grad-cam (Gildenblat and contributors) and lime
(Ribeiro and contributors) explain the same class of the same photo on the float student that the release was quantized
from, and their maps are set beside those of the app. LIME is given the same superpixels, score, number of trials and
seed, and draws its trials in its own way.

torch, pytorch-grad-cam and lime are imported here, when the first case is recomputed, and nowhere else in the app. The
libraries hook the network that they explain: so each call has a network of its own, and no session sees another's.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float64

from skinlens.calibration import softmax
from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.explain.agreement import SAME_AREA, hottest_iou, spearman
from skinlens.explain.evidence import scale_to_peak
from skinlens.explain.lime import Scale, score_of_logits, superpixels
from skinlens.labels import BY_CODE, CODES
from skinlens.models.engine import BATCH
from skinlens.models.weights import Manifest
from skinlens.predict import Classifier
from skinlens.preprocess import InputSpec, View, Views, model_view, normalise, to_batch
from skinlens.quantities import percent
from skinlens.records import Array, Batch, Check, Explanation, Heat, Logits, Method, ModelStamp, Photo, Progress

if TYPE_CHECKING:
    import torch

KIND = "reference"
LOADING = 0.05
"""Share of the progress that the imports and the network count for."""


@dataclass(frozen=True)
class Reduction:
    """What the reduction to eight bits did to a prediction."""

    float_probs: tuple[float, ...]
    """Of the float network, with the release's temperature; in the order of ``labels.CODES``."""
    int8_probs: tuple[float, ...]
    """Of the network that serves."""
    photo_sha256: str
    model: ModelStamp
    duration_ms: float
    created_at: str
    """UTC, ISO 8601."""

    @property
    def moved(self) -> str:
        """Code of the class whose probability changed most."""
        changes = np.abs(np.subtract(self.float_probs, self.int8_probs))
        return CODES[int(changes.argmax())]

    def to_check(self) -> Check:
        return Check(
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
    heat: Heat
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
    def difference(self) -> Heat:
        """Ours minus the library's, each spread over [0, 1], since the library does so: -1 to 1, 0 the same."""
        return _spread(self.explained.heat) - _spread(self.heat)

    def to_check(self) -> Check:
        packages = ("torch", "lime" if self.explained.method == "lime" else "grad-cam")
        return Check(
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


def in_words(check: Check) -> str:
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
    return f"The published library points to {area}: of the hottest fifths {shared} is shared, {order}."


def recompute(
    manifest: Manifest,
    classifier: Classifier,
    photo: Photo,
    explanations: Sequence[Explanation],
    *,
    progress: Progress | None = None,
) -> tuple[Reduction, tuple[Reference, ...]]:
    """The float network's prediction, and each map by its library. ``manifest``: of the release in ``classifier``.

    Takes about a minute for the three maps of a photo, and about a gigabyte of memory, some of which stays taken.
    ``progress`` is told the fraction done before each forward pass of the float network.

    Raises:
        SkinLensError: a map is of another photo or model, or the packages are not installed.
        WeightsError: the float network is not the one that was released.
        Cancelled: ``progress`` raised it.
    """
    for one in explanations:
        _refuse_mix_ups(manifest, photo, one)
    engine, temperature = classifier.engine, classifier.temperature
    channels = engine.head.hidden_weight.shape[1]
    tally = _Tally(1 + sum(_passes(one, channels) for one in explanations), progress or (lambda _: None))
    tally.told(0.0)
    model = _float_network(manifest, tally)
    batch = to_batch([photo], engine.spec)
    started = time.perf_counter()
    float_probs = tuple(softmax(_logits(model, batch), temperature)[0].tolist())
    int8_probs = tuple(classifier.probs(batch)[0].tolist())
    reduction = Reduction(float_probs, int8_probs, photo.sha256, engine.stamp, _since(started), _now())
    made = []
    for one in explanations:
        started = time.perf_counter()
        if one.method == "lime":
            heat = _lime(model, model_view(photo, engine.spec), engine.spec, temperature, one)
        else:
            heat = _cam(model, batch, one)
        made.append(Reference(one, heat, _since(started), _now()))
    tally.told(1.0)
    return reduction, tuple(made)


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class _Tally:
    """Counts the photos that the float network is shown, and tells the progress before each pass."""

    total: int
    told: Progress
    done: int = 0

    def __call__(self, photos: int) -> None:
        self.told(LOADING + (1 - LOADING) * min(1.0, self.done / self.total))
        self.done += photos


def _passes(explanation: Explanation, channels: int) -> int:
    """How many photos the library shows to the network for this map."""
    expected: dict[Method, int] = {"grad_cam": 1, "score_cam": 1 + channels}
    return expected.get(explanation.method) or int(explanation.params["samples"])


def _float_network(manifest: Manifest, before_each: Callable[[int], None]) -> "torch.nn.Module":
    """The float student as the libraries want a model: photos in, logits out; its layers are in ``student``."""
    try:
        import torch

        from skinlens.models.student import load_released
    except ImportError as missing:
        raise SkinLensError(
            f"The reference implementations are not installed (missing: {missing.name}). Run: pip install -r "
            "requirements.txt"
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


def _cam(model: Any, batch: Batch, explanation: Explanation) -> Heat:
    """The library's map at the fused map; it subtracts the minimum and divides by the maximum."""
    import torch
    from pytorch_grad_cam import GradCAM, ScoreCAM

    kind = {"grad_cam": GradCAM, "score_cam": ScoreCAM}[explanation.method]
    direction = torch.from_numpy(explanation.target.direction)
    with kind(model=model, target_layers=[model.student.fusion.activation]) as cam:
        drawn = cam(torch.from_numpy(batch), [lambda logits: logits @ direction])[0]
    return np.asarray(np.clip(drawn, 0, 1), dtype=np.float32)


def _lime(model: "torch.nn.Module", view: View, spec: InputSpec, temperature: float, explanation: Explanation) -> Heat:
    """The library's coefficients, drawn as ours are: the positive ones over the largest."""
    from lime.lime_image import LimeImageExplainer

    params, target = explanation.params, explanation.target
    scale = cast(Scale, params["target"])
    regions = superpixels(view, int(params["segments"]))

    def score(views: Views) -> Float64[Array, "n 1"]:
        found = score_of_logits(_logits(model, normalise(views, spec)), temperature, target, scale)
        return found[:, np.newaxis]

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


def _spread(heat: Heat) -> Heat:
    """From 0 to 1, the coldest to the hottest; zero everywhere if the map is the same everywhere."""
    span = np.ptp(heat)
    return np.asarray((heat - heat.min()) / span if span > 0 else np.zeros_like(heat), dtype=np.float32)


def _refuse_mix_ups(manifest: Manifest, photo: Photo, explanation: Explanation) -> None:
    title = METHODS[explanation.method].title
    for what, expected, found in (
        ("photo", photo.sha256, explanation.photo_sha256),
        ("model", manifest.stamp().sha256, explanation.model.sha256),
    ):
        if expected != found:
            raise SkinLensError(
                f"{title} cannot be checked: expected a map of the {what} {expected[:12]}…, found one of {found[:12]}…."
                " Make the map anew."
            )
