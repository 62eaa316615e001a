"""Rounding weights together: on the quantizer's grid, by hand, and better than each by itself."""

from pathlib import Path

import jaxtyping
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from skinlens.networks.configs import StudentConfig
from skinlens.networks.student import Student
from skinlens.quantization.gptq import LEVELS, gptq_round
from skinlens.quantization.ptq import export_backbone, quantize

pytestmark = pytest.mark.slow


def moments_of(inputs):
    with_one = np.concatenate([inputs, np.ones((1, inputs.shape[1]))])
    return (with_one @ with_one.T)[np.newaxis]


def test_by_hand():
    """The grid of a largest weight of 64 is the whole numbers. The second input is the first but for a little, so the
    .4 by which the first weight is off goes to the second, which then rounds up to 1: 3.4 + .4 = 3 + 1 − .2.
    """
    first = np.array([1.0, -1, 2, -2, 1, -1])
    noise = np.array([1.0, 1, -1, -1, 0, 0]) * 1e-3  # neither correlates with the mean
    third = np.array([0, 0, 0, 0, 1.0, 1]) * 1e-3
    inputs = np.stack([first * 1.01, first + noise, third])
    rounded, bias = gptq_round(np.array([[[3.4, 0.4, 64.0]]]), np.array([[5.0]]), moments_of(inputs))
    assert rounded.tolist() == [[[3, 1, 64]]]
    np.testing.assert_allclose(bias, 5, atol=0.05)


def test_the_bias_takes_up_what_a_constant_input_leaves():
    inputs = np.stack([np.full(50, 2.0), np.random.default_rng(0).normal(size=50)])
    rounded, bias = gptq_round(np.array([[[3.3, 64.0]]]), np.array([[1.0]]), moments_of(inputs))
    assert rounded.tolist() == [[[3, 64]]]
    np.testing.assert_allclose(bias, [[1.6]], atol=0.02)


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 3), st.integers(1, 3))
def test_on_the_grid_with_the_largest_where_it_was(seed, count, rows, groups):
    random = np.random.default_rng(seed)
    weights = random.normal(size=(groups, rows, count))
    inputs = random.normal(size=(groups, count, 40)) + random.normal(size=(groups, 1, 40))
    moments = np.concatenate([moments_of(one) for one in inputs])
    rounded, _ = gptq_round(weights, np.zeros((groups, rows)), moments)
    largest = np.abs(weights).max(axis=2)
    levels = rounded / (largest / LEVELS)[..., np.newaxis]
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-9)
    np.testing.assert_allclose(np.abs(rounded).max(axis=2), largest)


def test_the_outputs_are_closer_than_with_each_weight_to_its_nearest():
    random = np.random.default_rng(0)
    mixed = random.normal(size=(30, 6)) @ random.normal(size=(6, 2000)) + 0.3 * random.normal(size=(30, 2000))
    weights = random.normal(size=(1, 8, 30))
    step = np.abs(weights).max(axis=2, keepdims=True) / LEVELS
    rounded, bias = gptq_round(weights, np.zeros((1, 8)), moments_of(mixed))
    nearest = np.round(weights / step) * step
    error = np.square((rounded - weights)[0] @ mixed + bias[0][:, np.newaxis]).mean()
    assert error < 0.4 * np.square((nearest - weights)[0] @ mixed).mean()


def test_the_quantizer_stores_exactly_these_weights(tmp_path: Path):
    with torch.random.fork_rng():
        torch.manual_seed(2)
        student = Student(StudentConfig(fused_channels=16, hidden=8)).eval()
    size = 64
    photos = np.random.default_rng(0).uniform(-1, 1, (8, 3, size, size)).astype(np.float32)
    path, int8 = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    jaxtyping.config.update("jaxtyping_disable", True)  # torch's tracer makes tensors of the sizes that are checked
    try:
        export_backbone(student, path, size)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    quantize(path, int8, photos, "minmax", ("stem", "blocks.0/"), gptq_cache=tmp_path / "rounded.npz")
    stored = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(int8)).graph.initializer}
    with np.load(tmp_path / "rounded.npz", allow_pickle=False) as chosen:
        found = 0
        for name in chosen.files:
            if f"{name}_quantized" in stored and chosen[name].ndim == 4:
                scale = stored[f"{name}_scale"].reshape(-1, 1, 1, 1)
                np.testing.assert_allclose(stored[f"{name}_quantized"] * scale, chosen[name], rtol=1e-5, atol=1e-7)
                found += 1
        assert found > 30
