"""Provenance of a release: when, with which commit and packages it was made, and the hashes of its files."""

import platform
import subprocess
from typing import Any

import numpy as np
import onnxruntime
import torch

import skinlens
from skinlens import clock, paths


def made_now(version: str) -> dict[str, Any]:
    """Version of a release, when it was made, and with which commit and packages."""
    return {
        "version": version,
        "created_at": clock.utc_now(),
        "commit": commit(),
        "versions": {
            "skinlens": skinlens.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        },
    }


def commit() -> str:
    """Commit that a release is made with; a plus says that there were changes on top."""
    root = paths.ROOT
    try:
        return subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],  # noqa: S607
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
