"""Static post-training quantization: float student to int8 engine file, and its parity.

The scheme is that of ``networks.int8_scheme``. Weights are rounded together, not each by itself (``gptq``).
"""

import contextlib
import sys
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnx
import torch
from jaxtyping import Float32
from onnxruntime.quantization import CalibrationMethod, create_calibrator, save_tensors_data
from onnxruntime.quantization.calibrate import entropy, smooth_distribution
from onnxruntime.quantization.shape_inference import quant_pre_process

from skinlens.inference.engine import OUTPUTS, Head
from skinlens.networks.int8_scheme import Feeds, export_float, quiet, write_int8
from skinlens.networks.student import LayerFusion, Student
from skinlens.quantization.gptq import gptq_weights
from skinlens.records import Array, Batch

ROUNDING_PHOTOS = 128
Calibration = Literal["minmax", "percentile", "entropy"]
CALIBRATIONS: tuple[Calibration, ...] = get_args(Calibration)
_METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
_OPTIONS: dict[Calibration, dict[str, Any]] = {
    "minmax": {},
    "percentile": {"percentile": 99.995, "symmetric": False},
    "entropy": {"num_bins": 1024, "num_quantized_bins": 256},
}


class _Sum(torch.nn.Module):
    """A module, so that the node has a name by which it is quantized while others of the fusion are not."""

    def forward(self, total: torch.Tensor, summand: torch.Tensor) -> torch.Tensor:
        return total + summand


class _Fusion(torch.nn.Module):
    """``LayerFusion`` in the order that serves fastest: the same sum, with the channels last.

    Maps of one scale are added before they are enlarged. Bilinear enlarging is two products with a small constant
    matrix, down and then across, in which the channels are the long side; ONNX Runtime's own takes six times as long.
    """

    def __init__(self, fusion: LayerFusion, grid: int) -> None:
        super().__init__()
        self.project, self.activation, self.sum = fusion.project, fusion.activation, _Sum()
        self.grid, self.scales = grid, fusion.scales
        self.coarse = sorted(set(fusion.scales) - {1})
        for scale in self.coarse:
            self.register_buffer(f"down_{scale}", _bilinear(grid // scale, grid))
        self.register_buffer("across", torch.cat([_bilinear(grid // scale, grid) for scale in self.coarse], dim=1))

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        totals: dict[int, torch.Tensor] = {}
        for feature_map, project, scale in zip(maps, self.project, self.scales, strict=True):
            summand = project(feature_map)
            totals[scale] = self.sum(totals[scale], summand) if scale in totals else summand
        channels, columns = totals[1].shape[1], []
        for scale in self.coarse:
            size = self.grid // scale
            rows = _channels_last(totals[scale]).reshape(-1, size, size * channels)
            rows = torch.matmul(self.get_buffer(f"down_{scale}"), rows)
            columns.append(rows.reshape(-1, self.grid, size, channels))
        enlarged = torch.matmul(self.get_buffer("across"), torch.cat(columns, dim=2))
        fused: torch.Tensor = self.activation(_channels_last(totals[1]) + enlarged)
        return fused


def _channels_last(maps: torch.Tensor) -> torch.Tensor:
    return maps.permute(0, 2, 3, 1)


def _bilinear(size: int, larger: int) -> torch.Tensor:
    """Bilinear enlargement of one axis as a matrix of (larger, size)."""
    unit = torch.eye(size)[None, None]
    return torch.nn.functional.interpolate(unit, size=(larger, size), mode="bilinear")[0, 0]


class _Backbone(torch.nn.Module):
    """Network of the engine file: everything up to the fused map and the exits, and the fused map's mean."""

    def __init__(self, student: Student, size_px: int) -> None:
        super().__init__()
        self.student = student
        self.fuse = _Fusion(student.fusion, size_px // 8)

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.student.maps(batch)
        fused, local, top = self.fuse(maps), _channels_last(maps[0]), _channels_last(maps[-1])
        exits = (self.student.exit_1, self.student.exit_2)
        early = [early_exit.linear(read.mean(dim=(1, 2))) for early_exit, read in zip(exits, (local, top), strict=True)]
        return fused, *early, local, top, fused.mean(dim=(1, 2))


def export_backbone(student: Student, path: Path, size_px: int) -> None:
    """Write the float backbone as ONNX: input ``batch`` (n 3 s s), outputs ``engine.OUTPUTS``.

    Batch norms are folded into the convolutions. The batch axis is dynamic. Maps have the channels last, which is how
    the int8 kernels compute them; the engine gives them out as views with the channels first.
    """
    student.eval()
    export_float(_Backbone(student, size_px), {"batch": torch.zeros(1, 3, size_px, size_px)}, OUTPUTS, path)


def head_of(student: Student) -> Head:
    """The float head's weights in numpy."""
    hidden, output = student.head.hidden, student.head.output
    parts = (hidden.weight, hidden.bias, output.weight, output.bias)
    return Head(*(part.detach().numpy().astype(np.float32) for part in parts))


def exit_weights(student: Student) -> dict[str, Any]:
    """The linear layers of the exits in numpy, by the names that ``weights.Manifest.exits`` looks for."""
    layers = {"exit_1": student.exit_1.linear, "exit_2": student.exit_2.linear}
    parts = {f"{name}_{part}": getattr(layer, part) for name, layer in layers.items() for part in ("weight", "bias")}
    return {name: part.detach().numpy().astype(np.float32) for name, part in parts.items()}


def quantize(
    float_path: Path,
    int8_path: Path,
    photos: Batch,
    calibration: Calibration,
    exclude: tuple[str, ...] = (),
    calibration_cache: Path | None = None,
    gptq_cache: Path | None = None,
) -> None:
    """Write the int8 backbone, its ranges calibrated on ``photos`` (network input of training photos).

    The exits' linear layers and the enlarging of coarse maps stay in float: they cost little. So does every layer
    whose name holds one of ``exclude``, such as ``blocks.0/``. ``calibration_cache`` and
    ``gptq_cache``: files where the calibrated ranges and the rounded weights are kept for another call.
    """
    prepared = float_path.with_suffix(".prepared.onnx")
    calibration_cache = calibration_cache or float_path.with_suffix(".ranges.json")
    gptq_cache = gptq_cache or float_path.with_suffix(".rounded.npz")
    quant_pre_process(str(float_path), str(prepared), skip_symbolic_shape=True)
    nodes = onnx.load(str(prepared)).graph.node
    linear = [node.name for node in nodes if node.op_type in {"Gemm", "MatMul", "ReduceMean"}]
    enlarging = [
        node.name
        for node in nodes
        if node.name.startswith("/fuse/") and node.op_type != "Conv" and "/sum" not in node.name
    ]
    float_nodes = [node.name for node in nodes if any(part in node.name for part in exclude)]
    try:
        with quiet():
            if not calibration_cache.exists():
                _calibrate(prepared, photos, calibration, calibration_cache)
            if not gptq_cache.exists():
                weights: dict[str, Any] = {**gptq_weights(prepared, photos[:ROUNDING_PHOTOS])}
                np.savez(gptq_cache, **weights)
            _put_weights(prepared, gptq_cache, float_nodes)
            write_int8(
                prepared,
                int8_path,
                None,
                calibrate_method=_METHODS[calibration],
                nodes_to_exclude=[*linear, *enlarging, *float_nodes],
                calibration_cache_path=calibration_cache,
            )
    finally:
        prepared.unlink(missing_ok=True)


def _put_weights(prepared: Path, gptq_cache: Path, float_nodes: list[str]) -> None:
    """Put rounded weights into the convolutions that will be quantized."""
    model = onnx.load(str(prepared))
    names = {
        name
        for node in model.graph.node
        if node.op_type == "Conv" and node.name not in float_nodes
        for name in node.input[1:]
    }
    with np.load(gptq_cache, allow_pickle=False) as weights:
        for constant in model.graph.initializer:
            if constant.name in names:
                constant.CopyFrom(onnx.numpy_helper.from_array(weights[constant.name], constant.name))
    onnx.save(model, str(prepared))


def _calibrate(prepared: Path, photos: Batch, calibration: Calibration, calibration_cache: Path) -> None:
    """Write the range of every tensor on ``photos``.

    By hand, since ``quantize_static`` gives entropy calibration as many bins as quantized ones: then the whole range
    is the only candidate, and it is MinMax under another name.
    """
    size = min(8, len(photos))  # the histograms need batches of one size: a remainder is left out
    with contextlib.redirect_stdout(sys.stderr):
        calibrator = create_calibrator(
            str(prepared),
            augmented_model_path=str(prepared.with_suffix(".augmented.onnx")),
            calibrate_method=_METHODS[calibration],
            extra_options=_OPTIONS[calibration],
        )
        for some in range(0, len(photos), 4 * size):  # all at once, the maps of 256 photos take 14 GB
            ends = range(some + size, min(some + 4 * size, len(photos)) + 1, size)
            if ends:
                calibrator.collect_data(Feeds({"batch": photos[end - size : end]} for end in ends))
        if calibration == "entropy":
            calibrator.collector.get_entropy_threshold = entropy_range
        save_tensors_data(calibrator.compute_data(), calibration_cache)
    prepared.with_suffix(".augmented.onnx").unlink(missing_ok=True)


def entropy_range(histogram: tuple[Any, ...], bins: int) -> tuple[Any, Any]:
    """ONNX Runtime's ``get_entropy_threshold`` of one tensor, with the same answer; that one adds bin by bin in Python.

    ``histogram``: counts, edges, least and largest value. Of the ranges about 0, the one whose ``bins`` quantized bins
    keep most of what the counts say: the least Kullback-Leibler divergence.
    """
    counts, edges, least, largest = histogram[:4]
    middle = counts.size // 2
    divergences = []
    for reach in range(bins // 2, middle + 1):
        start, end = middle - reach, min(middle + reach + 1, counts.size)
        own = counts[start:end]
        reference = own.copy()
        reference[0] += counts[:start].sum()
        reference[-1] += counts[end:].sum()
        width = own.size // bins
        merged = own[: bins * width].reshape(bins, width).sum(axis=1)
        merged[-1] += own[bins * width :].sum()
        filled = (reference[: bins * width] != 0).reshape(bins, width).sum(axis=1)
        quantized = np.zeros_like(reference)
        quantized[: bins * width] = np.repeat(np.where(filled, merged / np.maximum(filled, 1), 0), width)
        smooth = smooth_distribution(reference), smooth_distribution(quantized)
        divergences.append(np.inf if smooth[0] is None or smooth[1] is None else entropy(*smooth))
    reach = bins // 2 + int(np.argmin(np.array(divergences)))
    low, high = edges[middle - reach], edges[min(middle + reach + 1, counts.size)]
    return max(low, least), min(high, largest)


def parity(reference: Float32[Array, "n 7"], quantized: Float32[Array, "n 7"]) -> dict[str, float]:
    """Parity of int8 and float logits: share of equal top-1, and distances of the logits."""
    return {
        "top1_agreement": float((reference.argmax(axis=1) == quantized.argmax(axis=1)).mean()),
        "logit_mean_abs": float(np.abs(reference - quantized).mean()),
        "logit_max_abs": float(np.abs(reference - quantized).max()),
    }
