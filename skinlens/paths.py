"""Paths of the files that travel with the code: the app's pages, the release, and the documents of a checkout.

In a checkout they lie beside the package ``skinlens``; an installed wheel holds them inside of it, in ``_app``.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_app"

IMPORT_ROOT = _PACKAGE.parent
"""The folder that Python imports ``skinlens`` from."""
ROOT = _INSTALLED if _INSTALLED.is_dir() else IMPORT_ROOT
"""The folder of ``app.py``, ``pages/``, ``.streamlit/`` and ``weights/``."""
WEIGHTS = ROOT / "weights"
BENCHMARK_RESULTS = ROOT / "benchmarks" / "results"
"""Of a checkout alone."""
