"""The head by hand, the cut between engine and head, and weights that are not the released ones."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from skinlens.errors import WeightsError
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.engine import Engine, Head, pool
from skinlens.inference.release import load_engine, load_manifest
from skinlens.networks.configs import StudentConfig
from skinlens.networks.student import Student
from skinlens.records import Array, Batch, ModelRef
from tests.closeness import NETWORK, ONE_LAYER, assert_near

pytestmark = pytest.mark.slow  # imports torch


@pytest.fixture
def head() -> Head:
    """Two channels, two hidden units of which the second is off for the map below."""
    output = np.zeros((7, 2), np.float32)
    output[0], output[4] = (1, 5), (-2, 7)
    return Head(np.array([[1, 2], [-1, 0]], np.float32), np.array([0.5, 0], np.float32), output, np.ones(7, np.float32))


MAP = np.array([[[[1, 2], [3, 6]], [[0, 4], [0, 0]]]], np.float32)  # means 3 and 1


def test_head_by_hand(head: Head) -> None:
    assert pool(MAP).tolist() == [[3, 1]]
    # hidden: relu(3 + 2·1 + .5) = 5.5 and relu(−3) = 0
    np.testing.assert_allclose(head.logits(MAP)[0], [6.5, 1, 1, 1, -10, 1, 1])


def test_gradient_by_hand(head: Head) -> None:
    """Of logit 4: −2 · (1, 2) over four places; the second unit is off and passes nothing."""
    logit_weights = np.zeros(7, np.float32)
    logit_weights[4] = 1
    np.testing.assert_allclose(head.channel_gradient(MAP, logit_weights), [-0.5, -1.0])


def test_gradient_is_autograds() -> None:
    torch.manual_seed(3)
    network = Student(StudentConfig(fused_channels=12, hidden=9)).head.eval()
    ours = Head(*(part.detach().numpy() for part in (*network.hidden.parameters(), *network.output.parameters())))
    fused = torch.rand(1, 12, 5, 5, requires_grad=True)
    logit_weights = torch.randn(7)
    (network(fused) @ logit_weights).sum().backward()
    assert fused.grad is not None
    expected = fused.grad.numpy()
    closed = ours.channel_gradient(fused.detach().numpy(), logit_weights.numpy())
    assert_near(np.broadcast_to(closed[None, :, None, None], expected.shape), expected, ONE_LAYER)


def test_a_file_that_is_no_network(tmp_path: Path, head: Head) -> None:
    path = tmp_path / "engine.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(WeightsError, match="is not a network that can be loaded"):
        Engine(path, head, InputSpec(), ModelRef("x", "0", "0" * 64))


def test_an_altered_file_is_refused(release: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(release, folder)
    name = json.loads((folder / "manifest.json").read_text())["backbones"]["int8"]
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(WeightsError, match="is not the one that was released: expected SHA-256"):
        load_engine(folder)


def test_a_missing_file_and_a_missing_folder(release: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(release, folder)
    (folder / "head.npz").unlink()
    with pytest.raises(WeightsError, match=r"head\.npz cannot be read"):
        load_engine(folder)
    with pytest.raises(WeightsError, match="No model is installed"):
        load_manifest(tmp_path / "nowhere")


def test_other_classes_are_refused(release: Path, tmp_path: Path) -> None:
    content = json.loads((release / "manifest.json").read_text())
    content["labels"] = ["a", "b"]
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(WeightsError, match="expected the classes"):
        load_manifest(tmp_path)


def test_the_exits_are_linear_in_the_mean_of_the_maps_that_the_engine_gives_out(release: Path) -> None:
    engine = load_engine(release)
    size = engine.spec.size_px
    output = engine.run(np.random.default_rng(0).uniform(-1, 1, (17, 3, size, size)).astype(np.float32))
    assert engine.exits is not None
    for maps, logits, layer in zip((output.local, output.top), output[1:3], engine.exits, strict=True):
        assert maps is not None
        assert np.ptp(maps) > 0
        expected = maps.mean(axis=(2, 3)) @ layer.weight.T + layer.bias
        assert_near(logits, expected, ONE_LAYER)
    known = load_manifest(release).content["exits"]
    assert [layer.temperature for layer in engine.exits] == [
        known[name]["temperature"] for name in ("exit_1", "exit_2")
    ]
    assert all(0 <= layer.balanced_accuracy <= 1 for layer in engine.exits)


class Listening(Engine):
    """Notes which outputs it is asked for."""

    asked: ClassVar[list[Sequence[str]]] = []

    def _computed(self, batch: Batch, names: Sequence[str], turns: int) -> list[Array]:
        self.asked.append(names)
        return super()._computed(batch, names, turns)


def test_a_prediction_asks_for_the_mean_of_the_fused_map_alone(release: Path) -> None:
    manifest = load_manifest(release)
    file, spec = manifest.read(manifest.content["backbones"]["int8"]), manifest.input_spec
    engine = Listening(file, manifest.head(), spec, manifest.model_ref())
    batch = np.random.default_rng(0).uniform(-1, 1, (2, 3, spec.size_px, spec.size_px)).astype(np.float32)
    engine.logits(batch)
    assert engine.asked == [("pooled",)]
    assert_near(engine.features(batch), engine.run(batch).fused, ONE_LAYER)
    assert_near(engine.pooled(batch), pool(engine.features(batch)), ONE_LAYER)


def test_a_photo_alone_and_in_company_gets_the_same_answer(release: Path) -> None:
    engine = load_engine(release)
    size = engine.spec.size_px
    batch = np.random.default_rng(0).uniform(-1, 1, (19, 3, size, size)).astype(np.float32)
    together = engine.logits(batch)
    alone = np.concatenate([engine.logits(batch[place : place + 1]) for place in range(len(batch))])
    assert_near(together, alone, NETWORK)


def test_one_and_two_threads_give_the_same_answer(release: Path) -> None:
    one, two = load_engine(release, threads=1), load_engine(release, threads=2)
    size = one.spec.size_px
    batch = np.random.default_rng(1).uniform(-1, 1, (3, 3, size, size)).astype(np.float32)
    assert_near(one.logits(batch), two.logits(batch), NETWORK)
