"""Training tasks: the network, its loss, and the learning rate of each of its parts."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

import skinlens.networks.torchvision_shim  # noqa: F401  (before timm: see there)

import timm  # isort: skip

from skinlens.errors import RecipeError, WeightsError
from skinlens.labels import CODES
from skinlens.networks.configs import TeacherConfig
from skinlens.networks.plain_cnn import PlainCnn
from skinlens.networks.pretrained import first_line, saved_run
from skinlens.networks.student import Student, StudentOutput, load_imagenet
from skinlens.networks.teacher import Branch, ConvolutionalBranch, Teacher, TeacherOutput
from skinlens.training.augmentation import normalized
from skinlens.training.losses import FeatureMatching, Terms, classification_loss, intermediate_loss, logit_loss, total
from skinlens.training.recipe import Recipe, recipe_from_dict

TEACHER_BRANCH, TEACHER_EXIT = 0.5, 0.15
"""Weights of the cross-entropies of either branch's output and exits beside the teacher's combined output."""


LossTerms = dict[str, Tensor]
"""One batch's losses by name, each a scalar; ``loss`` is the total that is minimized, the others are its parts."""


class TrainingTask(nn.Module):
    """Pictures in [0, 1] and labels in, the loss terms out. ``network`` alone is kept and averaged."""

    network: nn.Module

    def __init__(self, recipe: Recipe, network: nn.Module) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = network

    def forward(
        self, pictures: Float[Tensor, "n 3 s s"], labels: Int64[Tensor, " n"], teacher_output: TeacherOutput | None
    ) -> LossTerms:
        return self.loss(self.network(to_input(pictures, self.recipe)), labels, teacher_output)

    def loss(self, output: Any, labels: Tensor, teacher_output: TeacherOutput | None) -> LossTerms:
        raise NotImplementedError

    def frozen_modules(self) -> list[nn.Module | nn.Parameter]:
        """Modules that keep their initial weights, batch statistics included."""
        return []

    def lr_scale(self, name: str) -> float:  # noqa: ARG002  (for those whose parts differ)
        """Learning rate of a parameter of the network, as a share of the recipe's."""
        return 1.0


class DistillationTask(TrainingTask):
    network: Student

    def __init__(self, recipe: Recipe) -> None:
        student = Student(recipe.student)
        if recipe.pretrained:
            load_imagenet(student)
        super().__init__(recipe, student)
        distillation = recipe.distillation
        if distillation.teacher and distillation.feature_matching:
            self.matching = FeatureMatching(recipe.student.fused_channels, recipe.teacher.hidden)

    def loss(self, output: StudentOutput, labels: Tensor, teacher_output: TeacherOutput | None) -> LossTerms:
        recipe, distillation = self.recipe, self.recipe.distillation
        final = classification_loss(output.logits, labels, recipe.label_smoothing)
        exits = (output.exit_1, output.exit_2)
        from_labels = sum(
            (classification_loss(exit_logits, labels, recipe.label_smoothing) for exit_logits in exits), final * 0
        )
        if teacher_output is None:
            return {"loss": final + recipe.exit_weight * from_labels, "classification": final, "exits": from_labels}
        terms = Terms(
            intermediate=intermediate_loss(exits, (teacher_output.convolutional, teacher_output.vit)),
            logit=logit_loss(output.logits, teacher_output.logits, distillation.temperature),
            classification=final,
        )
        loss = total(distillation.weights, terms)
        if not distillation.weights.intermediate:  # single-stage: the exits are no part of the method, but they exist
            loss = loss + recipe.exit_weight * from_labels
        if distillation.feature_matching:
            loss = loss + distillation.feature_matching * self.matching(
                output.fused.mean(dim=(2, 3)), teacher_output.features
            )
        return {"loss": loss, **terms._asdict()}

    def frozen_modules(self) -> list[nn.Module | nn.Parameter]:
        branch, stages = self.network.efficientnet, self.recipe.frozen_stages
        return [branch.stem, *list(branch.blocks)[:stages]] if stages else []

    def lr_scale(self, name: str) -> float:
        return 1.0 if name.startswith("efficientnet.") else self.recipe.head_rate


class TeacherTask(TrainingTask):
    network: Teacher

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, Teacher(recipe.teacher, pretrained=recipe.pretrained))

    def loss(self, output: TeacherOutput, labels: Tensor, teacher_output: TeacherOutput | None) -> LossTerms:  # noqa: ARG002
        """Each branch learns by itself too, so that its outputs have something to teach."""

        def entropy(*logits: Tensor) -> Tensor:
            parts = [classification_loss(head_logits, labels, self.recipe.label_smoothing) for head_logits in logits]
            return sum(parts[1:], parts[0])

        exits = entropy(output.vit_exit_1, output.vit_exit_2, output.convolutional_exit_1, output.convolutional_exit_2)
        branches = entropy(output.vit, output.convolutional)
        final = entropy(output.logits)
        loss = final + TEACHER_BRANCH * branches + TEACHER_EXIT * exits
        return {"loss": loss, "classification": final, "branches": branches, "exits": exits}

    def frozen_modules(self) -> list[nn.Module | nn.Parameter]:
        stages = self.recipe.frozen_stages
        convolutional = list(self.network.convolutional.stages)[: stages + 1] if stages else []
        return [*self.network.vit.frozen(self.recipe.teacher.frozen_blocks), *convolutional]

    def lr_scale(self, name: str) -> float:
        """Layer by layer in the ViT: what is near the pixels is general and moves little."""
        if name.startswith("vit.network."):
            depth = len(self.network.vit.network.blocks)
            parts = name.removeprefix("vit.network.").split(".")
            place = int(parts[1]) + 1 if parts[0] == "blocks" else depth if parts[0] == "norm" else 0
            return self.recipe.vit_rate * self.recipe.layer_decay ** (depth - place)
        return 1.0 if name.startswith("convolutional.") else self.recipe.head_rate


class FeatureDistillationTask(TrainingTask):
    """A branch without initial weights learns the features of one that has them, and the labels beside.

    The pretrained branch is the EfficientNet-Lite2 of ``TeacherConfig``'s default; it stays as it is.
    """

    network: Branch

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, Branch(recipe.teacher))
        pattern = ConvolutionalBranch(TeacherConfig(), pretrained=True).eval().requires_grad_(requires_grad=False)
        self._pattern = (pattern,)  # in a tuple: no part of what is trained, averaged and kept
        self.matching = FeatureMatching(self.network.branch.widths[-1], pattern.widths[-1])

    def forward(self, pictures: Tensor, labels: Tensor, teacher_output: TeacherOutput | None) -> LossTerms:  # noqa: ARG002
        output = self.network(pictures)
        with torch.no_grad():
            features = self._pattern[0].to(pictures.device)(pictures)[-1]
        labeled = classification_loss(output.logits, labels, self.recipe.label_smoothing)
        matched: Tensor = self.matching(output.features, features)
        return {"loss": matched + labeled, "matching": matched, "classification": labeled}


class ClassificationTask(TrainingTask):
    """A network of timm as it is, or the plain CNN, from random weights."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, baseline(recipe))

    def loss(self, output: Tensor, labels: Tensor, teacher_output: TeacherOutput | None) -> LossTerms:  # noqa: ARG002
        return {"loss": classification_loss(output, labels, self.recipe.label_smoothing)}


def make_task(recipe: Recipe) -> TrainingTask:
    """The task of a recipe, with its initial weights.

    Raises:
        WeightsError: initial weights are not installed, or a file holds none.
        RecipeError: there is no such network, or ``recipe.initial`` names no weights that fit it.
    """
    task = _make_task(recipe)
    if recipe.initial:
        path = Path(recipe.initial)
        if not path.is_file():
            raise RecipeError(f"The recipe {recipe.name} starts from weights at {path}, and there are none.")
        try:
            task.network.load_state_dict(saved_run(path, parts=("network",))["network"])
        except RuntimeError as problem:
            raise RecipeError(f"The weights at {path} do not fit the network of {recipe.name}: {problem}") from problem
    return task


def _make_task(recipe: Recipe) -> TrainingTask:
    kinds: dict[str, Callable[[Recipe], TrainingTask]] = {
        "student": DistillationTask,
        "teacher": TeacherTask,
        "warm_up": FeatureDistillationTask,
    }
    return kinds[recipe.network](recipe) if recipe.network in kinds else ClassificationTask(recipe)


def baseline(recipe: Recipe) -> nn.Module:
    """Raises RecipeError: there is no such network."""
    if recipe.network == "plain_cnn":
        return PlainCnn()
    if recipe.network not in timm.list_models():
        raise RecipeError(
            f"There is no network {recipe.network!r}. Choose student, teacher, plain_cnn or a name that timm knows."
        )
    sized: dict[str, Any] = {"img_size": recipe.input.size_px} if recipe.network.startswith("vit_") else {}
    network: nn.Module = timm.create_model(recipe.network, num_classes=len(CODES), **sized)
    return network


def load_network(path: Path, sha256: str = "") -> tuple[nn.Module, Recipe]:
    """Rebuild the network of any kind that a run's ``best.pt`` holds, in eval mode on the CPU.

    Raises:
        RecipeError: the file is not the one of that ``sha256``. What is loaded is what was compared.
        WeightsError: the file holds no run, or one whose weights do not fit its recipe.
    """
    content = path.read_bytes()
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        raise RecipeError(f"{path} was changed since the run began. Keep it as it is, and begin the run again.")
    saved = saved_run(path, content)
    del content
    recipe = recipe_from_dict(saved["recipe"])
    network: nn.Module
    if recipe.network == "student":
        network = Student(recipe.student)
    elif recipe.network == "teacher":
        network = Teacher(recipe.teacher, pretrained=False)
    elif recipe.network == "warm_up":
        network = Branch(recipe.teacher)
    else:
        network = baseline(recipe)
    fill(network, saved, path)
    return network.eval(), recipe


def fill(network: nn.Module, saved: Mapping[str, Any], path: Path) -> None:
    """Put a run's weights into a network of its recipe. Raises WeightsError: they are those of another one."""
    try:
        network.load_state_dict(saved["network"])
    except (RuntimeError, TypeError, AttributeError) as problem:
        raise WeightsError(
            f"The weights in {path} do not fit the recipe that stands beside them: {first_line(problem)}"
        ) from problem


def to_input(pictures: Float[Tensor, "n 3 s s"], recipe: Recipe) -> Float[Tensor, "n 3 s s"]:
    """Pictures in [0, 1] as the recipe's network takes them: the teacher's branches normalise for themselves."""
    return pictures if recipe.network in {"teacher", "warm_up"} else normalized(pictures, recipe.input)


def logits_of(output: Any) -> Float[Tensor, "n 7"]:
    """Logits of the final answer in a network's output."""
    logits: Tensor = output if isinstance(output, Tensor) else output.logits
    return logits


def make_optimizer(task: TrainingTask) -> torch.optim.AdamW:
    """AdamW with each part's own rate, and no decay for norms and biases."""
    recipe = task.recipe
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in task.named_parameters():
        if parameter.requires_grad:
            own = name.startswith("network.")
            lr_scale = task.lr_scale(name.removeprefix("network.")) if own else recipe.head_rate
            groups.setdefault((lr_scale, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": recipe.learning_rate * lr_scale,
                "weight_decay": recipe.weight_decay if matrix else 0.0,
            }
            for (lr_scale, matrix), parameters in groups.items()
        ]
    )
