"""Commands of the case file: ``backup`` and ``restore``."""

import sys
from pathlib import Path

import click

from skinlens.cli import options
from skinlens.clock import local_day
from skinlens.formatting import rounded_percent
from skinlens.records import Progress


@click.command()
@click.argument("folder", type=options.FILE, metavar="FOLDER")
def backup(folder: Path) -> int:
    """All cases, photos and settings as one verified ZIP in FOLDER, best on another disk."""
    from skinlens.store import CaseStore

    made = CaseStore().back_up(folder.absolute(), progress=_percent("Backing up"))
    print(*made.missing, sep="\n", end="\n" if made.missing else "", file=sys.stderr)
    print(f"{made.path}\n{made.cases} cases, {made.files} photos and maps: written and verified.")
    return 1 if made.missing else 0


@click.command()
@click.argument("file", type=options.FILE, metavar="FILE.zip")
@click.option("--replace", is_flag=True, help="Also where there are cases: they are set aside, not deleted.")
def restore(file: Path, *, replace: bool) -> int:
    """Bring a backup back. Stop the app first."""
    from skinlens.store import default_home
    from skinlens.store.restore import restore as bring_back

    done = bring_back(file, default_home(), replace=replace, progress=_percent("Restoring"))
    print(*done.missing, sep="\n", end="\n" if done.missing else "", file=sys.stderr)
    holds = f"{done.cases} cases, {done.files} photos and maps"
    print(f"{done.home} holds the backup of {local_day(done.made_at)} now: {holds}.")
    if done.aside is not None:
        print(f"What was there before is in {done.aside}. Delete that folder once you are sure not to need it.")
    return 1 if done.missing else 0


def _percent(doing: str) -> Progress:
    """Progress in tenths, to stderr."""
    last = -1

    def report(fraction: float) -> None:
        nonlocal last
        if (tenth := int(10 * fraction)) > last:
            last = tenth
            print(f"{doing}: {rounded_percent(tenth / 10)}", file=sys.stderr)

    return report
