"""Frozen teacher of a distillation, outside the student, and the cache of its logits.

What a teacher answers depends on the view alone, not on the student. So the answers to an epoch's views are kept
beside the teacher's weights, and a second run that sees the same views (same photos, ``view_seed``, augmentation and
sampling) needs no teacher at all.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from skinlens.errors import RecipeError
from skinlens.imaging.preprocess import InputSpec
from skinlens.networks.teacher import Teacher, TeacherOutput
from skinlens.training.checkpoints import save
from skinlens.training.recipe import Recipe
from skinlens.training.tasks import load_network, logits_of, to_input

View = Callable[[InputSpec], Float32[Tensor, "n 3 s s"]]
"""Function to the same random view of each photo of a batch, at the size that is asked for."""


class FrozenTeacher:
    """Trained teacher in eval mode, and the second one if there is one. ``fingerprints`` go with the student."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        """Raises RecipeError: what the recipe learns from was not trained."""
        settings = recipe.distillation
        self.path = _found(settings.teacher, recipe)
        self.fingerprints = {"teacher_sha256": _sha256(self.path)}
        self._second_path = _found(settings.second_teacher, recipe) if settings.second_teacher else None
        if self._second_path:
            self.fingerprints["second_teacher_sha256"] = _sha256(self._second_path)
        self.device = device
        self.spec = replace(recipe.input, size_px=settings.view_px)
        self._recipe = recipe
        self._teacher: Teacher | None = None
        self._second: tuple[nn.Module, Recipe] | None = None

    def answer(self, view: View) -> TeacherOutput:
        """Answer to a view that each teacher sees at its own size; neither a weight nor a buffer changes by it."""
        if self._teacher is None:
            self._teacher = load_teacher(self.path, self.fingerprints["teacher_sha256"]).to(self.device)
        with torch.no_grad(), torch.autocast(self.device.type, dtype=torch.bfloat16):
            output = TeacherOutput(*(answer.float() for answer in self._teacher(view(self.spec))))
            if self._second_path is None:
                return output
            if self._second is None:
                network, recipe = load_network(self._second_path, self.fingerprints["second_teacher_sha256"])
                self._second = network.to(self.device), recipe
            network, recipe = self._second
            pictures = view(replace(self.spec, size_px=recipe.input.size_px))
            second = logits_of(network(to_input(pictures, recipe))).float()
            return output._replace(logits=mean_logits(output.logits, second))

    def logits_cache(self, epoch: int, count: int, photos_sha256: str) -> "TeacherLogitsCache":
        """The answers to the ``count`` views of one epoch, as far as they are known.

        ``photos_sha256``: of the training photos and labels, ``TrainingData.train_sha256``.
        """
        recipe = self._recipe
        seen = [
            *self.fingerprints.values(),
            photos_sha256,
            recipe.view_seed,
            recipe.class_balance_power,
            asdict(recipe.augmentation),
            asdict(recipe.acquisition),
            [asdict(source) for source in recipe.sources],
            asdict(self.spec),
            count,
        ]
        key = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:12]
        return TeacherLogitsCache(self, self.path.parent / "answers" / f"{key}-{epoch}.pt", count)


class TeacherLogitsCache:
    """One epoch's answers: read from the file where there is one, else asked for and written at the end."""

    def __init__(self, teacher: FrozenTeacher, path: Path, count: int) -> None:
        self._frozen, self._path, self._count = teacher, path, count
        self._known: list[Tensor] | None = None
        self._complete = path.is_file()
        if self._complete:
            self._known = torch.load(path, map_location="cpu", weights_only=True)

    def logits(self, rows: Int64[Tensor, " n"], view: View) -> TeacherOutput:
        """Answers to the views in the given places of the epoch; ``view`` is drawn only where they are not known."""
        teacher = self._frozen
        if self._complete and self._known is not None:
            return TeacherOutput(*(cached[rows].float().to(teacher.device) for cached in self._known))
        teacher_output = teacher.answer(view)
        if self._known is None:
            self._known = [torch.full((self._count, answer.shape[1]), float("nan")) for answer in teacher_output]
        for known, answer in zip(self._known, teacher_output, strict=True):
            known[rows] = answer.cpu()
        return teacher_output

    def save(self) -> None:
        """Write the answers if every view was answered; in half precision, which is more than they were made in."""
        if self._complete or self._known is None or any(cached.isnan().any() for cached in self._known):
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        save(self._path, [cached.half() for cached in self._known])


def mean_logits(first: Float32[Tensor, "n k"], second: Float32[Tensor, "n k"]) -> Float32[Tensor, "n k"]:
    """Logits whose softmax is the mean of the two distributions."""
    return torch.logaddexp(first.log_softmax(1), second.log_softmax(1)) - math.log(2)


def _found(path: str, recipe: Recipe) -> Path:
    network_file = Path(path)
    if not network_file.is_file():
        raise RecipeError(
            f"The recipe {recipe.name} learns from a network at {network_file}, and there is none. Train it first: "
            f"python -m skinlens train recipes/{network_file.parent.name}.toml"
        )
    return network_file


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_teacher(path: Path, sha256: str = "") -> Teacher:
    """Rebuild the teacher that a run's ``best.pt`` holds, in eval mode on the CPU, without gradients.

    Raises:
        RecipeError: the file is not the one of that ``sha256``, or holds no teacher.
    """
    teacher, recipe = load_network(path, sha256)
    if not isinstance(teacher, Teacher):
        raise RecipeError(f"{path} holds the {recipe.network} of the recipe {recipe.name}, not a teacher.")
    return teacher.requires_grad_(requires_grad=False)
