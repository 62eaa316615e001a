"""Command for many photos: ``batch``."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace as replace_field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skinlens.atomic_file import replace_json
from skinlens.cli import options
from skinlens.inference.release import weights_directory
from skinlens.labels import DISCLAIMER

if TYPE_CHECKING:
    from skinlens.batch.result_row import Row
    from skinlens.batch.scorer import Spread

_RAY, _VIEWS = "skinlens.ray", "skinlens.views"


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option("--out", type=options.FILE, required=True, metavar="FILE", help="Ends in .parquet, .csv or .jsonl.")
@click.option("--features", is_flag=True, help="Also the model's feature vector of each photo.")
@click.option(
    "--views",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=lambda context, _, asked: context.meta.__setitem__(_VIEWS, asked),
    help="Also melanoma's least and most probability over eight orientations of the photo; several times as slow.",
)
@click.option("--labels", type=options.FILE, metavar="CSV", help="image_id, dx: measure the model at the end.")
@click.option("--json", "json_path", type=options.FILE, metavar="FILE", help="With --labels: write all figures.")
@click.option("--replace", is_flag=True, help="Begin again: replace FILE, and what was begun for it.")
@click.option(
    "--ray",
    metavar="auto|ADDRESS",
    expose_value=False,
    is_eager=True,
    callback=lambda context, _, address: context.meta.__setitem__(_RAY, address),
    help="On the Ray cluster of this computer, or at this address.",
)
@options.weights
def batch(
    source: str,
    *,
    out: Path,
    features: bool,
    labels: Path | None,
    json_path: Path | None,
    replace: bool,
    weights: Path | None,
) -> int:
    """One row for each photo of SOURCE: a folder, a ZIP, a text file with one path a line, or the word store for the
    case file. Interrupted work is continued by the same command.
    """
    from tqdm import tqdm

    from skinlens.background import cores
    from skinlens.batch.run import Batch
    from skinlens.batch.sources import source_of
    from skinlens.inference.classifier import load_classifier

    if labels is not None:
        from skinlens.evaluation.ground_truth import read_labels

        listed = read_labels(labels, None)
    directory = weights or weights_directory()
    classifier = load_classifier(directory, threads=cores())
    asked = click.get_current_context().meta
    views = asked[_VIEWS]
    work = Batch(source_of(source), classifier, out, features, views, replace)
    work.check()
    cluster: AbstractContextManager[Spread | None] = nullcontext()
    if ray := asked[_RAY]:
        from skinlens.batch.on_ray import spreading

        cluster = spreading(ray, directory, classifier.engine.model_ref.sha256, features=features, views=views)

    def measure(rows: "Iterator[Row]") -> None:
        bar.close()
        if labels is not None:
            from skinlens.evaluation.batch_rows import evaluate_rows

            _tell(evaluate_rows(classifier, rows, listed, labels), json_path)

    with tqdm(unit=" photos", mininterval=0.5 if sys.stderr.isatty() else 15, smoothing=0.1) as bar:

        def begin(total: int, done: int) -> None:
            bar.initial = done
            bar.reset(total)

        try:
            with cluster as spread:
                on = replace_field(work, spread=spread)
                batch_summary = on.run(lambda count: bar.update(count) and None, begin, measure)
        except KeyboardInterrupt:
            print("\nWhat is read so far is kept; the same command goes on from there.", file=sys.stderr)
            raise
    print(f"{out}\n{batch_summary.words}\n{DISCLAIMER}")
    return batch_summary.status


def _tell(result: dict[str, Any], json_path: Path | None) -> None:
    from skinlens.evaluation.evaluate import summary

    if json_path:
        replace_json(json_path, result)
    print(summary(result))
