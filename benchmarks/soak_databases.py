"""Two hundred changed databases, for the table of ``docs/reliability.md``; some minutes on two cores."""

import argparse
import json
import random
import tempfile
from pathlib import Path

from benchmarks.machine import ROOT, machine
from tests.soak import databases


def main() -> None:
    """Write ``benchmarks/results/soak_databases.json``; what is wrong goes to stderr with its seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=30.0)
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9)
    with tempfile.TemporaryDirectory() as folder:
        figures = databases.soak(given.files, seed, given.minutes, Path(folder))
    path = ROOT / "benchmarks" / "results" / "soak_databases.json"
    path.write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
