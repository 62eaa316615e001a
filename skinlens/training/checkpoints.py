"""Files of a training run: checkpoint, log, best weights and answers to ``val``.

A file is replaced as a whole, and the checkpoint is written after the weights and answers of its epoch. So a run that
is killed at any moment goes on from its checkpoint to the same files as one that was not.
"""

import json
import os
import pickle
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from skinlens.atomic_file import replace_files, replace_text
from skinlens.errors import RecipeError
from skinlens.records import Array
from skinlens.training.protocols import Protocol, TrainingData
from skinlens.training.recipe import Recipe, recipe_from_dict

if sys.platform != "win32":
    import fcntl

PARTS = ("task", "averaged", "optimizer", "schedule")
"""Parts of a run's state that a checkpoint holds."""
OLD_PARTS = {"task": "learner"}
"""Their names in checkpoints of earlier versions."""
LOG = "log.jsonl"
PREDICTIONS = "val_logits.npz"
EpochLog = dict[str, float | int]
"""Line of ``log.jsonl``: results of one epoch."""


@dataclass(frozen=True)
class Origin:
    """Everything that a run is made from: the same recipe, photos, labels and teachers give the same run."""

    recipe: Recipe
    protocol: Protocol
    data_sha256: str
    teachers: Mapping[str, str]
    """Name of the field → SHA-256 of the network that teaches; empty without a teacher."""

    @classmethod
    def of(cls, recipe: Recipe, data: TrainingData, teachers: Mapping[str, str]) -> "Origin":
        return cls(recipe, data.protocol, data.sha256, teachers)

    def content(self) -> dict[str, Any]:
        """The part of a file that says where it comes from."""
        origin = {"recipe": asdict(self.recipe), "protocol": self.protocol, "data_sha256": self.data_sha256}
        return {**origin, **self.teachers}

    def must_be_that_of(self, saved: Mapping[str, Any], path: Path) -> None:
        """Refuse a checkpoint of another run. One of an earlier version does not say all: what it says must fit.

        Raises:
            RecipeError: recipe, protocol, photos, labels or a teacher are not those of the checkpoint.
        """
        own = self.content()
        if recipe_from_dict(saved["recipe"]) != self.recipe or saved.get("protocol", "lesion") != self.protocol:
            changed = "with other settings than this recipe"
        elif saved.get("data_sha256", self.data_sha256) != self.data_sha256:
            changed = "on other photos or labels than those that are there now"
        elif any(saved.get(name, own[name]) != own[name] for name in self.teachers):
            changed = "with another teacher than the one that is there now"
        else:
            return
        raise RecipeError(
            f"{path} belongs to a run {changed}. Choose another folder with --run, or delete that one to begin anew."
        )


@contextmanager
def run_lock(run: Path, *, wanted: bool = True) -> Iterator[None]:
    """Lock of a run's folder, until the block or the process ends; made where it is not there.

    Raises:
        RecipeError: another process trains in it.
    """
    run.mkdir(parents=True, exist_ok=True)
    if not wanted or sys.platform == "win32":
        yield
        return
    folder = os.open(run, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecipeError(
                f"Another process is training in {run}. Wait until it is done, or choose another folder with --run."
            ) from None
        except OSError:  # a network folder without locks
            pass
        yield
    finally:
        os.close(folder)


def restore(run: Path, origin: Origin, state: dict[str, Any]) -> list[EpochLog]:
    """Load the last checkpoint of the run into ``state``; returns the epochs done (none for a new run).

    Raises:
        RecipeError: the checkpoint cannot be read, or is of another run.
    """
    path = run / "checkpoint.pt"
    if not path.exists():
        return []
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(saved, dict) or not {"recipe", "history"} <= saved.keys():
            raise RuntimeError("it holds something else")
    except (EOFError, RuntimeError, pickle.UnpicklingError) as problem:
        raise RecipeError(
            f"{path} is not a whole checkpoint ({str(problem).splitlines()[0] if str(problem) else 'it ends early'}). "
            "Delete it to begin the run anew, or put a copy of it back."
        ) from None
    origin.must_be_that_of(saved, path)
    for name in PARTS:
        state[name].load_state_dict(saved[name if name in saved else OLD_PARTS[name]])
    history: list[EpochLog] = saved["history"]
    return history


def save_epoch(
    run: Path,
    origin: Origin,
    state: dict[str, Any],
    history: list[EpochLog],
    best: tuple[Float32[Array, "n 7"], Int64[Array, " n"]] | None,
) -> None:
    """Write the checkpoint and the log.

    ``best``: logits on ``val`` and the labels there, where the last epoch is the best so far: then its weights and
    these answers are written too.
    """
    if best is not None:
        weights = {**origin.content(), "network": state["averaged"].state_dict(), "val": history[-1]}
        save(run / "best.pt", weights)
        save(run / "float16.pt", weights | {"network": in_half(weights["network"])})
        write_predictions(run / PREDICTIONS, origin.recipe, *best)
    parts = {name: state[name].state_dict() for name in PARTS}
    save(run / "checkpoint.pt", {**origin.content(), "history": history, **parts})
    write_log(run, history)


def write_log(run: Path, history: list[EpochLog]) -> None:
    """Write one JSON line an epoch."""
    replace_text(run / LOG, "".join(json.dumps(line) + "\n" for line in history))


def write_predictions(path: Path, recipe: Recipe, logits: Float32[Array, "n 7"], labels: Int64[Array, " n"]) -> None:
    """Keep a run's answers to ``val``: the figures of a network whose weights are too large to keep."""
    content = BytesIO()
    np.savez(content, logits=logits, labels=labels, recipe=np.array(json.dumps(asdict(recipe))))
    replace_files({path: content.getvalue()})


def in_half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in half precision; counters stay whole numbers."""
    return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}


def save(path: Path, content: Any) -> None:
    """Replacement of a file of torch as a whole, without a copy of it in memory: hundreds of megabytes for a teacher.

    One name for what is not whole yet: a run that is killed again and again leaves one such file, not many.
    """
    waiting = path.with_suffix(".part")
    torch.save(content, waiting)
    with waiting.open("rb") as file:
        os.fsync(file.fileno())
    waiting.replace(path)
