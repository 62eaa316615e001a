"""GPTQ rounding of convolution weights: the errors of a layer's weights cancel on real photos.

Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022 (after Hassibi
and Stork's optimal brain surgeon, 1993), for convolutions: the weights of an output channel are rounded one after the
other, and what each is off by is taken up by those that follow, in the least-squares sense over the inputs x of that
layer on training photos. With H = Σ x xᵀ and U the upper Cholesky factor of H⁻¹,

    w_j ← w_j − (w_i − round(w_i)) U_ij / U_ii    for j > i        (equation 3, algorithm 1)

The bias is the last of them, an input that is always 1, and is not rounded: it takes up what is left of the mean.

The grid is the quantizer's: an output channel's largest weight keeps its value, so that its scale stays what it was.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from jaxtyping import Float32, Float64
from onnx import numpy_helper

from skinlens.records import Array, Batch

LEVELS = 64
"""Steps from zero to the largest weight: seven bits with a sign, as ``reduce_range`` has it."""
SAMPLED_POSITIONS = 64
"""Of a photo's map that count at most: neighbours say nearly the same, and the early maps have thousands."""
DAMPING = 0.01
"""Added to the diagonal of H, in shares of its mean: inputs that never vary would make it singular."""
_PHOTOS = 4

Weights = Float64[Array, "g r m"]
"""Groups of output channels that read the same m inputs: one group for a dense layer, one a channel for depthwise."""
Moments = Float64[Array, "g n n"]
"""H of each group, n = m + 1: the last input is the constant 1 of the bias."""


def gptq_round(
    weights: Weights, bias: Float64[Array, "g r"], moments: Moments
) -> tuple[Weights, Float64[Array, "g r"]]:
    """Weights on the grid, and the bias that goes with them."""
    count = weights.shape[2]
    step = np.abs(weights).max(axis=2) / LEVELS
    step[step == 0] = 1
    # Inputs that carry most come first, while many are left to take up the error.
    order = np.argsort(-np.diagonal(moments, axis1=1, axis2=2)[:, :count], axis=1, kind="stable")
    rounded = np.take_along_axis(weights, order[:, np.newaxis], axis=2)
    largest = np.abs(rounded).argmax(axis=2)
    level = np.sign(np.take_along_axis(rounded, largest[..., np.newaxis], axis=2))[..., 0] * LEVELS
    bias = bias.copy()
    upper = _upper_factor(moments, order)
    for place in range(count):
        exact = rounded[:, :, place].copy()
        grid = np.clip(np.round(exact / step), -LEVELS, LEVELS)
        rounded[:, :, place] = np.where(largest == place, level, grid) * step
        error = (exact - rounded[:, :, place]) / upper[:, np.newaxis, place, place]
        rounded[:, :, place + 1 :] -= error[..., np.newaxis] * upper[:, np.newaxis, place, place + 1 : count]
        bias -= error * upper[:, np.newaxis, place, count]
    weights_in_order = np.empty_like(rounded)
    np.put_along_axis(weights_in_order, np.broadcast_to(order[:, np.newaxis], weights_in_order.shape), rounded, axis=2)
    return weights_in_order, bias


def _upper_factor(moments: Moments, order: Array) -> Moments:
    count = order.shape[1]
    places = np.concatenate([order, np.full((len(order), 1), count)], axis=1)
    sorted_ = np.take_along_axis(moments, places[:, :, np.newaxis], axis=1)
    sorted_ = np.take_along_axis(sorted_, places[:, np.newaxis], axis=2)
    diagonal = np.arange(count)
    damping = DAMPING * sorted_[:, diagonal, diagonal].mean(axis=1) + 1e-12
    sorted_[:, diagonal, diagonal] += damping[:, np.newaxis]
    return np.linalg.cholesky(np.linalg.inv(sorted_)).transpose(0, 2, 1)


def gptq_weights(path: Path, photos: Batch) -> dict[str, Float32[Array, "..."]]:
    """New weights and biases for every convolution of a float ONNX file, by the names of its initializers.

    Takes about ten seconds for 128 photos. Every convolution must have a bias, as those with a folded batch norm do.
    """
    graph = onnx.load(str(path)).graph
    constants = {initializer.name: numpy_helper.to_array(initializer) for initializer in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    moments = _moments(path, convolutions, constants, photos)
    replacements: dict[str, Array] = {}
    for node in convolutions:
        weight, bias = (constants[name] for name in node.input[1:3])
        groups = len(moments[node.name])
        rounded, shifted = gptq_round(
            weight.reshape(groups, len(weight) // groups, -1).astype(np.float64),
            bias.reshape(groups, -1).astype(np.float64),
            moments[node.name],
        )
        replacements[node.input[1]] = rounded.reshape(weight.shape).astype(np.float32)
        replacements[node.input[2]] = shifted.reshape(bias.shape).astype(np.float32)
    return replacements


def _moments(path: Path, convolutions: list[Any], constants: dict[str, Array], photos: Batch) -> dict[str, Array]:
    """H of each convolution, over its inputs on ``photos``."""
    wanted = sorted({node.input[0] for node in convolutions} - {"batch"})
    model = onnx.load(str(path))
    given = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in wanted if name not in given)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    moments: dict[str, Array] = {}
    for start in range(0, len(photos), _PHOTOS):
        batch = photos[start : start + _PHOTOS]
        maps = dict(zip(wanted, session.run(wanted, {"batch": batch}), strict=True)) | {"batch": batch}
        for node in convolutions:
            inputs = _inputs(maps[node.input[0]], node, constants[node.input[1]].shape).astype(np.float64)
            moments[node.name] = moments.get(node.name, 0) + inputs @ inputs.transpose(0, 2, 1)
    return moments


def _inputs(maps: Float32[Array, "p c h w"], node: Any, shape: tuple[int, ...]) -> Float32[Array, "g n q"]:
    """What the convolution reads at some places of its output, by group, and the constant 1."""
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    top, left, bottom, right = attributes.get("pads", [0] * 4)
    stride = attributes.get("strides", [1, 1])[0]
    padded = np.pad(maps, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    every = max(1, int((windows.shape[2] * windows.shape[3] / SAMPLED_POSITIONS) ** 0.5))
    some = windows[:, :, every // 2 :: every, every // 2 :: every]
    groups = attributes.get("group", 1)
    inputs = some.transpose(1, 4, 5, 0, 2, 3).reshape(groups, shape[1] * shape[2] * shape[3], -1)
    return np.concatenate([inputs, np.ones_like(inputs[:, :1])], axis=1)
