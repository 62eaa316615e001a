"""Streamlit as it is, and closed tabs that are forgotten sooner.

``python soon_server.py SECONDS run app.py …``
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from streamlit.web.cli import main  # noqa: E402  (after the path)

from skinlens.ui.state import tabs  # noqa: E402

if __name__ == "__main__":
    tabs.CLOSED_S = float(sys.argv.pop(1))
    main(prog_name="streamlit")
