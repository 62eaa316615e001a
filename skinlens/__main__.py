"""The command line: ``python -m skinlens COMMAND``. ``--help`` of each command says what it takes.

Results go to stdout, progress and messages to stderr. Exit status: 0 done, 1 the doctor found something wrong or
a backup lacks a file, 2 bad input (one line on stderr says what, and what to do), 130 stopped by Ctrl+C.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import skinlens
from skinlens import pipeline, research
from skinlens.clock import local_day
from skinlens.errors import ParameterError, SkinLensError
from skinlens.explain import AGAINST
from skinlens.labels import CODES, DISCLAIMER, LABELS
from skinlens.models.weights import load_manifest
from skinlens.patient_context import SITES, PatientContext, context_of
from skinlens.records import Method, Progress
from skinlens.terminal import speak_any_code_page
from skinlens.wording import CONTEXT_PRIOR, UNRELIABLE, verdict


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
    context = context_of(options.age, options.sex, options.site)
    classifier = pipeline.load_classifier(options.weights)
    if context.known and classifier.context_model is None:
        raise ParameterError(
            f"The model {classifier.engine.stamp.version} was released without what age, sex and site change. "
            "Leave --age, --sex and --site out, or run: python -m skinlens context-fit --weights DIR"
        )
    bundled = _bundled(options)
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
        answer = _answer(path, analysis, bundled=bundled)
        if (probs := classifier.with_context(analysis.prediction, context)) is not None:
            answer["with_context"] = {**asdict(context), "probs": dict(zip(CODES, probs, strict=True))}
        answers.append(answer)
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
        _print_json({**_answer(options.photo, analysis, bundled=_bundled(options)), "explanations": maps})
    else:
        print(*(f"{one['overlay']}\n{one['heat']}" for one in maps), DISCLAIMER, sep="\n")
    return 0


def _report(options: argparse.Namespace) -> int:
    classifier = pipeline.load_classifier(options.weights)
    analysis = pipeline.analyse_file(options.photo, classifier)
    label = options.label or analysis.prediction.top.code
    params = {AGAINST: options.against} if options.against else {}
    methods = options.methods if options.annex else ()  # the maps stand in the annex alone
    explanations = [pipeline.explain(method, classifier, analysis.photo, label, params=params) for method in methods]
    options.out.write_bytes(pipeline.report_unsaved(analysis, explanations, datetime.now(UTC), annex=options.annex))
    print(options.out)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from skinlens.doctor import examine
    from skinlens.store import CaseStore

    if options.accept_loss:
        CaseStore().accept_loss()
    findings = examine(options.weights or pipeline.weights_directory())
    for finding in findings:
        print(f"{'ok   ' if finding.passed else 'WRONG'}  {finding.what:<34} {finding.found}")
    return 0 if all(finding.passed for finding in findings) else 1


def _backup(options: argparse.Namespace) -> int:
    from skinlens.store import CaseStore

    made = CaseStore().back_up(options.folder.absolute(), progress=_percent("Backing up"))
    print(*made.missing, sep="\n", end="\n" if made.missing else "", file=sys.stderr)
    print(f"{made.path}\n{made.cases} cases, {made.files} photos and maps: written and verified.")
    return 1 if made.missing else 0


def _restore(options: argparse.Namespace) -> int:
    from skinlens.store import default_home
    from skinlens.store.restore import restore

    done = restore(options.file, default_home(), replace=options.replace, progress=_percent("Restoring"))
    print(*done.missing, sep="\n", end="\n" if done.missing else "", file=sys.stderr)
    holds = f"{done.cases} cases, {done.files} photos and maps"
    print(f"{done.home} holds the backup of {local_day(done.made_at)} now: {holds}.")
    if done.aside is not None:
        print(f"What was there before is in {done.aside}. Delete that folder once you are sure not to need it.")
    return 1 if done.missing else 0


def _percent(doing: str) -> Progress:
    """Each tenth that is done, to stderr."""
    told = -1

    def tell(fraction: float) -> None:
        nonlocal told
        if (tenth := int(10 * fraction)) > told:
            told = tenth
            print(f"{doing}: {10 * tenth} %", file=sys.stderr)

    return tell


def _serve(options: argparse.Namespace) -> int:
    from skinlens.serve import serve

    serve(options.host, options.port)


# ----------------------------------------------------------------------------------------------------- in words


def _bundled(options: argparse.Namespace) -> bool:
    """Whether the model is the release that came with this version."""
    return load_manifest(options.weights or pipeline.weights_directory()).bundled


def _answer(path: Path, analysis: pipeline.Analysis, *, bundled: bool) -> dict[str, Any]:
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
        "bundled_release": bundled,
        "latency_ms": round(prediction.latency_ms, 2),
        "disclaimer": DISCLAIMER,
    }


def _in_words(answer: dict[str, Any]) -> str:
    lines = [answer["photo"]]
    if answer["reliable"]:
        for label in sorted(LABELS, key=lambda label: -answer["probs"][label.code]):
            lines.append(f"  {answer['probs'][label.code]:6.1%}  {label.name} ({label.risk})")
    if answer["reliable"] and (known := answer.get("with_context")):
        lines.append(f"  With {PatientContext(known['age_years'], known['sex'], known['site']).words}:")
        for label in sorted(LABELS, key=lambda label: -known["probs"][label.code]):
            lines.append(f"    {known['probs'][label.code]:6.1%}  {label.name}")
        lines.append(f"  {CONTEXT_PRIOR}")
    lines += [f"  {sentence}" for sentence in answer["verdict"]]
    lines += [f"  Note: {note}" for note in answer["notes"]]
    if not answer["bundled_release"]:
        lines.append("  Note: the model is not the release that came with this version.")
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
    predict.add_argument("--age", type=float, metavar="YEARS", help="of the patient, for a second distribution")
    predict.add_argument("--sex", choices=("female", "male"), help="likewise")
    predict.add_argument("--site", metavar="SITE", help=f"likewise: {', '.join(SITES)}, or a word for one of them")
    predict.set_defaults(run=_predict)

    explain = commands.add_parser("explain", help="heat maps of a photo as pictures and as numbers")
    explain.add_argument("photo", type=Path, metavar="PHOTO")
    explain.add_argument("--out", type=Path, required=True, metavar="DIR", help="made if it is not there")
    explain.add_argument("--json", action="store_true", help="JSON to stdout, with the prediction")
    explain.set_defaults(run=_explain)

    report = commands.add_parser("report", help="the report of a photo as PDF; nothing is stored")
    report.add_argument("photo", type=Path, metavar="PHOTO")
    report.add_argument("--out", type=Path, required=True, metavar="FILE.pdf")
    report.add_argument(
        "--annex",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the maps of --methods, measurements and hashes on further pages (the default); --no-annex: page 1 alone, "
        "and no map is made",
    )
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
    doctor.add_argument(
        "--accept-loss",
        action="store_true",
        help="changes that were lost with the case database's log are known: tidy the folder again",
    )
    doctor.set_defaults(run=_doctor)

    backup = commands.add_parser("backup", help="all cases, photos and settings as one verified ZIP")
    backup.add_argument("folder", type=Path, metavar="FOLDER", help="where it is written, best on another disk")
    backup.set_defaults(run=_backup)

    restore = commands.add_parser("restore", help="bring a backup back; stop the app first")
    restore.add_argument("file", type=Path, metavar="FILE.zip")
    restore.add_argument(
        "--replace", action="store_true", help="also where there are cases: they are set aside, not deleted"
    )
    restore.set_defaults(run=_restore)

    measuring = research.add_commands(commands)
    for command in (predict, explain, report, doctor, *measuring):
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
