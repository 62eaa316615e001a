"""A fault in every call of the disk and the database, and memory that ends, for the table of ``docs/reliability.md``.

``--every 1`` takes hours on two cores; by default every 40th is made, from a random one on.
"""

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.machine import ROOT, machine
from tests.soak import faults


def main() -> None:
    """Write ``benchmarks/results/soak_faults.json``; what a fault left amiss goes to stderr."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--every", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = {"machine": machine(), **faults.soak(list(faults.STEPS), given.every, Path(folder))}
    path = ROOT / "benchmarks" / "results" / "soak_faults.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
