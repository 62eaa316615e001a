"""Commands of the case file: ``backup``, ``restore`` and ``verify``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinlens.cli import options, secrets
from skinlens.clock import local_day
from skinlens.formatting import counted, rounded_percent
from skinlens.records import Progress

if TYPE_CHECKING:
    from skinlens.store.archive import Manifest
    from skinlens.store.backup import Backup
    from skinlens.store.restore import Restored


@click.command()
@click.argument("folder", type=options.FILE, metavar="FOLDER")
@click.option("--encrypt", is_flag=True, help="With a passphrase, which is asked for.")
@secrets.passphrase_file
def backup(folder: Path, *, encrypt: bool, passphrase_file: Path | None) -> int:
    """All cases, photos and settings as one verified ZIP in FOLDER, best on another disk; the app may run meanwhile."""
    from skinlens.store import CaseStore

    secret = secrets.for_new_backup(passphrase_file, ask=encrypt)
    made = CaseStore().back_up(folder.absolute(), progress=_percent("Backing up"), passphrase=secret)
    print(*made.missing, sep="\n", end="\n" if made.missing else "", file=sys.stderr)
    how = "written, encrypted and verified" if made.encrypted else "written and verified"
    print(f"{made.path}\n{_held(made)}: {how}.")
    return 1 if made.missing else 0


@click.command()
@click.argument("file", type=options.FILE, metavar="FILE.zip")
@click.option("--replace", is_flag=True, help="Also where there are cases: they are set aside, not deleted.")
@secrets.passphrase_file
def restore(file: Path, *, replace: bool, passphrase_file: Path | None) -> int:
    """Bring a backup back, encrypted or not. Stop the app first."""
    from skinlens.store import default_home
    from skinlens.store.restore import restore as bring_back

    secret = secrets.for_opening(file, passphrase_file)
    done = bring_back(file, default_home(), replace=replace, progress=_percent("Restoring"), passphrase=secret)
    print(*done.missing, sep="\n", end="\n" if done.missing else "", file=sys.stderr)
    print(f"{done.home} holds the backup of {local_day(done.made_at)} now: {_held(done)}.")
    if done.aside is not None:
        print(f"What was there before is in {done.aside}. Delete that folder once you are sure not to need it.")
    return 1 if done.missing else 0


@click.command()
@click.argument("backup_file", type=options.FILE, metavar="[BACKUP.zip]", required=False)
@secrets.passphrase_file
def verify(*, backup_file: Path | None, passphrase_file: Path | None) -> int:
    """Read every row, photo and map and compare its hash; of the case file, or of a backup. 1: something is wrong."""
    from skinlens.store import CaseStore, archive, default_home
    from skinlens.store.restore import in_the_clear

    if backup_file is not None:
        secret = secrets.for_opening(backup_file, passphrase_file)
        with in_the_clear(backup_file, default_home(), secret) as clear:
            manifest = archive.verify(backup_file, _percent("Verifying"), clear)
        print(*manifest.missing, sep="\n", end="\n" if manifest.missing else "")
        print(f"{backup_file}: {_held(manifest)}, all as they were backed up.")
        return 1 if manifest.missing else 0
    store = CaseStore()
    problems_of = {
        "rows of the database": (*store.log_problem(), *store.damage()),
        "photos and maps": store.lost_files(),
        "photos that wait on the worklist": store.received_problems(),
        "files that no case needs": tuple(f"No case needs {path}." for path in store.unknown_files()),
        "audit log": store.verify_audit().problems,
    }
    for what, problems in problems_of.items():
        print(f"{'WRONG' if problems else 'ok   '}  {what}")
        print(*(f"       {problem}" for problem in problems), sep="\n", end="\n" if problems else "")
    return 1 if any(problems_of.values()) else 0


def _held(contents: "Backup | Restored | Manifest") -> str:
    waits = f", {counted(contents.waiting, 'photo')} waiting on the worklist" if contents.waiting else ""
    return f"{contents.cases} cases, {contents.files} photos and maps{waits}"


def _percent(doing: str) -> Progress:
    """Progress in tenths, to stderr."""
    last = -1

    def report(fraction: float) -> None:
        nonlocal last
        if (tenth := int(10 * fraction)) > last:
            last = tenth
            print(f"{doing}: {rounded_percent(tenth / 10)}", file=sys.stderr)

    return report
