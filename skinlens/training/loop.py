"""The training loop: plain code, one JSON line an epoch, resumable after a kill.

A run lives in ``runs/<recipe name>/``: ``log.jsonl``, ``checkpoint.pt`` (the last epoch, for resuming), ``best.pt``
(the averaged weights of the best epoch, with the recipe to rebuild them), ``float16.pt`` (the same at half the size, to
be kept where a run's folder is lost), ``val_logits.npz`` (its answers to ``val``) and ``curves.png``.
Each epoch draws from generators seeded with (seed, epoch), so a resumed run goes on as an unbroken one would have.
"""

import json
import os
import pickle
import sys
import time
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import asdict, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from skinlens import metrics
from skinlens.errors import RecipeError
from skinlens.inference.calibration import softmax
from skinlens.networks.student import Student
from skinlens.records import Array
from skinlens.training.batches import RunSteps, Step, prepared, sampling_weights
from skinlens.training.distributed import World, convert_sync_batchnorm
from skinlens.training.protocols import TrainingData
from skinlens.training.recipe import Recipe, recipe_from_dict
from skinlens.training.tasks import fill, logits_of, make_optimizer, make_task, saved_run, to_input
from skinlens.training.teacher_logits import FrozenTeacher, TeacherLogitsCache

PARTS = ("task", "averaged", "optimizer", "schedule")
"""Parts of a run's state that a checkpoint holds."""
OLD_PARTS = {"task": "learner"}
"""Their names in checkpoints of earlier versions."""
SINGLE_PROCESS = World()
PREDICTIONS = "val_logits.npz"
LOSS_SHOWN = 25
"""Steps between two readings of the loss for the progress bar: a GPU is not waited for at each."""
EpochLog = dict[str, float | int]
"""Line of ``log.jsonl``: results of one epoch."""


def train(recipe: Recipe, data: TrainingData, run: Path, world: World = SINGLE_PROCESS) -> Path:
    """Run or resume a recipe; returns the path of the best weights.

    Raises:
        WeightsError: the initial weights are not installed.
        RecipeError: ``run`` holds a checkpoint of another recipe, or the teacher is not there.
    """
    run.mkdir(parents=True, exist_ok=True)
    device = world.device()
    teacher = FrozenTeacher(recipe, device) if recipe.distillation.teacher else None
    steps = RunSteps(recipe, data.train_images, sampling_weights(data.train_labels, recipe.class_balance_power), world)
    labels = torch.from_numpy(data.train_labels).to(device)
    state = _initial_state(recipe, device, steps.steps)
    history = restore(run, recipe, data.protocol, state)
    if 0 < len(history) < recipe.epochs and world.is_main_process:
        print(f"{recipe.name}: goes on after epoch {len(history)} of {recipe.epochs}.", file=sys.stderr)
    if world.size > 1:
        convert_sync_batchnorm(state["task"].network)
        state["forward"] = DistributedDataParallel(state["task"])
    if recipe.compile:
        state["task"].network.compile(dynamic=False)  # one graph for each size of the views
    batches = prepared(steps, len(history), device)

    for epoch in range(len(history), recipe.epochs):
        started = time.monotonic()
        cache = teacher.logits_cache(epoch, steps.count) if teacher else None
        terms = _epoch(recipe, epoch, state, islice(batches, steps.steps), labels, world, cache)
        if not world.is_main_process:
            history.append({"epoch": epoch + 1, **terms})
            continue
        if cache:
            cache.save()
        logits = _validation_logits(state["averaged"], data, recipe, device)
        line: EpochLog = {
            "epoch": epoch + 1,
            "size_px": recipe.size_at(epoch),
            **terms,
            **_validated(logits, data),
            "learning_rate": float(state["schedule"].get_last_lr()[-1]),
            "seconds": time.monotonic() - started,
        }
        history.append(line)
        if _save_epoch(run, recipe, data.protocol, state, history, teacher.fingerprints if teacher else {}):
            write_predictions(run / PREDICTIONS, recipe, logits[""], data.val_labels)
        print(json.dumps({name: round(value, 4) for name, value in line.items()}), flush=True)
    if world.is_main_process:
        draw_curves(history, run / "curves.png")
    return run / "best.pt"


def _initial_state(recipe: Recipe, device: torch.device, steps: int) -> dict[str, Any]:
    """Task, averaged network (EMA), optimizer and schedule before the first of ``steps`` a epoch."""
    torch.manual_seed(recipe.seed)
    task = make_task(recipe).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    for part in task.frozen_modules():
        part.requires_grad_(requires_grad=False)
    optimizer = make_optimizer(task)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=recipe.epochs * steps,
        pct_start=recipe.warm_up,
    )
    averaged = deepcopy(task.network).eval().requires_grad_(requires_grad=False)
    return {"task": task, "averaged": averaged, "optimizer": optimizer, "schedule": schedule}


def _validation_logits(
    network: nn.Module, data: TrainingData, recipe: Recipe, device: torch.device
) -> dict[str, Float32[Array, "n 7"]]:
    """Logits on ``val`` (under an empty name) and on each further validation set."""
    images = {"": data.val_images} | {name: part.images for name, part in data.elsewhere.items()}
    return {name: predict_logits(network, part, recipe, device) for name, part in images.items()}


def _validated(logits: Mapping[str, Float32[Array, "n 7"]], data: TrainingData) -> EpochLog:
    """Figures on ``val``, and the melanoma AUC on each further validation set."""
    elsewhere = {
        f"{name}_melanoma_auc": validate(logits[name], part.labels)["melanoma_auc"]
        for name, part in data.elsewhere.items()
    }
    return {**validate(logits[""], data.val_labels), **elsewhere}


def write_predictions(path: Path, recipe: Recipe, logits: Float32[Array, "n 7"], labels: Int64[Array, " n"]) -> None:
    """Keep a run's answers to ``val``: the figures of a network whose weights are too large to keep."""
    np.savez(path, logits=logits, labels=labels, recipe=np.array(json.dumps(asdict(recipe))))


def _save_epoch(
    run: Path,
    recipe: Recipe,
    protocol: str,
    state: dict[str, Any],
    history: list[EpochLog],
    teachers: Mapping[str, Any],
) -> bool:
    """Write the checkpoint and the log, and the best weights where the last epoch is the best: whether it is."""
    origin: dict[str, Any] = {"recipe": asdict(recipe), "protocol": protocol}
    line = history[-1]
    best_yet = score(line) >= max(score(past) for past in history)
    if best_yet:
        best = {**origin, "network": state["averaged"].state_dict(), "val": line, **teachers}
        _write(run / "best.pt", best)
        _write(run / "float16.pt", best | {"network": in_half(best["network"])})
    parts = {name: state[name].state_dict() for name in PARTS}
    _write(run / "checkpoint.pt", {**origin, "history": history, **parts})
    (run / "log.jsonl").write_text("".join(json.dumps(past) + "\n" for past in history), encoding="utf-8")
    return best_yet


def _epoch(
    recipe: Recipe,
    epoch: int,
    state: dict[str, Any],
    batches: Iterable[Step],
    labels: Int64[Tensor, " n"],
    world: World,
    cache: TeacherLogitsCache | None,
) -> dict[str, float]:
    """One pass over the epoch's sample in an order of the run's own. Returns the mean of each loss term.

    What each step works on: ``pictures`` n × 3 × s × s, normalized; ``labels`` n; ``teacher_output`` n × 7 and
    more, see ``TeacherOutput``; all on the device. The loss terms are scalars.
    """
    torch.manual_seed(recipe.seed * 1_000_003 + epoch)
    torch.randperm(state["schedule"].total_steps // recipe.epochs * recipe.batch_size)  # as ``RunSteps`` orders them:
    # dropout's draws come behind that, so a seed gives the run that it gave before steps were prepared elsewhere
    task, optimizer, schedule = state["task"], state["optimizer"], state["schedule"]
    forward = state.get("forward", task)
    task.train()
    for part in task.frozen_modules():
        if isinstance(part, nn.Module):
            part.eval()
    mixed = labels.device.type == "cuda" or recipe.mixed_precision
    spec = replace(recipe.input, size_px=recipe.size_at(epoch))
    totals: dict[str, Tensor] = {}
    count = state["schedule"].total_steps // recipe.epochs
    forecast = Forecast(recipe, epoch, count)
    title = f"{recipe.name}, epoch {epoch + 1} of {recipe.epochs}"
    bar = tqdm(batches, desc=title, mininterval=5, disable=not world.is_main_process, total=count)
    for number, step in enumerate(bar):
        photos = step.photos.to(labels.device)
        view = lru_cache(maxsize=2)(partial(photos.augmented, step.params))  # a teacher may ask at the student's size
        pictures = view(spec)
        teacher_output = cache.logits(step.rows, view) if cache else None
        with torch.autocast(labels.device.type, dtype=torch.bfloat16, enabled=mixed):
            terms = forward(pictures, labels[step.chosen.to(labels.device)], teacher_output)
        optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        nn.utils.clip_grad_norm_(task.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        update_ema(state["averaged"], task.network, recipe.ema_decay, schedule.last_epoch)
        totals = {name: totals.get(name, 0) + term.detach() for name, term in terms.items()}
        if number % LOSS_SHOWN == 0:
            bar.set_postfix(loss=f"{float(totals['loss']) / (number + 1):.3f}")
        if world.is_main_process and forecast.after(number):
            tqdm.write(forecast.words)
    return {name if name == "loss" else f"loss_{name}": world.mean(total) / count for name, total in totals.items()}


class Forecast:
    """Forecast of the rest of a run's time, from the first steps that it makes here."""

    FIRST, LAST = 5, 25
    """Steps between which it is measured: the first ones compile."""

    def __init__(self, recipe: Recipe, epoch: int, batches: int) -> None:
        self._name, self._started = recipe.name, 0.0
        now = recipe.size_at(epoch) ** 2
        self._steps = sum(
            batches * recipe.size_at(later_epoch) ** 2 / now for later_epoch in range(epoch, recipe.epochs)
        )
        self.words = ""

    def after(self, step: int) -> bool:
        """To be called after each step of an epoch: whether ``words`` now say how long the run takes."""
        if step == self.FIRST:
            self._started = time.monotonic()
        if step != self.LAST:
            return False
        each = (time.monotonic() - self._started) / (self.LAST - self.FIRST)
        minutes = round(each * self._steps / 60)
        self.words = f"{self._name}: about {minutes // 60} h {minutes % 60:02} min to go on this computer."
        return True


def score(line: EpochLog) -> float:
    """Score by which the best epoch is chosen.

    The mean of balanced accuracy on ``val`` and of the melanoma AUC on each source's validation photos, if any.
    """
    elsewhere = [value for name, value in line.items() if name.endswith("_melanoma_auc")]
    return float(np.mean([line["balanced_accuracy"], *elsewhere]))


def validate(logits: Float32[Array, "n 7"], labels: Int64[Array, " n"]) -> EpochLog:
    """The figures of an epoch on ``val``."""
    matrix = metrics.confusion(labels, logits.argmax(axis=1))
    probs = softmax(logits)
    return {
        "val_loss": metrics.log_loss(labels, probs),
        "balanced_accuracy": metrics.balanced_accuracy(matrix),
        "accuracy": metrics.accuracy(matrix),
        "macro_f1": metrics.macro_f1(matrix),
        "melanoma_auc": metrics.melanoma_auc(labels, probs),
        "ece": metrics.calibration_error(labels, probs),
    }


@torch.no_grad()
def update_ema(averaged: nn.Module, student: nn.Module, decay: float, step: int) -> None:
    """Exponential moving average of weights and buffers; shorter at the start, when the average is still random."""
    keep = min(decay, (1 + step) / (10 + step))
    pairs = list(zip(averaged.state_dict().values(), student.state_dict().values(), strict=True))
    means, nows = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
    get_ema_multi_avg_fn(keep)(means, nows, None)  # all tensors in one call
    for mean, now in pairs:
        if not mean.is_floating_point():
            mean.copy_(now)


@torch.no_grad()
def predict_logits(
    network: nn.Module, images: UInt8[Array, "n s s 3"], recipe: Recipe, device: torch.device, batch_size: int = 64
) -> Float32[Array, "n 7"]:
    """The float network's logits for views as serving makes them."""
    parts = []
    mixed = device.type == "cuda" or recipe.mixed_precision
    for start in range(0, len(images), batch_size):
        pictures = torch.from_numpy(images[start : start + batch_size]).to(device).permute(0, 3, 1, 2) / 255
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed):
            output = network(to_input(pictures.contiguous(memory_format=torch.channels_last), recipe))
        parts.append(logits_of(output).float().cpu().numpy())
    return np.concatenate(parts)


def restore(run: Path, recipe: Recipe, protocol: str, state: dict[str, Any]) -> list[EpochLog]:
    """Load the last checkpoint of the run into ``state``; returns the epochs done (none for a new run).

    Raises:
        RecipeError: the checkpoint cannot be read, or is of another recipe.
    """
    path = run / "checkpoint.pt"
    if not path.exists():
        return []
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (EOFError, RuntimeError, pickle.UnpicklingError) as problem:
        raise RecipeError(
            f"{path} is not a whole checkpoint ({str(problem).splitlines()[0] if str(problem) else 'it ends early'}). "
            "Delete it to begin the run anew, or put a copy of it back."
        ) from None
    if recipe_from_dict(saved["recipe"]) != recipe or saved.get("protocol", "lesion") != protocol:
        raise RecipeError(
            f"{path} belongs to a run with other settings than this recipe. Choose another folder with --run, or "
            "delete that one to begin anew."
        )
    for name in PARTS:
        state[name].load_state_dict(saved[name if name in saved else OLD_PARTS[name]])
    history: list[EpochLog] = saved["history"]
    return history


def load_student(path: Path) -> tuple[Student, Recipe]:
    """Rebuild the network that ``best.pt`` holds, in eval mode on the CPU. Raises RecipeError: see ``saved_run``."""
    saved = saved_run(path)
    recipe = recipe_from_dict(saved["recipe"])
    student = Student(recipe.student)
    fill(student, saved, path)
    return student.eval(), recipe


def draw_curves(history: list[EpochLog], path: Path) -> None:
    """Loss and balanced accuracy over the epochs, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [line["epoch"] for line in history]
    names = list(history[-1])
    for name in (name for name in names if name.startswith("loss") or name == "val_loss"):
        left.plot(epochs, [line[name] for line in history], label=name)
    for name in ("balanced_accuracy", "macro_f1", *(name for name in names if name.endswith("melanoma_auc"))):
        right.plot(epochs, [line[name] for line in history], label=name)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def in_half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in half precision; counters stay whole numbers."""
    return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}


def _write(path: Path, content: dict[str, Any]) -> None:
    """Replace a file as a whole: a kill leaves the old one or the new one."""
    waiting = path.with_suffix(".part")
    torch.save(content, waiting)
    with waiting.open("rb") as file:
        os.fsync(file.fileno())
    waiting.replace(path)
