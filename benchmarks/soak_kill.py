"""A thousand kills while saving, for the table of ``docs/reliability.md``; it takes some six minutes on two cores."""

import json
import random
import tempfile
from pathlib import Path

from benchmarks.machine import ROOT, machine
from tests.soak import kill

KILLS = 1000


def main() -> None:
    """Write ``benchmarks/results/soak_kill.json``; where a kill left something amiss, its seed goes to stderr."""
    seed = random.SystemRandom().randrange(10**6)
    with tempfile.TemporaryDirectory() as folder:
        result = {"machine": machine(), **kill.soak(KILLS, seed, Path(folder))}
    path = ROOT / "benchmarks" / "results" / "soak_kill.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
