"""Command that scores the stored cases again by another release: ``rescore``."""

import sys
from pathlib import Path

import click

from skinlens.atomic_file import replace_files
from skinlens.cli import options
from skinlens.labels import DISCLAIMER


@click.command()
@options.weights
@click.option("--report", type=options.FILE, metavar="FILE.pdf", help="Also write what changed, as a PDF.")
def rescore(*, weights: Path | None, report: Path | None) -> int:
    """Score every stored case again by a release, beside the stored result, and say what changed: after a new model.

    Interrupted work is continued by the same command. 1: some photos could not be read.
    """
    from tqdm import tqdm

    from skinlens.background import cores
    from skinlens.batch.rescore import rescore as score_again
    from skinlens.drift import drift
    from skinlens.inference.classifier import load_classifier
    from skinlens.inference.release import load_manifest, weights_directory
    from skinlens.report import drift as drift_report
    from skinlens.store import CaseStore
    from skinlens.wording.drift import CASE_HEADINGS, case_row, summary

    directory, store = weights or weights_directory(), CaseStore()
    release = load_manifest(directory).sha256
    classifier = load_classifier(directory, threads=cores())
    with tqdm(unit=" cases", mininterval=0.5 if sys.stderr.isatty() else 15, smoothing=0.1) as bar:
        done = score_again(store, classifier, release, lambda count: bar.update(count) and None, bar.reset)
    print(*done.problems, sep="\n", end="\n" if done.problems else "", file=sys.stderr)
    release_drift = drift(store.rescored_pairs(release))
    print(done.words, *summary(release_drift), sep="\n")
    for pair in release_drift.changed:
        print("; ".join(f"{title}: {cell}" for title, cell in zip(CASE_HEADINGS, case_row(pair), strict=True)))
    if report and (
        known := next((rescored for rescored in store.rescored_releases() if rescored.release_sha256 == release), None)
    ):
        content = drift_report.compose(release_drift, known.model, release, known.made_at)
        replace_files({report: drift_report.render(content)})
        print(report)
    print(DISCLAIMER)
    return done.status
