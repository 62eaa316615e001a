"""The serving network is the trained one in another order."""

from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from onnxruntime.quantization.calibrate import HistogramCollector

from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.engine import Engine, EngineOutput, pool
from skinlens.networks.configs import StudentConfig
from skinlens.networks.student import Student
from skinlens.quantization.ptq import entropy_range, export_backbone, head_of
from skinlens.records import ModelRef
from tests.closeness import NETWORK, ONE_LAYER, assert_near

pytestmark = pytest.mark.slow

SIZE = 64


@pytest.mark.parametrize("fusion", [True, False])
def test_the_float_file_computes_what_the_student_computes(fusion: bool, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        student = Student(StudentConfig(fused_channels=16, hidden=8, fusion=fusion)).eval()
    jaxtyping.config.update("jaxtyping_disable", True)  # torch's tracer makes tensors of the sizes that are checked
    try:
        export_backbone(student, tmp_path / "float.onnx", SIZE)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    engine = Engine(tmp_path / "float.onnx", head_of(student), InputSpec(SIZE), ModelRef("x", "0", "0" * 64))
    batch = np.random.default_rng(0).uniform(-1, 1, (5, 3, SIZE, SIZE)).astype(np.float32)
    with torch.no_grad():
        expected, maps = student(torch.from_numpy(batch)), student.maps(torch.from_numpy(batch))
    found = engine.run(batch)
    assert isinstance(found, EngineOutput)
    for one, other in zip(found, (*expected[:3], maps[0], maps[-1]), strict=True):
        assert_near(one, other, NETWORK)
        assert np.ptp(one) > 1e-3
    assert_near(engine.logits(batch), expected.logits, NETWORK)
    assert_near(engine.pooled(batch), pool(found.fused), ONE_LAYER)


VALUES = {
    "about 0": lambda random: random.normal(0, 1, 5000),
    "after an activation": lambda random: np.clip(random.normal(0, 2, 5000), 0, 6),
    "of one sign": lambda random: random.normal(5, 0.1, 3000),
    "with few far away": lambda random: np.clip(random.standard_cauchy(4000), -50, 50),
    "whole numbers": lambda random: random.integers(0, 3, 500),
    "nothing": lambda random: np.zeros(100),
}


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("batches", [1, 2])
def test_the_range_of_least_divergence_is_that_of_onnx_runtime(values: str, batches: int) -> None:
    """With one batch there are as many bins as asked for, with a second of larger values there are more."""
    random, collector = np.random.default_rng(1), HistogramCollector("entropy", False, 256, 64, 99.99, None)
    for batch in range(batches):
        collector.collect_value({"map": (VALUES[values](random) * (1 + 0.2 * batch)).astype(np.float32)})
    histogram = collector.histogram_dict["map"]
    expected = collector.get_entropy_threshold(histogram, 64)
    assert entropy_range(histogram, 64) == expected
    if values != "nothing":
        assert expected[0] < expected[1]
