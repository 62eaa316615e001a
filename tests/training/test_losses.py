"""The terms of the distillation by hand, against timm, and the constraint that its weights keep."""

import math
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import skinlens.networks.torchvision_shim  # noqa: F401  (before timm: see there)
from skinlens.errors import RecipeError
from skinlens.training.losses import (
    FeatureMatching,
    Terms,
    classification_loss,
    intermediate_loss,
    logit_loss,
    total,
)
from skinlens.training.recipe import Weights, load_recipe

pytestmark = pytest.mark.slow  # imports torch


def logits(seed: int, count: int = 5) -> torch.Tensor:
    return torch.randn(count, 7, generator=torch.Generator().manual_seed(seed)) * 3


def test_logit_loss_by_hand() -> None:
    """Two classes apart by log 3 at T = 1: p = (3/4, 1/4) against q = (1/2, 1/2), all other classes far away."""
    far = [-1e4] * 5
    teacher, student = torch.tensor([[math.log(3), 0, *far]]), torch.tensor([[0.0, 0, *far]])
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert logit_loss(student, teacher, 1.0).item() == pytest.approx(expected, abs=1e-6)


class Fixed(torch.nn.Module):
    """A network of timm's kind that gives the same logits to everything."""

    num_classes, in_chans = 7, 3
    pretrained_cfg: ClassVar = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}

    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer = torch.nn.Parameter(answer)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return self.answer


def test_logit_loss_is_timms_distillation_loss() -> None:
    from timm.task.distillation import LogitDistillationTask

    student, teacher, temperature = logits(1), logits(2), 4.0
    task = LogitDistillationTask(
        Fixed(student), Fixed(teacher), criterion=torch.nn.CrossEntropyLoss(), temperature=temperature, verbose=False
    )
    theirs = task(torch.zeros(5, 3, 8, 8), torch.zeros(5, dtype=torch.long))["kd_loss"]
    torch.testing.assert_close(logit_loss(student, teacher, temperature), theirs.detach())


def test_logit_loss_is_zero_for_equal_distributions_and_its_gradient_keeps_its_size() -> None:
    same = logits(3)
    assert logit_loss(same + 5, same, 10.0).item() == pytest.approx(0, abs=1e-5)
    sizes = []
    for temperature in (20.0, 40.0):
        student = logits(4).requires_grad_()
        logit_loss(student, logits(5), temperature).backward()
        assert student.grad is not None
        sizes.append(student.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_intermediate_loss_by_hand() -> None:
    """Against a teacher that is sure, the cross-entropy is -log of the student's probability; the mean of both."""
    sure = torch.tensor([[100.0, 0, 0, 0, 0, 0, 0]])
    even, double = torch.zeros(1, 7), torch.tensor([[math.log(2), 0, 0, 0, 0, 0, 0]])
    loss = intermediate_loss((even, double), (sure, sure))
    assert loss.item() == pytest.approx((math.log(7) + math.log(8 / 2)) / 2, rel=1e-6)


def test_classification_loss_by_hand() -> None:
    """Equal logits cost log 7 whatever the smoothing."""
    assert classification_loss(torch.zeros(2, 7), torch.tensor([0, 3]), 0.05).item() == pytest.approx(math.log(7))


def test_total_by_hand() -> None:
    terms = Terms(torch.tensor(1.0), torch.tensor(10.0), torch.tensor(100.0))
    assert total(Weights(0.3, 0.3, 0.4), terms).item() == pytest.approx(0.3 + 3 + 40)


def test_feature_matching_sees_directions() -> None:
    matching = FeatureMatching(3, 3)
    with torch.no_grad():
        matching.project.weight.copy_(torch.eye(3))
        matching.project.bias.zero_()
    one = torch.tensor([[1.0, 2, 3]])
    assert matching(one, 5 * one).item() == pytest.approx(0, abs=1e-6)
    assert matching(one, -one).item() == pytest.approx(2, abs=1e-6)


@given(st.lists(st.floats(-0.5, 1.5), min_size=3, max_size=3))
def test_a_bad_triple_cannot_be_made(triple: list[float]) -> None:
    good = all(0 <= one <= 1 for one in triple) and math.isclose(sum(triple), 1, abs_tol=1e-6)
    if good:
        Weights(*triple)
    else:
        with pytest.raises(RecipeError, match="must each lie in"):
            Weights(*triple)


@given(st.floats(0, 1), st.floats(0, 1))
def test_every_good_triple_can_be_made(first: float, second: float) -> None:
    low, high = sorted((first, second))
    Weights(low, high - low, 1 - high)


def test_a_recipe_cannot_break_the_constraint(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[distillation.weights]\nintermediate = 0.9\n")
    with pytest.raises(RecipeError, match="sum to 1"):
        load_recipe(path)
