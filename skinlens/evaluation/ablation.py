"""Ablation table: one row a training configuration, without leakage and under the paper's leaky split.

Figures are on ``val``, because rows are there to be chosen from; ``test`` is for the released model alone. A row's
probabilities are scaled by the temperature that fits ``val`` best, as the released model's are. A row that was not run
says so. Where a recipe was run with several seeds, a figure is the mean over them.
"""

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from skinlens import clock
from skinlens.errors import RecipeError, WeightsError
from skinlens.evaluation.ablation_rows import (
    COMPARED,
    FIGURES,
    INT8,
    RELEASED,
    ROWS,
    Measured,
    Row,
    all_figures,
    lesions,
    median_ms,
    scaled,
)
from skinlens.evaluation.bootstrap import RESAMPLES, SEED, with_ci
from skinlens.evaluation.previous_results import merge_previous_results
from skinlens.evaluation.released_rows import measure_released
from skinlens.formatting import estimate
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.calibration import softmax
from skinlens.inference.patient_context import PatientContext
from skinlens.labels import CODES
from skinlens.networks.pretrained import first_line, saved_run
from skinlens.records import Array
from skinlens.terminal import Say
from skinlens.training.checkpoints import PREDICTIONS
from skinlens.training.ham10000 import Entry, labels_of, load_images
from skinlens.training.loop import predict_logits
from skinlens.training.protocols import Protocol, paper_split, protocol_of
from skinlens.training.recipe import Recipe, recipe_from_dict
from skinlens.training.tasks import load_network, make_task


def ablation(
    runs: Path,
    entries: dict[str, list[Entry]],
    weights: Path,
    *,
    contexts: Mapping[str, PatientContext] | None = None,
    previous: dict[str, Any] | None = None,
    resamples: int = RESAMPLES,
    say: Say = print,
) -> dict[str, Any]:
    """Everything that ``python -m skinlens ablation`` writes, ready for JSON.

    ``entries``: the photos of ``train``, ``val`` and ``test``; those of ``test`` serve the leaky protocol alone.
    ``contexts``: image id of ``val`` → what is known of the patient. ``previous``: a table that was gathered before,
    for the rows whose runs are not under ``runs``.
    """
    honest = {row.name: measure(row, runs, "lesion", entries, say) for row in ROWS}
    leaky = {row.name: measure(row, runs, "paper", entries, say) for row in ROWS}
    honest |= measure_released(weights, entries["val"], contexts)
    lesion_rows = [line(row, honest.get(row.name), resamples) for row in (*ROWS, *RELEASED)]
    created_at = clock.utc_now()
    result: dict[str, Any] = {
        "protocols": {
            "lesion": {
                "leaky": False,
                "photos": "val",
                "rows": lesion_rows,
                "differences": [
                    contrast
                    for pair in COMPARED
                    if (contrast := difference(honest.get(pair[0]), honest.get(pair[1]), pair, resamples))
                ],
            },
            "paper": {
                "leaky": True,
                "photos": "a tenth of the photos and their changed copies",
                "rows": [
                    line(row, leaky.get(row.name), resamples) | {"paper_reports": row.paper} for row in (*ROWS, INT8)
                ],
            },
        },
        "search": _search(runs / "search_weights" / "search.json", say),
        "bootstrap": {"resamples": resamples, "seed": SEED, "interval": 0.95},
        "created_at": created_at,
    }
    for protocol in result["protocols"].values():
        for row in protocol["rows"]:
            if row["status"] == "measured":
                row["measured_at"] = created_at
    if previous:
        merge_previous_results(result, previous, say)
        result["protocols"]["lesion"]["differences"].sort(
            key=lambda contrast: COMPARED.index((contrast["of"], contrast["minus"]))
        )
    return result


def _search(path: Path, say: Say) -> Any:
    """Result of the search, where there is one; None, and a word why, where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError) as problem:
        say(f"{path}, left out: {problem}")
        return None


def run_folders(row: Row, runs: Path, protocol: Protocol) -> list[Path]:
    """The runs of a row that hold weights, or their answers alone: one for each seed."""
    ending = "-paper" if protocol == "paper" else ""
    named = re.compile(rf"{re.escape(row.name)}(-seed\d+)?{ending}")
    paths = (path for name in ("best.pt", PREDICTIONS) for path in runs.glob(f"*/{name}"))
    return sorted({path.parent for path in paths if named.fullmatch(path.parent.name)})


class Asked(NamedTuple):
    """Predictions of the best weights of one run."""

    recipe: Recipe
    network: nn.Module
    logits: Float32[Array, "n 7"]
    truth: Int64[Array, " n"]
    groups: Int64[Array, " n"]


def run_model(folder: Path, protocol: Protocol, entries: dict[str, list[Entry]]) -> Asked:
    """Predictions of a run's best weights; without weights, its saved answers to ``val``, and a network for the cost.

    Raises:
        RecipeError: the run's recipe is not one of this version, or its answers are to other photos.
    """
    if not (folder / "best.pt").is_file():
        return kept_answers(folder, entries["val"])
    network, recipe = load_network(folder / "best.pt")
    if protocol == "paper":
        data = paper_split([entry for part in entries.values() for entry in part], recipe)
        images, truth, groups = data.val_images, data.val_labels, np.arange(len(data.val_labels))
    else:
        val = entries["val"]
        images, truth, groups = _views(tuple(val), recipe.input), labels_of(val), lesions(val)
    logits = predict_logits(network, images, recipe, torch.device("cpu"))
    return Asked(recipe, network, logits, truth, groups)


@lru_cache(maxsize=1)
def _views(photos: tuple[Entry, ...], spec: InputSpec) -> UInt8[Array, "n s s 3"]:
    """Photos as one network sees them: the next row mostly asks for the same ones."""
    return load_images(photos, spec)


def kept_answers(folder: Path, val: Sequence[Entry]) -> Asked:
    """The answers to ``val`` of a run whose weights were not kept. Raises RecipeError: see ``run_model``."""
    with opened_answers(folder) as archive:
        logits = archive["logits"]
        truth = archive["labels" if "labels" in archive else "truth"]  # as older runs have it
        recipe = replace(recipe_from_dict(json.loads(str(archive["recipe"]))), pretrained=False)
    if logits.shape != (len(truth), len(CODES)) or not np.array_equal(truth, labels_of(val)):
        raise RecipeError(f"{folder / PREDICTIONS} holds answers to {len(truth)} photos that are not those of val.")
    return Asked(recipe, make_task(recipe).network.eval(), logits, truth, lesions(val))


@contextmanager
def opened_answers(folder: Path) -> Iterator[Mapping[str, Array]]:
    """A run's answers to ``val``. Raises RecipeError where, within the block, they turn out to be no whole file."""
    path = folder / PREDICTIONS
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            yield archive
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile, zlib.error) as problem:
        raise RecipeError(
            f"{path} is not the whole file of a run's answers to val ({first_line(problem)}). Put a copy of it back, "
            "or train the run again."
        ) from problem


class RunState(NamedTuple):
    """State of a run: what it was asked to do, and how far it is."""

    settings: dict[str, Any]
    """Of its recipe, as the version that trained it named them."""
    done: int
    """Epochs; a mean of runs has nothing left to do."""
    epochs: int
    protocol: str

    @property
    def recipe(self) -> Recipe:
        """Raises RecipeError: it is not one of this version."""
        return recipe_from_dict(self.settings)


def run_state(folder: Path) -> RunState:
    """State of a run by its weights or, without these, its answers, and by its log.

    Raises:
        RecipeError: one of its files is not there, or not whole.
    """
    saved: dict[str, Any] = {}
    if (folder / "best.pt").is_file():
        saved = saved_run(folder / "best.pt", parts=("recipe",))
        settings = saved["recipe"]
    else:
        with opened_answers(folder) as archive:
            settings = json.loads(str(archive["recipe"]))
    try:
        epochs = int(settings["epochs"])
        if "soup_of" in saved or "mean_of" in saved:  # as versions before 0.5 named it
            done = epochs
        else:
            done = len((folder / "log.jsonl").read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise RecipeError(
            f"How far {folder} is cannot be told ({first_line(problem)}): expected the epochs of its recipe, and a "
            "line for each that is done in log.jsonl. Put a copy back, or train the run again."
        ) from problem
    return RunState(settings, done, epochs, protocol_of(folder, saved))


def run_finished(
    title: str, folder: Path, protocol: Protocol, entries: dict[str, list[Entry]], say: Say
) -> Asked | None:
    """None, and a word why, for a run that is under way, cannot be read, or was trained under another protocol."""
    try:
        state = run_state(folder)
        if state.done != state.epochs:
            raise RecipeError(f"{state.done} of {state.epochs} epochs")
        if state.protocol != protocol:
            raise RecipeError(
                f"it was trained under the protocol {state.protocol}, and its folder's name says {protocol}. Rename it"
            )
        say(f"{title}: {folder}")
        return run_model(folder, protocol, entries)
    except (RecipeError, WeightsError) as error:
        say(f"{title}: {folder}, left out: {error}")
        return None


def measure(row: Row, runs: Path, protocol: Protocol, entries: dict[str, list[Entry]], say: Say) -> Measured | None:
    """Predictions of each finished run's best weights; None where no run is finished."""
    if row.ensemble_of:
        folders = [runs / name for name in row.ensemble_of]
        return measure_mean(row.title, folders, entries, say) if protocol == "lesion" else None
    asked = (run_finished(row.title, folder, protocol, entries, say) for folder in run_folders(row, runs, protocol))
    finished = [run for run in asked if run]
    if not finished:
        return None
    last = finished[-1]
    probs = [scaled(each.logits, each.truth) for each in finished]
    return Measured([each.recipe.seed for each in finished], probs, last.truth, last.groups, cost_of(last))


def measure_mean(title: str, folders: Sequence[Path], entries: dict[str, list[Entry]], say: Say) -> Measured | None:
    """The mean of several runs' distributions on ``val``; None where one of them was not run to its end."""
    if not all((folder / "log.jsonl").is_file() for folder in folders):
        return None
    asked = [run_finished(title, folder, "lesion", entries, say) for folder in folders]
    finished = [run for run in asked if run]
    if len(finished) < len(folders):
        return None
    mean = np.mean([softmax(run.logits) for run in finished], axis=0)
    cost = {
        "parameters": float(sum(parameters_of(run.network) for run in finished)),
        "detail_px": max(run.recipe.input.detail_px for run in finished),
    }
    truth, groups = finished[0].truth, finished[0].groups
    return Measured([], [scaled(np.log(mean).astype(np.float32), truth)], truth, groups, cost)


def cost_of(asked: Asked) -> dict[str, float]:
    """Side of the views, detail of the photos and epochs of training; parameters, multiply-accumulates, size in
    float32, and the time of one prediction in eager torch.
    """
    network, recipe = asked.network, asked.recipe
    photo = torch.rand(1, 3, recipe.input.size_px, recipe.input.size_px)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(photo)
    with torch.no_grad():
        latency_ms = median_ms(lambda: network(photo))
    return {
        "size_px": recipe.input.size_px,
        "detail_px": recipe.input.detail_px,
        "epochs": recipe.epochs,
        "parameters": float(parameters_of(network)),
        "macs": counter.get_total_flops() / 2,
        "size_kb": 4 * parameters_of(network) / 1024,
        "latency_ms": latency_ms,
    }


def parameters_of(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def line(row: Row, measured: Measured | None, resamples: int) -> dict[str, Any]:
    """One row of the table; without figures where no run is finished."""
    title = {"name": row.name, "title": row.title}
    if measured is None:
        return title | {"status": "not run", "figures": {}}
    figures = with_ci(measured.figures, measured.groups, resamples)
    return {
        **title,
        "status": "measured",
        "n": len(measured.truth),
        "figures": dict(zip(FIGURES, figures, strict=True)),
        "seeds": measured.seeds,
        "each_seed": {
            name: [float(all_figures(measured.truth, probs)[place]) for probs in measured.probs]
            for place, name in enumerate(FIGURES)
        },
        **measured.cost,
    }


def difference(
    first: Measured | None, second: Measured | None, names: tuple[str, str], resamples: int
) -> dict[str, Any] | None:
    """The first row minus the second on the same photos, each a mean over its seeds, with the interval of that."""
    if first is None or second is None:
        return None
    estimates = with_ci(lambda rows: first.figures(rows) - second.figures(rows), first.groups, resamples)
    return {"of": names[0], "minus": names[1], "figures": dict(zip(FIGURES, estimates, strict=True))}


def summary(result: dict[str, Any]) -> str:
    """The tables for the terminal."""
    lines = []
    for name, protocol in result["protocols"].items():
        lines.append(f"{name}{' (leaky)' if protocol['leaky'] else ''}, on {protocol['photos']}")
        for row in protocol["rows"]:
            figures = row["figures"]
            said = [figures[figure] for figure in ("balanced_accuracy", "accuracy", "melanoma_auc")] if figures else []
            lines.append(f"  {row['title']:<50} {'  '.join(map(estimate, said)) or row['status']}")
    for contrast in result["protocols"]["lesion"]["differences"]:
        lines.append(f"  {contrast['of']} - {contrast['minus']}: {estimate(contrast['figures']['balanced_accuracy'])}")
    return "\n".join(lines)
