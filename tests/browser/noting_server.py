"""Streamlit as it is, and a file in which stands how far every piece of background work is.

``python noting_server.py FILE run app.py …``
"""

import json
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from streamlit.web.cli import main  # noqa: E402  (after the path)

from skinlens.ui.state.jobs import Job, SessionQueue  # noqa: E402


def note(jobs: list[Job], file: Path) -> None:
    while True:
        states = [[*job.key, job.state, job.fraction] for job in jobs]
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(states), encoding="utf-8")
        fresh.replace(file)
        time.sleep(0.02)


if __name__ == "__main__":
    submitted: list[Job] = []
    original = SessionQueue.submit

    def submit(self: SessionQueue, job: Job) -> None:
        submitted.append(job)
        original(self, job)

    SessionQueue.submit = submit  # type: ignore[method-assign]
    noted = Path(sys.argv.pop(1))
    threading.Thread(target=note, args=(submitted, noted), daemon=True).start()
    main(prog_name="streamlit")
