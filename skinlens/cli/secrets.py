"""Passphrase of a backup: from a file, from ``SKINLENS_PASSPHRASE``, or typed; never an argument: those are public."""

import os
from pathlib import Path

import click

from skinlens.cli import options
from skinlens.errors import InvalidEntry

VARIABLE = "SKINLENS_PASSPHRASE"

passphrase_file = click.option(
    "--passphrase-file",
    type=options.FILE,
    metavar="FILE",
    help=f"Its first line is the passphrase; otherwise {VARIABLE} is, or it is asked for.",
)


def for_new_backup(file: Path | None, *, ask: bool) -> str | None:
    """The passphrase of a backup to be made; None where nothing says that it is to be encrypted."""
    passphrase = _given(file)
    if passphrase is None and ask:
        passphrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt="The same again", err=True)
    return passphrase


def for_opening(backup: Path, file: Path | None) -> str | None:
    """The passphrase of a backup that is there; None where it needs none."""
    from skinlens.store.encryption import is_encrypted

    if not is_encrypted(backup):
        return None
    passphrase = _given(file)
    return passphrase if passphrase is not None else str(click.prompt("Passphrase", hide_input=True, err=True))


def _given(file: Path | None) -> str | None:
    if file is not None:
        lines = file.read_text(encoding="utf-8").splitlines()
        if not lines or not lines[0]:
            raise InvalidEntry(f"{file} has no passphrase in its first line.")
        return lines[0]
    given = os.environ.get(VARIABLE)
    if given == "":  # a look-up that failed, most likely: no reason to write a backup that everybody reads
        raise InvalidEntry(f"{VARIABLE} is set and empty. Give it the passphrase, or unset it.")
    return given
