"""Sentences that tell a reader what a figure means say what the code does: each number comes from its constant."""

import ast
import re
from pathlib import Path

import pytest
import torch

from skinlens.checks import agreement, early_exits, faithfulness, reference, robustness
from skinlens.explain import METHODS
from skinlens.imaging.preprocess import InputSpec
from skinlens.networks.student import CnnBranch
from skinlens.ui.performance import evaluation
from skinlens.ui.visit import operating_point

pytestmark = pytest.mark.slow  # imports torch

ROOT = Path(__file__).resolve().parents[2]


def read(text: str) -> str:
    return " ".join(text.split())


def test_the_limit_of_the_same_area_is_one_number_everywhere() -> None:
    """IoU 1/2: of two areas of one size, each then shares 2 · ½ / (1 + ½) of its own. Chance: .2 / (2 - .2)."""
    assert agreement.SAME_AREA == 0.5
    same = "From 50 % on they count as the same area: each then shares 67 % of its own."
    shared = (
        "of the area that either map has in its hottest fifth, how much both have. 100 % is the same area, about 11 % "
        "is chance, 0 % is apart."
    )
    for words in (agreement.AgreementCheck.help, reference.ReferenceCheck.help):
        assert f"**Hottest fifth shared**: {shared} {same}" in read(words)
    assert "a third" not in reference.ReferenceCheck.help
    assert f"**Shared**: {shared}" in read(robustness.RobustnessCheck.help)
    assert "steady if it shares 50 % or more each time, and said to move in part from 25 % on" in read(
        robustness.RobustnessCheck.help
    )
    assert (robustness.STEADY, agreement.OVERLAP) == (0.5, 0.25)
    assert "From 25 % on they overlap in part." in read(agreement.AgreementCheck.help)


def test_better_than_chance_is_one_rule() -> None:
    words = "by more than 2 times the standard deviation of the 8 random maps"
    assert words == faithfulness.CLEARLY_WORDS
    assert words in read(faithfulness.FaithfulnessCheck.help)


def test_a_place_of_the_small_branch_sees_as_much_as_is_said() -> None:
    """The gradient of one place of its last map with respect to the input is zero outside of a square of 17 px."""
    branch = CnnBranch(8, 8).eval()
    # A pooling passes on the largest of its four places alone: over many inputs each of them is the largest once.
    reached = torch.zeros(96, 96, dtype=torch.bool)
    for seed in range(40):
        torch.manual_seed(seed)
        batch = torch.rand(1, 3, 96, 96, requires_grad=True)
        for parameter in branch.parameters():
            torch.nn.init.uniform_(parameter, 0.01, 0.05)
        branch(batch)[1][0, :, 6, 6].sum().backward()
        assert batch.grad is not None
        reached |= batch.grad.abs().sum(dim=(0, 1)) > 0
    rows, columns = (torch.nonzero(reached.any(dim=axis)).flatten() for axis in (1, 0))
    assert int(rows[-1] - rows[0]) + 1 == int(columns[-1] - columns[0]) + 1 == early_exits.PATCH_PX == 17
    assert "a thirteenth of the picture across, 17 of 224 px." in early_exits.reads("exit_1", InputSpec().size_px)
    said = early_exits.reads("exit_1", 192)
    assert said.endswith("each is about an eleventh of the picture across, 17 of 192 px.")


def test_what_a_slider_begins_at_is_what_its_help_says() -> None:
    assert operating_point.SOURCE.startswith("It begins at 7.4\u00a0%: of 23,487 suspicious lesions")
    assert "1,737 were melanomas" in operating_point.SOURCE
    assert pytest.approx(100 * 1737 / 23487, abs=0.05) == operating_point.USUAL_PREVALENCE_PERCENT
    assert evaluation.USUAL_MALIGNANT_PERCENT == 20


def test_score_cam_names_as_many_patterns_as_it_takes() -> None:
    channels, _ = METHODS["score_cam"].parameters
    assert (channels.default, channels.high) == (256, 256)
    assert "network's 256 channels (inner patterns)" in channels.help


def test_dependencies_say_that_the_check_against_the_reference_loads_the_libraries() -> None:
    """Whatever ``checks.reference_worker`` imports that is not loaded for a prediction: the table names that check."""
    tree = ast.parse((ROOT / "skinlens/checks/reference_worker.py").read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names = {"pytorch_grad_cam": "grad-cam", "lime": "lime", "torch": "torch"}
    loaded = {names[top] for module in modules if (top := module.split(".")[0]) in names}
    assert loaded == {"grad-cam", "lime", "torch"}
    table = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    for name in sorted(loaded):
        row = re.search(rf"^\| {re.escape(name)} \|.*$", table, re.MULTILINE)
        assert row, name
        assert "the reference check" in row.group().split("|")[5], name
