"""Commands of the audit log: ``audit verify`` and ``audit accept``."""

import sys
from pathlib import Path

import click

from skinlens.cli import options, secrets


@click.group("audit")
def audit() -> None:
    """The audit log: who did what and when, each entry bound to the one before."""


@audit.command()
@click.option(
    "--against",
    "backup",
    type=options.FILE,
    metavar="FILE.zip",
    help="Also compare with the head of the log in this backup, best one kept where nobody of this computer writes.",
)
def verify(*, backup: Path | None) -> int:
    """Find entries that were changed, removed or inserted. Exit status 1 where something is wrong."""
    from skinlens.store import CaseStore, archive, default_home
    from skinlens.store.audit_check import Kept
    from skinlens.store.chain import Head
    from skinlens.store.restore import in_the_clear

    known_heads = []
    if backup is not None:
        secret = secrets.for_opening(backup, None)
        with in_the_clear(backup, default_home(), secret) as clear, archive.opened(backup, clear) as (_, manifest):
            known_heads.append(Kept(Head(manifest.audit_entries, manifest.audit_head), f"the backup {backup.name}"))
    verified = CaseStore().verify_audit(known_heads)
    for problem in verified.problems:
        print(f"WRONG  {problem}")
    print(f"{verified.entries} entries; the last one is {verified.head}")
    if not verified.problems:
        print("No entry was changed, removed or inserted, as far as the log and what was kept of it can tell.")
        return 0
    print("Keep the whole folder as it is, and ask who has access to it.", file=sys.stderr)
    return 1


@audit.command()
@click.confirmation_option(prompt="The log gets an entry that says so, and what is missing at its end stays so. Go on?")
def accept() -> int:
    """Acknowledge what "verify" finds at the end of the log, as after an older copy was put back; begin there."""
    from skinlens.store import CaseStore

    CaseStore().accept_audit()
    print("Noted in the audit log.")
    return 0
