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


def json_file(default: Path | None = None) -> Callable[[Command], Command]:
    """``--json FILE``."""
    return click.option("--json", "json_path", type=FILE, metavar="FILE", default=default, help="Write all figures.")


def print_json(content: Any) -> None:
    json.dump(content, sys.stdout, indent=2, allow_nan=False)
    print()


def write_json(path: Path, result: dict[str, Any]) -> None:
    path.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
