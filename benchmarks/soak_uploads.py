"""A hundred thousand changed uploads, for the table of ``docs/reliability.md``; some ten minutes on two cores."""

import argparse
import json
import random

from benchmarks.machine import ROOT, machine
from tests.soak import uploads


def main() -> None:
    """Write ``benchmarks/results/soak_uploads.json``; what is wrong goes to stderr with its seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=60.0)
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9)
    result = {"machine": machine(), **uploads.soak(given.files, seed, given.minutes)}
    path = ROOT / "benchmarks" / "results" / "soak_uploads.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
