"""Commands of evaluation: ``evaluate`` and ``ablation``, and what is fitted to a release: outline, patient context."""

import os
import sys
from pathlib import Path

import click

from skinlens import pipeline, published_figures
from skinlens.atomic_file import replace_json
from skinlens.cli import options
from skinlens.cli.training import say_how_to_go_on
from skinlens.errors import DatasetError, RecipeError
from skinlens.inference.release import weights_directory

RECIPES = Path("recipes")


class _Split(click.ParamType[str | Path]):
    """A part of HAM10000 by its name, or the path of a list of photo ids."""

    name = "part"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        if isinstance(value, Path) or value in {"train", "val", "test"}:
            return value
        if not Path(value).is_file():
            self.fail(f"expected train, val, test or a file with one photo id a line; found {value!r}.", param, ctx)
        return Path(value)


@click.command("outline-train")
@click.option("--test", is_flag=True, help="Train none, measure the one that is there on test: once for a release.")
@options.weights
def train_segmentation(*, test: bool, weights: Path | None) -> int:
    """Train the segmentation head for a release and add it to that; needs HAM10000 (SKINLENS_HAM10000)."""
    from skinlens.evaluation.segmentation import measure, train_and_measure

    if test:
        measure(weights or weights_directory(), "test")
    else:
        print(train_and_measure(weights or weights_directory()))
    return 0


@click.command("context-fit")
@options.weights
def context_fit(*, weights: Path | None) -> int:
    """Fit the change by age, sex and site, and add it to a release; needs HAM10000 (SKINLENS_HAM10000)."""
    from skinlens.evaluation.patient_context import fit_release
    from skinlens.training.ham10000 import dataset_folder, load_index, metadata_path

    folder = dataset_folder()
    pictures = {entry.image_id: entry.path for entry in load_index(folder, "val")}
    print(fit_release(weights or weights_directory(), pictures, metadata_path(folder)))
    return 0


@click.command()
@click.option("--images", type=options.FILE, metavar="DIR", help="Pictures, found by id below it.")
@click.option("--labels", type=options.FILE, metavar="CSV", help="HAM10000 or ISIC ground truth.")
@click.option(
    "--split",
    type=_Split(),
    metavar="PART",
    help="train, val or test of HAM10000, or a file with one photo id a line; all photos by default.",
)
@options.json_file()
@click.option(
    "--explanations",
    type=click.IntRange(min=1),
    is_flag=False,
    flag_value=200,
    metavar="[N]",
    help="Measure the explanation methods instead, on N photos of val (200), and write all figures beside the release; "
    "needs HAM10000 (SKINLENS_HAM10000).",
)
@click.option(
    "--invariance",
    type=click.IntRange(min=1),
    is_flag=False,
    flag_value=60,
    metavar="[N]",
    help="Measure instead how far small changes of N photos (60) move the probabilities; needs --images, --labels.",
)
@options.weights
def evaluate(
    *,
    images: Path | None,
    labels: Path | None,
    split: str | Path | None,
    json_path: Path | None,
    explanations: int | None,
    invariance: int | None,
    weights: Path | None,
) -> int:
    """Measure the served model on a labeled data set."""
    if explanations is not None:
        return _explanations(explanations, json_path, weights)
    if images is None or labels is None:
        given = "--images alone" if images else "--labels alone" if labels else "neither"
        raise DatasetError(
            "Expected --images and --labels together (also with --invariance), or --explanations by itself; "
            f"found {given}."
        )
    if invariance is not None:
        return _invariance(images, labels, split, invariance, json_path, weights)
    from skinlens.evaluation.evaluate import evaluate as measure
    from skinlens.evaluation.evaluate import summary

    result = measure(pipeline.load_classifier(weights), images, labels, split)
    if json_path:
        replace_json(json_path, result)
    print(summary(result))
    for image_id in [*result["missing_ids"], *result["unreadable_ids"]]:
        print(f"not measured: {image_id}", file=sys.stderr)
    return 0


def _explanations(count: int, json_path: Path | None, weights: Path | None) -> int:
    from skinlens.evaluation.explanations import evaluate_release

    release = weights or weights_directory()
    print(evaluate_release(release, count, json_path or release / published_figures.EXPLANATIONS))
    return 0


def _invariance(
    images: Path, labels: Path, split: str | Path | None, count: int, json_path: Path | None, weights: Path | None
) -> int:
    from skinlens.evaluation.invariance import invariance, summary

    result = invariance(pipeline.load_classifier(weights), images, labels, split, count)
    if json_path:
        replace_json(json_path, result)
    print(summary(result))
    return 0


@click.command()
@click.option("--runs", type=options.FILE, default=Path("runs"), metavar="DIR", help="runs by default.")
@options.json_file()
@click.option("--anew", is_flag=True, help="Leave out the rows that --json FILE has already and DIR has no run of.")
@click.option(
    "--train", is_flag=True, help="First train what is missing of the reduced form: some five hours on two cores."
)
@options.weights
def ablation(*, runs: Path, json_path: Path | None, anew: bool, train: bool, weights: Path | None) -> int:
    """The table of all runs under both protocols; needs HAM10000 (SKINLENS_HAM10000)."""
    from skinlens.evaluation.ablation import ablation as tabulate
    from skinlens.evaluation.ablation import summary
    from skinlens.evaluation.ablation_elsewhere import measure_elsewhere, merge_previous
    from skinlens.evaluation.ablation_runs import other_clinics, train_missing
    from skinlens.evaluation.bootstrap import RESAMPLES
    from skinlens.evaluation.ground_truth import read_labels
    from skinlens.evaluation.previous_results import read_previous_results
    from skinlens.training.ham10000 import dataset_folder, load_index, metadata_path
    from skinlens.training.sources import SETTING

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    folder = dataset_folder()
    previous = read_previous_results(json_path) if json_path and json_path.is_file() and not anew else None
    if train:
        with say_how_to_go_on():
            train_missing(RECIPES, runs, say)
    elif not runs.is_dir():
        raise RecipeError(f"There is no folder {runs}: name the one that holds the runs by --runs.")
    entries = {part: load_index(folder, part) for part in ("train", "val", "test")}
    contexts = {row.image_id: row.context for row in read_labels(metadata_path(folder), "val").rows}
    release = weights or weights_directory()
    result = tabulate(runs, entries, release, contexts=contexts, previous=previous, say=say)
    result["elsewhere"] = {}
    if SETTING in os.environ and RECIPES.is_dir():
        result["elsewhere"] = measure_elsewhere(runs, entries, other_clinics(RECIPES), RESAMPLES, say)
    else:
        say(f"Photos of other clinics: not measured; that takes the setting {SETTING} and a folder {RECIPES}.")
    merge_previous(result["elsewhere"], (previous or {}).get("elsewhere", {}))
    if json_path:
        replace_json(json_path, result)
    print(summary(result))
    return 0
