"""The commands of training and measurement: ``train``, ``export``, ``evaluate``, ``ablation`` and others."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import skinlens
from skinlens import pipeline, published_figures
from skinlens.errors import DatasetError


def add_commands(commands: "argparse._SubParsersAction[Any]") -> tuple[argparse.ArgumentParser, ...]:
    """Add the parser of each command; returns those that can be told which release to use."""
    train = commands.add_parser("train", help="run or resume a recipe; needs SKINLENS_HAM10000")
    train.add_argument("recipe", type=Path, metavar="RECIPE.toml")
    train.add_argument("--run", dest="run_folder", type=Path, metavar="DIR", help="runs/NAME by default")
    train.add_argument("--seed", type=int, help="in the place of the recipe's")
    train.add_argument(
        "--protocol",
        choices=("lesion", "paper"),
        default="lesion",
        help="paper: the paper's own, leaky, one (copies of one photo on both sides), to show what the leak is worth",
    )
    train.set_defaults(run=_train)

    export = commands.add_parser("export", help="quantize and calibrate a run's best weights; needs SKINLENS_HAM10000")
    export.add_argument("run_folder", type=Path, metavar="RUN")
    export.add_argument("--out", type=Path, default=Path("weights"), metavar="DIR", help="weights by default")
    export.add_argument("--version", default=skinlens.__version__, help="of the release")
    export.add_argument("--note", default="", help="kept in the manifest: what the recipe does not say of this run")
    export.set_defaults(run=_export)

    outline = commands.add_parser(
        "outline-train", help="train the outline head for a release and add it to that; needs SKINLENS_HAM10000"
    )
    outline.add_argument("--test", action="store_true", help="measure it on test too: once for a release, at the end")
    outline.set_defaults(run=_outline_train)

    context = commands.add_parser(
        "context-fit", help="fit what age, sex and site change, and add it to a release; needs SKINLENS_HAM10000"
    )
    context.set_defaults(run=_context_fit)

    evaluate = commands.add_parser("evaluate", help="measure the served model on a labelled data set")
    evaluate.add_argument("--images", type=Path, metavar="DIR", help="pictures, found by id below it")
    evaluate.add_argument("--labels", type=Path, metavar="CSV", help="HAM10000 or ISIC ground truth")
    evaluate.add_argument("--split", choices=("train", "val", "test"), help="of HAM10000; the whole file by default")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write every figure with its interval")
    evaluate.add_argument(
        "--explanations",
        type=int,
        nargs="?",
        const=200,
        metavar="N",
        help="measure the explanation methods instead, on N photos of val (200); needs SKINLENS_HAM10000",
    )
    evaluate.add_argument(
        "--invariance",
        type=int,
        nargs="?",
        const=60,
        metavar="N",
        help="measure instead how far small changes of N photos (60) move the probabilities; needs --images, --labels",
    )
    evaluate.set_defaults(run=_evaluate)

    average = commands.add_parser("average", help="the mean of the weights of several runs, as a run of its own")
    average.add_argument("run_folders", type=Path, nargs="+", metavar="RUN")
    average.add_argument("--shares", type=float, nargs="+", metavar="X", help="of each run; default: all alike")
    average.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the new run")
    average.set_defaults(run=_average)

    sensitivity = commands.add_parser("sensitivity", help="which layers of a run lose by eight bits, and a picture")
    sensitivity.add_argument("run_folder", type=Path, metavar="RUN")
    sensitivity.add_argument("--json", type=Path, default=Path("docs/quantization-sensitivity.json"), metavar="FILE")
    sensitivity.set_defaults(run=_sensitivity)

    ablation = commands.add_parser("ablation", help="the table of all runs under both protocols")
    ablation.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="runs by default")
    ablation.add_argument("--json", type=Path, default=Path("docs/ablation.json"), metavar="FILE")
    ablation.add_argument("--anew", action="store_true", help="leave out rows of FILE whose runs are not in DIR")
    ablation.set_defaults(run=_ablation)
    return outline, context, ablation, evaluate


def _write_json(path: Path, result: dict[str, Any]) -> None:
    path.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _train(options: argparse.Namespace) -> int:
    from skinlens.distill.config import Search, load_recipe
    from skinlens.distill.data import dataset_folder, load_index
    from skinlens.distill.distributed import joined
    from skinlens.distill.material import as_in_the_paper
    from skinlens.distill.search import search
    from skinlens.distill.sources import with_sources
    from skinlens.distill.train import train

    recipe, data = load_recipe(options.recipe), dataset_folder()
    if options.seed is not None:
        recipe = replace(recipe, seed=options.seed)
    parts = [load_index(data, part) for part in ("train", "val", "test")]
    if options.protocol == "paper":
        recipe = replace(recipe, epochs=recipe.paper_epochs or recipe.epochs)
        material = as_in_the_paper([entry for part in parts for entry in part], recipe)
    else:
        material = with_sources(parts[0], parts[1], recipe, options.recipe.parent)
    name = recipe.name + (f"-seed{options.seed}" if options.seed is not None else "")
    run = options.run_folder or Path("runs") / (f"{name}-paper" if options.protocol == "paper" else name)
    with joined() as world:
        if recipe.search != Search():
            found = search(recipe, material, run, world)
            if world.leads:
                (run / "search.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
                print(run / "search.json")
        else:
            best = train(recipe, material, run, world)
            if world.leads:
                print(best)
    return 0


def _average(options: argparse.Namespace) -> int:
    from skinlens.distill.average import average

    print(average(options.run_folders, options.shares or [1.0] * len(options.run_folders), options.out))
    return 0


def _export(options: argparse.Namespace) -> int:
    from skinlens.distill.data import dataset_folder, load_index
    from skinlens.distill.export import export

    data = dataset_folder()
    training, validation = load_index(data, "train"), load_index(data, "val")
    print(export(options.run_folder, training, validation, options.out, version=options.version, note=options.note))
    return 0


def _outline_train(options: argparse.Namespace) -> int:
    from skinlens.evaluate.outline import train_and_measure

    print(train_and_measure(options.weights or pipeline.weights_directory(), with_test=options.test))
    return 0


def _context_fit(options: argparse.Namespace) -> int:
    from skinlens.distill.data import dataset_folder, load_index, metadata_path
    from skinlens.evaluate.context import fit_release

    data = dataset_folder()
    pictures = {entry.image_id: entry.path for entry in load_index(data, "val")}
    print(fit_release(options.weights or pipeline.weights_directory(), pictures, metadata_path(data)))
    return 0


def _evaluate_explanations(options: argparse.Namespace) -> int:
    from skinlens.evaluate.explanations import evaluate_release

    weights = options.weights or pipeline.weights_directory()
    path = options.json or published_figures.DOCS / published_figures.EXPLANATIONS
    print(evaluate_release(weights, options.explanations, path))
    return 0


def _evaluate_invariance(options: argparse.Namespace) -> int:
    from skinlens.evaluate.invariance import invariance, summary

    classifier = pipeline.load_classifier(options.weights)
    result = invariance(classifier, options.images, options.labels, options.split, options.invariance)
    if options.json:
        _write_json(options.json, result)
    print(summary(result))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    if options.explanations is not None:
        return _evaluate_explanations(options)
    if options.images is None or options.labels is None:
        raise DatasetError("Expected --images and --labels, or --explanations; found neither.")
    if options.invariance is not None:
        return _evaluate_invariance(options)
    from skinlens.evaluate.measure import evaluate, summary

    result = evaluate(pipeline.load_classifier(options.weights), options.images, options.labels, options.split)
    if options.json:
        _write_json(options.json, result)
    print(summary(result))
    for image_id in [*result["missing_ids"], *result["unreadable_ids"]]:
        print(f"not measured: {image_id}", file=sys.stderr)
    return 0


def _sensitivity(options: argparse.Namespace) -> int:
    from skinlens.distill.data import dataset_folder, load_index
    from skinlens.distill.sensitivity import sensitivity, write

    data = dataset_folder()
    write(sensitivity(options.run_folder, load_index(data, "train"), load_index(data, "val")), options.json)
    return 0


def _ablation(options: argparse.Namespace) -> int:
    from skinlens.distill.data import dataset_folder, load_index
    from skinlens.evaluate.ablation import ablation, summary

    data = dataset_folder()
    entries = {part: load_index(data, part) for part in ("train", "val", "test")}
    weights = options.weights or pipeline.weights_directory()
    kept = options.json.is_file() and not options.anew
    earlier = json.loads(options.json.read_text(encoding="utf-8")) if kept else None
    result = ablation(options.runs, entries, weights, earlier=earlier, say=lambda text: print(text, file=sys.stderr))
    _write_json(options.json, result)
    print(summary(result))
    return 0
