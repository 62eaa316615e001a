"""Sensitivity: every group of layers is found in the graph, alone and together, and the picture is drawn."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jaxtyping
import onnx
import pytest

from skinlens.quantization import sensitivity as module
from skinlens.quantization.ptq import export_backbone
from skinlens.quantization.sensitivity import GROUPS, sensitivity, write
from skinlens.training.loop import load_student, train
from skinlens.training.protocols import lesion_disjoint_split
from tests.tiny_release import RECIPE, draw_dataset

pytestmark = pytest.mark.slow


@pytest.fixture
def traced() -> Iterator[None]:
    """For torch's tracer: it makes tensors of the sizes that are checked."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_groups_share_out_all_convolutions(traced: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training, validation = draw_dataset(tmp_path / "a", 1, 2), draw_dataset(tmp_path / "b", 2, 2)
    train(replace(RECIPE, epochs=1), lesion_disjoint_split(training, validation, RECIPE), tmp_path / "run")
    export_backbone(load_student(tmp_path / "run" / "best.pt")[0], tmp_path / "x.onnx", RECIPE.input.size_px)
    convolutions = [node.name for node in onnx.load(str(tmp_path / "x.onnx")).graph.node if node.op_type == "Conv"]
    owners = [sum(part in name for part in GROUPS.values()) for name in convolutions]
    assert owners == [1] * len(convolutions), [
        one for one, count in zip(convolutions, owners, strict=True) if count != 1
    ]
    monkeypatch.setattr(module, "GROUPS", {"fusion": "/fuse/"})
    found = sensitivity(tmp_path / "run", training, validation, say=lambda text: None)
    assert [row["group"] for row in found["groups"]] == ["fusion", "everything"]
    assert found["groups"][0]["logit_mean_abs"] > 0
    write(found, tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text()) == found
    assert (tmp_path / "found.png").stat().st_size > 1000
