"""Model soup: the mean of the weights of trained networks (Wortsman et al., 2022).

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time", 2022, section 2. It holds for networks that began at the same initial weights and stayed in one basin
of the loss; whether these did is for ``val`` to say.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skinlens.atomic_file import replace_files
from skinlens.errors import RecipeError
from skinlens.networks.pretrained import first_line, saved_run
from skinlens.training.protocols import protocol_of
from skinlens.training.recipe import recipe_from_dict

SHARES = 0.001, 1000.0
"""The smallest and the largest share of a run, so that no weight becomes 0 or infinite by it, in half precision too."""
RUN_FILES = ("best.pt", "checkpoint.pt", "float16.pt", "log.jsonl", "val_logits.npz", "search.json")
"""Files of which a folder with any holds a run."""


def average(runs: Sequence[Path], shares: Sequence[float], out: Path) -> Path:
    """Write ``out/best.pt``: the mean of the runs' best weights, the recipe of the first, and what it was made of.

    ``shares`` lie in ``SHARES`` and are scaled to the sum 1. Counters, which are whole numbers, are those of the first.

    Raises:
        RecipeError: there are not as many shares as runs, ``out`` holds a run, or the networks are not of one
            architecture and input.
        WeightsError: a run's ``best.pt`` is none, or is not whole.
        OSError: a run holds no ``best.pt``, or ``out`` cannot be written.
    """
    _check_request(runs, shares, out)
    contents = [(run / "best.pt").read_bytes() for run in runs]  # what is averaged is what its hash is noted of
    parts = [saved_run(run / "best.pt", content) for run, content in zip(runs, contents, strict=True)]
    recipes = [recipe_from_dict(part["recipe"]) for part in parts]
    for run, recipe in zip(runs[1:], recipes[1:], strict=True):
        first = recipes[0]
        if (recipe.network, recipe.student, recipe.input) != (first.network, first.student, first.input):
            raise RecipeError(
                f"The network of {run} is not of the architecture and input size of {runs[0]}, so their weights have "
                "no mean. Choose runs whose recipes differ in how they learn alone."
            )
    protocols = {protocol_of(run, part) for run, part in zip(runs, parts, strict=True)}
    if len(protocols) != 1:
        raise RecipeError("The runs were trained under different protocols: the mean would leak. Choose runs of one.")
    network = _checked_mean(runs, parts, shares)
    out.mkdir(parents=True, exist_ok=True)
    made_of = {
        hashlib.sha256(content).hexdigest(): share / sum(shares)
        for content, share in zip(contents, shares, strict=True)
    }
    best = io.BytesIO()
    torch.save(
        {
            "recipe": parts[0]["recipe"],
            "protocol": protocols.pop(),
            "network": network,
            "soup_of": made_of,
        },
        best,
    )
    replace_files({out / "best.pt": best.getvalue()})
    return out / "best.pt"


def _check_request(runs: Sequence[Path], shares: Sequence[float], out: Path) -> None:
    low, high = SHARES
    if len(runs) != len(shares) or not runs or not all(low <= share <= high for share in shares):
        raise RecipeError(
            f"Expected for each run one share from {low} to {high}; found {list(shares)} for {len(runs)} runs."
        )
    if held := [name for name in RUN_FILES if (out / name).exists()]:
        raise RecipeError(
            f"{out} holds a run already: expected a new folder, found {', '.join(held)} in it. Choose another one by "
            "--out, or move that run away."
        )


def _checked_mean(
    runs: Sequence[Path], parts: Sequence[Mapping[str, Any]], shares: Sequence[float]
) -> dict[str, Tensor]:
    try:
        network = _mean([part["network"] for part in parts], shares)
    except (KeyError, RuntimeError, TypeError, AttributeError) as problem:
        raise RecipeError(
            f"The weights of {', '.join(map(str, runs))} have no mean: expected as many of each name and shape, found "
            f"others ({first_line(problem)}). Put back the best.pt of each run, or train it again."
        ) from problem
    if broken := [name for name, value in network.items() if not value.isfinite().all()]:
        raise RecipeError(
            f"The mean would hold numbers that are not finite, in {broken[0]}: a run has diverged. Choose runs whose "
            "weights are finite."
        )
    return network


def _mean(networks: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    mean: dict[str, Tensor] = {}
    for name, value in networks[0].items():
        mean[name] = value
        if value.is_floating_point():
            terms = [network[name] * share / sum(shares) for network, share in zip(networks, shares, strict=True)]
            mean[name] = torch.stack(terms).sum(dim=0)
    return mean
