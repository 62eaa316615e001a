"""Commands for a photo: ``predict``, ``explain`` and ``report``. Nothing is stored."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from skinlens import pipeline
from skinlens.atomic_file import replace_files
from skinlens.body_sites import REGIONS
from skinlens.case_record import Analysis
from skinlens.cli import options
from skinlens.errors import ParameterError, SkinLensError
from skinlens.exchange import photo_result
from skinlens.explain import CONTRAST_WITH, METHODS, explain
from skinlens.formatting import duration, percent
from skinlens.inference.patient_context import PatientContext, context_of
from skinlens.inference.release import load_manifest, weights_directory
from skinlens.labels import CODES, DISCLAIMER, LABELS
from skinlens.records import Method, Target
from skinlens.wording.quality import UNRELIABLE
from skinlens.wording.verdict import CONTEXT_PRIOR

LABEL_HELP = "Class to explain; by default melanoma rather than nevus where it is flagged, else the most probable one."


class _Methods(click.ParamType[list[Method], str]):
    """Explanation methods by name, separated by commas, in the order of ``METHODS``."""

    name = "METHOD[,METHOD…]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Method]:
        if not isinstance(value, str):
            return list(value)
        asked = [name.strip().replace("-", "_") for name in value.split(",") if name.strip()]
        if not asked or any(name not in METHODS for name in asked):
            self.fail(f"expected {', '.join(METHODS)}, found {value!r}", param, ctx)
        return [method for method in METHODS if method in asked]


def _explaining(command: options.Command) -> options.Command:
    """The options of the commands that make maps."""
    for decorate in (
        click.option(
            "--contrast-with", "--against", type=click.Choice(CODES), help="Contrast the class with this one."
        ),
        click.option(
            "--label",
            type=click.Choice(CODES),
            help="Class to explain; by default melanoma rather than nevus where it is flagged, else the most probable.",
        ),
        click.option(
            "--methods",
            type=_Methods(),
            default=",".join(METHODS),
            help=f"Of {', '.join(METHODS)}; all by default.",
        ),
        options.weights,
    ):
        command = decorate(command)
    return command


@click.command()
@click.argument("photos", nargs=-1, required=True, type=options.FILE, metavar="PHOTO…")
@click.option("--json", "as_json", is_flag=True, help="JSON to stdout: one object, or a list of several photos.")
@click.option("--age", type=float, metavar="YEARS", help="Of the patient, for a second distribution.")
@click.option("--sex", type=click.Choice(("female", "male"), case_sensitive=False), help="Likewise.")
@click.option("--site", metavar="SITE", help=f"Likewise: {', '.join(REGIONS)}, or a word for one of them.")
@options.weights
def predict(
    photos: Sequence[Path], *, as_json: bool, age: float | None, sex: str | None, site: str | None, weights: Path | None
) -> int:
    """The distribution over the seven classes for each photo."""
    context = context_of(age, sex, site)
    classifier = pipeline.load_classifier(weights)
    if context.known and classifier.context_model is None:
        raise ParameterError(
            f"The model {classifier.engine.model_ref.version} was released without what age, sex and site change. "
            "Leave --age, --sex and --site out, or run: skinlens context-fit --weights DIR"
        )
    bundled = _bundled(weights)
    answers, status = [], 0
    for path in photos:
        try:
            analysis = pipeline.analyze_file(path, classifier)
        except (SkinLensError, OSError) as problem:
            if len(photos) == 1:
                raise
            reason = problem if isinstance(problem, SkinLensError) else problem.strerror
            print(f"skinlens: {path}: {reason}", file=sys.stderr)
            status = 2
            continue
        said = _answer(path, analysis, bundled=bundled)
        if as_json:
            said["views"] = photo_result.of_views(classifier, analysis.photo)
        if (probs := classifier.with_context(analysis.prediction, context)) is not None:
            said["with_context"] = {
                **asdict(context),
                "probs": dict(zip(CODES, probs, strict=True)),
                "note": CONTEXT_PRIOR,
            }
        answers.append(said)
    if as_json:
        options.print_json(answers[0] if len(photos) == 1 else answers)
    else:
        for said in answers:
            print(_summary(said))
        print(DISCLAIMER)
    return status


@click.command("explain")
@click.argument("photo", type=options.FILE, metavar="PHOTO")
@options.out_directory
@click.option("--json", "as_json", is_flag=True, help="JSON to stdout, with the prediction.")
@_explaining
def explain_photo(
    photo: Path,
    *,
    out: Path,
    as_json: bool,
    methods: Sequence[Method],
    label: str | None,
    contrast_with: str | None,
    weights: Path | None,
) -> int:
    """Heat maps of a photo as pictures and as numbers."""
    import numpy as np
    from PIL import Image

    from skinlens.imaging.preprocess import heatmap_to_photo

    classifier = pipeline.load_classifier(weights)
    analysis = pipeline.analyze_file(photo, classifier)
    if not analysis.quality.reliable:
        print(f"{photo}: {UNRELIABLE}", file=sys.stderr)
    target = _target(analysis, label, contrast_with)
    out.mkdir(parents=True, exist_ok=True)
    maps = []
    for method in methods:
        explanation = explain(method, classifier, analysis.photo, target.label, params=_params(target))
        stem = out / f"{method}-{explanation.target.code}"
        pixels, spec = analysis.photo, classifier.engine.spec
        Image.fromarray(photo_result.picture_of(explanation, pixels, classifier)).save(stem.with_suffix(".png"))
        np.save(
            stem.with_suffix(".npy"), heatmap_to_photo(explanation.heatmap, pixels.height_px, pixels.width_px, spec)
        )
        maps.append(
            {
                "overlay": str(stem.with_suffix(".png")),
                "heat": str(stem.with_suffix(".npy")),
                **photo_result.of_explanation(explanation),
            }
        )
        print(f"{method}: {duration(explanation.duration_ms)}", file=sys.stderr)
    if as_json:
        options.print_json({**_answer(photo, analysis, bundled=_bundled(weights)), "explanations": maps})
    else:
        print(*(f"{paths['overlay']}\n{paths['heat']}" for paths in maps), DISCLAIMER, sep="\n")
    return 0


@click.command()
@click.argument("photo", type=options.FILE, metavar="PHOTO")
@click.option("--out", type=options.FILE, required=True, metavar="FILE.pdf")
@click.option(
    "--annex/--no-annex",
    default=True,
    help="The maps of --methods, measurements and hashes on further pages (the default); --no-annex: page 1 alone, "
    "and no map is made.",
)
@_explaining
def report(
    photo: Path,
    *,
    out: Path,
    annex: bool,
    methods: Sequence[Method],
    label: str | None,
    contrast_with: str | None,
    weights: Path | None,
) -> int:
    """The report of a photo as PDF."""
    classifier = pipeline.load_classifier(weights)
    analysis = pipeline.analyze_file(photo, classifier)
    target = _target(analysis, label, contrast_with)
    explanations = [
        explain(method, classifier, analysis.photo, target.label, params=_params(target))
        for method in (methods if annex else ())  # the maps are in the annex alone
    ]
    replace_files({out: pipeline.report_unsaved(analysis, explanations, datetime.now(UTC), annex=annex)})
    print(out)
    return 0


def _target(analysis: Analysis, label: str | None, contrast_with: str | None) -> Target:
    """As asked for; without either option the one that the app explains first."""
    if label is None and contrast_with is None:
        return analysis.first_target
    return Target(label or analysis.prediction.top.code, contrast_with or "")


def _params(target: Target) -> dict[str, str]:
    return {CONTRAST_WITH: target.contrast_with} if target.contrast_with else {}


def _bundled(weights: Path | None) -> bool:
    """Whether the model is the release that came with this version."""
    return load_manifest(weights or weights_directory()).bundled


def _answer(path: Path, analysis: Analysis, *, bundled: bool) -> dict[str, Any]:
    return {"photo": str(path), **photo_result.of_photo(analysis, bundled=bundled)}


def _summary(said: dict[str, Any]) -> str:
    """An answer in words, one line each."""
    lines = [said["photo"]]
    if said["reliable"]:
        for label in sorted(LABELS, key=lambda label: -said["probs"][label.code]):
            lines.append(f"  {percent(said['probs'][label.code]):>8}  {label.name} ({label.risk})")
    lines += [f"  {sentence}" for sentence in said["verdict"]]
    known = said.get("with_context")
    if known and not said["reliable"]:
        lines.append("  With age, sex and site: not shown either.")
    elif known:
        lines.append(f"  With {PatientContext(known['age_years'], known['sex'], known['site']).words}:")
        for label in sorted(LABELS, key=lambda label: -known["probs"][label.code]):
            lines.append(f"    {percent(known['probs'][label.code]):>8}  {label.name}")
        lines.append(f"  {CONTEXT_PRIOR}")
    lines += [f"  Note: {note}" for note in said["notes"]]
    if not said["bundled_release"]:
        lines.append("  Note: the model is not the release that came with this version.")
    lines += [f"  {check['title']}: {check['advice']}" for check in said["quality"]["checks"] if not check["passed"]]
    return "\n".join(lines)
