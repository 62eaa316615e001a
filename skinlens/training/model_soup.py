"""Model soup: the mean of the weights of trained networks (Wortsman et al., 2022).

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time", 2022, section 2. It holds for networks that began at the same initial weights and stayed in one basin
of the loss; whether these did is for ``val`` to say.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from skinlens.errors import RecipeError
from skinlens.networks.pretrained import saved_run
from skinlens.training.recipe import recipe_from_dict


def average(runs: Sequence[Path], shares: Sequence[float], out: Path) -> Path:
    """Write ``out/best.pt``: the mean of the runs' best weights, the recipe of the first, and what it was made of.

    ``shares`` are positive and scaled to the sum 1. Counters, which are whole numbers, are those of the first.

    Raises:
        RecipeError: there are not as many shares as runs, or the networks are not of one architecture and input.
        WeightsError: a run's ``best.pt`` is none.
        OSError: a run holds no ``best.pt``, or ``out`` cannot be written.
    """
    if len(runs) != len(shares) or not runs or min(shares) <= 0:
        raise RecipeError(f"Expected one share above 0 for each run, found {list(shares)} for {len(runs)} runs.")
    contents = [(run / "best.pt").read_bytes() for run in runs]  # what is averaged is what its hash is noted of
    parts = [saved_run(run / "best.pt", content, "recipe") for run, content in zip(runs, contents, strict=True)]
    recipes = [recipe_from_dict(part["recipe"]) for part in parts]
    for run, recipe in zip(runs[1:], recipes[1:], strict=True):
        first = recipes[0]
        if (recipe.network, recipe.student, recipe.input) != (first.network, first.student, first.input):
            raise RecipeError(
                f"The network of {run} is not of the architecture and input size of {runs[0]}, so their weights have "
                "no mean. Choose runs whose recipes differ in how they learn alone."
            )
    protocols = {part.get("protocol", "lesion") for part in parts}
    if len(protocols) != 1:
        raise RecipeError("The runs were trained under different protocols: the mean would leak. Choose runs of one.")
    network: dict[str, Tensor] = {}
    for name, value in parts[0]["network"].items():
        network[name] = value
        if value.is_floating_point():
            terms = [part["network"][name] * share / sum(shares) for part, share in zip(parts, shares, strict=True)]
            network[name] = torch.stack(terms).sum(dim=0)
    out.mkdir(parents=True, exist_ok=True)
    made_of = {
        hashlib.sha256(content).hexdigest(): share / sum(shares)
        for content, share in zip(contents, shares, strict=True)
    }
    torch.save(
        {
            "recipe": parts[0]["recipe"],
            "protocol": protocols.pop(),
            "network": network,
            "soup_of": made_of,
        },
        out / "best.pt",
    )
    return out / "best.pt"
