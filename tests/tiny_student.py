"""A small real model: the student with few fused channels at 64 px, exported to a float and to an int8 engine.

Torch, which takes seconds to import, is imported by the fixtures that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import jaxtyping
import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor, make_tensor_value_info

from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import InputSpec, to_batch
from skinlens.inference.classifier import Classifier
from skinlens.inference.engine import Engine, ExitLayer, Exits, Head
from skinlens.inference.ood import MahalanobisOOD
from skinlens.labels import CODES
from skinlens.records import ModelRef, Photo, Threshold

if TYPE_CHECKING:
    from skinlens.networks.student import Student
    from tests.logits_model import LogitsModel

__all__ = ["classifier", "float_path", "int8_classifier", "logits_model", "mirror", "photos", "student"]
"""The fixtures, for the ``conftest.py`` of the folders that use them."""

SPEC = InputSpec(size_px=64)
CHANNELS, HIDDEN = 32, 24
DEAD = [3, 17, 29]
"""Channels of the fused map that are 0 for every photo."""


@contextmanager
def unchecked_shapes() -> Iterator[None]:
    """For torch's tracer, which makes tensors of the sizes that are checked."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def draw_photo(seed: int, height_px: int = 120, width_px: int = 150) -> Photo:
    """Skin-colored noise with one dark blot and some dots, all placed by the seed."""
    random = np.random.default_rng(seed)
    down, right = np.mgrid[0:height_px, 0:width_px]
    pixels = np.array([210, 160, 140]) + random.normal(0, 6, (height_px, width_px, 3))
    for darkness, radius in ((110, 30), (50, 12), (-40, 6), (60, 5), (70, 4)):
        center = random.uniform(0.25, 0.75, 2) * (height_px, width_px)
        distance = np.hypot(down - center[0], right - center[1])
        tint = random.uniform(0.6, 1, 3)
        pixels -= darkness * tint / (1 + np.exp((distance - radius) / 2))[..., np.newaxis]
    return photo_from_pixels(np.clip(pixels, 0, 255).astype(np.uint8), "PNG")


@pytest.fixture(scope="session")
def photos() -> list[Photo]:
    return [draw_photo(seed) for seed in range(4)]


@pytest.fixture(scope="session")
def student() -> Student:
    """Random weights of a fixed seed; its batch statistics are those of a few photos, so that its logits differ."""
    import torch

    from skinlens.networks.configs import StudentConfig
    from skinlens.networks.student import Student

    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        student = Student(StudentConfig(fused_channels=CHANNELS, hidden=HIDDEN, drop_path=0.0))
        for module in student.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the plain mean over what is seen next
        student.train().features(torch.from_numpy(to_batch([draw_photo(seed) for seed in range(10, 18)], SPEC)))
        for projection in student.fusion.project:
            projection[1].bias[DEAD] = -1000
        student.head.output.weight *= 20
    return student.eval()


@pytest.fixture(scope="session")
def float_path(student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from skinlens.quantization.ptq import export_backbone

    path = tmp_path_factory.mktemp("models") / "float.onnx"
    with unchecked_shapes():
        export_backbone(student, path, SPEC.size_px)
    return path


def _classifier(path: Path, student: Student) -> Classifier:
    from skinlens.quantization.ptq import exit_weights, head_of

    parts = exit_weights(student)
    exits = Exits(
        ExitLayer(parts["exit_1_weight"], parts["exit_1_bias"], 2.0, 0.3),
        ExitLayer(parts["exit_2_weight"], parts["exit_2_bias"], 0.5, 0.6),
    )
    engine = Engine(path, head_of(student), SPEC, ModelRef("tiny", "0", "0" * 64), exits=exits)
    ood = MahalanobisOOD(np.zeros(CHANNELS, np.float32), np.eye(CHANNELS, dtype=np.float32), 1.0)
    return Classifier(engine, 1.5, Threshold(0.2, 0.9, 0.7, "val"), ood)


@pytest.fixture(scope="session")
def classifier(student: Student, float_path: Path) -> Classifier:
    """On the float engine, which computes what the torch student computes."""
    return _classifier(float_path, student)


@pytest.fixture(scope="session")
def int8_classifier(student: Student, float_path: Path) -> Classifier:
    """On an engine quantized as the shipped one is."""
    from skinlens.quantization.ptq import quantize

    path = float_path.with_name("int8.onnx")
    quantize(float_path, path, to_batch([draw_photo(seed) for seed in range(20, 24)], SPEC), "minmax")
    return _classifier(path, student)


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Head], Engine]:
    """An engine whose fused map is its input, clipped to [0, 6]: a map by hand, of 3 channels and 2 × 2 places."""
    nodes = [
        make_node("Clip", ["batch", "low", "high"], ["fused"]),
        make_node("ReduceMean", ["fused"], ["pooled"], axes=[2, 3], keepdims=0),
        make_node("MatMul", ["pooled", "zeros"], ["exit_1"]),
        make_node("Identity", ["exit_1"], ["exit_2"]),
    ]
    constants = [
        make_tensor("low", TensorProto.FLOAT, [], [0.0]),
        make_tensor("high", TensorProto.FLOAT, [], [6.0]),
        make_tensor("zeros", TensorProto.FLOAT, [3, len(CODES)], [0.0] * 3 * len(CODES)),
    ]
    shapes = {"fused": ["n", 3, 2, 2], "exit_1": ["n", len(CODES)], "exit_2": ["n", len(CODES)]}
    outputs = [make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    inputs = [make_tensor_value_info("batch", TensorProto.FLOAT, ["n", 3, 2, 2])]
    model = make_model(make_graph(nodes, "mirror", inputs, outputs, constants), opset_imports=[make_opsetid("", 17)])
    model.ir_version = 8
    path = tmp_path_factory.mktemp("models") / "mirror.onnx"
    onnx.save(model, str(path))
    return lambda head: Engine(path, head, InputSpec(size_px=2), ModelRef("mirror", "0", "0" * 64))


@pytest.fixture
def logits_model(student: Student) -> LogitsModel:
    from tests.logits_model import LogitsModel

    return LogitsModel(student)
