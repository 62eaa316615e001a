"""Commands of training: ``train``, ``average``, ``export`` and ``sensitivity``."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click

import skinlens
from skinlens.cli import options


@click.command()
@click.argument("recipe", type=options.FILE, metavar="RECIPE.toml")
@click.option("--run", "run_folder", type=options.FILE, metavar="DIR", help="runs/NAME by default.")
@click.option("--seed", type=int, help="In the place of the recipe's.")
@click.option(
    "--protocol",
    type=click.Choice(("lesion", "paper")),
    default="lesion",
    help="paper: the paper's own, leaky, one (copies of one photo on both sides), to show what the leak is worth.",
)
def train(recipe: Path, *, run_folder: Path | None, seed: int | None, protocol: Literal["lesion", "paper"]) -> int:
    """Run or resume a recipe; needs HAM10000 (SKINLENS_HAM10000)."""
    from skinlens.training.run import run_name, train_recipe

    run = run_folder or Path("runs") / run_name(recipe, seed, protocol)
    with say_how_to_go_on():
        result = train_recipe(recipe, run, seed, protocol)
    if result:
        print(result)
    return 0


@contextmanager
def say_how_to_go_on() -> Iterator[None]:
    """Say, where a training is stopped, that nothing of its finished epochs is lost."""
    try:
        yield
    except KeyboardInterrupt:
        print("The same command goes on after the last epoch that was finished.", file=sys.stderr)
        raise


@click.command()
@click.argument("run_folders", nargs=-1, required=True, type=options.FILE, metavar="RUN…")
@click.option("--share", "shares", type=float, multiple=True, metavar="X", help="One for each run; equal by default.")
@click.option("--out", type=options.FILE, required=True, metavar="RUN", help="Folder of the new run.")
def average(run_folders: Sequence[Path], *, shares: Sequence[float], out: Path) -> int:
    """The mean of the weights of several runs, as a run of its own."""
    from skinlens.training.model_soup import average as average_weights

    print(average_weights(run_folders, list(shares) or [1.0] * len(run_folders), out))
    return 0


@click.command()
@click.argument("run_folder", type=options.FILE, metavar="RUN")
@click.option("--out", type=options.FILE, default=Path("weights"), metavar="DIR", help="weights by default.")
@click.option("--version", default=skinlens.__version__, help="Of the release.")
@click.option("--note", default="", help="For the manifest: what the recipe does not say of this run.")
def export(run_folder: Path, *, out: Path, version: str, note: str) -> int:
    """Quantize and calibrate a run's best weights; needs HAM10000 (SKINLENS_HAM10000)."""
    from skinlens.quantization.release_builder import export as build_release
    from skinlens.training.ham10000 import dataset_folder, load_index

    folder = dataset_folder()
    training, validation = load_index(folder, "train"), load_index(folder, "val")
    print(build_release(run_folder, training, validation, out, version=version, note=note))
    return 0


@click.command()
@click.argument("release", type=options.FILE, metavar="WEIGHTS")
@click.option("--turns", type=click.Choice(("1", "4")), default="4", help="Quarter turns that are averaged.")
@click.option("--out", type=options.FILE, required=True, metavar="DIR", help="Folder of the new release.")
@click.option("--version", required=True, help="Of the new release.")
@click.option("--note", default="", help="For the manifest.")
def recalibrate(release: Path, *, turns: str, out: Path, version: str, note: str) -> int:
    """Serve a release as the mean over quarter turns, calibrated anew; needs HAM10000 (SKINLENS_HAM10000)."""
    from skinlens.quantization.recalibration import recalibrate as write_release
    from skinlens.training.ham10000 import dataset_folder, load_index

    folder = dataset_folder()
    training, validation = load_index(folder, "train"), load_index(folder, "val")
    print(write_release(release, training, validation, out, turns=int(turns), version=version, note=note))
    print(f"Then: skinlens context-fit --weights {out} and skinlens outline-train --test --weights {out}")
    return 0


@click.command()
@click.argument("run_folder", type=options.FILE, metavar="RUN")
@options.json_file("RUN/quantization-sensitivity.json")
def sensitivity(run_folder: Path, *, json_path: Path | None) -> int:
    """The accuracy that each group of layers costs in eight bits, and a picture; needs HAM10000 (SKINLENS_HAM10000)."""
    from skinlens.quantization.sensitivity import sensitivity as measure
    from skinlens.quantization.sensitivity import write
    from skinlens.training.ham10000 import dataset_folder, load_index

    folder = dataset_folder()
    path = json_path or run_folder / "quantization-sensitivity.json"
    write(measure(run_folder, load_index(folder, "train"), load_index(folder, "val")), path)
    return 0
