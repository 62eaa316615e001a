"""The command line: ``python -m skinlens COMMAND``. ``--help`` of each command says what it takes.

Results go to stdout, progress and messages to stderr. Exit status: 0 done, 1 the doctor found something wrong, 2 bad
input (one line on stderr says what, and what to do), 130 stopped by Ctrl+C.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import skinlens
from skinlens import pipeline
from skinlens.errors import DatasetError, SkinLensError
from skinlens.explain import AGAINST
from skinlens.labels import CODES, DISCLAIMER, LABELS
from skinlens.records import Method
from skinlens.terminal import speak_any_code_page
from skinlens.wording import UNRELIABLE, verdict


def main(arguments: Sequence[str] | None = None) -> int:
    speak_any_code_page()
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except SkinLensError as problem:
        print(f"skinlens: {' '.join(str(problem).split())}", file=sys.stderr)
        return 2
    except OSError as problem:
        print(f"skinlens: {problem.filename or ''}: {problem.strerror or problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("skinlens: stopped.", file=sys.stderr)
        return 130


# ------------------------------------------------------------------------------------------------------- commands


def _predict(options: argparse.Namespace) -> int:
    classifier = pipeline.load_classifier(options.weights)
    answers, status = [], 0
    for path in options.photos:
        try:
            analysis = pipeline.analyse_file(path, classifier)
        except (SkinLensError, OSError) as problem:
            if len(options.photos) == 1:
                raise
            reason = problem if isinstance(problem, SkinLensError) else problem.strerror
            print(f"skinlens: {path}: {reason}", file=sys.stderr)
            status = 2
            continue
        answers.append(_answer(path, analysis))
    if options.json:
        _print_json(answers[0] if len(options.photos) == 1 else answers)
    else:
        for answer in answers:
            print(_in_words(answer))
        print(DISCLAIMER)
    return status


def _explain(options: argparse.Namespace) -> int:
    import numpy as np
    from PIL import Image

    from skinlens.explain.overlay import captioned, overlay
    from skinlens.preprocess import heat_to_photo

    classifier = pipeline.load_classifier(options.weights)
    analysis = pipeline.analyse_file(options.photo, classifier)
    if not analysis.quality.reliable:
        print(f"{options.photo}: {UNRELIABLE}", file=sys.stderr)
    label = options.label or analysis.prediction.top.code
    options.out.mkdir(parents=True, exist_ok=True)
    params = {AGAINST: options.against} if options.against else {}
    maps = []
    for method in options.methods:
        explanation = pipeline.explain(method, classifier, analysis.photo, label, params=params)
        stem = options.out / f"{method}-{explanation.target.code}"
        photo, spec = analysis.photo, classifier.engine.spec
        words = f"{pipeline.METHODS[method].title}: what spoke for {explanation.target.words}"
        picture = captioned(overlay(photo, explanation.heat, spec), (words, DISCLAIMER))
        Image.fromarray(picture).save(stem.with_suffix(".png"))
        np.save(stem.with_suffix(".npy"), heat_to_photo(explanation.heat, photo.height_px, photo.width_px, spec))
        maps.append(
            {
                "method": method,
                "label": label,
                "overlay": str(stem.with_suffix(".png")),
                "heat": str(stem.with_suffix(".npy")),
                "params": dict(explanation.params),
                "seed": explanation.seed,
                "duration_ms": round(explanation.duration_ms, 1),
                "diagnostics": dict(explanation.diagnostics),
            }
        )
        print(f"{method}: {explanation.duration_ms:.0f} ms", file=sys.stderr)
    if options.json:
        _print_json({**_answer(options.photo, analysis), "explanations": maps})
    else:
        print(*(f"{one['overlay']}\n{one['heat']}" for one in maps), DISCLAIMER, sep="\n")
    return 0


def _report(options: argparse.Namespace) -> int:
    classifier = pipeline.load_classifier(options.weights)
    analysis = pipeline.analyse_file(options.photo, classifier)
    label = options.label or analysis.prediction.top.code
    params = {AGAINST: options.against} if options.against else {}
    explanations = [
        pipeline.explain(method, classifier, analysis.photo, label, params=params) for method in options.methods
    ]
    options.out.write_bytes(pipeline.report_unsaved(analysis, explanations, datetime.now(UTC)))
    print(options.out)
    return 0


def _train(options: argparse.Namespace) -> int:
    from skinlens.distill.config import Search, load_recipe
    from skinlens.distill.data import dataset_folder, load_index
    from skinlens.distill.distributed import joined
    from skinlens.distill.material import as_in_the_paper, by_lesion
    from skinlens.distill.search import search
    from skinlens.distill.train import train

    recipe, data = load_recipe(options.recipe), dataset_folder()
    if options.seed is not None:
        recipe = replace(recipe, seed=options.seed)
    parts = [load_index(data, part) for part in ("train", "val", "test")]
    if options.protocol == "paper":
        recipe = replace(recipe, epochs=recipe.paper_epochs or recipe.epochs)
        material = as_in_the_paper([entry for part in parts for entry in part], recipe)
    else:
        material = by_lesion(parts[0], parts[1], recipe)
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


def _evaluate_explanations(options: argparse.Namespace) -> int:
    from skinlens.evaluate.explanations import evaluate_release

    weights, path = options.weights or pipeline.weights_directory(), options.json or pipeline.EXPLANATIONS
    print(evaluate_release(weights, options.explanations, path))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    if options.explanations is not None:
        return _evaluate_explanations(options)
    if options.images is None or options.labels is None:
        raise DatasetError("Expected --images and --labels, or --explanations; found neither.")
    from skinlens.evaluate.measure import evaluate, summary

    result = evaluate(pipeline.load_classifier(options.weights), options.images, options.labels, options.split)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
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
    options.json.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    print(summary(result))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from skinlens.doctor import examine

    findings = examine(options.weights or pipeline.weights_directory())
    for finding in findings:
        print(f"{'ok   ' if finding.passed else 'WRONG'}  {finding.what:<34} {finding.found}")
    return 0 if all(finding.passed for finding in findings) else 1


def _serve(options: argparse.Namespace) -> int:
    from skinlens.serve import serve

    serve(options.host, options.port)


# ----------------------------------------------------------------------------------------------------- in words


def _answer(path: Path, analysis: pipeline.Analysis) -> dict[str, Any]:
    prediction = analysis.prediction
    return {
        "photo": str(path),
        "photo_sha256": analysis.photo.sha256,
        "top": prediction.top.code,
        "reliable": analysis.quality.reliable,
        "probs": dict(zip(CODES, prediction.probs, strict=True)),
        "melanoma": {
            "prob": prediction.melanoma_prob,
            "above_threshold": prediction.above_melanoma_threshold,
            "threshold": asdict(prediction.melanoma_threshold),
        },
        "prediction_set": prediction.prediction_set and asdict(prediction.prediction_set),
        "verdict": verdict(analysis.quality, prediction),
        "quality": {
            "passed": analysis.quality.passed,
            "checks": [asdict(check) for check in analysis.quality.checks],
        },
        "notes": list(analysis.photo.notes),
        "model": asdict(prediction.model),
        "latency_ms": round(prediction.latency_ms, 2),
        "disclaimer": DISCLAIMER,
    }


def _in_words(answer: dict[str, Any]) -> str:
    lines = [answer["photo"]]
    if answer["reliable"]:
        for label in sorted(LABELS, key=lambda label: -answer["probs"][label.code]):
            lines.append(f"  {answer['probs'][label.code]:6.1%}  {label.name} ({label.risk})")
    lines += [f"  {sentence}" for sentence in answer["verdict"]]
    lines += [f"  Note: {note}" for note in answer["notes"]]
    lines += [f"  {check['title']}: {check['advice']}" for check in answer["quality"]["checks"] if not check["passed"]]
    return "\n".join(lines)


def _print_json(content: Any) -> None:
    json.dump(content, sys.stdout, indent=2, allow_nan=False)
    print()


# ------------------------------------------------------------------------------------------------------- arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="skinlens", description=f"SkinLens. {DISCLAIMER}")
    parser.add_argument("--version", action="version", version=f"SkinLens {skinlens.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", help="the distribution over the seven classes for each photo")
    predict.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    predict.add_argument("--json", action="store_true", help="JSON to stdout: one object, or a list of several photos")
    predict.set_defaults(run=_predict)

    explain = commands.add_parser("explain", help="heat maps of a photo as pictures and as numbers")
    explain.add_argument("photo", type=Path, metavar="PHOTO")
    explain.add_argument("--out", type=Path, required=True, metavar="DIR", help="made if it is not there")
    explain.add_argument("--json", action="store_true", help="JSON to stdout, with the prediction")
    explain.set_defaults(run=_explain)

    report = commands.add_parser("report", help="the report of a photo as PDF; nothing is stored")
    report.add_argument("photo", type=Path, metavar="PHOTO")
    report.add_argument("--out", type=Path, required=True, metavar="FILE.pdf")
    report.set_defaults(run=_report)
    for command in (explain, report):
        command.add_argument(
            "--methods",
            type=_methods,
            default=list(pipeline.METHODS),
            metavar="METHOD[,METHOD…]",
            help=f"of {', '.join(pipeline.METHODS)}; all by default",
        )
        command.add_argument("--label", choices=CODES, help="class to explain; the most probable one by default")
        command.add_argument("--against", choices=CODES, help="what speaks for the class rather than for this one")

    serve = commands.add_parser("serve", help="the app, in a browser")
    serve.add_argument("--host", default="127.0.0.1", help="127.0.0.1 by default: this computer only")
    serve.add_argument("--port", type=int, default=8501, help="8501 by default; the next free one if it is taken")
    serve.set_defaults(run=_serve)

    doctor = commands.add_parser("doctor", help="check this installation")
    doctor.set_defaults(run=_doctor)

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

    for command in (predict, explain, report, doctor, outline, ablation, evaluate):
        command.add_argument("--weights", type=Path, metavar="DIR", help="the folder of a release; weights by default")
    return parser


def _methods(text: str) -> list[Method]:
    asked = [name.strip().replace("-", "_") for name in text.split(",") if name.strip()]
    unknown = [name for name in asked if name not in pipeline.METHODS]
    if unknown or not asked:
        raise argparse.ArgumentTypeError(f"expected {', '.join(pipeline.METHODS)}, found {text!r}")
    return [method for method in pipeline.METHODS if method in asked]


if __name__ == "__main__":
    sys.exit(main())
