"""Int8 scheme of every served network: its float form in ONNX, and that form quantized.

QDQ, one scale per output channel for the signed 8-bit weights, one per tensor for the unsigned 8-bit activations,
weights in a reduced range of seven bits so that the 16-bit sums of AVX2 kernels cannot saturate. The last is what makes
a machine without VNNI instructions give the answers of one with them.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import Tensor, nn

from skinlens.records import Array


def export_float(network: nn.Module, inputs: dict[str, Tensor], outputs: Sequence[str], path: Path) -> None:
    """Write a network as ONNX, batch norms folded into convolutions; the first axis of all named tensors is dynamic."""
    with warnings.catch_warnings(), torch.no_grad():
        # The tracing exporter is deprecated in favour of one that needs a further package and folds no batch norms.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=[*inputs],
            output_names=[*outputs],
            dynamic_axes={name: {0: "n"} for name in (*inputs, *outputs)},
        )


class Feeds(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime ships no types
    """Inputs of the network by their names, one batch after another, on which ranges are calibrated."""

    def __init__(self, feeds: Iterator[dict[str, Array]]) -> None:
        self._feeds = feeds

    def get_next(self) -> dict[str, Array] | None:
        return next(self._feeds, None)


@contextmanager
def quiet() -> Iterator[None]:
    """Errors alone: the quantizer announces every tensor it leaves alone, and asks for what the exporter has done."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def write_int8(float_path: Path, int8_path: Path, feeds: Feeds | None, **options: Any) -> None:
    """Quantize an ONNX file; ``feeds`` may be None where ``options`` of ``quantize_static`` name calibrated ranges."""
    quantize_static(
        str(float_path),
        str(int8_path),
        feeds,
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        **options,
    )
