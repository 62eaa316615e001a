"""The teacher in a student's training: frozen, outside the student's module tree, its answers written down.

What a teacher answers depends on the view alone, not on the student. So the answers to an epoch's views are kept
beside the teacher's weights, and a second run that sees the same views (same ``view_seed``, augmentation and
sampling) needs no teacher at all.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from skinlens.distill.config import Recipe
from skinlens.distill.learner import load_network
from skinlens.errors import RecipeError
from skinlens.models.teacher import Teacher, TeacherOutput


class Teaching:
    """A trained teacher in eval mode. ``sha256`` is of its file and is kept with what it taught."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        """Raises RecipeError: the recipe names no trained teacher."""
        self.path = Path(recipe.distillation.teacher)
        if not self.path.is_file():
            raise RecipeError(
                f"The recipe {recipe.name} learns from a teacher at {self.path}, and there is none. Train it first: "
                "python -m skinlens train recipes/teacher.toml"
            )
        self.sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()
        self.device = device
        self._recipe = recipe
        self._teacher: Teacher | None = None

    def answer(self, pictures: Float32[Tensor, "n 3 s s"]) -> TeacherOutput:
        """Nothing of the teacher changes by it: neither a weight nor a buffer."""
        if self._teacher is None:
            self._teacher = load_teacher(self.path).to(self.device)
        with torch.no_grad(), torch.autocast(self.device.type, dtype=torch.bfloat16):
            output = self._teacher(pictures)
        return TeacherOutput(*(one.float() for one in output))

    def notes(self, epoch: int, count: int) -> "Notes":
        """The answers to the ``count`` views of one epoch, as far as they are known."""
        recipe = self._recipe
        seen = [
            self.sha256,
            recipe.view_seed,
            recipe.sampling_power,
            asdict(recipe.augmentation),
            asdict(recipe.input),
            count,
        ]
        key = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:12]
        return Notes(self, self.path.parent / "answers" / f"{key}-{epoch}.pt", count)


class Notes:
    """One epoch's answers: read from the file where there is one, else asked for and written at the end."""

    def __init__(self, teaching: Teaching, path: Path, count: int) -> None:
        self._teaching, self._path, self._count = teaching, path, count
        self._known: list[Tensor] | None = None
        self._complete = path.is_file()
        if self._complete:
            self._known = torch.load(path, map_location="cpu", weights_only=True)

    def answers(self, rows: Int64[Tensor, " n"], pictures: Float32[Tensor, "n 3 s s"]) -> TeacherOutput:
        """To the views in the given places of the epoch."""
        if self._complete and self._known is not None:
            return TeacherOutput(*(one[rows].float().to(pictures.device) for one in self._known))
        answers = self._teaching.answer(pictures)
        if self._known is None:
            self._known = [torch.full((self._count, one.shape[1]), float("nan")) for one in answers]
        for known, one in zip(self._known, answers, strict=True):
            known[rows] = one.cpu()
        return answers

    def keep(self) -> None:
        """Write the answers if every view was answered; in half precision, which is more than they were made in."""
        if self._complete or self._known is None or any(one.isnan().any() for one in self._known):
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        waiting = self._path.with_suffix(".part")
        torch.save([one.half() for one in self._known], waiting)
        waiting.replace(self._path)


def load_teacher(path: Path) -> Teacher:
    """Rebuild the teacher that a run's ``best.pt`` holds, in eval mode on the CPU, without gradients."""
    teacher, recipe = load_network(path)
    if not isinstance(teacher, Teacher):
        raise RecipeError(f"{path} holds the {recipe.network} of the recipe {recipe.name}, not a teacher.")
    return teacher.requires_grad_(requires_grad=False)
