"""Options that several commands share."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., int]

FILE = click.Path(path_type=Path)
out_directory = click.option("--out", type=FILE, required=True, metavar="DIR", help="Created where it is missing.")
weights = click.option(
    "--weights", type=FILE, metavar="DIR", help="The folder of a release; the one that came with SkinLens by default."
)


def json_file(default: str = "") -> Callable[[Command], Command]:
    """``--json FILE``; a place where none can be written is refused before anything is measured.

    ``default``: in words, where the command writes without it.
    """
    return click.option(
        "--json",
        "json_path",
        type=click.Path(path_type=Path, dir_okay=False, writable=True),
        metavar="FILE",
        callback=_in_a_folder,
        help=f"Write all figures; {default} by default." if default else "Write all figures.",
    )


def _in_a_folder(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and not path.resolve().parent.is_dir():
        raise click.BadParameter(
            f"expected a file in a folder that exists; there is no folder {path.resolve().parent}.", context, parameter
        )
    return path


def print_json(content: Any) -> None:
    json.dump(content, sys.stdout, indent=2, allow_nan=False)
    print()
