"""Command line: ``skinlens COMMAND``, or ``python -m skinlens COMMAND``; ``--help`` of each says what it takes.

Results go to stdout, progress and messages to stderr. Exit status: 0 done; 1 the doctor or a verification found
something wrong, a backup lacks a file, some photos of a batch could not be read, or an export lacks a part or its entry
in the audit log; 2 bad input (one line on stderr says what, and what to do); 130 stopped by Ctrl+C, 143 by SIGTERM.
"""

import sys
from collections.abc import Sequence

import click

import skinlens
from skinlens.cli import api, app, audit, batch, dicom, evaluation, exchange, photo, rescore, store, training, user
from skinlens.errors import SkinLensError
from skinlens.labels import DISCLAIMER
from skinlens.terminal import Terminated, sigterm_as_ctrl_c, speak_any_code_page

COMMANDS = (
    *(photo.predict, photo.explain_photo, photo.report),
    *(batch.batch, rescore.rescore, exchange.fhir_export, exchange.isic_export, exchange.isic_import, dicom.dicom),
    *(app.serve_app, app.doctor, store.backup, store.restore, store.verify, audit.audit, user.user, api.api),
    *(training.train, training.average, training.export, training.recalibrate, training.sensitivity),
    *(evaluation.train_segmentation, evaluation.context_fit, evaluation.evaluate, evaluation.ablation),
)


EXTRAS = {"lime", "matplotlib", "onnx", "pytorch_grad_cam", "ray", "sklearn", "timm", "torch", "torchvision"}
"""Packages that an installation for serving does without."""


@click.group(help=f"SkinLens. {DISCLAIMER}", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(skinlens.__version__, message="SkinLens %(version)s")
def commands() -> None:
    """The group of all commands."""


for _command in COMMANDS:
    commands.add_command(_command)
commands.add_command(app.serve_app, "serve")  # the name that it had before 0.4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    speak_any_code_page()
    given = list(arguments) if arguments is not None else None
    try:
        with sigterm_as_ctrl_c():
            return int(commands.main(args=given, prog_name="skinlens", standalone_mode=False) or 0)
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except (click.Abort, KeyboardInterrupt) as stop:
        print("skinlens: stopped.", file=sys.stderr)
        return 143 if isinstance(stop.__cause__ or stop, Terminated) else 130
    except SkinLensError as problem:
        print(f"skinlens: {' '.join(str(problem).split())}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as problem:
        if (name := (problem.name or "").partition(".")[0]) not in EXTRAS:
            raise
        extra = "ray" if name == "ray" else "train"
        print(f"skinlens: this needs {problem.name}. Install the packages of skinlens[{extra}].", file=sys.stderr)
        return 2
    except OSError as problem:
        named = f"{problem.filename}: " if problem.filename else ""
        print(f"skinlens: {named}{problem.strerror or problem}", file=sys.stderr)
        return 2
