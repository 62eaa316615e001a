"""Float student → int8 engine file: static post-training quantization with ONNX Runtime, and how well it held.

Scheme: QDQ, one scale per output channel for the signed 8-bit weights, one per tensor for the unsigned 8-bit
activations, weights in a reduced range of seven bits so that the 16-bit sums of AVX2 kernels cannot saturate. The
last is what makes a machine without VNNI instructions give the answers of one with them.
"""

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnx
import torch
from jaxtyping import Float32
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    create_calibrator,
    quantize_static,
    save_tensors_data,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from skinlens.models.engine import OUTPUTS, Head
from skinlens.models.student import Student
from skinlens.records import Array, Batch

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


class _Backbone(torch.nn.Module):
    """What becomes the engine file: everything up to the fused map and the exits."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.student.features_and_exit_maps(batch)


def export_backbone(student: Student, path: Path, size_px: int) -> None:
    """Write the float backbone as ONNX: input ``batch`` (n 3 s s), outputs ``engine.OUTPUTS``.

    Batch norms are folded into the convolutions. The batch axis is dynamic.
    """
    student.eval()
    with warnings.catch_warnings(), torch.no_grad():
        # The tracing exporter is deprecated in favour of one that needs a further package and folds no batch norms.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            _Backbone(student).eval(),
            (torch.zeros(1, 3, size_px, size_px),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["batch"],
            output_names=[*OUTPUTS],
            dynamic_axes={name: {0: "n"} for name in ("batch", *OUTPUTS)},
        )


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


class _Batches(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime ships no types
    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches

    def get_next(self) -> dict[str, Batch] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"batch": batch}


def quantize(
    float_path: Path,
    int8_path: Path,
    photos: Batch,
    calibration: Calibration,
    keep_float: tuple[str, ...] = (),
    ranges: Path | None = None,
) -> None:
    """Write the int8 backbone, its ranges calibrated on ``photos`` (network input of training photos).

    The exits' linear layers stay in float: they cost nothing. So does every layer whose name holds one of
    ``keep_float``, such as ``blocks.0/``. ``ranges``: a file where the calibrated ranges are kept for another call.
    """
    prepared = float_path.with_suffix(".prepared.onnx")
    ranges = ranges or float_path.with_suffix(".ranges.json")
    quant_pre_process(str(float_path), str(prepared), skip_symbolic_shape=True)
    nodes = onnx.load(str(prepared)).graph.node
    linear = [node.name for node in nodes if node.op_type in {"Gemm", "MatMul", "ReduceMean"}]
    kept = [node.name for node in nodes if any(part in node.name for part in keep_float)]
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it announces every tensor it leaves alone
    try:
        if not ranges.exists():
            _calibrate(prepared, photos, calibration, ranges)
        quantize_static(
            str(prepared),
            str(int8_path),
            None,
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            calibrate_method=_METHODS[calibration],
            nodes_to_exclude=[*linear, *kept],
            calibration_cache_path=ranges,
        )
    finally:
        logger.setLevel(level)
        prepared.unlink(missing_ok=True)


def _calibrate(prepared: Path, photos: Batch, calibration: Calibration, ranges: Path) -> None:
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
                calibrator.collect_data(_Batches(iter(photos[end - size : end] for end in ends)))
        save_tensors_data(calibrator.compute_data(), ranges)
    prepared.with_suffix(".augmented.onnx").unlink(missing_ok=True)


def parity(reference: Float32[Array, "n 7"], quantized: Float32[Array, "n 7"]) -> dict[str, float]:
    """How far int8 logits keep to the float ones: share of equal top-1, and distances of the logits."""
    return {
        "top1_agreement": float((reference.argmax(axis=1) == quantized.argmax(axis=1)).mean()),
        "logit_mean_abs": float(np.abs(reference - quantized).mean()),
        "logit_max_abs": float(np.abs(reference - quantized).max()),
    }
