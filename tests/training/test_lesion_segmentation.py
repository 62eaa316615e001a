"""An outline head trained on a tiny release: it learns, it comes out the same again, and it stays with its engine."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from skinlens.doctor import examine
from skinlens.errors import DatasetError, WeightsError
from skinlens.evaluation.segmentation import dice, evaluate_segmentation, iou, summary
from skinlens.imaging.intake import read_photo
from skinlens.inference.release import load_engine
from skinlens.quantization.segmentation_release import OUTLINE, add_figures
from skinlens.segmentation.contour import mask_in_view
from skinlens.segmentation.head import SegmentationHead, load_segmentation_head, propose
from skinlens.training.ham10000_masks import load_mask, mask_paths
from skinlens.training.lesion_segmentation import segmentation_loss, turned
from tests.tiny_outline import Drawn, draw_outlined, with_outline

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return draw_outlined(tmp_path_factory.mktemp("drawn") / "data")


def test_it_finds_the_blots(outlined_release: Path, drawn: Drawn) -> None:
    _, validation, masks = drawn
    figures = evaluate_segmentation(outlined_release, validation, masks)
    assert figures["dice"]["value"] > 0.8
    assert figures["dice"]["low"] <= figures["dice"]["value"] <= figures["dice"]["high"]
    assert 0 < figures["iou"]["value"] < figures["dice"]["value"]
    assert figures["n"] == len(validation) == 14
    assert f"dice {figures['dice']['value']:.4f}" in summary("val", figures)


def test_the_manifest_vouches_for_it(outlined_release: Path) -> None:
    content = json.loads((outlined_release / "manifest.json").read_text())
    assert content["outline"]["file"] == OUTLINE
    assert content["outline"]["backbone_sha256"] == content["files"]["student-int8.onnx"]["sha256"]
    assert content["files"][OUTLINE]["bytes"] == (outlined_release / OUTLINE).stat().st_size
    assert content["outline"]["parity"]["dice_int8_float_mean"] > 0.95
    assert not list(outlined_release.glob("*.part*"))


def test_figures_are_added_and_nothing_else_is_changed(outlined_release: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(outlined_release, folder)
    add_figures(folder, "val", {"n": 1})
    again = json.loads((folder / "manifest.json").read_text())
    assert again["outline"].pop("figures") == {"val": {"n": 1}}
    assert again == json.loads((outlined_release / "manifest.json").read_text())


def test_the_same_seed_gives_the_same_file(release: Path, outlined_release: Path, drawn: Drawn, tmp_path: Path) -> None:
    again = with_outline(release, drawn, tmp_path / "weights")
    assert (again / OUTLINE).read_bytes() == (outlined_release / OUTLINE).read_bytes()


def test_a_proposal_encloses_the_blot(outlined_release: Path, drawn: Drawn) -> None:
    _, validation, masks = drawn
    engine, head = load_engine(outlined_release), load_segmentation_head(outlined_release)
    photo = read_photo(validation[0].path.read_bytes())
    found = propose(engine, head, photo).outline
    assert found is not None
    assert (found.made_by, found.model, found.photo_sha256) == ("model", head.model_ref, photo.sha256)
    truth = np.asarray(
        Image.fromarray(load_mask(validation[0].image_id, masks)).resize((64, 64), Image.Resampling.NEAREST)
    )
    assert dice(mask_in_view(found, photo, engine.spec), truth) > 0.7


def test_a_head_of_another_engine_is_refused(outlined_release: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(outlined_release, folder)
    content = json.loads((folder / "manifest.json").read_text())
    content["outline"]["backbone_sha256"] = "f" * 64
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=r"was made for another model.*outline-train"):
        load_segmentation_head(folder)
    wrong = {finding.what: finding for finding in examine(folder, tmp_path / "home")}["outline of the lesion"]
    assert not wrong.passed
    assert "another model" in wrong.message


def test_a_release_without_a_head_says_so(release: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"released without an outline.*outline-train"):
        load_segmentation_head(release)
    finding = {one.what: one for one in examine(release, tmp_path / "home")}["outline of the lesion"]
    assert finding.passed
    assert "none" in finding.message


def test_an_altered_head_and_another_network_are_refused(outlined_release: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(outlined_release, folder)
    (folder / OUTLINE).write_bytes((folder / OUTLINE).read_bytes()[:-1])
    with pytest.raises(WeightsError, match="is not the one that was released"):
        load_segmentation_head(folder)
    model_ref = load_engine(outlined_release).model_ref
    with pytest.raises(WeightsError, match="expected the tensors batch, fused and lesion"):
        SegmentationHead(outlined_release / "student-int8.onnx", load_engine(outlined_release).spec, model_ref)
    with pytest.raises(WeightsError, match="is not a network that can be loaded"):
        SegmentationHead(outlined_release / "manifest.json", load_engine(outlined_release).spec, model_ref)


# ------------------------------------------------------------------------------------------------------------ pieces


def test_the_eight_turns_of_a_square() -> None:
    square = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    found = {tuple(turned(square, turn).flatten().tolist()) for turn in range(8)}
    assert len(found) == 8
    assert turned(square, 0).flatten().tolist() == [1, 2, 3, 4]
    assert turned(square, 1).flatten().tolist() == [2, 1, 4, 3]
    assert turned(square, 6).flatten().tolist() == [3, 1, 4, 2]


def test_the_loss_by_hand() -> None:
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    even = segmentation_loss(torch.zeros(1, 1, 2, 2), mask)  # every probability one half
    assert even.item() == pytest.approx(np.log(2) + 1 - (2 * 0.5 + 1) / (2 + 1 + 1))
    sure = segmentation_loss((mask * 2 - 1) * 50, mask)
    assert sure.item() == pytest.approx(0, abs=1e-6)


def test_dice_and_iou_by_hand() -> None:
    one = np.array([[1, 1, 0], [1, 0, 0]], bool)
    other = np.array([[0, 1, 1], [1, 1, 0]], bool)
    assert dice(one, other) == pytest.approx(2 * 2 / 7)
    assert iou(one, other) == pytest.approx(2 / 5)
    assert dice(one, ~one) == iou(one, ~one) == 0
    assert dice(one, one) == iou(one, one) == dice(one & False, one & False) == iou(one & False, one & False) == 1


def test_missing_masks_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Expected the lesion masks"):
        mask_paths(tmp_path)
    with pytest.raises(DatasetError, match="x1 has no mask"):
        load_mask("x1", {})
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"The mask .*broken\.png cannot be read"):
        load_mask("x1", {"x1": broken})
