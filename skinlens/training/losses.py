"""The three terms of multi-stage distillation, and the triple of weights that puts them together.

Pavel et al., "Multi-stage knowledge distillation with layer fusion-based deep learning approach for skin cancer
classification": total = α · intermediate + β · logit + γ · classification, α, β, γ each in [0, 1], their sum 1. All
terms take logits; none takes a softmax output, as the KL of the paper's own notebook does.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from skinlens.training.recipe import Weights


class Terms(NamedTuple):
    """One batch's losses, each a mean over its photos."""

    intermediate: Float[Tensor, ""]
    logit: Float[Tensor, ""]
    classification: Float[Tensor, ""]


def total(weights: Weights, terms: Terms) -> Float[Tensor, ""]:
    """α · I + β · L + γ · C."""
    return (
        weights.intermediate * terms.intermediate
        + weights.logit * terms.logit
        + weights.classification * terms.classification
    )


def logit_loss(student: Float[Tensor, "n 7"], teacher: Float[Tensor, "n 7"], temperature: float) -> Float[Tensor, ""]:
    """T² · KL(softmax(teacher / T) ‖ softmax(student / T)), a mean over the photos.

    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2. The gradient of the softened KL
    shrinks as 1/T², so T² keeps its share of the total when T changes.
    """
    soft_student = F.log_softmax(student.float() / temperature, dim=1)
    soft_teacher = F.log_softmax(teacher.float() / temperature, dim=1)
    return F.kl_div(soft_student, soft_teacher, reduction="batchmean", log_target=True) * temperature**2


def intermediate_loss(
    student_exits: Sequence[Float[Tensor, "n 7"]], teacher_outputs: Sequence[Float[Tensor, "n 7"]]
) -> Float[Tensor, ""]:
    """Mean over the pairs of -Σₖ pₖ · log qₖ, with p the softmax of the teacher's branch and q the student's exit.

    Pavel et al.: the mean of the cross-entropies between the teacher's branch outputs and the student's two exits.
    """
    pairs = [
        F.cross_entropy(mine.float(), theirs.float().softmax(dim=1))
        for mine, theirs in zip(student_exits, teacher_outputs, strict=True)
    ]
    return sum(pairs[1:], pairs[0]) / len(pairs)


def classification_loss(logits: Float[Tensor, "n 7"], labels: Int64[Tensor, " n"], smoothing: float) -> Tensor:
    """Cross-entropy against (1 - s) · one-hot + s / 7, s the label smoothing."""
    return F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)


class FeatureMatching(nn.Module):
    """1 - cos(P · f, g), a mean over the photos: the student's pooled features f, projected, against the teacher's g.

    The option beside the exits' cross-entropy. P is trained with the student and thrown away with the teacher.
    Romero et al., "FitNets: Hints for Thin Deep Nets", 2015, equation 3, with the cosine in the place of the squared
    distance, since features of two networks have no common scale. Range 0 (same direction) to 2.
    """

    def __init__(self, student_features: int, teacher_features: int) -> None:
        super().__init__()
        self.project = nn.Linear(student_features, teacher_features)

    def forward(self, student: Float[Tensor, "n f"], teacher: Float[Tensor, "n g"]) -> Float[Tensor, ""]:
        return (1 - F.cosine_similarity(self.project(student.float()), teacher.float(), dim=1)).mean()
